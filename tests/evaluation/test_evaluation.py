"""Scores elsewhere by name, verdicts that follow from the numbers, and mistakes that add up."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.data.reading.preprocess import View
from mien.data.tables.manifest import SCHEMA
from mien.errors import LabelError, ModelError, SourceError
from mien.evaluation.compare import compare_runs, select
from mien.evaluation.covered import GREY, _cover
from mien.evaluation.evaluate import Evaluation, evaluate
from mien.evaluation.mistakes import confident_mistakes, error_rates
from mien.evaluation.overfitting import GAP, LOW, fit_verdict, stopped_early
from mien.evaluation.predictions import probabilities, score_rows, write_predictions
from mien.evaluation.shift import reference_for, score_target, seen_in_training
from mien.evaluation.sureness import measure_sureness, pooled_sureness
from mien.metrics import LEAST_GROUPS
from mien.models.artifact import Contract, Threshold
from mien.progress import Silent
from mien.results.behaviour import ErrorRate
from mien.results.scores import ClassScores, GroupKind, Over
from mien.results.study import Epoch
from mien.settings.columns import Columns
from mien.settings.recipes import NOTEBOOK
from mien.settings.run import HeadRun, NetworkRun
from mien.settings.training import HeadSettings
from mien.telling.words.answers import fit_sentence
from mien.telling.words.elsewhere import in_short
from support.intervals import present
from support.made_study import made_scores
from support.pictures import BLUE, GREEN, RED, WHITE, colour_model, encoded, write_files
from support.studies import Study

LABELS = ("anger", "happy", "sad")


def table(
    answers: list[tuple[str, str]], sure: list[float] | None = None, labels: tuple[str, ...] = LABELS
) -> pl.DataFrame:
    """Predictions of (true, answered) pairs; the rest of the probability is spread evenly."""
    n, k = len(answers), len(labels)
    probs = np.empty((n, k))
    for i, (_, answered) in enumerate(answers):
        p = 0.8 if sure is None else sure[i]
        probs[i] = (1 - p) / (k - 1)
        probs[i, labels.index(answered)] = p
    columns: dict[str, Any] = {
        "id": [f"set/{i}" for i in range(n)],
        "path": [f"{i}.png" for i in range(n)],
        "row": range(n),
        "split": ["target"] * n,
        "label": [true for true, _ in answers],
        "split_group": range(n),
    }
    return pl.DataFrame(columns | {f"prob_{label}": probs[:, k] for k, label in enumerate(labels)})


def spread(*probs: float) -> pl.DataFrame:
    """One photo of ``angry`` with these probabilities."""
    return table([("angry", "anger")]).with_columns(
        pl.lit(p).alias(f"prob_{label}") for label, p in zip(LABELS, probs, strict=True)
    )


def test_class_order_of_the_target_does_not_matter() -> None:
    """The notebook's fault: neutral in the place of pain was scored as pain."""
    answers = [("sad", "sad"), ("sadness", "sad"), ("angry", "anger"), ("happiness", "anger"), ("neutral", "sad")]
    forward, backward = (score_target(table(a), LABELS, None) for a in (answers, answers[::-1]))
    for scored in (forward, backward):
        assert scored.shared.accuracy == pytest.approx(3 / 4)
        assert scored.shared.confusion == ((1, 0, 0), (1, 0, 0), (0, 0, 2))
        assert scored.labels.extra == ("neutral",)
    swapped = ("sad", "happy", "anger")
    moved = score_target(table(answers, labels=swapped), swapped, None)
    assert moved.shared.accuracy == forward.shared.accuracy
    assert moved.shared.macro_f1 == pytest.approx(forward.shared.macro_f1)


def test_class_that_the_target_lacks_has_no_score_and_is_not_averaged_in() -> None:
    scored = score_target(table([("angry", "anger"), ("sad", "sad"), ("sad", "sad")]), LABELS, None)
    for part in (scored.all, scored.shared):
        assert part.per_class["happy"] == ClassScores(precision=None, recall=None, f1=None, support=0)
        assert part.macro_f1 == 1.0
    assert scored.labels.missing == ("happy",)


