"""Comparisons whose runs are made up rather than trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mien.comparing.plan import PairPlan
from mien.evaluation.predictions import write_predictions
from mien.settings.by_name import made
from mien.settings.compare import CompareSettings
from mien.settings.run import NetworkRun, RunConfig
from mien.training.history import History
from mien.training.run import LabelledPhotos

ARMS = ("augment=none", "augment=notebook")


def made_up(done: list[tuple[RunConfig, PairPlan]]) -> Callable[..., None]:
    """Runs that are made up by seed and setting rather than trained, and noted, in no time."""

    def train(run: RunConfig, plan: PairPlan, photos: LabelledPhotos, place: Path) -> None:
        done.append((run, plan))
        place.mkdir(parents=True)
        assert isinstance(run, NetworkRun)
        rng = np.random.default_rng((run.seed, run.train.augment == "none"))
        rows = plan.split("test").select("id", "path", "row", "split", "label", "split_group")
        probs = [pl.Series(f"prob_{label}", rng.random(len(rows))) for label in photos.labels]
        write_predictions(rows.with_columns(probs), place / "predictions.parquet")
        history = History("macro_f1")
        for epoch in (1, 2):
            scores = {"loss": 1.0, "accuracy": 0.5, "macro_f1": float(rng.random())}
            seconds = 0.5 + 0.1 * rng.random()
            history.add(epoch=epoch, updates=3 * epoch, seconds=seconds, learning_rate=0.1, train=scores, val=scores)
        history.write(place / "history.csv")
        (place / "cost.json").write_text(json.dumps({"seconds": 1.0, "images": 60, "waiting": 0.01, "updates": 6}))

    return train


def asked(data: Path, **rest: Any) -> CompareSettings:
    settings: dict[str, Any] = {"arms": ARMS, "epochs": 1, "pairs": 3, "folds": 3, "size": 32, "device": "cpu"}
    return made(CompareSettings, data=(str(data),), **settings | rest)
