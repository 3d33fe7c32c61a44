"""Photos from elsewhere: how a model scores on them, whether they are new, and why the score differs."""

from __future__ import annotations

from typing import Annotated, Literal

from mien.metrics import Interval
from mien.results.audit import Audit
from mien.results.behaviour import ErrorRates, Mistake, Sureness
from mien.results.raters import Raters
from mien.results.record import Record, about
from mien.results.scores import Over, Scores
from mien.results.slices import Slices

__all__ = [
    "Causes",
    "Change",
    "CollectionMatch",
    "ConfusionChange",
    "Counted",
    "Drift",
    "Effect",
    "GoodEnough",
    "JpegQuality",
    "LabelMatching",
    "LabelShare",
    "Level",
    "Move",
    "PropertyDrift",
    "Reference",
    "Spread",
    "Sure",
    "TargetResults",
    "TargetScores",
]


Level = Literal["not new", "cannot tell", "no better than guessing", "poor", "fair", "good", "very good"]
"""Of how good a model is for photos; see ``GoodEnough``."""
Sure = Literal["certain", "likely", "possible"]


class LabelMatching(Record):
    """How the target's classes answer to the model's."""

    matched: Annotated[dict[str, str], about("Class of the target → class of the model.")]
    kinds: Annotated[
        dict[str, str],
        about("Class of the target → `exact`, `synonym`, `given` by the class map, or `merged` with another."),
    ]
    extra: Annotated[tuple[str, ...], about("Classes that the model does not know.")]
    missing: Annotated[tuple[str, ...], about("Classes of the model that the target lacks.")]
    dropped: Annotated[tuple[str, ...], about("Classes that the class map leaves out.")]


class Reference(Record):
    """A published result on exactly these photos."""

    what: Annotated[str, about("Whose it is.")]
    accuracy: Annotated[float, about("In [0, 1].")]
    macro_f1: Annotated[float, about("In [0, 1].")]


class Change(Record):
    """`shared` less the test split, over the same classes."""

    macro_f1: Annotated[float | None, about("Null where a class has no test photo.")]
    accuracy: Annotated[float | None, about("Likewise.")]


class TargetScores(Record):
    """How one run scores on the target."""

    labels: Annotated[LabelMatching, about("How classes were matched.")]
    all: Annotated[Scores, about("All images but those of dropped classes; unknown classes are always wrong.")]
    shared: Annotated[Scores, about("Images of shared classes; any answer is allowed.")]
    shared_limited: Annotated[Scores, about("The same, answers limited to the shared classes.")]
    reference: Annotated[Reference | None, about("A published result on exactly these photos.")]
    change_from_test: Annotated[Change | None, about("Null without test scores.")] = None

    @property
    def macro_f1_change(self) -> float | None:
        """Change of macro-F1 from the test photos; None where it is not known."""
        return self.change_from_test.macro_f1 if self.change_from_test else None


class Effect(Record):
    """What the test photos score once they are changed."""

    macro_f1: Annotated[float, about("Then.")]
    change: Annotated[float, about("From the photos as they are.")]
    interval: Annotated[Interval | None, about("Of the change: 95 %, paired, over groups; null for too few.")]
    lowers: Annotated[bool, about("Whether the whole interval lies below 0.")]


class Move(Effect):
    """What they score once one property is as in the target."""

    property: Annotated[str, about("`crop`, `resolution`, `grey`, `light`, `compression` or `class_balance`.")]


class JpegQuality(Record):
    """How strongly files are compressed."""

    share: Annotated[float, about("Share of the target's files that are JPEGs.")]
    test: Annotated[float | None, about("Median quality (1 to 100) of the test photos that are; null without one.")]
    target: Annotated[float | None, about("Likewise of the target's.")]


class Causes(Record):
    """Why the target scores otherwise: the test photos of the shared classes made like the target's."""

    images: Annotated[int, about("Test photos that were changed.")]
    macro_f1: Annotated[float, about("As they are.")]
    moved: Annotated[tuple[Move, ...], about("One property at a time.")]
    together: Annotated[Effect, about("All of them.")]
    reached: Annotated[float, about("Macro-F1 on the target.")]
    unexplained: Annotated[float, about("`reached` less `together.macro_f1`.")]
    jpeg: Annotated[JpegQuality, about("`compression` is moved where `share` is not 0.")]
    over: Annotated[
        Over | None, about("What the intervals are over: groups of the test photos; null in results of before.")
    ] = None


class Spread(Record):
    """How the photos of one set are spread over a property."""

    photos: Annotated[int, about("Photos that have the property.")]
    median: Annotated[float, about("Of their values.")]
    shares: Annotated[tuple[float, ...], about("In each bin; the outer ones hold what lies beyond.")]


class PropertyDrift(Record):
    """How two sets differ in one property."""

    property: Annotated[str, about("Its name.")]
    overlap: Annotated[float, about("1 less the Kolmogorov-Smirnov distance: 1 where the sets are alike.")]
    edges: Annotated[tuple[float, ...], about("Of the bins.")]
    own: Annotated[Spread, about("All photos in a split.")]
    target: Annotated[Spread, about("Photos of the target.")]