def test_classes_the_model_does_not_know_are_wrong_in_all_and_absent_in_shared() -> None:
    scored = score_target(
        table([("angry", "anger"), ("sad", "sad"), ("neutral", "sad"), ("surprise", "anger")]), LABELS, None
    )
    everything, shared = scored.all, scored.shared
    assert (everything.images, everything.accuracy) == (4, 0.5)
    assert everything.labels == (*LABELS, "neutral", "surprise")
    assert everything.per_class["neutral"].f1 == everything.per_class["surprise"].f1 == 0.0
    assert everything.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 0 + 0) / 4)
    assert (shared.images, shared.accuracy) == (2, 1.0)
    assert shared.labels == LABELS
    assert "neutral" not in shared.per_class


def test_merged_classes_are_scored_as_one() -> None:
    scored = score_target(table([("joy", "happy"), ("smile", "happy"), ("sad", "sad")]), LABELS, None)
    assert scored.shared.support == {"anger": 0, "happy": 2, "sad": 1}
    assert scored.shared.accuracy == 1.0


def test_limited_answers_take_the_best_of_the_shared_classes() -> None:
    predictions = pl.concat([spread(0.3, 0.6, 0.1), spread(0.1, 0.6, 0.3).with_columns(pl.lit("sad").alias("label"))])
    scored = score_target(predictions, LABELS, None)
    assert scored.shared.accuracy == 0.0
    assert scored.shared_limited.accuracy == 1.0


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000))
def test_limited_answers_never_leave_the_shared_classes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = ["angry", "sad", "neutral"]
    predictions = table([(names[i % 3], LABELS[j]) for i, j in enumerate(rng.integers(0, 3, 12))])
    limited = score_target(predictions, LABELS, None).shared_limited
    assert limited.labels == ("anger", "sad")
    assert np.array(limited.confusion).sum() == limited.images == 8
    assert set(limited.per_class) == {"anger", "sad"}


def test_target_of_one_class_is_scored() -> None:
    scored = score_target(table([("sadness", "sad"), ("sadness", "happy")]), LABELS, None)
    assert scored.shared.accuracy == 0.5
    assert scored.shared.macro_f1 == pytest.approx(2 / 3)
    assert scored.shared_limited.accuracy == 1.0


def test_target_without_a_shared_class_is_an_error() -> None:
    with pytest.raises(LabelError, match="no class is shared"):
        score_target(table([("cat", "sad")]), LABELS, None)


def test_change_from_test_compares_the_same_classes() -> None:
    test = score_rows(table([("anger", "anger"), ("happy", "sad"), ("sad", "sad"), ("sad", "sad")]), LABELS)
    scored = score_target(table([("angry", "anger"), ("sad", "anger")]), LABELS, test)
    # Classes of the target: anger and sad. In the test split their F1 is 1 and 4/5, all of their photos are right.
    assert scored.change_from_test is not None
    assert scored.change_from_test.macro_f1 == pytest.approx((2 / 3 + 0) / 2 - (1 + 0.8) / 2)
    assert scored.change_from_test.accuracy == pytest.approx(1 / 2 - 3 / 3)


def test_no_change_without_a_test_split() -> None:
    assert score_target(table([("sad", "sad")]), LABELS, None).change_from_test is None


def test_same_photos_change_nothing() -> None:
    rng = np.random.default_rng(0)
    predictions = table([(LABELS[i % 3], LABELS[j]) for i, j in enumerate(rng.integers(0, 3, 30))])
    test = score_rows(predictions, LABELS)
    change = score_target(predictions, LABELS, test).change_from_test
    assert change is not None
    assert (change.macro_f1, change.accuracy) == pytest.approx((0, 0))


FER2013 = {"anger": 958, "disgust": 111, "fear": 1024, "happy": 1774, "sad": 1247}


