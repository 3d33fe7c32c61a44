"""The results of ``mien study`` and ``mien train``."""

from __future__ import annotations

from typing import Annotated, Literal

from mien.results.audit import Audit, CorrectionsRecord, ExaminedAudit
from mien.results.behaviour import Covered, ErrorRates, Mistake, Robustness, Sureness
from mien.results.cross_validation import CrossValidated
from mien.results.document import Document
from mien.results.raters import Raters
from mien.results.record import Record, about
from mien.results.scores import RunComparison, Scores
from mien.results.slices import Slices
from mien.results.target import CollectionMatch, TargetResults, TargetScores
from mien.settings.choices import VotesAs
from mien.settings.run import RunConfig
from mien.settings.study import StudySettings

__all__ = [
    "CopyThresholds",
    "Epoch",
    "Fit",
    "FitVerdict",
    "Methods",
    "Run",
    "Splits",
    "StudyPaths",
    "StudyResults",
    "TestedRun",
    "TrainResults",
    "Weights",
]

FitVerdict = Literal["overfits", "underfits", "both", "balanced"]


class Weights(Record):
    """Pretrained weights that a run is made of."""

    name: Annotated[str, about("Of the backbone.")]
    licence: Annotated[str, about("As the makers of its weights name it.")]
    sha256: Annotated[str, about("Of the weight file.")]


class Epoch(Record):
    """One row of `history.csv`."""

    epoch: Annotated[float, about("Counted from 1.")]
    updates: Annotated[float, about("Optimiser steps so far.")]
    seconds: Annotated[float, about("Of this epoch, validation included.")]
    learning_rate: Annotated[float, about("Of the head.")]
    train_loss: Annotated[float, about("On augmented photos, with dropout, while the weights change.")]
    train_accuracy: Annotated[float, about("Likewise.")]
    train_macro_f1: Annotated[float, about("Likewise.")]
    val_loss: Annotated[float, about("After the epoch.")]
    val_accuracy: Annotated[float, about("Likewise.")]
    val_macro_f1: Annotated[float, about("Likewise.")]


class Fit(Record):
    """Whether a run over- or underfits."""

    verdict: Annotated[
        FitVerdict,
        about("`overfits` where `gap` is above `most_gap`, `underfits` where `train_macro_f1` is below `least_train`."),
    ]
    gap: Annotated[float, about("`train_macro_f1` less `val_macro_f1`.")]
    train_macro_f1: Annotated[float, about("Of the final model on its training photos, without augmentation.")]
    val_macro_f1: Annotated[float, about("On the validation photos.")]
    most_gap: Annotated[float, about("Level of `overfits`.")]
    least_train: Annotated[float, about("Level of `underfits`.")]
    stopped_early: Annotated[bool | None, about("Whether early stopping ended it; null without epochs.")]
    still_rising: Annotated[
        bool | None,
        about("Whether validation was still rising when the budget ended training; null without epochs."),
    ]


class Run(Record):
    """One recipe."""

    train: Annotated[
        Scores, about("On the training photos; with folds on those of the next fold where a fold learnt from them.")
    ]
    val: Annotated[
        Scores,
        about("On the validation photos; with folds those of all, so that a photo can count several times."),
    ]
    config: Annotated[
        RunConfig,
        about("Settings, as in the run's `config.toml`; with folds, of recipes not selected, as in the first fold."),
    ]
    fit: Annotated[Fit, about("Over- or underfitting.")]
    history: Annotated[
        tuple[Epoch, ...],
        about("A row an epoch, of an ensemble of its first network; with folds, of the run that `config` is of."),
    ]
    backbones: Annotated[tuple[Weights, ...], about("The pretrained weights it is made of.")]


class TestedRun(Run):
    """One recipe of a study."""

    __test__ = False  # pytest would take it for tests

    test: Annotated[Scores, about("On the test photos; with folds on all photos, each while it was held out.")]
    target: Annotated[TargetScores | None, about("On photos from elsewhere; null without any.")] = None

    @property
    def is_at_chance(self) -> bool:
        """Whether it was not shown to do better than guessing, neither on validation nor on test photos."""
        return self.val.is_at_chance and self.test.is_at_chance


class Splits(Record):
    """How the photos were divided."""

    counts: Annotated[
        dict[str, dict[str, int]], about("Split → class → photos; with folds, all are in `train`, of the model to use.")
    ]
    given: Annotated[bool, about("Whether the photos came divided.")]
    method: Annotated[str, about("What stays together: `grouped`, `series` or `naive`.")]
    groups: Annotated[int, about("The user's own groups.")]
    moved: Annotated[int | None, about("Photos in another split than in the study of `--keep-splits`.")]
    left_out: Annotated[dict[str, str], about("Path → why the photo was taken out of its split.")]


