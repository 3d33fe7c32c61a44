"""Paths → labels, groups and splits, whatever the files are kept in: as the user says, or as their shape says."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from mien.data.sources.annotations import annotated_as, beside
from mien.data.sources.classes import expressions_only, few, name_of, named_classes, spelt_alike
from mien.data.sources.detection import read_detections
from mien.data.sources.files import Source, SourceFile
from mien.data.sources.folder import holdings, photos_by_name
from mien.data.sources.pattern import Pattern, compile_pattern
from mien.data.sources.presets import PRESETS, Preset, parse_class_names, preset_of
from mien.data.sources.shape import Reading, Shape, look, wrapper_of
from mien.data.sources.split_words import LEFT_OUT, as_splits, check_splits, parse_split_map, split_in
from mien.errors import SourceError
from mien.labels import is_expression
from mien.settings.columns import Columns

__all__ = ["assign_labels", "described", "folders_say_classes", "pick"]

NOT_IN_A_CLASS = "not in a class folder"
NO_PHOTOS_THERE = "in a folder without photos"
THUMBNAILS = ("thumb", "thumbs", "thumbnail", "thumbnails")


@dataclass(frozen=True)
class Layout:
    """How the paths of a source are read.

    Attributes:
        pattern: what stands where.
        start: folders above it, which only wrap.
        names: of its classes.
        where: of label, group and split, the ones there are → where, in words.
        preset: the published collection it is, if any.
        missed: why a file that does not fit takes no part.
        remark: what should be said of it.
    """

    pattern: Pattern
    start: tuple[str, ...]
    names: dict[str, str]
    where: dict[str, str]
    preset: Preset | None
    missed: str
    remark: str = ""


def assign_labels(source: Source, asked: Columns, *, is_known: bool = False) -> Source:
    """Read label, group and split off each path.

    Args:
        is_known: whether a model says which classes count, so that those which are no words need no asking.

    Raises:
        SourceError: if the paths can be read in several ways or in none, with the ``--layout`` for each; if folders of
            splits and others are mixed, or train is missing.
    """
    source = _without_thumbnails(source)
    photos = photos_by_name(f.path for f in source.files if f.ignored is None)
    if asked.layout is not None:
        layout: Layout | None = _asked(source, photos, asked)
    else:
        shape = look(photos, parse_split_map(asked.split_map))
        if not _is_by_folders(shape) and (found := read_detections(source, asked)):
            return _finished(found, asked, {})
        if not _is_by_folders(shape) and (key := annotated_as(source.files, photos)):
            note = f"small files say what the photos show, as in {PRESETS[key].title}; read as --layout {key}"
            return assign_labels(replace(source, notes=(*source.notes, note)), replace(asked, layout=key))
        if is_known and shape.is_of_words:
            shape = Shape(shape.readings)
        layout = _looked_for(source, photos, shape)
    if layout is None:
        return _without_classes(source)
    files = _read(source, layout, parse_class_names(asked.class_names))
    if layout.preset is not None and layout.preset.annotation is not None:
        files = beside(source, files, layout.preset)
    files = _with_splits(files, parse_split_map(asked.split_map))
    notes = (*source.notes, *filter(None, (layout.remark,)))
    return _finished(replace(source, files=tuple(files), notes=notes), asked, layout.names, layout.where)


def _without_thumbnails(source: Source) -> Source:
    """The source without small copies of its own photos: ``happy/thumbs/1.png`` beside ``happy/1.png``."""
    paths = {f.path for f in source.files if f.ignored is None}
    files = []
    for file in source.files:
        parts = file.path.split("/")
        kept = [part for part in parts[:-1] if part.lower().strip("_") not in THUMBNAILS]
        whole = "/".join([*kept, parts[-1]])
        is_copy = file.ignored is None and whole != file.path and whole in paths
        files.append(replace(file, ignored=f"a small copy of {whole}") if is_copy else file)
    return replace(source, files=tuple(files))


def _finished(source: Source, asked: Columns, names: dict[str, str], where: dict[str, str] | None = None) -> Source:
    """The source with names for its classes, one spelling over splits, and what is to be said of it."""
    source = named_classes(source, names | parse_class_names(asked.class_names), asked.class_names)
    source = spelt_alike(expressions_only(source, preset_of(asked.layout)))
    return replace(source, notes=(described(source, where or {}), *source.notes))


def described(source: Source, where: dict[str, str]) -> str:
    """What was read of where, in one line: ``6 classes from the second folder, 25 groups from the first folder``."""
    labels, groups = source.labels, source.groups
    parts = [f"{len(labels)} class{'es' * (len(labels) != 1)}{_from(where, 'label')}"]
    if groups:
        parts.append(f"{groups} group{'s' * (groups != 1)}{_from(where, 'group')}")
    splits = {f.split for f in source.files if f.split and f.ignored is None}
    if splits:
        parts.append(f"splits {', '.join(s for s in ('train', 'val', 'test') if s in splits)}{_from(where, 'split')}")
    shown = ", ".join(labels[:12]) + (f" and {len(labels) - 12} more" if len(labels) > 12 else "")
    return f"{', '.join(parts)}: {shown}"


def _from(where: dict[str, str], role: str) -> str:
    return f" from {where[role]}" if role in where else ""


# -- which layout -----------------------------------------------------------------------------------------------------


def _asked(source: Source, photos: Sequence[str], asked: Columns) -> Layout:
    """The layout that was asked for, at the top or below folders that only wrap, wherever it fits most photos."""
    text = asked.layout or ""
    preset = preset_of(text)
    start = wrapper_of([tuple(path.split("/")) for path in photos]) if photos else ()
    layouts = [
        _as_asked(compile_pattern(pattern), start[:depth], preset, text)
        for pattern in (preset.layouts if preset else (text,))
        for depth in range(len(start) + 1)
    ]
    counts = [_fitting(layout, photos) for layout in layouts]
    best = layouts[counts.index(max(counts))]
    if not max(counts) or not photos:
        first = f"; the first is {photos[0]}" if photos else ""
        raise SourceError(f"{source.spec}: none of its {len(photos)} photos is laid out as --layout {text} says{first}")
    if "label" not in best.pattern.roles and not (preset and preset.annotation):
        raise SourceError(f"{source.spec}: --layout {text} does not say where the class is; name LABEL in it")
    return best


def _as_asked(pattern: Pattern, start: tuple[str, ...], preset: Preset | None, text: str) -> Layout:
    names = dict(preset.class_names) if preset else {}
    where = dict.fromkeys(sorted(pattern.roles)[:1], f"--layout {text}")
    return Layout(pattern, start, names, where, preset, f"does not fit --layout {text}")


def _fitting(layout: Layout, photos: Sequence[str]) -> int:
    """Photos whose path fits; of a published collection, those whose class and split are its own."""
    top = _top(layout.start)
    found = [layout.pattern.match(path[len(top) :]) for path in photos if path.startswith(top)]
    places = [place for place in found if place is not None]
    if layout.preset is None:
        return len(places)
    is_class = {label: label in layout.names or is_expression(label) for label in {p.label for p in places if p.label}}
    return sum(
        is_class.get(place.label or "", True) and (place.split is None or split_in(place.split) is not None)
        for place in places
    )


def folders_say_classes(source: Source, asked: Columns) -> bool:
    """Whether folders alone say the class of each photo, so that no table beside them is needed."""
    photos = photos_by_name(f.path for f in source.files if f.ignored is None)
    return asked.layout is not None or _is_by_folders(look(photos, parse_split_map(asked.split_map)))


def _is_by_folders(shape: Shape) -> bool:
    return shape.is_clear and "LABEL" not in shape.readings[0].pattern.rpartition("/")[2]


def _looked_for(source: Source, photos: Sequence[str], shape: Shape) -> Layout | None:
    """The one layout that the paths have; None where they have none.

    Raises:
        SourceError: if they have several, or one that is asked about first.
    """
    if not shape.readings:
        if shape.doubt:
            raise SourceError(f"{source.spec}: {shape.doubt}")
        return None
    start = wrapper_of([tuple(path.split("/")) for path in photos])
    if not shape.is_clear:
        raise SourceError(_asking(source, shape, photos, _top(start)))
    (reading,) = shape.readings
    tables = holdings(source).tables
    if tables and not _is_by_folders(shape) and reading.preset is None:
        path = source.spec.partition("::")[0]
        is_open = source.folder or source.store
        how = f"give {path}::{tables[0]}" if is_open else f"unpack the archive and give {tables[0]}"
        how += " or another of them" * (len(tables) > 1)
        named = f"the table{'s' * (len(tables) > 1)} {few(tables, 4)}"
        raise SourceError(
            f"{source.spec}: the names of the files and {named} could each say what the photos show; "
            f"{how}, or --layout '{reading.pattern}'"
        )
    preset = PRESETS.get(reading.preset or "")
    names = dict(preset.class_names) if preset else {}
    missed = "its name does not say its class" if "LABEL" in reading.pattern.rpartition("/")[2] else NOT_IN_A_CLASS
    return Layout(compile_pattern(reading.pattern), start, names, reading.where, preset, missed, reading.remark)


def _asking(source: Source, shape: Shape, photos: Sequence[str], top: str) -> str:
    """What is said where a person has to decide."""
    choices = [_choice(reading, photos, top) for reading in shape.readings]
    is_one = len(choices) == 1
    lead = "if that is how it is meant, give" if is_one else "say which is meant:"
    return f"{source.spec}: {shape.doubt}; {lead} {' or '.join(choices)}"


def _choice(reading: Reading, photos: Sequence[str], top: str) -> str:
    compiled = compile_pattern(reading.pattern)
    places = [place for path in photos if path.startswith(top) and (place := compiled.match(path[len(top) :]))]
    labels = sorted({place.label for place in places if place.label})
    groups = {place.group for place in places if place.group}
    told = f"{len(labels)} classes: {', '.join(labels[:3])}{', …' * (len(labels) > 3)}"
    return f"--layout '{reading.pattern}' ({told}{f'; {len(groups)} groups' * bool(groups)})"


# -- reading ----------------------------------------------------------------------------------------------------------


def _read(source: Source, layout: Layout, named: Mapping[str, str]) -> list[SourceFile]:
    """Every file with what its path says, or with the reason why it takes no part.

    Args:
        named: the names that a person gives to classes.
    """
    top = _top(layout.start)
    places = [layout.pattern.match(f.path[len(top) :]) if f.path.startswith(top) else None for f in source.files]
    photos = set(photos_by_name(f.path for f in source.files if f.ignored is None))
    with_photos = {place.label for f, place in zip(source.files, places, strict=True) if place and f.path in photos}
    files = []
    for file, place in zip(source.files, places, strict=True):
        if file.ignored is not None:
            files.append(file)
        elif place is None:
            files.append(replace(file, ignored=layout.missed))
        elif place.label is not None and layout.preset and _is_strange(place.label, layout, named):
            files.append(replace(file, ignored=f"{place.label!r} is no class of {layout.preset.title}"))
        elif place.label not in with_photos and not is_expression(place.label or ""):
            files.append(replace(file, ignored=NO_PHOTOS_THERE))
        else:
            shared = [text and sys.intern(text) for text in (place.label, place.split, place.group)]
            files.append(replace(file, label=shared[0], split=shared[1], group=shared[2]))
    return files


def _is_strange(label: str, layout: Layout, named: Mapping[str, str]) -> bool:
    """Whether a published collection has no such class, as in KDEF's misnamed ``AM31H.JPG``."""
    known = layout.names | dict(named)
    return bool(layout.names) and name_of(label, known) is None and not is_expression(label)