def test_reference_is_shown_for_the_photos_of_the_notebook() -> None:
    for support in (FER2013, FER2013 | {"pain": 0}, dict(reversed(FER2013.items()))):
        reference = reference_for(support)
        assert reference is not None
        assert (reference.accuracy, reference.macro_f1) == (0.216, 0.111)


@pytest.mark.parametrize("support", [FER2013 | {"sad": 1246}, FER2013 | {"pain": 1}, {"happy": 1774}, {}])
def test_reference_is_not_shown_for_other_photos(support: dict[str, int]) -> None:
    assert reference_for(support) is None


def contract(*hashes: str) -> Contract:
    return Contract(LABELS, (View("photo", 32),), "x", training_hashes=frozenset(hashes))


def test_photos_seen_in_training_are_counted_byte_for_byte() -> None:
    manifest = pl.DataFrame({"sha256": ["a" * 64, "b" * 64, "a" * 12 + "c" * 52, None]})
    assert seen_in_training(contract("a" * 12), manifest) == 2
    assert seen_in_training(contract("b" * 12, "d" * 12), manifest) == 1
    assert seen_in_training(contract("e" * 12), manifest) == 0
    assert seen_in_training(contract(), manifest) == 0


def test_no_photos_have_no_score_rather_than_0() -> None:
    scored = score_rows(table([]), LABELS)
    assert [scored.macro_f1, scored.accuracy, scored.interval] == [None] * 3
    assert scored.images == 0
    assert not scored.beats_chance


def test_probabilities_come_in_the_order_asked_for() -> None:
    predictions = spread(0.5, 0.3, 0.2)
    assert probabilities(predictions, ["sad", "anger"]).tolist() == [[0.2, 0.5]]


def test_predictions_survive_the_file(tmp_path: Path) -> None:
    predictions = table([("sad", "sad"), ("angry", "happy")])
    write_predictions(predictions, tmp_path / "predictions.parquet")
    assert pl.read_parquet(tmp_path / "predictions.parquet").equals(predictions)
    assert {path.name for path in tmp_path.iterdir()} == {"predictions.parquet", "SHA256SUMS"}


