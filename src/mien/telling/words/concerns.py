"""What in the data needs a look, in words and tables; every number is one of the results'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from mien.results.audit import Culprit, DoubtfulLabels, ExaminedAudit, Shortcuts
from mien.telling.report.tables import Dot
from mien.telling.words.numerals import count, percent, plural, score

__all__ = [
    "ANCHORS",
    "Concern",
    "CulpritRow",
    "FaceTable",
    "balance_sentence",
    "concerns",
    "copies_sentences",
    "count_sentences",
    "culprit_rows",
    "culprit_words",
    "doubt_sentences",
    "drawing_sentences",
    "face_table",
    "property_dots",
    "series_in_short",
    "series_sentence",
    "shortcut_sentences",
    "unsought_sentences",
]

ANCHORS = ("conflicts", "shortcuts", "drawings", "copies", "faces", "doubts")
"""Where the page tells of each kind of trouble, the most harmful first."""
WEAK_PROBE = 0.9
"""Share of labels agreed with below which a probe's doubts are said to be mostly its own mistakes."""
MOST_PAIRS = 6

PROPERTIES = {
    "format": "file format",
    "mode": "colour mode",
    "source": "source",
    "is_grey": "grey or in colour",
    "width": "width",
    "height": "height",
    "aspect": "width over height",
    "bytes": "file size in bytes",
    "bytes_per_pixel": "bytes per pixel",
    "brightness": "brightness",
    "contrast": "contrast",
    "saturation": "saturation",
    "border": "plain border",
    "banner": "strip with text at an edge",
}
"""Column → what readers call it."""
FLAGS = {
    "no_face": "not found",
    "several_faces": "several",
    "tiny_face": "tiny",
    "cut_face": "cut off",
    "blurred_face": "blurred",
    "blank": "blank photo",
}
"""Flag of the face audit → heading of its column."""


@dataclass(frozen=True)
class Concern:
    """One kind of trouble: where the section tells of it, its name, and what was found."""

    anchor: str
    title: str
    told: str


@dataclass(frozen=True)
class CulpritRow:
    """A property that gives a class away."""

    property: str
    what: str
    label: str
    count: int
    of: int
    expected: float


@dataclass(frozen=True)
class FaceTable:
    """Photos that bear each flag; classes down, flags across, and their sums."""

    flags: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    together: tuple[int, ...]


def concerns(data: ExaminedAudit) -> list[Concern]:
    """What was found, the most harmful first."""
    drawings = None if data.is_demo else _drawings(data)
    found = [_conflicts(data), _shortcuts(data.shortcuts), drawings, _copies(data), _faces(data)]
    return [concern for concern in (*found, _doubts(data.doubtful_labels)) if concern]


def _conflicts(data: ExaminedAudit) -> Concern | None:
    n = data.conflicting_labels
    told = f"{_appear(n)} in several class folders."
    return Concern("conflicts", "Under two labels", told) if n else None


def _shortcuts(found: Shortcuts) -> Concern | None:
    if not found.found:
        return None
    told = []
    if found.tells_classes:
        told.append(
            f"File properties and light alone predict the class: macro-F1 {score(found.macro_f1)}; chance is "
            f"{score(found.chance)}."
        )
    if found.culprits:
        first = found.culprits[0]
        told.append(
            f"{_sentence(culprit_words(first))}: {count(first.count)} of {count(first.of)} are “{first.label}”."
        )
    return Concern("shortcuts", "Shortcuts", " ".join(told))


def _drawings(data: ExaminedAudit) -> Concern | None:
    drawn, perhaps = (sum(data.flags[name].values()) for name in ("drawn", "perhaps_drawn"))
    told = [plural(drawn, "picture")] if drawn else []
    told += [f"{count(perhaps)} perhaps"] if perhaps else []
    return Concern("drawings", "Drawn, not photographed", ", ".join(told) + ".") if told else None


def _copies(data: ExaminedAudit) -> Concern | None:
    near = data.copies.near
    if not near.groups:
        return None
    told = f"{_appear(near.groups)} more than once ({plural(data.duplicate_files, 'redundant file')})"
    across = [f"{count(n)} in {_both(splits)}" for splits, n in near.across_splits.items()]
    return Concern("copies", "Copies", f"{'; '.join([told, *across])}.")


