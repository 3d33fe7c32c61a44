"""Make ``six``, the recogniser of the notebook's six classes, with the ``expression`` backbone as it is now.

``python pretraining/fit_six.py SIX-EMOTIONS.zip OUT [--name six@1]``

The recipe two-stream, fitted to all photos of the set. What it is worth is measured on folds that keep copies (or
photos of one series) together: five folds, with all that the recipe chooses chosen inside the training
part of each fold. The weights are stored with 16 bits, which the runtime widens again when it opens the file. Beside
them, in ``src/mien/models/weights``, stands what the model card says. ``six@1`` belongs to version 1 of the backbone,
``six@2`` to version 2.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import polars as pl
from msgspec import structs
from numpy.typing import NDArray
from shared_weights import assembled, store_weights, write_shipped
from write_sums import write_sums

from mien.calibration import fit_temperature, risk_coverage
from mien.data.grouping.folds import kfold
from mien.data.sources.collection import open_collection
from mien.data.tables.prepare import prepare
from mien.evaluation.predictions import as_results
from mien.metrics import expected_calibration_error, score
from mien.models.artifact import Contract, shipped
from mien.models.backbones import load_backbone
from mien.models.export import linear_heads
from mien.models.quantize import with_sixteen_bits
from mien.recognizer import Recognizer, softmax
from mien.settings.by_name import made
from mien.settings.run import HeadRun
from mien.settings.study import StudySettings
from mien.telling.terminal.summaries import TerminalProgress
from mien.training.head import cross_validate, fit_heads
from mien.training.recipes import resolve_run, views_of
from mien.training.run import LabelledPhotos, run_streams, train_run

MAX_ERROR = 0.1
"""Wrong answers among those given that the recogniser promises where nobody asks for another share."""
FOLDS, INNER_FOLDS = 5, 3
MEASURED = (("two-stream", "grouped", (0, 1)), ("two-stream", "series", (0,)), ("probe", "grouped", (0,)))
"""Recipe, division and seeds of what is measured."""
COLUMNS = {"grouped": "near_group", "series": "series"}
RECIPES = ("two-stream", "probe")
CARDS = {"six@1": "six-1.json", "six@2": "six.json"}
"""Name and version → the file beside the weights with the figures of its card."""


def open_photos(zip_file: str, folder: Path) -> tuple[dict[str, HeadRun], LabelledPhotos]:
    """The recipes, and all usable photos as training photos."""
    collection = open_collection([zip_file])
    settings = made(StudySettings, data=(zip_file,), recipes=RECIPES, device="cpu")
    resolved = {name: resolve_run(name, settings, collection.labels) for name in RECIPES}
    runs = {name: run for name, run in resolved.items() if isinstance(run, HeadRun)}
    folder.mkdir(parents=True, exist_ok=True)
    views = [view for run in runs.values() for view in views_of(run)]
    prepared = prepare([collection], views, folder, progress=TerminalProgress())
    everything = prepared.manifest.filter((pl.col("status") == "ok") & pl.col("label").is_not_null()).with_columns(
        pl.lit("train").alias("split"), pl.col("near_group").alias("split_group")
    )
    photos = LabelledPhotos(collection.names, everything, prepared.pixels, collection.labels, folder / "features")
    return runs, photos


def cross_validated(run: HeadRun, photos: LabelledPhotos, column: str, seeds: tuple[int, ...]) -> dict[str, Any]:
    """Scores of a recipe on photos that it was not fitted to.

    Args:
        column: of the manifest, with what stays together.
        seeds: of the folds.
    """
    rows = photos.manifest
    y, groups = photos.indices(rows), rows["near_group"].to_numpy()
    streams = run_streams(run, photos, rows, lambda n: None)
    told: list[dict[str, Any]] = []
    for seed in seeds:
        folds = kfold(y.astype(str), rows[column].to_numpy(), FOLDS, seed)
        probs = folded_answers(run, streams, y, groups, folds)
        scores = score(y, probs.argmax(1), run.labels, groups=groups)
        curve = risk_coverage(probs, y)
        told.append(
            msgspec.to_builtins(as_results(scores))
            | {"ece": expected_calibration_error(probs, y), "risk_coverage": asdict(curve) if curve else None}
        )
    return {
        "folds": FOLDS,
        "macro_f1": float(np.mean([each["macro_f1"] for each in told])),
        "accuracy": float(np.mean([each["accuracy"] for each in told])),
        "recall": {
            label: float(np.mean([each["per_class"][label]["recall"] for each in told])) for label in run.labels
        },
        "seeds": told,
    }


def folded_answers(
    run: HeadRun, streams: Any, y: NDArray[np.int64], groups: NDArray[np.int64], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Probabilities (N, K) of all photos, each by a head that was fitted without its fold."""
    probs = np.zeros((len(y), len(run.labels)))
    for fold in range(FOLDS):
        probs[folds == fold] = _answers(run, streams, y, groups, folds == fold)
    return probs