def test_copies_of_a_photo_widen_the_interval() -> None:
    answers = [(LABELS[i % 3], LABELS[(i + (i % 5 == 0)) % 3]) for i in range(15) for _ in range(6)]
    apart = table(answers)
    copies = apart.with_columns(pl.Series("split_group", [i // 6 for i in range(90)]))
    one, many = (score_rows(t, LABELS).interval for t in (apart, copies))
    assert one is not None
    assert many is not None
    assert many.high - many.low > 1.5 * (one.high - one.low)


@pytest.mark.parametrize(
    ("train", "val", "verdict"),
    [
        (0.90, 0.85, "balanced"),
        (0.95, 0.60, "overfits"),
        (0.40, 0.38, "underfits"),
        (0.50, 0.20, "both"),
        (LOW, LOW - GAP / 2, "balanced"),
        (0.70, 0.90, "balanced"),
    ],
)
def test_verdict_follows_from_the_scores(train: float, val: float, verdict: str) -> None:
    found = fit_verdict(made_scores(macro_f1=train), made_scores(macro_f1=val), (), stopped_early=False)
    assert found.verdict == verdict
    assert found.gap == pytest.approx(train - val)
    assert (found.gap > found.most_gap) == (verdict in ("overfits", "both"))
    assert (found.train_macro_f1 < found.least_train) == (verdict in ("underfits", "both"))
    assert found.still_rising is found.stopped_early is None
    assert f"{train:.2f}" in fit_sentence(found)
    assert f"{val:.2f}" in fit_sentence(found)


def epochs(scores: list[float]) -> tuple[Epoch, ...]:
    """A history of validation macro-F1, with an accuracy that falls all the time."""
    zeros = dict.fromkeys((field.name for field in msgspec.structs.fields(Epoch)), 0.0)
    told = [{"epoch": i + 1, "val_macro_f1": score, "val_accuracy": 1 / (i + 1)} for i, score in enumerate(scores)]
    return tuple(Epoch(**zeros | epoch) for epoch in told)


@pytest.mark.parametrize(
    ("scores", "rising"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], True),
        ([0.1, 0.3, 0.5, 0.5, 0.5, 0.5], False),
        ([0.5, 0.4, 0.3], False),
        ([0.1 + 0.05 * i for i in range(30)], True),
        ([min(0.5, 0.05 * i) for i in range(30)], False),
        ([0.3], False),
    ],
)
def test_rising_curve_is_told_from_a_flat_one(scores: list[float], rising: bool) -> None:
    fair = made_scores(macro_f1=0.9)
    found = fit_verdict(fair, fair, epochs(scores), stopped_early=False)
    assert found.still_rising is rising
    assert ("still rising" in fit_sentence(found)) is rising
    stopped = fit_verdict(fair, fair, epochs(scores), stopped_early=True)
    assert (stopped.stopped_early, stopped.still_rising) == (True, False), "a larger budget would not have helped"
    assert "still rising" not in fit_sentence(stopped)


@pytest.mark.parametrize(
    ("scores", "patience", "monitor", "is_stopped"),
    [
        ([0.1, 0.5, 0.4, 0.4], 2, "macro_f1", True),
        ([0.1, 0.4, 0.5, 0.4], 2, "macro_f1", False),
        ([0.1, 0.2, 0.3, 0.4], 2, "macro_f1", False),
        ([0.1, 0.2, 0.3, 0.4], 2, "accuracy", True),
        ([0.1, 0.5, 0.4, 0.4], None, "macro_f1", False),
        ([], 2, "macro_f1", False),
    ],
)
def test_early_stopping_is_told_from_a_spent_budget(
    scores: list[float], patience: int | None, monitor: Literal["accuracy", "macro_f1"], is_stopped: bool
) -> None:
    train = dataclasses.replace(NOTEBOOK, stop_patience=patience, monitor=monitor)
    config = NetworkRun(name="notebook", recipe="notebook", seed=7, device="cpu", labels=LABELS, train=train)
    assert stopped_early(config, epochs(scores)) is is_stopped
    assert (
        stopped_early(
            HeadRun(name="probe", recipe="probe", seed=7, device="cpu", labels=LABELS, head=HeadSettings()), ()
        )
        is False
    )


def test_most_confident_mistakes_come_first() -> None:
    predictions = table(
        [("sad", "happy"), ("sad", "sad"), ("angry", "sad"), ("happy", "anger"), ("neutral", "sad")],
        sure=[0.6, 0.99, 0.9, 0.7, 1.0],
    )
    names = {"sad": "sad", "angry": "anger", "happy": "happy"}
    mistakes = confident_mistakes(predictions, LABELS, names)
    assert [(m.row, m.true, m.predicted) for m in mistakes] == [
        (2, "anger", "sad"),
        (3, "happy", "anger"),
        (0, "sad", "happy"),
    ]
    assert [m.probability for m in mistakes] == pytest.approx([0.9, 0.7, 0.6])
    assert confident_mistakes(predictions, LABELS, names, most=1) == mistakes[:1]
    assert (mistakes[0].id, mistakes[0].path, mistakes[0].rests_on) == ("set/2", "2.png", None)


def test_no_mistakes_of_a_perfect_model_or_of_no_photos() -> None:
    assert confident_mistakes(table([("sad", "sad")]), LABELS) == ()
    assert confident_mistakes(table([]), LABELS) == ()
    assert confident_mistakes(table([("neutral", "sad")]), LABELS, {"sad": "sad"}) == ()


def photos(**columns: list[Any]) -> pl.DataFrame:
    """A manifest with these properties; the others do not vary."""
    n = len(next(iter(columns.values())))
    same = {"brightness": 0.5, "sharpness": 0.1, "face_side": 48.0, "is_grey": False, "face_kind": "crop"}
    values = {name: columns.get(name, [same.get(name)] * n) for name in SCHEMA}
    return pl.DataFrame(values | {"row": list(range(n))}, schema=SCHEMA)


def rates(answers: list[tuple[str, str]], **columns: list[Any]) -> dict[str, tuple[ErrorRate, ...]]:
    return {e.property: e.bins for e in error_rates(table(answers), photos(**columns), LABELS)}


RIGHT, WRONG = ("sad", "sad"), ("sad", "happy")


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(0, 1, 12),
        [0.1, 0.9] * 6,
        0.5 + np.arange(12) * 1e-5,
        1234 + np.arange(12) / 10,
    ],
    ids=["even", "two values", "close", "large and close"],
)
def test_bins_of_error_rates_add_up(values: Any) -> None:
    found = rates([RIGHT, WRONG, WRONG] * 4, brightness=list(values))["brightness"]
    assert sum(entry.images for entry in found) == 12
    assert sum(entry.images * entry.error_rate for entry in found if entry.images) == pytest.approx(8)
    assert len({entry.bin for entry in found}) == len(found)