def _faces(data: ExaminedAudit) -> Concern | None:
    counts = {title: sum(data.flags[name].values()) for name, title in FLAGS.items()}
    blank = counts.pop(FLAGS["blank"])
    found = [(title, n) for title, n in counts.items() if n]
    told = [f"{title} in {count(n)}" if i else f"{title} in {plural(n, 'photo')}" for i, (title, n) in enumerate(found)]
    told += [plural(blank, "blank photo")] if blank else []
    return Concern("faces", "Faces", f"{_sentence(', '.join(told))}.") if told else None


def _doubts(found: DoubtfulLabels) -> Concern | None:
    if found.reason or not found.found:
        return None
    told = f"A probe disagrees with {plural(found.found, 'label')}; it is often wrong itself."
    return Concern("doubts", "Doubtful labels", told)


def shortcut_sentences(found: Shortcuts) -> list[str]:
    """What a tiny model makes of everything but the picture's content."""
    if found.reason:
        return [f"Shortcuts were not searched for: {found.reason}."]
    told = (
        f"macro-F1 {score(found.macro_f1)}, where chance is {score(found.chance)} (shuffled labels stay below "
        f"{score(found.chance_high)} in 95 of 100 trials), over {plural(found.pictures, 'distinct picture')}"
    )
    what = "format, size, light, border and text strips alone, without looking at the face,"
    if not found.tells_classes:
        return [f"From {what} a tiny model predicts the class no better than chance: {told}."]
    return [
        f"From {what} a tiny model predicts the class: {told}.",
        "A recogniser can learn such a shortcut instead of the face. No score on photos of the same collection would "
        "show it, since the test photos have the same marks.",
    ]


def culprit_rows(found: Shortcuts, most: int) -> list[CulpritRow]:
    """The strongest culprits first."""
    rows = []
    for c in found.culprits[:most]:
        rows.append(CulpritRow(_name(c), _value(c), c.label, c.count, c.of, c.expected))
    return rows


def culprit_words(culprit: Culprit) -> str:
    """Property and value, as in ``file format WEBP``."""
    return f"{_name(culprit)} {_value(culprit)}".strip()


def _name(culprit: Culprit) -> str:
    name = str(culprit.property)
    return "picture" if name == "is_grey" else PROPERTIES.get(name, name)  # as in “picture grey”


def _value(culprit: Culprit) -> str:
    return "" if culprit.what == "any" else str(culprit.what)


def property_dots(found: Shortcuts) -> list[Dot]:
    """How well each property alone predicts the class, on a line from 0 to 1, with chance as the mark."""
    return [
        Dot(
            PROPERTIES.get(entry.property, entry.property),
            "",
            score(entry.macro_f1),
            "error",
            100 * entry.macro_f1,
            mark=100 * entry.chance,
        )
        for entry in found.properties
    ]


def drawing_sentences(data: ExaminedAudit) -> list[str]:
    """How many pictures look drawn, and how sure that is."""
    drawn, perhaps = data.flags["drawn"], data.flags["perhaps_drawn"]
    found = [
        f"{plural(sum(counts.values()), 'picture')} {words} ({_by_label(counts)})"
        for counts, words in ((drawn, "drawn"), (perhaps, "perhaps drawn"))
        if counts
    ]
    return [
        f"{'; '.join(found)}. Below each is the probability that it is a drawing: drawn from {data.drawn_from:g}, "
        f"perhaps drawn from {data.perhaps_drawn_from:g}.",
        "A drawing shows how its artist sees an expression. Whether it belongs in the data is for you to decide.",
    ]


def copies_sentences(data: ExaminedAudit) -> list[str]:
    """Pictures that stand more than once, and where."""
    exact, near = data.copies.exact, data.copies.near
    told = [
        f"{_appear(near.groups)} more than once, saved anew, resized, mirrored, cropped or marked: "
        f"{plural(data.duplicate_files, 'redundant file')}. {count(exact.groups)} of these pictures "
        f"{'has' if exact.groups == 1 else 'have'} copies with the same bytes."
    ]
    for splits, n in near.across_splits.items():
        told.append(
            f"{_appear(n)} in {_both(splits)} of the division that the data came with "
            f"({count(exact.across_splits.get(splits, 0))} byte for byte), so a score on that division includes what "
            "was memorised."
        )
    if near.across_labels:
        told.append(f"{_appear(near.across_labels)} under several labels ({count(exact.across_labels)} byte for byte).")
    return told


def _appear(n: int) -> str:
    return f"{plural(n, 'picture')} {'appears' if n == 1 else 'appear'}"


