"""The names of a source's classes: those a person gives them, one spelling over splits, and what is odd about them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mien.data.sources.files import Source
from mien.data.sources.presets import Preset
from mien.errors import SourceError
from mien.labels import canonical, is_expression, meanings

__all__ = [
    "check_classes",
    "expressions_only",
    "few",
    "name_of",
    "named_classes",
    "one_meaning",
    "renamed",
    "spelt_alike",
]

MOST_CLASSES = 20
"""More classes of expressions than this are asked about before they are believed."""
SHOWN = 6


def named_classes(source: Source, names: Mapping[str, str], asked: str | None = None) -> Source:
    """The source with other names for its classes.

    Args:
        names: class, number or spelling → name.
        asked: ``--class-names`` as it was given.

    Raises:
        SourceError: if none of the names that were asked for is a class.
    """
    changes = {label: new for label in source.labels if (new := name_of(label, names)) is not None and new != label}
    if asked and source.labels and not any(name_of(label, names) is not None for label in source.labels):
        raise SourceError(
            f"{source.spec}: --class-names names none of its classes; they are {few(source.labels)}, "
            "as in --class-names " + f"{source.labels[0]}=anger"
        )
    source = renamed(source, changes)
    if names and source.labels and not asked and not changes:
        return source
    unnamed = [label for label in source.labels if label.isdecimal()]
    if changes and unnamed:
        raise SourceError(
            f"{source.spec}: the class{'es' * (len(unnamed) != 1)} {few(unnamed)} got no name; give it as in "
            f"--class-names {unnamed[0]}=anger"
        )
    return source


def spelt_alike(source: Source) -> Source:
    """The source with one spelling for each class over its splits, and notes on classes of one meaning.

    ``train/Happy`` and ``test/happiness`` become ``Happy``; two spellings within one split stay two classes.
    """
    by_split: dict[str, set[str]] = defaultdict(set)
    for file in source.files:
        if file.ignored is None and file.label is not None and file.split is not None:
            by_split[file.split].add(file.label)
    changes: dict[str, str] = {}
    meant = meanings(source.labels)
    for meaning, labels in _several(source.labels, meant):
        told_apart = any(sum(meant[label] == meaning for label in there) > 1 for there in by_split.values())
        if len(by_split) > 1 and not told_apart:
            first = min(labels, key=lambda label: (label not in by_split.get("train", ()), label))
            changes |= {label: first for label in labels if label != first}
    notes = tuple(f"class {old!r} of one split is {new!r} of another" for old, new in changes.items())
    source = renamed(source, changes)
    return replace(source, notes=(*source.notes, *notes, *one_meaning(source.labels), *_unnamed(source.labels)))


def one_meaning(labels: Sequence[str]) -> list[str]:
    """A line for each expression that several classes stand for, with what merges them."""
    lines, merged = [], []
    nothing = next(
        (label for label in labels if canonical(label) == "neutral" and label.strip().lower() == "none"), None
    )
    notes = [f"class {nothing!r} counts as neutral; if it is none, name it with --class-names {nothing}=…"]
    notes = notes if nothing and meanings(labels)[nothing] == "neutral" else []
    for _, same in _several(labels, meanings(labels)):
        kept = min(same, key=lambda label: (label != label.strip(), label == label.lower(), label))
        merged += [f"{label}={kept}" for label in same if label != kept]
        lines.append(f"classes {' and '.join(map(repr, same))} mean the same and stay apart")
    return [*notes, *lines, f"to merge them, give --class-names '{','.join(merged)}'"] if lines else notes


def check_classes(spec: str, labels: Sequence[str], way_out: str) -> None:
    """Refuse classes of a table that are too many to be expressions, or are no words for one beside some that are.

    Raises:
        SourceError: with what to do.
    """
    decimals = [label for label in labels if _is_decimal(label)]
    if len(decimals) > len(labels) / 2:
        raise SourceError(f"{spec}: the classes are numbers such as {few(decimals, 3)}, which are no names; {way_out}")
    if len(labels) > MOST_CLASSES:
        raise SourceError(f"{spec}: {len(labels)} classes ({few(labels)}), more than {MOST_CLASSES}; {way_out}")
    for label in labels:
        parts = re.split(r"\s*[,;|/+&]\s*", label)
        if len(parts) > 1 and sum(map(is_expression, parts)) > 1:
            raise SourceError(f"{spec}: the class {label!r} names several; keep one for each photo, or {way_out}")
    words = [label for label in labels if is_expression(label)]
    others = [label for label in labels if not is_expression(label)]
    if len(words) >= 2 and others:
        verb = "is no word" if len(others) == 1 else "are no words"
        raise SourceError(f"{spec}: beside the classes {few(words)}, {few(others)} {verb} for an expression; {way_out}")


def renamed(source: Source, changes: Mapping[str, str]) -> Source:
    """The source with some classes under other names."""
    if not changes:
        return source
    files = (replace(f, label=changes[f.label]) if f.label and f.label in changes else f for f in source.files)
    return replace(source, files=tuple(files))


def expressions_only(source: Source, preset: Preset | None) -> Source:
    """The source without photos of what is no expression in a published collection; each is listed with that reason."""
    if preset is None or not preset.no_classes:
        return source
    files = (
        replace(f, label=None, ignored=f"{f.label!r} in {preset.title}, which is no expression")
        if f.ignored is None and f.label in preset.no_classes
        else f
        for f in source.files
    )
    return replace(source, files=tuple(files))


def few(names: Iterable[str], shown: int = SHOWN) -> str:
    """The first of some names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more


def name_of(label: str, names: Mapping[str, str]) -> str | None:
    """The name of a class: by its spelling, else as a number (``0`` and ``0.0`` are one), else in any case."""
    if label in names:
        return names[label]
    number = _number(label)
    by_case = {name.strip().lower(): new for name, new in names.items()}
    by_number = {n: new for name, new in names.items() if (n := _number(name)) is not None}
    return by_number.get(number) if number is not None else by_case.get(label.strip().lower())


def _number(text: str) -> int | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() else None


def _is_decimal(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?\d*\.\d+", text)) and _number(text) is None


def _several(labels: Sequence[str], meant: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Meanings that several of the classes have, with those."""
    counts = Counter(meant[label] for label in labels)
    return [(m, [label for label in labels if meant[label] == m]) for m, n in counts.items() if n > 1]


def _unnamed(labels: Sequence[str]) -> list[str]:
    """A line where the classes are bare numbers, or no words that are known."""
    are_numbers = all(_number(label) is not None for label in labels)
    if len(labels) < 2 or (not are_numbers and any(map(is_expression, labels))):
        return []
    if are_numbers:
        return [f"the classes are numbers; --class-names {labels[0]}=…,{labels[1]}=… gives them names"]
    return ["none of the classes is a word for an expression that mien knows; see that they are no persons"]