class CopyThresholds(Record):
    """From when on pictures count as copies."""

    side: Annotated[int, about("Side of the finer fingerprint, px; the coarser has half.")]
    similarity: Annotated[float, about("Cosine of the coarser fingerprints from which two are near copies.")]
    fine_similarity: Annotated[float, about("Likewise of the finer ones.")]
    series_similarity: Annotated[float, about("Cosine from which two belong to one series.")]
    most_pictures: Annotated[int, about("Distinct pictures that a group may always have.")]
    most_share: Annotated[float, about("Share of all pictures that it may have as well.")]


class Methods(Record):
    """Numbers of the procedure that the methods paragraphs name."""

    resamples: Annotated[int, about("Bootstrap resamples behind each interval, in results of before; now 0.")] = 0
    copies: Annotated[CopyThresholds, about("Thresholds of the search for copies.")]


class StudyPaths(Record):
    """Where things are."""

    run: Annotated[str, about("The study's folder.")]
    model: Annotated[str, about("Model file of the selected run.")]
    report: Annotated[str | None, about("The page; null after `mien train`.")] = None
    card: Annotated[str | None, about("The model card; null after `mien train`, and in results of before.")] = None
    refit: Annotated[
        str | None,
        about("Model file of the selected recipe fitted to all photos, test photos included; null unless asked for."),
    ] = None


VotesLearnt = Annotated[
    VotesAs | None,
    about(
        "What recipes learnt from raters' votes: `soft` (the share of each class) or `majority` (the class with the "
        "most votes); null where the photos have no votes, and in results of earlier states."
    ),
]
KnownToPrior = Annotated[
    tuple[CollectionMatch, ...],
    about(
        "Collections that the photos certainly or probably come from and that `default` learnt from, where "
        "`from-default` was trained; otherwise empty."
    ),
]


class TrainResults(Document, tag="train"):
    """What `mien train` found: recipes on validation photos; the test photos stay unread."""

    config: Annotated[StudySettings, about("What was asked for, as in `study.toml`.")]
    labels: Annotated[tuple[str, ...], about("The classes in the model's order.")]
    corrections: Annotated[CorrectionsRecord | None, about("The table of decisions that was applied.")]
    data: Annotated[Audit, about("What the photos hold.")]
    splits: Annotated[Splits, about("How they were divided.")]
    methods: Annotated[Methods, about("Numbers of the procedure.")]
    votes: VotesLearnt = None
    selected: Annotated[str, about("The run with the highest validation macro-F1.")]
    runs: Annotated[dict[str, Run], about("Name → run.")]
    comparisons: Annotated[tuple[RunComparison, ...], about("The selected run against the others, on validation.")]
    known_to_prior: KnownToPrior = ()
    seconds: Annotated[dict[str, float], about("Stage → seconds; `total` is all of them.")]
    paths: Annotated[StudyPaths, about("Where things are.")]


class StudyResults(Document, tag="study"):
    """What `mien study` found."""

    config: Annotated[StudySettings, about("What was asked for, as in `study.toml`.")]
    labels: Annotated[tuple[str, ...], about("The classes in the model's order.")]
    corrections: Annotated[CorrectionsRecord | None, about("The table of decisions that was applied.")]
    data: Annotated[ExaminedAudit, about("What the photos hold.")]
    splits: Annotated[Splits, about("How they were divided.")]
    methods: Annotated[Methods, about("Numbers of the procedure.")]
    votes: VotesLearnt = None
    selected: Annotated[str, about("The run with the highest validation macro-F1, with folds over all of them.")]
    runs: Annotated[dict[str, TestedRun], about("Name → run.")]
    comparisons: Annotated[tuple[RunComparison, ...], about("The selected run against the others, on validation.")]
    folds: Annotated[CrossValidated | None, about("The folds of a study with `--folds`; null without.")] = None
    sureness: Annotated[
        Sureness,
        about("Of the selected run on the test photos; with folds, of what each fold selected, on all photos."),
    ]
    covered: Annotated[Covered | None, about("Null where no face was found in any test photo, and with folds.")]
    robustness: Annotated[Robustness | None, about("Null with fewer than 20 test photos, and with folds.")]
    mistakes: Annotated[tuple[Mistake, ...], about("On the photos of `sureness`, the most confident first.")]
    error_rates: Annotated[tuple[ErrorRates, ...], about("On these photos, by property of the photo.")]
    slices: Annotated[Slices | None, about("Scores on these photos by values of columns; null unless asked for.")] = (
        None
    )
    raters: Annotated[
        Raters | None,
        about("What several raters say of these photos, agreement of all photos; null where they came without votes."),
    ] = None
    target: Annotated[TargetResults | None, about("The selected run on photos from elsewhere; null without any.")]
    known_to_prior: KnownToPrior = ()
    seconds: Annotated[dict[str, float], about("Stage → seconds; `total` is all of them.")]
    paths: Annotated[StudyPaths, about("Where things are.")]

    @property
    def run(self) -> TestedRun:
        """The selected run."""
        return self.runs[self.selected]

    @property
    def test(self) -> Scores:
        """Scores of the selected run on the test photos; with folds, of what each fold selected, on all photos."""
        return self.folds.pooled if self.folds else self.run.test