def _with_splits(files: list[SourceFile], chosen: dict[str, str]) -> list[SourceFile]:
    """The same with splits by their own names; one part alone divides nothing."""
    names = {f.split for f in files if f.split is not None and f.ignored is None}
    if not names:
        return files
    splits = as_splits(names, chosen)
    check_splits(names, splits, "folders", "pick one part with PATH::folder")
    is_divided = len(set(splits.values()) - {LEFT_OUT}) > 1
    return [_in_split(file, splits.get(file.split or ""), is_divided=is_divided) for file in files]


def _in_split(file: SourceFile, split: str | None, *, is_divided: bool) -> SourceFile:
    if file.ignored is not None or split != LEFT_OUT:
        return replace(file, split=split if is_divided else None)
    return replace(file, split=None, ignored="left out by --split-map")


def _without_classes(source: Source) -> Source:
    files = (f if f.ignored is not None else replace(f, ignored=NOT_IN_A_CLASS) for f in source.files)
    return replace(source, files=tuple(files))


def _top(start: Sequence[str]) -> str:
    return "".join(f"{folder}/" for folder in start)


def pick(source: Source, part: str) -> Source:
    """Only the files below ``part``, which may stand below a wrapping folder.

    Raises:
        SourceError: if there is no such folder, with those there are.
    """
    wanted = tuple(PurePosixPath(part).parts)
    inside = [tuple(f.path.split("/")) for f in source.files if f.ignored is None]
    wrapper = wrapper_of(inside)
    for prefix in (wanted, wrapper + wanted):
        start = _top(prefix)
        files = tuple(replace(f, path=f.path[len(start) :]) for f in source.files if f.path.startswith(start))
        if files:
            folder = source.folder and source.folder.joinpath(*prefix)
            store = source.store and source.store.at("/".join(prefix))
            return replace(source, name=f"{source.name}-{'-'.join(wanted)}", files=files, folder=folder, store=store)
    depth = len(wrapper)
    parts = sorted({path[depth] for path in inside if len(path) > depth + 1 and path[:depth] == wrapper})
    raise SourceError(f"{source.spec}: no folder {part!r} inside; there are: {', '.join(parts) or 'no folders'}")