def test_error_rates_tell_bright_from_dark_and_grey_from_colour() -> None:
    found = rates(
        [RIGHT] * 6 + [WRONG] * 3 + [RIGHT] * 3,
        brightness=[*np.linspace(0.6, 0.9, 6), *np.linspace(0.1, 0.2, 3), *np.linspace(0.3, 0.5, 3)],
        is_grey=[False] * 6 + [True] * 6,
    )
    assert found["brightness"][0].error_rate >= 0.5
    assert found["brightness"][-1].error_rate == 0
    assert {entry.bin: (entry.images, entry.error_rate) for entry in found["is_grey"]} == {
        "colour": (6, 0.0),
        "grey": (6, 0.5),
    }
    low, high = present(found["is_grey"][1].interval)
    assert low < 0.5 < high


def test_property_that_does_not_vary_is_left_out() -> None:
    assert rates([RIGHT, WRONG] * 3, brightness=[0.5] * 6) == {}


def test_photos_without_a_face_are_in_no_bin_of_face_size() -> None:
    found = rates([RIGHT, WRONG] * 4, face_side=[10.0, 20.0, 30.0, 40.0, 50.0, 60.0, None, None])
    assert sum(entry.images for entry in found["face_side"]) == 6
    assert rates([RIGHT, WRONG], face_side=[None, None]) == {}


def test_error_rates_leave_out_classes_the_model_does_not_know() -> None:
    answers = [("neutral", "sad"), *[RIGHT, WRONG] * 3]
    found = error_rates(table(answers), photos(is_grey=[True, False] * 3 + [True]), LABELS, {"sad": "sad"})
    assert sum(entry.images for entry in found[0].bins) == 6


def test_selection_takes_the_best_and_of_equals_the_first() -> None:
    assert select({"a": 0.5, "b": 0.7, "c": 0.7}) == "b"
    assert select({"c": 0.7, "b": 0.7, "a": 0.5}) == "c"


def test_comparison_says_which_is_better() -> None:
    truth = [LABELS[i % 3] for i in range(60)]
    good = table([(t, t) for t in truth])
    bad = table([(t, LABELS[(i * 7) % 3]) for i, t in enumerate(truth)]).with_columns(
        pl.Series("prob_happy", [0.9] * 60)
    )
    first, second, third = compare_runs(
        {"good": good, "bad": bad, "same": good}, LABELS, [("good", "bad"), ("bad", "good"), ("good", "same")]
    )
    assert (first.verdict, second.verdict, third.verdict) == ("better", "worse", "cannot tell")
    assert (first.first, first.second, first.split) == ("good", "bad", "val")
    assert first.macro_f1_difference == pytest.approx(-second.macro_f1_difference)
    assert present(first.interval).low <= first.macro_f1_difference <= present(first.interval).high


PLAIN: dict[str, Any] = {"options": Evaluation(Columns()), "progress": Silent()}


