"""Fit both opinions on drawn pictures again: ``python pretraining/fit_drawn.py [PHOTOS.zip [CROPS.zip]]``.

Nothing drawn by others is trained on: the drawings are photos rendered by ``renderings.py``, its pages, and the faces
of mien's demo. The photos are those of six-emotions, as they are and worn, and crops of FER2013. Prints the
coefficients of ``mien.data.measuring.drawn`` and writes the head of ``mien.auditing.drawings``, in ten minutes on one
core. A fold holds out a fifth of the photos, look-alikes and all that was made of them together, and a fifth of the
styles.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from renderings import FILTERS, page, rendered, worn
from scipy.sparse.csgraph import connected_components
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from mien.auditing import drawings
from mien.data.measuring.drawn import drawn_statistics
from mien.data.measuring.properties import survey
from mien.data.measuring.runtime import open_session
from mien.data.reading.preprocess import View, decode, render
from mien.data.sources import Source, open_source
from mien.demo import ACTION_UNITS, draw_face
from mien.models.backbones import load_backbone
from mien.models.export import to_onnx
from mien.training.head import fit_heads

REAL = ("f66d7a910171", "8214227495af", "884131736b4f", "76bb1f24d38f", "78cc9eab4746", "76370ecc6c44")
NEITHER = ("93c20e076917", "db1966864e51")
"""First digits of the sha256 of files in six-emotions that are no photos, by eye (a charcoal and its copy, a sheet of
sketches, three paintings), which are tested on alone, and of two between (a sculpted mask, a photo made a print)."""
FLAT = ("cartoon", "flat", "ink line", "page")
"""Styles that the cheap statistics are to tell. Of all of them, the i-th is held out in fold i mod 5."""
STYLES = (*FLAT, "demo", "pencil", "charcoal", "hatching", "oil", "watercolour", "strokes")
CROP_STYLES = ("cartoon", "flat", "ink line", "pencil", "charcoal", "hatching")  # those that can be told at 48 px
N_CROPS, N_PAGES, N_DEMO, FOLDS = 1500, 300, 150, 5
ALIKE = 0.8
"""Cosine of features from which two photos are held out together: all copies but a few mirrored ones, many series."""
PHOTOS, STRENGTHS = ("photo", "worn", "crop"), (1e-4, 3e-4, 1e-3, 3e-3)
SURELY_RATE, PERHAPS_RATE = 0.002, 0.01
"""Shares of held-out photos that are to reach a probability of 0.5, and of 0.1."""

Floats = NDArray[np.floating]
Integers = NDArray[np.int64]


class Sample(NamedTuple):
    """A picture, what it is (a style, ``photo``, ``worn``, ``crop`` or ``real``), and the number of its photo."""

    image: Image.Image
    kind: str
    origin: int


class Table(NamedTuple):
    """Features (N, 1280), spikes and texture (N, 2), kinds (N,), groups (N,) that are held out together."""

    features: Floats
    statistics: Floats
    kinds: NDArray[np.str_]
    groups: Integers


def of_photos(source: Source) -> Iterator[Sample]:
    """Each photo as it is, worn twice, and in two styles."""
    for i, file in enumerate(file for file in source.files if file.ignored is None):
        content, rng = source.read(file), np.random.default_rng([0, i])
        digits = hashlib.sha256(content).hexdigest()[:12]
        image = decode(content).image
        if digits in (*REAL, *NEITHER):
            yield Sample(image, "real" if digits in REAL else "neither", i)
            continue
        yield Sample(image, "photo", i)
        image.thumbnail((420, 420), Image.Resampling.BILINEAR)
        yield from (Sample(worn(image, rng), "worn", i) for _ in range(2))
        for style in rng.choice(list(FILTERS), 2, replace=False):
            yield Sample(worn(rendered(image, style, rng), rng), str(style), i)


def of_crops(source: Source) -> Iterator[Sample]:
    """Crops as they are, and every third in one style."""
    files = [file for file in source.files if file.ignored is None]
    for i in np.random.default_rng(1).permutation(len(files))[:N_CROPS]:
        image, rng = decode(source.read(files[i])).image, np.random.default_rng([1, i])
        yield Sample(image, "crop", 100_000 + i)
        if i % 3 == 0:
            style = str(rng.choice(CROP_STYLES))
            yield Sample(rendered(image, style, rng), style, 100_000 + i)


def of_nothing() -> Iterator[Sample]:
    """Pages, and faces of the demo, worn."""
    rng, expressions = np.random.default_rng(2), list(ACTION_UNITS)
    yield from (Sample(worn(page(rng), rng), "page", 200_000 + i) for i in range(N_PAGES))
    for i in range(N_DEMO):
        face = draw_face(expressions[i % len(expressions)], i, style="grey" if i % 3 == 0 else "colour")
        yield Sample(worn(face.convert("RGB"), rng), "demo", 300_000 + i)


def measure(samples: Iterator[Sample]) -> Table:
    """Features and statistics of every sample, computed as the audit does."""
    backbone, view = load_backbone(), View("photo", 224)
    model = to_onnx(backbone.network(), view.size, view.name, "features")
    session = open_session(model.SerializeToString())
    rows = [
        (
            session.run(None, {"photo": render(image, view, None)[None]})[0][0],
            tuple(drawn_statistics([survey(image).grey])[0]),
            *named,
        )
        for image, *named in samples
    ]
    features, statistics, kinds, origins = (np.array(column) for column in zip(*rows, strict=True))
    return Table(features, statistics, kinds, grouped(features, kinds == "photo", origins))


def grouped(features: Floats, is_photo: NDArray[np.bool_], origins: Integers) -> Integers:
    """Origins (N,) in which photos that look alike share one number."""
    unit = features[is_photo] / np.linalg.norm(features[is_photo], axis=1, keepdims=True)
    _, component = connected_components(unit @ unit.T >= ALIKE)
    of_origin = dict(zip(origins[is_photo].tolist(), component.tolist(), strict=True))
    return np.array([of_origin.get(origin, origin + 100_000) for origin in origins.tolist()])


def folds_of(table: Table) -> Iterator[tuple[Integers, Integers]]:
    """Rows to fit on and rows held out, with neither the photos nor the styles of the one in the other."""
    style_fold = np.array([STYLES.index(kind) % FOLDS if kind in STYLES else -1 for kind in table.kinds])
    is_real = table.kinds == "real"
    for k, (train, test) in enumerate(GroupKFold(FOLDS).split(table.features, groups=table.groups)):
        held_out = np.isin(style_fold[test], (-1, k)) & ~is_real[test]
        yield train[(style_fold[train] != k) & ~is_real[train]], test[held_out]


def head_of(table: Table, rows: Integers, strength: float) -> Floats:
    """Weights and, last, the bias (D + 1,) of the logit of being drawn."""
    ((weight, bias),) = fit_heads([strength], table.features[rows], np.isin(table.kinds[rows], STYLES).astype(np.int64))
    return np.array([*(weight[1] - weight[0]), bias[1] - bias[0]], np.float64)


def logits_held_out(table: Table, strength: float) -> Floats:
    """Logits (N,) of what was held out, of the real drawings the mean; NaN where only the photo or the style was."""
    z, is_real = np.full(len(table.kinds), np.nan), table.kinds == "real"
    folds = [(head_of(table, train, strength), test) for train, test in folds_of(table)]
    for head, test in folds:
        z[test] = table.features[test] @ head[:-1] + head[-1]
    mean_head = np.mean([head for head, _ in folds], axis=0)
    z[is_real] = table.features[is_real] @ mean_head[:-1] + mean_head[-1]
    return z


def area(drawn: Floats, photos: Floats) -> float:
    """Area under the ROC curve."""
    return float(roc_auc_score(np.repeat([1, 0], [len(drawn), len(photos)]), np.append(drawn, photos)))


def fit(table: Table, styles: tuple[str, ...]) -> Floats:
    """Head (D + 1,) that tells some styles from photos, scaled so that 0.5 and 0.1 are reached by the given shares."""
    used = np.isin(table.kinds, (*PHOTOS, *styles, "real")) & ~np.isnan(table.features).any(1)
    table = Table(table.features[used], table.statistics[used], table.kinds[used], table.groups[used])
    tried = {}
    for strength, z in ((strength, logits_held_out(table, strength)) for strength in STRENGTHS):
        of = {kind: z[(table.kinds == kind) & ~np.isnan(z)] for kind in (*PHOTOS, *styles, "real")}
        tried[area(np.concatenate([of[s] for s in styles]), np.concatenate([of[p] for p in PHOTOS])), strength] = of
    best = max(tried)
    photos = np.concatenate([tried[best]["photo"], tried[best]["worn"]])  # a few crops of FER2013 are drawn
    surely, perhaps = np.quantile(photos, [1 - SURELY_RATE, 1 - PERHAPS_RATE])
    scale = math.log(9) / (surely - perhaps)  # the logit of 0.1 is -log 9
    report({kind: (z - surely) * scale for kind, z in tried[best].items()}, best)
    head = head_of(table, np.flatnonzero(table.kinds != "real"), best[1])
    head[-1] -= surely
    head *= scale
    return head


def report(z: dict[str, Floats], best: tuple[float, float]) -> None:
    """Print how well held-out pictures of each kind are told from photos as they are."""
    print(f"held-out area {best[0]:.4f} with strength {best[1]:g}; by kind, and shares that reach 0.5 and 0.1:")
    for kind, found in z.items():
        shares = f"{(found >= 0).mean():.3f} {(found >= -math.log(9)).mean():.3f}"
        print(f"  {kind:12} n {len(found):5}  area {area(found, z['photo']):.3f}  {shares}")
    print("  real drawings:", [f"{1 / (1 + math.exp(-r)):.3f} below {(z['photo'] > r).sum()}" for r in z["real"]])


def main(photos: str, crops: str) -> None:
    """Measure, fit both, and write the head."""
    table = measure(chain(of_photos(open_source(photos)), of_crops(open_source(crops)), of_nothing()))
    spikes, texture, bias = fit(table._replace(features=table.statistics), FLAT)
    print(f"BIAS, SPIKES_WEIGHT, TEXTURE_WEIGHT = {bias:.3f}, {spikes:.3f}, {texture:.3f}")
    head = fit(table, STYLES).astype(np.float32)
    np.savez(drawings.HEAD, weight=head[:-1], bias=head[-1])


if __name__ == "__main__":
    main(*[*sys.argv[1:], "../shared/data/six-emotions.zip", "../shared/data/fer2013.zip"][:2])
