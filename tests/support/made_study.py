"""A small finished study, made up: drawn pictures, predictions of known sharpness, and their results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from msgspec.structs import asdict, replace
from PIL import Image, ImageDraw

from mien.auditing.leakage import _premium as premium
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.data.sources import Source
from mien.data.sources.collection import Collection
from mien.data.tables.counts import count_audit
from mien.data.tables.manifest import SCHEMA
from mien.evaluation.compare import compare_runs
from mien.evaluation.drift import confusion_changes, measure_drift
from mien.evaluation.enough import good_enough
from mien.evaluation.mistakes import confident_mistakes, error_rates
from mien.evaluation.overfitting import fit_verdict
from mien.evaluation.predictions import score_rows
from mien.evaluation.shift import score_target
from mien.evaluation.sureness import measure_sureness
from mien.metrics import Interval
from mien.models.artifact import Contract, Threshold
from mien.results.audit import (
    Audit,
    CorrectionsRecord,
    Culprit,
    DoubtfulLabel,
    DoubtfulLabels,
    ExaminedAudit,
    Leakage,
    PropertyScore,
    Shortcuts,
)
from mien.results.behaviour import Corruption, CorruptionLevel, Covered, IntervalScore, Promise, Robustness
from mien.results.evaluation import EvaluatedTarget, GroupScore, GroupScores, PairedModel, UnknownClass
from mien.results.scores import Over, Scores
from mien.results.study import CopyThresholds, Epoch, Methods, Splits, StudyPaths, StudyResults, TestedRun, Weights
from mien.results.target import Causes, Effect, JpegQuality, Move, Reference, TargetResults
from mien.settings.budget import Budget
from mien.settings.by_name import made as made_settings
from mien.settings.run import HeadRun, NetworkRun, RunConfig
from mien.settings.study import StudySettings
from mien.settings.training import HeadSettings, TrainSettings

LABELS = ("anger", "happy", "sad_in_a_folder_with_a_rather_long_name")
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>.png"
CONTRACT = Contract(LABELS, (), "probe", thresholds=(Threshold(0.1, 0.6, 0.5),))
VIEW, FACE_VIEW = View("photo", 64), View("face", 32)
PER_CLASS = 20
DOUBTS = ((3, "happy", 0.02), (25, LABELS[2], 0.04), (27, LABELS[2], 0.11))
"""Row, what a probe would say, and the probability it gives to the label."""


@dataclass(frozen=True)
class Made:
    """A small study without a trained model: its folder, with a report in it, and what that was written from."""

    folder: Path
    results: StudyResults
    manifest: pl.DataFrame
    pixels: Pixels


def draw_face(hue: int, curve: int) -> np.ndarray:
    image = Image.new("RGB", (64, 64), f"hsl({hue}, 40%, 70%)")
    pen = ImageDraw.Draw(image)
    pen.ellipse((12, 8, 52, 58), fill="wheat", outline="black")
    pen.point([(24, 26), (40, 26)], fill="black")
    pen.arc((22, 36, 42, 50), 0 if curve else 180, 180 if curve else 360, fill="black")
    return np.asarray(image)


def manifest_row(row: int, source: str, label: str, rng: np.random.Generator) -> dict[str, Any]:
    is_target = source == "other"
    kind = "crop" if is_target else "none" if row % 7 == 0 else "found"
    properties = {"brightness": float(rng.uniform(0.2, 0.9)), "sharpness": float(rng.uniform(0.0, 0.03))}
    side = float(rng.uniform(60, 200))
    return properties | {
        "id": f"{source}/{label}/{row}.png",
        "source": source,
        "path": f"{label}/photo-of-{row}.png",
        "row": row,
        "label": label,
        "status": "ok",
        "sha256": f"{row:064d}",
        "bytes": 1000,
        "format": "PNG",
        "mode": "RGB",
        "width": 48 if is_target else 300,
        "height": 48 if is_target else 200,
        "contrast": 0.2,
        "is_grey": is_target or row % 5 == 0,
        "exact_group": row,
        "near_group": row,
        "series": row,
        "face_kind": kind,
        "face_count": 0 if kind == "none" else 1,
        "face_left": 200.0 if kind == "found" else None,
        "face_top": 20.0 if kind == "found" else None,
        "face_right": 280.0 if kind == "found" else None,
        "face_bottom": 120.0 if kind == "found" else None,
        "face_side": None if kind == "none" else side,
        "face_cut": None if kind == "none" else 0.0,
        "face_focus": None if kind == "none" else 0.7,
        "split": "target" if is_target else ("train", "train", "val", "test")[row % 4],
    }


def make_manifest() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    rows = [manifest_row(i, "photos", LABELS[i // PER_CLASS], rng) for i in range(3 * PER_CLASS)]
    theirs = ["angry"] * 12 + ["happy"] * 12 + ["surprise"] * 6
    rows += [manifest_row(len(rows) + i, "other", label, rng) for i, label in enumerate(theirs)]
    rows[3]["path"] = f"anger/{HOSTILE}"
    rows[41] |= {"near_group": 1, "series": 1}  # a picture under two labels
    rows[11] |= {"near_group": 10, "series": 10, "width": 150, "height": 100}  # copies that are not the same file
    rows[31] |= {"near_group": 30, "series": 30, "exact_group": 30, "sha256": rows[30]["sha256"]}
    rows[46] |= {"series": 45}
    rows[2] |= {"note": "animated: first frame used"}
    rows[4] |= {"split": None, "split_reason": "recurs in test"}
    rows[5]["drawn"], rows[6]["drawn"], rows[26]["drawn"] = 0.93, 0.91, 0.2
    rows[8]["face_cut"], rows[9]["face_focus"], rows[12]["face_count"], rows[13]["contrast"] = 0.25, 0.1, 3, 0.001
    rows[15]["face_side"] = 31.0
    rows[22]["given_label"] = "anger"
    for row, suggested, quality in DOUBTS:
        rows[row] |= {"is_doubtful": True, "suggested_label": suggested, "label_quality": quality}
    others = (
        ("broken.jpg", "unreadable", "empty file"),
        ("notes.txt", "ignored", "no image"),
        ("drop.jpg", "dropped", "dropped by the corrections"),
    )
    for name, status, reason in others:
        rows.append({"row": len(rows), "source": "photos", "path": f"sad/{name}", "status": status, "reason": reason})
    columns = {name: [row.get(name) for row in rows] for name in SCHEMA}
    return pl.DataFrame(columns, schema=SCHEMA).with_columns(pl.col("near_group").alias("split_group"))


def predict(rows: pl.DataFrame, sharp: float, seed: int) -> pl.DataFrame:
    """Made-up probabilities; the greater ``sharp``, the more often right."""
    rng = np.random.default_rng(seed)
    names = {"angry": "anger"}
    truth = [names.get(label, label) for label in rows["label"]]
    logits = rng.normal(size=(len(rows), len(LABELS)))
    for i, label in enumerate(truth):
        if label in LABELS:
            logits[i, LABELS.index(label)] += sharp
        if rows["path"][i].endswith(HOSTILE):
            logits[i] = [0, 9, 0]  # the most confident mistake
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    kept = rows.select("id", "path", "row", "split", "label", "split_group", group_kind=pl.lit("pictures"))
    return kept.with_columns(pl.Series(f"prob_{label}", probs[:, k]) for k, label in enumerate(LABELS))


def make_history() -> tuple[Epoch, ...]:
    return tuple(
        Epoch(
            epoch=float(e),
            updates=4.0 * e,
            seconds=1.0,
            learning_rate=1e-3,
            train_loss=2 / e,
            train_accuracy=0.3 + 0.1 * e,
            train_macro_f1=0.28 + 0.1 * e,
            val_loss=2 / e + 0.1 * e,
            val_accuracy=0.3 + 0.08 * e,
            val_macro_f1=(0.3, 0.42, 0.42, 0.35, 0.3)[e - 1],
        )
        for e in range(1, 6)
    )


def make_run(name: str, config: RunConfig, rows: pl.DataFrame, strength: float) -> tuple[TestedRun, pl.DataFrame]:
    predictions = predict(rows, strength, len(name))
    train, val, test = (
        score_rows(predictions.filter(pl.col("split") == split), LABELS) for split in ("train", "val", "test")
    )
    history = make_history() if isinstance(config, NetworkRun) else ()
    fit = fit_verdict(train, val, history, stopped_early=False)
    backbones = () if isinstance(config, NetworkRun) else (Weights(name="some-net", licence="MIT", sha256="5" * 64),)
    run = TestedRun(
        train=train, val=val, test=test, config=config, fit=fit, history=history, backbones=backbones, target=None
    )
    return run, predictions


def counted(rows: pl.DataFrame, name: str) -> Audit:
    source = Source(name, f"/home/somebody/{name}", (), lambda file: b"")
    return count_audit(Collection((source,), {}), rows)


def examined(rows: pl.DataFrame, name: str) -> ExaminedAudit:
    """The counts, and what the audit found with a model, made up."""
    culprits = (
        Culprit(property="format", what="WEBP", label="happy", count=39, of=49, expected=0.1676, p=1e-9),
        Culprit(property="banner", what="any", label=LABELS[2], count=61, of=94, expected=0.1677, p=1e-6),
    )
    scores = (
        PropertyScore(property="format", macro_f1=0.311, chance=0.152, p=0.001),
        PropertyScore(property="aspect", macro_f1=0.161, chance=0.151, p=0.7),
    )
    shortcuts = Shortcuts(
        level=0.01,
        found=True,
        tells_classes=True,
        macro_f1=0.4321,
        chance=0.1567,
        chance_high=0.1789,
        p=0.001,
        pictures=57,
        photos=60,
        properties=scores,
        culprits=culprits,
    )
    doubtful = rows.filter("is_doubtful").sort("label_quality")
    entries = doubtful.select("id", "path", "row", "label", "suggested_label", "label_quality").to_dicts()
    return ExaminedAudit(
        **asdict(counted(rows, name)),
        shortcuts=shortcuts,
        doubtful_labels=DoubtfulLabels(
            judged=60, found=3, accuracy=0.6346, folds=5, list=tuple(DoubtfulLabel(**entry) for entry in entries)
        ),
        leakage=leakage((0.004, 0.021), (-0.002, 0.034)),
    )


def leakage(*intervals: tuple[float, float]) -> Leakage:
    """Premiums of the grouped and of the series division, in the middle of their intervals."""
    premiums = {
        method: premium((low + high) / 2, Interval(low, high))
        for method, (low, high) in zip(("grouped", "series"), intervals, strict=True)
    }
    macro_f1 = {"naive": 0.7891} | {method: 0.7891 - each.value for method, each in premiums.items()}
    return Leakage(macro_f1=macro_f1, premium=premiums, folds=5, repeats=3, over=Over.counted(57, "series"))


def made_scores(labels: Sequence[str] = ("a",), confusion: Sequence[Sequence[int]] = ((1,),), **about: Any) -> Scores:
    """Scores of which only the answers are known, and what else is given."""
    support = {label: sum(row) for label, row in zip(labels, confusion, strict=True)}
    unknown: dict[str, Any] = dict.fromkeys(
        ("macro_f1", "interval", "accuracy", "accuracy_interval", "chance_macro_f1", "majority_accuracy")
    )
    return Scores(
        **unknown | {"per_class": {}, "images": sum(support.values()), "beats_chance": False} | about,
        confusion=tuple(map(tuple, confusion)),
        labels=tuple(labels),
        support=support,
    )


def moved(name: str, change: float, low: float, high: float, base: float = 0.71) -> Move:
    return Move(property=name, **asdict(effect(change, low, high, base)))


def effect(change: float, low: float, high: float, base: float = 0.71) -> Effect:
    return Effect(macro_f1=base + change, change=change, interval=Interval(low, high), lowers=high < 0)


def with_target(results: StudyResults, manifest: pl.DataFrame) -> StudyResults:
    rows = manifest.filter(pl.col("source") == "other")
    own = manifest.filter((pl.col("source") == "photos") & pl.col("split").is_not_null())
    scored = {name: score_target(predict(rows, 1.0, len(name)), LABELS, run.test) for name, run in results.runs.items()}
    runs = {name: replace(run, target=scored[name]) for name, run in results.runs.items()}
    predictions, tested = (predict(part, sharp, len("probe")) for part, sharp in ((rows, 1.0), (own, 3.0)))
    tested = tested.filter(pl.col("split") == "test")
    names = scored["probe"].labels.matched
    reference = Reference(what="a reference on the same photos", accuracy=0.3456, macro_f1=0.2347)
    target = TargetResults(
        **asdict(replace(scored["probe"], reference=reference)),
        near_copies=3,
        drift=measure_drift(own, rows, names),
        confusion_changes=confusion_changes(tested, predictions, LABELS, names),
        sureness=measure_sureness(CONTRACT, predictions, names),
        data=counted(rows, "other"),
        seen_in_training=2,
        known_collections=(),
        is_new=False,
        causes=Causes(
            images=9,
            macro_f1=0.71,
            moved=(moved("grey", -0.02, -0.06, 0.02), moved("crop", -0.21, -0.3, -0.1)),
            together=effect(-0.28, -0.4, -0.15),
            reached=0.4,
            unexplained=-0.03,
            jpeg=JpegQuality(share=0.8, test=91.0, target=62.0),
        ),
        mistakes=confident_mistakes(predictions, LABELS, names),
        error_rates=error_rates(predictions, manifest, LABELS, names),
    )
    return replace(results, target=target, runs=runs)


def evaluated_target(target: TargetResults) -> EvaluatedTarget:
    """The same as ``mien evaluate`` has it: with all that it says of photos beyond what a study says."""
    promise = Promise(
        max_error=0.09,
        probability=0.6,
        answered=16,
        wrong=3,
        interval=Interval(0.14, 0.27),
        kept=False,
        over=Over.counted(30, "people"),
    )
    people = GroupScores(
        kind="people",
        number=12,
        of=14,
        least_images=5,
        quartiles=(0.55, 0.64, 0.72),
        spread=0.12,
        p=0.003,
        differ=True,
        worst=(GroupScore(group="p07", images=20, right=9, interval=Interval(0.23, 0.68)),),
        best=(GroupScore(group="p11", images=18, right=17, interval=None),),
    )
    rival = PairedModel(
        model="six",
        classes=("angry", "happy"),
        images=24,
        macro_f1=0.66,
        macro_f1_other=0.54,
        difference=0.12,
        interval=Interval(0.05, 0.19),
        verdict="better",
        over=Over.counted(30, "people"),
        other_seen_in_training=0,
        other_known_collections=(),
        other_is_new=True,
    )
    scored = replace(target.shared, macro_f1=0.64, interval=Interval(0.6, 0.68))
    return EvaluatedTarget(
        **asdict(
            replace(
                target,
                shared=scored,
                sureness=replace(target.sureness, promise=promise),
                good_enough=good_enough(scored, is_new=True),
                seen_in_training=0,
                near_copies=0,
                is_new=True,
            )
        ),
        unknown=(UnknownClass(label="surprise", images=6, answers={"happy": 4, "anger": 2}, sure=3),),
        promise_of_all=replace(promise, answered=19, wrong=6, interval=Interval(0.16, 0.48)),
        groups=people,
        against=(rival,),
    )


def made_curve(name: str, title: str, change: float) -> Corruption:
    """Two levels, the second twice as bad; intervals of ±0.1."""
    levels = {"5 %": effect(change, change - 0.1, change + 0.1)}
    levels["15 %"] = effect(2 * change, 2 * change - 0.1, 2 * change + 0.1)
    points = tuple(CorruptionLevel(level=level, value=0.1, **asdict(point)) for level, point in levels.items())
    return Corruption(corruption=name, title=title, unit="of the range", points=points)


def interval_score(macro_f1: float, low: float, high: float) -> IntervalScore:
    return IntervalScore(macro_f1=macro_f1, interval=Interval(low, high))


METHODS = Methods(
    copies=CopyThresholds(
        side=32, similarity=0.92, fine_similarity=0.88, series_similarity=0.85, most_pictures=24, most_share=0.02
    ),
)


def make_results(manifest: pl.DataFrame) -> StudyResults:
    data = manifest.filter(pl.col("source") == "photos")
    used = data.filter(pl.col("split").is_not_null())
    train = TrainSettings(size=64, batch_size=8, budget=Budget(epochs=5), precision="fp32")
    probe = HeadSettings(photo_size=48, face_size=FACE_VIEW.size, strength=1e-3)
    configs: dict[str, RunConfig] = {
        "probe": HeadRun(name="probe", recipe="probe", seed=7, device="cpu", labels=LABELS, head=probe),
        "scratch": NetworkRun(name="scratch", recipe="scratch", seed=7, device="cpu", labels=LABELS, train=train),
    }
    made = {name: make_run(name, config, used, 3.0 - i) for i, (name, config) in enumerate(configs.items())}
    val = {name: predictions.filter(pl.col("split") == "val") for name, (_, predictions) in made.items()}
    test = made["probe"][1].filter(pl.col("split") == "test")
    parts = {s: used.filter(pl.col("split") == s) for s in ("train", "val", "test")}
    left = data.filter(pl.col("split_reason").is_not_null())
    chance = made["probe"][0].test.chance_macro_f1
    assert chance is not None
    return StudyResults(
        mien="0.0.test",
        config=made_settings(StudySettings, data=("/home/somebody/photos",), seed=7),
        data=examined(data, "photos"),
        labels=LABELS,
        corrections=CorrectionsRecord(file="/home/somebody/findings.csv", sha256="5ade" * 16),
        splits=Splits(
            counts={s: dict(sorted(part["label"].value_counts().iter_rows())) for s, part in parts.items()},
            given=False,
            method="grouped",
            groups=0,
            moved=None,
            left_out=dict(zip(left["path"], left["split_reason"], strict=True)),
        ),
        methods=METHODS,
        selected="probe",
        runs={name: run for name, (run, _) in made.items()},
        comparisons=compare_runs(val, LABELS, [("probe", "scratch")]),
        seconds={"read": 1.0},
        paths=StudyPaths(run="x", model="x/model.onnx"),
        mistakes=confident_mistakes(test, LABELS),
        error_rates=error_rates(test, manifest, LABELS),
        sureness=measure_sureness(CONTRACT, test),
        robustness=Robustness(
            images=9,
            of=15,
            macro_f1=0.71,
            curves=(made_curve("noise", "Noise", -0.31), made_curve("eyes", "Eyes covered", -0.02)),
        ),
        covered=Covered(
            images=9,
            whole=interval_score(0.71, 0.6, 0.8),
            background=interval_score(0.52, 0.4, 0.6),
            face=interval_score(0.63, 0.5, 0.7),
            chance=chance,
            tells_without_face=chance < 0.4,
        ),
        target=None,
    )