def flat(colour: tuple[int, int, int]) -> bytes:
    return encoded(Image.new("RGB", (48, 48), colour))


@pytest.fixture
def target(tmp_path: Path) -> str:
    """Two of three right: red is anger, green fear, blue sad; and files that are not to be scored."""
    files = {
        "fearful/2.png": flat(RED),
        "sadness/3.png": flat(BLUE),
        "angry/1.png": flat((250, 0, 0)),
        "surprise/4.png": flat(GREEN),
        "surprise/5.png": b"broken",
    }
    return str(write_files(tmp_path / "target", files))


def test_evaluate_scores_a_model_file_on_a_folder(target: str, tmp_path: Path) -> None:
    model = str(colour_model(tmp_path / "model.onnx"))
    results = evaluate(model, [target], tmp_path / "work", **PLAIN)
    assert results.labels == ("anger", "fear", "sad")
    assert results.target == results.targets[target]
    scored = results.target
    assert scored.shared.accuracy == pytest.approx(2 / 3)
    assert scored.all.images == 4
    assert (scored.data.files, scored.data.images, scored.data.unreadable) == (5, 4, 1)
    assert [(m.path, m.true, m.predicted) for m in scored.mistakes] == [("fearful/2.png", "fear", "anger")]
    assert scored.seen_in_training == 0
    assert scored.is_new
    assert [scored.near_copies, scored.causes, scored.drift] == [None] * 3, "the model lies in no study"


def test_evaluate_checks_everything_before_it_reads_a_photo(target: str, tmp_path: Path) -> None:
    model = str(colour_model(tmp_path / "model.onnx"))
    other = str(write_files(tmp_path / "other", {"cat/1.png": flat(WHITE), "dog/1.png": flat(RED)}))
    for error, args in (
        (LabelError, (model, [target, other])),
        (SourceError, (model, [target, "missing"])),
        (ModelError, ("missing", [target])),
    ):
        with pytest.raises(error):
            evaluate(*args, tmp_path / "work", **PLAIN)
        assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("people", "column", "kind"), [(8, "person", "people"), (4, "person", "people"), (8, "day", "groups")]
)
def test_photos_from_elsewhere_are_scored_over_the_people_of_their_table(
    people: int, column: str, kind: GroupKind, tmp_path: Path
) -> None:
    """Each person shows every class twice, and half of them are misread."""
    rng = np.random.default_rng(0)
    files, rows = {}, [f"path,label,{column}"]
    for person in range(people):
        for label, colour in (("anger", RED), ("fear", GREEN), ("sad", BLUE)):
            for i in range(2):
                shown = np.array(BLUE if person % 2 and label == "fear" else colour) * 0.6
                picture = np.clip(rng.integers(0, 60, (40, 50, 3)) + shown, 0, 255).astype(np.uint8)
                files[f"{person}/{label}{i}.png"] = encoded(Image.fromarray(picture))
                rows.append(f"{person}/{label}{i}.png,{label},p{person}")
    table = write_files(tmp_path / "set", files | {"all.csv": "\n".join(rows).encode()})
    options = Evaluation(Columns(group_column=column))
    found = evaluate(
        str(colour_model(tmp_path / "model.onnx")), [f"{table}::all.csv"], None, options=options, progress=Silent()
    ).target
    enough = people >= LEAST_GROUPS
    for scores in (found.all, found.shared, found.shared_limited):
        assert scores.over == Over(number=people, kind=kind, least=LEAST_GROUPS, enough=enough)
        assert (scores.interval is not None, scores.accuracy_interval is not None) == (enough, enough)
        assert scores.images == 6 * people
        assert enough or not scores.beats_chance
    assert found.sureness.over == found.all.over
    assert all(entry.over == found.all.over for entry in found.error_rates)
    if not enough:
        assert {part.interval for entry in found.error_rates for part in entry.bins} == {None}
        text = " ".join(in_short(found))
        assert f"cannot tell: only {people} people" in text


