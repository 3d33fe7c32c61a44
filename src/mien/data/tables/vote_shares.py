"""What raters said of photos, as a distribution over the classes: what recipes learn of votes (Barsoum et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.tables.manifest import vote_columns

__all__ = ["vote_shares"]


def vote_shares(rows: pl.DataFrame, labels: Sequence[str]) -> NDArray[np.float32] | None:
    """The share of each class in the votes for each photo.

    A photo without votes, as of another source, or whose class a person corrected, is wholly of its class. Votes for
    what is no class, such as "unknown", do not count.

    Args:
        rows: of the manifest, each with a label among ``labels``.
        labels: the classes.

    Returns:
        (N, K), rows summing to 1; None where no photo has votes.
    """
    columns = vote_columns(rows)
    if not any(label in columns for label in labels):
        return None
    votes = [pl.col(columns[label]).fill_null(0.0) if label in columns else pl.lit(0.0) for label in labels]
    counts = rows.select(vote.cast(pl.Float64).alias(str(k)) for k, vote in enumerate(votes)).to_numpy()
    is_voted = (counts.sum(1) > 0) & rows["given_label"].is_null().to_numpy()
    if not is_voted.any():
        return None
    whole = rows.select((pl.col("label") == label).cast(pl.Float64).alias(str(k)) for k, label in enumerate(labels))
    counts = np.where(is_voted[:, None], counts, whole.to_numpy())
    return np.asarray(counts / counts.sum(1, keepdims=True), np.float32)
