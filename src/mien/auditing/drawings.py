"""Tell drawings and paintings from photographs by how the whole picture looks to a network.

One linear layer on the probe's ImageNet features of the whole photo. ``pretraining/fit_drawn.py`` fits it to photos
rendered by the repository's own filters (cartoon, few colours, ink line, pencil, charcoal, hatching, oil, watercolour,
brush strokes), pages of text and shapes and faces of the demo, against the photos themselves, poorer copies of them,
and crops of FER2013. It is scaled so that, of held-out photos and their poorer copies, 2 in 1,000 reach 0.5 and 1 in
100 reaches 0.1; of 1,012 photos as they are, none reached 0.5 and one 0.1.

Area under the ROC curve against held-out photos, each style left out of the fit with a fifth of the others: 0.975 to
1.000. From 0.5 up are 28 % (watercolour) to 100 % (ink line) of the renderings but only 7 % of pages, from 0.1 up 53 to
100 %. The one test on drawings that no program made is tiny: five among the stock photos, one of them twice, never
fitted to. Of 1,012 held-out photos, none stand above a charcoal, its copy and a sheet of sketches (0.70 to 1.00), one
above a painting in oil (0.12), but 14 above a dark digital drawing and 33 above a digital painting (0.01): area 0.992.
In 4,000 crops of FER2013, 24 reach 0.5, of which by eye 20 are no photos, and 71 reach 0.1, of which over half.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEAD", "WIDTH", "drawn_by_look"]

HEAD = Path(__file__).with_name("drawn_head.npz")
"""Arrays ``weight`` (1280,) and ``bias`` () of one logit; ``pretraining/fit_drawn.py`` writes them."""
WIDTH = 1280
"""Features of one view of ``efficientnet-lite0``."""


def drawn_by_look(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability that each picture is drawn or painted.

    Args:
        features: (N, D), the first 1,280 being those of the whole photo at 224 px through ``efficientnet-lite0``
            with its ImageNet weights, as ``mien.training.probe.compute_features`` gives them; the rest is not read.

    Returns:
        (N,) in [0, 1], on the scale of ``mien.data.measuring.drawn``: the audit calls 0.5 drawn and 0.1 perhaps drawn.
    """
    weight, bias = _head()
    logits = features[:, :WIDTH] @ weight + bias
    # The logistic function, without its overflow.
    return ((1 + np.tanh(logits / 2)) / 2).astype(np.float32)


@cache
def _head() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with np.load(HEAD, allow_pickle=False) as stored:
        return stored["weight"], stored["bias"]