# -- a part covered ---------------------------------------------------------------------------------------------------


def test_cover_hides_the_face_and_nothing_far_from_it() -> None:
    rows = pl.DataFrame(
        {"face_left": [100.0], "face_top": [50.0], "face_right": [200.0], "face_bottom": [150.0]}
        | {"width": [400], "height": [200]}
    )
    photo, face = np.zeros((1, 40, 40, 3), np.uint8), np.zeros((1, 40, 40, 3), np.uint8)
    _cover(photo, View("photo", 40), rows, ("face",))
    _cover(face, View("face", 40), rows, ("face",))
    assert (photo[0, 10:30, 10:20] == GREY).all()
    assert not photo[0, :6].any()
    assert not photo[0, :, 24:].any()
    assert (face == GREY).all()
    _cover(photo, View("scene", 40), rows, ("scene",))
    assert (photo == GREY).all()


def test_background_alone_is_scored_on_the_photos_with_a_face(small_study: Study) -> None:
    covered = small_study.results["covered"]
    assert 0 < covered["images"] <= small_study.results["runs"][small_study.results["selected"]]["test"]["images"]
    for name in ("whole", "background"):
        assert 0 <= covered[name]["macro_f1"] <= 1


def test_sureness_counts_the_photos_of_the_shared_classes() -> None:
    rows = table([("anger", "anger"), ("happy", "happy"), ("other", "sad")], [0.9, 0.7, 0.8])
    made = dataclasses.replace(contract(), thresholds=(Threshold(0.1, 0.8, 0.5),))
    found = measure_sureness(made, rows, {"anger": "anger", "happy": "happy"})
    assert found.images == 2
    promise = found.promise
    assert promise is not None
    assert (promise.max_error, promise.probability, promise.answered, promise.wrong) == (0.1, 0.8, 1, 0)
    assert promise.kept is None, "one group tells nothing"
    assert measure_sureness(contract(), rows.head(0)).promise is None


def test_promise_of_folds_is_of_the_answers_that_each_gives_by_its_own_threshold() -> None:
    right, wrong = table([("anger", "anger")] * 4, [0.9, 0.8, 0.7, 0.6]), table([("anger", "happy")] * 2, [0.7, 0.9])
    labels = ("anger", "happy", "sad")

    def promised(first: tuple[Threshold, ...], second: tuple[Threshold, ...], asked: float | None) -> tuple[float, ...]:
        found = pooled_sureness([(first, right), (second, wrong)], labels, asked)
        assert found.images == 6
        assert found.promise is not None
        return found.promise.max_error, found.promise.answered, found.promise.wrong

    lax, strict = Threshold(0.1, 0.65, 0.5), Threshold(0.05, 0.85, 0.5)
    assert promised((lax,), (strict,), 0.1) == (0.1, 4, 1)
    assert promised((strict, lax), (strict,), 0.05) == (0.05, 2, 1)
    assert promised((lax,), (strict,), 0.05) == (0.05, 1, 1)  # the first cannot promise that, and gives no answer
    assert promised((lax,), (), None) == (0.1, 3, 0)
    assert promised((Threshold(0.3, 0.75, 0.5),), (strict,), None) == (0.3, 3, 1)  # the least that both can promise
    assert pooled_sureness([((), right), ((), wrong)], labels, None).promise is None


@pytest.mark.parametrize(("wrong", "kept"), [(0, True), (3, True), (30, False), (60, False), (None, None)])
def test_promise_is_kept_where_its_interval_reaches_down_to_it(wrong: int | None, kept: bool | None) -> None:
    rows = table([("anger", "happy" if i < (wrong or 0) else "anger") for i in range(60)], [0.9] * 60)
    made = dataclasses.replace(contract(), thresholds=(Threshold(0.1, 0.95 if wrong is None else 0.8, 0.5),))
    promise = measure_sureness(made, rows, {"anger": "anger"}).promise
    assert promise is not None
    assert promise.kept is kept
    assert (promise.interval is None) == (kept is None)