class LabelShare(Record):
    """Share of one class among the photos of shared classes."""

    own: Annotated[float, about("In the model's photos.")]
    target: Annotated[float, about("In the target.")]


class Drift(Record):
    """How the target differs from the model's photos."""

    properties: Annotated[tuple[PropertyDrift, ...], about("Those that differ most first.")]
    labels: Annotated[dict[str, LabelShare], about("Shared class → its shares.")]


class Counted(Record):
    """A count, and the total that it is part of."""

    count: Annotated[int, about("How many.")]
    of: Annotated[int, about("Of how many.")]


class ConfusionChange(Record):
    """A confusion that is more, or less, frequent on the target."""

    true: Annotated[str, about("True class.")]
    predicted: Annotated[str, about("Answer.")]
    test: Annotated[Counted, about("On the test photos.")]
    target: Annotated[Counted, about("On the target.")]
    change: Annotated[float, about("Of the share.")]
    interval: Annotated[
        Interval | None,
        about(
            "Of the change, over groups (Newcombe, 1998); holds for all pairs together; null where these are too few."
        ),
    ]
    is_clear: Annotated[bool, about("Whether the interval leaves out 0; false without one.")]


class CollectionMatch(Record):
    """A collection that the model or its backbone learnt from, and what says that the target is part of it."""

    name: Annotated[str, about("Of the collection.")]
    sure: Annotated[
        Sure,
        about(
            "`certain`: more photos are copies of its pictures than chance would explain (fewer than 1 in 10,000 "
            "times). `likely`: the files have its sizes and colours, and names that hardly any other has; or "
            "its sizes and colours, its light and sharpness, and its names or its folder's name. `possible`: only the "
            "sizes, colours, light and sharpness agree, or only a name."
        ),
    ]
    copies: Annotated[Counted, about("Photos that are copies of its pictures, of those that could be compared.")]
    is_whole: Annotated[bool, about("Whether half or more of these are copies.")]
    same_kind: Annotated[
        float | None,
        about("Share of the files with its sizes and colours; null where its own differ or are unknown."),
    ]
    same_names: Annotated[float | None, about("Share of the files named as its own; null where that is not known.")]
    telling_names: Annotated[bool, about("Whether half or more have names that hardly any other collection has.")]
    same_look: Annotated[
        bool | None,
        about("Whether light, contrast and sharpness are spread as in it; null for fewer than 100 photos, or unknown."),
    ]
    same_folder: Annotated[bool, about("Whether the target is called as it, or as a part of it.")]


class GoodEnough(Record):
    """Whether the model is good enough for photos like these."""

    level: Annotated[
        Level,
        about(
            "`not new` where `is_new` is false: the score is too high then; `cannot tell` for too few groups; `no "
            "better than guessing` where `beats_chance` of `shared` is false; else the highest of `bounds` that "
            "`reached` is not below."
        ),
    ]
    reached: Annotated[
        float | None, about("Lower end of the interval of macro-F1 over the shared classes; null for too few groups.")
    ]
    bounds: Annotated[dict[str, float], about("Level → the least value of `reached` for it.")]


class TargetResults(TargetScores):
    """Everything that is known of the selected run on the target."""

    data: Annotated[Audit, about("What the target holds.")]
    seen_in_training: Annotated[int, about("Images that the model or its backbone was trained on, byte for byte.")]
    near_copies: Annotated[
        int | None,
        about(
            "Images that are copies, byte for byte or near, of photos that the model was trained or selected on; null "
            "of a model that lies in no study."
        ),
    ]
    known_collections: Annotated[
        tuple[str, ...],
        about("Names of those of `collections` that are `certain` or `likely`."),
    ]
    collections: Annotated[
        tuple[CollectionMatch, ...],
        about(
            "Collections that the model or its backbone was trained on and the target is, or may be, part of, the "
            "surest first; empty in results of before, which went by the folder's name."
        ),
    ] = ()
    good_enough: Annotated[GoodEnough | None, about("Null in results of before.")] = None
    recurring_groups: Annotated[
        int, about("Pictures that are in both data and target, perhaps re-encoded; 0 of `mien evaluate`.")
    ] = 0
    is_new: Annotated[
        bool,
        about("Whether the photos are new, as far as `near_copies`, `seen_in_training` and `known_collections` tell."),
    ]
    causes: Annotated[
        Causes | None, about("Null with fewer than 20 such test photos, or of a model that lies in no study.")
    ]
    drift: Annotated[Drift | None, about("Null of a model that lies in no study.")]
    confusion_changes: Annotated[
        tuple[ConfusionChange, ...] | None, about("The three that changed most; null without test scores.")
    ]
    sureness: Annotated[Sureness, about("On the shared classes.")]
    mistakes: Annotated[tuple[Mistake, ...], about("The most confident first.")]
    error_rates: Annotated[tuple[ErrorRates, ...], about("By property of the photo.")]
    raters: Annotated[
        Raters | None, about("What several raters say of the photos; null where the photos came without votes.")
    ] = None
    slices: Annotated[
        Slices | None, about("By values of columns, on the shared classes, any answer allowed; null unless asked for.")
    ] = None
