"""Where a model is wrong: its most confident mistakes, and its error rate by properties of the photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.evaluation.predictions import over, probabilities
from mien.metrics import LEAST_GROUPS, share_interval
from mien.results.behaviour import ErrorRate, ErrorRates, Mistake
from mien.results.scores import GroupKind

__all__ = ["confident_mistakes", "error_rates"]

PROPERTIES = {
    "brightness": "brightness (mean luma, 0 to 1)",
    "sharpness": "sharpness (variance of the Laplacian; low is blurred)",
    "face_side": "face size (px)",
    "is_grey": "grey",
    "face_kind": "face",
}
BINS = 3


def confident_mistakes(
    predictions: pl.DataFrame, labels: Sequence[str], names: Mapping[str, str] | None = None, most: int = 24
) -> tuple[Mistake, ...]:
    """The wrong answers with the highest probability, most confident first.

    Args:
        names: class of the table → class of the model; rows of other classes are left out.
    """
    rows = predictions.filter(pl.col("label").is_in(list(names))) if names is not None else predictions
    if rows.is_empty():
        return ()
    truth, answer, confidence = _answers(rows, labels, names)
    order = np.argsort(-confidence, kind="stable")
    wrong = [int(i) for i in order if truth[i] != answer[i]][:most]
    kept = rows.select("id", "path", "row").rows(named=True)
    return tuple(
        Mistake(**kept[i], true=truth[i], predicted=answer[i], probability=float(confidence[i])) for i in wrong
    )


def error_rates(
    predictions: pl.DataFrame,
    manifest: pl.DataFrame,
    labels: Sequence[str],
    names: Mapping[str, str] | None = None,
) -> tuple[ErrorRates, ...]:
    """Error rate, with its interval over groups, by brightness, blur, face size, grey and kind of face.

    Numbers are cut at their terciles. A property that does not vary is left out.
    """
    rows = predictions.filter(pl.col("label").is_in(list(names))) if names is not None else predictions
    if rows.is_empty():
        return ()
    truth, answer, _ = _answers(rows, labels, names)
    wrong = np.array([t != a for t, a in zip(truth, answer, strict=True)])
    photos = rows.select("row").join(manifest.select("row", *PROPERTIES), on="row", how="left", maintain_order="left")
    found, groups, units = [], rows["split_group"].to_numpy(), over(rows)
    for name, title in PROPERTIES.items():
        bins = _bins(photos[name])
        if len(bins) > 1:
            rates = tuple(_rate(b, wrong[m], groups[m], units.kind) for b, m in bins)
            found.append(ErrorRates(property=name, title=title, bins=rates, over=units))
    return tuple(found)


def _answers(
    rows: pl.DataFrame, labels: Sequence[str], names: Mapping[str, str] | None
) -> tuple[list[str], list[str], NDArray[np.float64]]:
    probs = probabilities(rows, labels)
    truth = [(names or {}).get(name, name) for name in rows["label"]]
    return truth, [labels[k] for k in probs.argmax(1)], probs.max(1)


def _bins(values: pl.Series) -> list[tuple[str, NDArray[np.bool_]]]:
    """Name of each bin and which photos are in it; nulls are in none."""
    if values.dtype == pl.Boolean:
        values = values.replace_strict({True: "grey", False: "colour"}, return_dtype=pl.String)
    if values.dtype == pl.String:
        return [(str(v), (values == v).fill_null(False).to_numpy()) for v in sorted(values.drop_nulls().unique())]
    numbers = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    known = np.sort(numbers[np.isfinite(numbers)])
    if len(known) == 0:
        return []
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1], method="higher"))
    bin_of = np.searchsorted(cuts, numbers, side="right")
    members = [np.isfinite(numbers) & (bin_of == i) for i in range(len(cuts) + 1)]
    members = [m for m in members if m.any()]
    for digits in range(3, 10):  # as many as it takes to tell the bins apart
        names = [f"{numbers[m].min():.{digits}g} to {numbers[m].max():.{digits}g}" for m in members]
        if len(set(names)) == len(names):
            break
    return list(zip(names, members, strict=True))


def _rate(name: str, wrong: NDArray[np.bool_], groups: NDArray[np.int64], kind: GroupKind) -> ErrorRate:
    """Of a bin, none of which is empty."""
    rate, interval = float(wrong.mean()), share_interval(wrong, groups)
    if kind != "pictures" and len(np.unique(groups)) < LEAST_GROUPS:  # few people of one photo each are few as well
        interval = None
    return ErrorRate(bin=name, images=len(wrong), error_rate=rate, interval=interval)