def _answers(
    run: HeadRun, streams: Any, y: NDArray[np.int64], groups: NDArray[np.int64], held_out: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Probabilities (M, K) of the held-out photos; strength and temperature come from the others."""
    train = ~held_out
    features = streams.features
    head = replace(run.head, folds=INNER_FOLDS)
    mirrored = None if streams.mirrored is None else streams.mirrored[train]
    inner = cross_validate(head, features[train], y[train], groups[train], run.seed, mirrored)
    assert inner is not None
    ((weight, bias),) = fit_heads([inner.strength], features[train], y[train], mirrored)
    return softmax((features[held_out] @ weight.T + bias) / fit_temperature(inner.logits, inner.y))


def _scores(runs: dict[str, HeadRun], photos: LabelledPhotos, path: Path) -> dict[str, Any]:
    """Cross-validated scores, which take minutes; kept in a file."""
    if not path.exists():
        found: dict[str, Any] = {name: {} for name in RECIPES}
        for name, method, seeds in MEASURED:
            found[name][method] = cross_validated(runs[name], photos, COLUMNS[method], seeds)
            print(
                name,
                method,
                f"macro-F1 {found[name][method]['macro_f1']:.3f}",
                found[name][method]["recall"],
                flush=True,
            )
        path.write_text(json.dumps(found), encoding="utf-8")
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def store(name: str, fitted: Path, contract: Contract) -> None:
    """Write the model and, of version 1, the files of weights that others share with it."""
    model = onnx.load(str(fitted / "model.onnx"))
    if name == "six@1":
        halves = with_sixteen_bits(model)
        store_weights(name, halves)
    else:
        backbones = (load_backbone(), load_backbone("expression"))
        halves = assembled(backbones, contract.views, list(linear_heads(model).values()), fitted.parent)
    write_shipped(name, halves, contract)
    write_sums()


def main() -> None:
    """Read, measure, fit, store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", choices=CARDS, default="six@2")
    asked = parser.parse_args()
    runs, photos = open_photos(asked.photos, asked.folder)
    run = structs.replace(runs["two-stream"], name="six")
    made_of = load_backbone("expression").sha256[:12]
    fitted = asked.folder / f"six-{made_of}"
    with TerminalProgress().step("fit", 4 * len(photos.manifest), "views") as advance:
        train_run(run, photos, fitted, advance=advance)
    contract = replace(Recognizer(fitted).contract, max_error=MAX_ERROR)
    about = {"images": len(photos.manifest), "labels": contract.labels, "collections": contract.collections}
    about |= {"measured": contract.measured, "temperature": contract.temperature, "max_error": MAX_ERROR}
    about |= {"thresholds": [asdict(threshold) for threshold in contract.thresholds]}
    about |= _scores(runs, photos, asked.folder / f"scores-{made_of}.json")
    store(asked.name, fitted, contract)
    shipped(CARDS[asked.name]).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
