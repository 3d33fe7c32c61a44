"""What is in a set of photos, and what of it needs a look."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from mien.metrics import Interval
from mien.results.record import Record, about
from mien.results.scores import Over

__all__ = [
    "Audit",
    "Copies",
    "CopiesFound",
    "CorrectionsRecord",
    "Culprit",
    "DoubtfulLabel",
    "DoubtfulLabels",
    "ExaminedAudit",
    "LabelConflict",
    "Leakage",
    "Premium",
    "PropertyScore",
    "Shortcuts",
]


DEMO = "demo"
"""What the embedded demo is asked for by; ``demo::PART`` is a part of it."""


class CorrectionsRecord(Record):
    """The table of decisions that was applied."""

    file: Annotated[str, about("As it was given.")]
    sha256: Annotated[str, about("Of its bytes.")]


class LabelConflict(Record):
    """One picture found under several labels."""

    labels: Annotated[tuple[str, ...], about("The labels, sorted.")]
    paths: Annotated[tuple[str, ...], about("Its files.")]
    exact: Annotated[bool, about("Whether files with the same bytes have different labels.")]


class Copies(Record):
    """Groups of two or more files that are copies of one another."""

    groups: Annotated[int, about("How many.")]
    across_labels: Annotated[int, about("Those with several labels.")]
    across_splits: Annotated[
        dict[str, int], about("Those in several of the splits that the photos came in: `train+test` → groups.")
    ]
    across_groups: Annotated[
        int, about("Those under several people, or other groups that were named; these count as one in intervals.")
    ] = 0


class CopiesFound(Record):
    """Copies by how alike they are."""

    exact: Annotated[Copies, about("Same bytes.")]
    near: Annotated[Copies, about("Same picture, exact ones included.")]


class PropertyScore(Record):
    """How well one property alone predicts the class."""

    property: Annotated[str, about("Its name.")]
    macro_f1: Annotated[float, about("Cross-validated.")]
    chance: Annotated[float, about("Mean of the same on permuted labels.")]
    p: Annotated[float, about("Share of permutations that score as high, corrected for the number of properties.")]


class Culprit(Record):
    """A value or range of one property in which one class is too frequent to be chance."""

    property: Annotated[str, about("As in `properties`.")]
    what: Annotated[str, about("The value or range in words, such as `WEBP`, `up to 300 px` or `any`.")]
    label: Annotated[str, about("The class that it gives away.")]
    count: Annotated[int, about("Photos with this value that have the label.")]
    of: Annotated[int, about("Photos with this value.")]
    expected: Annotated[float, about("Share of the label among all photos looked at.")]
    p: Annotated[
        float, about("Exact binomial probability over distinct pictures, corrected for everything looked at (Holm).")
    ]


class Shortcuts(Record):
    """Whether file and light alone predict the class, without a look at the face."""

    level: Annotated[
        float | None, about("Probability up to which a result is not put down to chance; null where none was sought.")
    ] = None
    found: Annotated[bool, about("Whether all properties together beat chance, or a culprit was named.")] = False
    tells_classes: Annotated[bool, about("Whether all properties together beat chance: `p` is at most `level`.")] = (
        False
    )
    macro_f1: Annotated[float | None, about("Of a tiny model on all properties, cross-validated.")] = None
    chance: Annotated[float | None, about("Mean of the same on permuted labels.")] = None
    chance_high: Annotated[float | None, about("Its 95 % quantile.")] = None
    p: Annotated[float | None, about("Share of permutations that score as high.")] = None
    pictures: Annotated[int, about("Distinct pictures that were scored.")] = 0
    photos: Annotated[int, about("Photos that culprits were counted over.")] = 0
    properties: Annotated[tuple[PropertyScore, ...], about("Each property alone, the best above chance first.")] = ()
    culprits: Annotated[tuple[Culprit, ...], about("The strongest first.")] = ()
    reason: Annotated[str | None, about("Why shortcuts were not looked for, or null.")] = None


class DoubtfulLabel(Record):
    """A label that a probe, trained on the other photos, would not have given."""

    id: Annotated[str, about("Source and path.")]
    path: Annotated[str, about("Path inside the source.")]
    row: Annotated[int, about("Place in the manifest.")]
    label: Annotated[str, about("The label it has.")]
    suggested_label: Annotated[str, about("What the probe finds likeliest.")]
    label_quality: Annotated[float, about("Probability that the probe gives to the label it has.")]


class DoubtfulLabels(Record):
    """What a probe says of the labels."""

    reason: Annotated[str | None, about("Why labels were not judged, or null.")] = None
    judged: Annotated[int, about("Labels that were judged.")] = 0
    found: Annotated[int, about("Doubtful ones.")] = 0
    accuracy: Annotated[float | None, about("Share of labels that the probe agrees with.")] = None
    folds: Annotated[int, about("Folds of the cross-validation that the probe's answers are from.")] = 0
    list: Annotated[tuple[DoubtfulLabel, ...], about("The most doubtful ones; the manifest has all.")] = ()


class Premium(Record):
    """Macro-F1 under the naive division less that under a stricter one."""

    value: Annotated[float, about("Positive where the naive division scores higher.")]
    interval: Annotated[Interval | None, about("95 %, paired, over the groups of `over`; null for too few.")]
    verdict: Annotated[
        Literal["naive flatters", "naive scores lower", "cannot tell"],
        about("What the interval says; `cannot tell` where it holds 0, or without one."),
    ]


class Leakage(Record):
    """What copies, photos of one shoot, and known people on both sides of a division add to a score."""

    reason: Annotated[str | None, about("Why it was not measured, or null.")] = None
    macro_f1: Annotated[
        dict[str, float],
        about("Of the same probe under the `naive`, `grouped`, `people` and `series` division, where there are such."),
    ] = msgspec.field(default_factory=dict)
    premium: Annotated[dict[str, Premium], about("Stricter division → what the naive one adds.")] = msgspec.field(
        default_factory=dict
    )
    folds: Annotated[int, about("Folds of each division.")] = 0
    repeats: Annotated[int, about("Divisions that scores are averaged over.")] = 0
    resamples: Annotated[int, about("Bootstrap resamples behind the intervals, in results of before; now 0.")] = 0
    over: Annotated[
        Over | None, about("What the intervals are over: the coarsest groups; null in results of before.")
    ] = None
    left_out: Annotated[dict[str, str], about("Division that was not scored → why.")] = msgspec.field(
        default_factory=dict
    )


class Audit(Record):
    """What a set of photos holds; every count is of files or of groups."""

    source: Annotated[str, about("What was given.")]
    name: Annotated[str, about("The name it goes by.")]
    names: Annotated[tuple[str, ...], about("The name of each source.")]
    renamed: Annotated[dict[str, dict[str, str]], about("Source → its class → the class of an earlier source.")]
    reading: Annotated[
        dict[str, tuple[str, ...]],
        about("Source → how classes, persons and splits were read, a line each; none where there was nothing to tell."),
    ] = msgspec.field(default_factory=dict)
    voted: Annotated[int, about("Images that raters voted on; their label is the class with most votes.")] = 0
    without_group: Annotated[
        int, about("Images without a person or other named group, where others have one; each counts as a group.")
    ] = 0
    files: Annotated[int, about("Files that take part: images, unreadable and dropped ones.")]
    images: Annotated[int, about("Images that can be used.")]
    unreadable: Annotated[int, about("Files that cannot be read.")]
    dropped: Annotated[int, about("Files that corrections took out.")]
    relabelled: Annotated[int, about("Images whose class corrections changed.")]
    ignored: Annotated[int, about("Hidden and system files and files outside class folders; not among `files`.")]
    classes: Annotated[dict[str, int], about("Class → images.")]
    sources: Annotated[dict[str, int], about("Source → images.")]
    imbalance: Annotated[float | None, about("Images of the largest class for one of the smallest.")]
    unreadable_files: Annotated[dict[str, str], about("Path → reason.")]
    ignored_files: Annotated[dict[str, str], about("Path → reason.")]
    notes: Annotated[dict[str, str], about("Path → remark.")]
    formats: Annotated[dict[str, int], about("Format by content → images.")]
    sizes: Annotated[tuple[int, int, int] | None, about("Smallest, median and largest longer side, px.")]
    grey_share: Annotated[float | None, about("Share of grey photos.")]
    copies: Annotated[CopiesFound, about("Copies of pictures.")]
    exact_duplicate_groups: Annotated[int, about("As `copies.exact.groups`.")]
    near_duplicate_groups: Annotated[int, about("As `copies.near.groups`.")]
    duplicate_files: Annotated[int, about("Files that are a further copy of a picture.")]
    conflicting_labels: Annotated[int, about("Pictures under several labels.")]
    conflicts: Annotated[tuple[LabelConflict, ...], about("Those pictures.")]
    series: Annotated[
        tuple[int, int], about("Groups of photos that may be of one shoot, copies apart, and photos in them.")
    ]
    faces: Annotated[dict[str, int], about("`found`, `crop` (a face crop already) or `none` → photos.")]
    flags: Annotated[
        dict[str, dict[str, int]],
        about(
            "`no_face`, `several_faces`, `tiny_face`, `cut_face`, `blurred_face`, `drawn`, `perhaps_drawn`, `blank` "
            "→ class → photos."
        ),
    ]
    drawn_files: Annotated[dict[str, float], about("Path → probability of a drawing, the surest first.")]
    drawn_from: Annotated[float, about("Probability from which a picture is taken for `drawn`.")]
    perhaps_drawn_from: Annotated[float, about("Probability from which it is taken for `perhaps_drawn`.")]

    @property
    def is_demo(self) -> bool:
        """Whether all of it is the embedded demo, which is drawn on purpose."""
        sources = self.source.split(" ")
        return len(sources) == len(self.names) and all(each.partition("::")[0] == DEMO for each in sources)


class ExaminedAudit(Audit):
    """The same, with what takes a model or statistics to find."""

    shortcuts: Annotated[Shortcuts, about("Whether file and light alone predict the class.")]
    doubtful_labels: Annotated[DoubtfulLabels, about("What a probe says of the labels.")]
    leakage: Annotated[Leakage | None, about("Null unless asked for.")]
    faces_searched: Annotated[bool, about("Whether faces were looked for.")] = True