def series_sentence(data: ExaminedAudit) -> str | None:
    """Photos that may be of one shoot."""
    groups, photos = data.series
    if not groups or data.is_demo:
        return None
    return (
        f"Besides copies, there {'is' if groups == 1 else 'are'} {count(groups)} series: {plural(photos, 'photo')} "
        "that are alike without being the same, or whose names are numbered in sequence, perhaps of one shoot or "
        "person."
    )


def series_in_short(data: ExaminedAudit) -> str:
    """The same in a few words."""
    groups, photos = data.series
    return f"{plural(photos, 'photo')} in {plural(groups, 'series', 'series')}, perhaps of one shoot."


def face_table(data: ExaminedAudit) -> FaceTable:
    """Flags of the face audit by class; a column of blank photos only where there are some."""
    flags = {name: title for name, title in FLAGS.items() if name != "blank" or data.flags["blank"]}
    labels = [*data.classes]
    labels += sorted({label for name in flags for label in data.flags[name]} - set(labels))
    rows = tuple((label, tuple(data.flags[name].get(label, 0) for name in flags)) for label in labels)
    return FaceTable(tuple(flags.values()), rows, tuple(sum(data.flags[name].values()) for name in flags))


def count_sentences(data: ExaminedAudit) -> list[str]:
    """How many files there are, and what they are."""
    parts = [f"{count(data.images)} can be used"]
    parts += [f"{count(data.unreadable)} cannot be read"] if data.unreadable else []
    parts += [f"{count(data.dropped)} {'was' if data.dropped == 1 else 'were'} dropped"] if data.dropped else []
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    told = [
        f"Of {plural(data.files, 'file')}, {listed}." if len(parts) > 1 else f"All {data.files:,} files can be used."
    ]
    if data.ignored:
        told.append(
            f"{plural(data.ignored, 'further file')} {'is no photo' if data.ignored == 1 else 'are no photos'}."
        )
    return told


def balance_sentence(data: ExaminedAudit) -> str:
    """How frequent the classes are."""
    classes = f"{plural(len(data.classes), 'class', 'classes')}"
    if not data.imbalance or f"{data.imbalance:.1f}" == "1.0":
        return f"{classes} of equal size."
    return f"{classes}; the largest has {data.imbalance:.1f} times as many photos as the smallest."


def unsought_sentences(data: ExaminedAudit) -> list[str]:
    """What was not looked for, and why."""
    told = shortcut_sentences(data.shortcuts) if data.shortcuts.reason else []
    told += doubt_sentences(data.doubtful_labels) if data.doubtful_labels.reason else []
    return told if data.faces_searched else [*told, "Faces were not searched for."]


def doubt_sentences(found: DoubtfulLabels) -> list[str]:
    """What a probe says of the labels, and how far to believe it."""
    if found.reason or found.accuracy is None:
        return [f"Labels were not checked: {found.reason}."]
    agrees = f"{'only ' if found.accuracy < WEAK_PROBE else ''}{percent(found.accuracy)} of all labels"
    told = [
        f"{count(found.found)} of {plural(found.judged, 'label')} {'is' if found.found == 1 else 'are'} doubtful: a "
        f"probe trained on the other photos suggests another. The probe agrees with {agrees}, so many of its doubts "
        "are its own mistakes. A doubt is a reason to look, no more."
    ]
    return told + _pairs(found)


def _pairs(found: DoubtfulLabels) -> list[str]:
    """Which label the probe would most often have changed into which."""
    listed = found.list
    pairs = Counter((entry.label, entry.suggested_label) for entry in listed)
    if not pairs:
        return []
    first = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MOST_PAIRS]
    among = "" if len(listed) == found.found else f", among the {count(len(listed))} most doubtful"
    named = ", ".join(f"{label} → {other} {count(n)}" for (label, other), n in first)
    return [f"Label → what the probe suggests{among}: {named}{', and others' if len(pairs) > len(first) else ''}."]


def _sentence(words: str) -> str:
    """With a capital at the beginning, and the others as they are."""
    return words[:1].upper() + words[1:]


def _both(splits: str) -> str:
    """``train+test`` in words."""
    names = splits.split("+")
    return f"{'both ' if len(names) == 2 else ''}{' and '.join([', '.join(names[:-1]), names[-1]])}"


def _by_label(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {count(n)}" for label, n in counts.items())
