"""Class folders → labels and splits, whatever the files are kept in."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from mien.data.sources.files import Source, SourceFile
from mien.errors import SourceError

__all__ = ["as_split", "assign_labels", "check_splits", "pick"]

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def as_split(name: str) -> str | None:
    """``train``, ``val`` or ``test`` for any usual spelling of it, else None."""
    return SPLIT_NAMES.get(name.lower())


def assign_labels(source: Source) -> Source:
    """Read label and split off each path.

    Raises:
        SourceError: if folders of splits and of classes are mixed, or train is missing.
    """
    depth = len(_wrapper(source.files))
    tops = {top.lower() for f in source.files if f.ignored is None and (top := _folder_at(f.path, depth))}
    check_splits(tops, "folders", "pick one part with PATH::folder")
    is_divided = bool(tops) and tops <= set(SPLIT_NAMES)
    return replace(source, files=tuple(_assign_label(f, depth, is_divided) for f in source.files))


def check_splits(names: set[str], what: str, way_out: str) -> None:
    """Refuse names of which some are splits and some are not, and splits without train.

    Args:
        names: folders or values, in lower case.
        what: what the names are, in the plural.
        way_out: what to do other than to mend the names.

    Raises:
        SourceError: if the names contradict each other.
    """
    splits, others = sorted(names & set(SPLIT_NAMES)), sorted(names - set(SPLIT_NAMES))
    if len(splits) > 1 and others:
        raise SourceError(
            f"the {what} {', '.join(splits)} look like splits, but {', '.join(others)} stand beside them; "
            f"move those away, or {way_out}"
        )
    if splits and not others and not any(SPLIT_NAMES[name] == "train" for name in splits):
        raise SourceError(f"the {what} {', '.join(splits)} look like splits without train; add it, or {way_out}")


def pick(source: Source, part: str) -> Source:
    """Only the files below ``part``, which may stand below a wrapping folder.

    Raises:
        SourceError: if there is no such folder, with those there are.
    """
    wanted = tuple(PurePosixPath(part).parts)
    wrapper = _wrapper(source.files)
    for prefix in (wanted, wrapper + wanted):
        start = "".join(f"{folder}/" for folder in prefix)
        files = tuple(replace(f, path=f.path[len(start) :]) for f in source.files if f.path.startswith(start))
        if files:
            return replace(source, name=f"{source.name}-{'-'.join(wanted)}", files=files)
    inside = [f.path.split("/") for f in source.files if f.ignored is None]
    depth = len(wrapper)
    parts = sorted({path[depth] for path in inside if len(path) > depth + 1 and tuple(path[:depth]) == wrapper})
    raise SourceError(f"{source.spec}: no folder {part!r} inside; there are: {', '.join(parts) or 'no folders'}")


def _wrapper(files: Iterable[SourceFile]) -> tuple[str, ...]:
    """The chain of folders that only wrap other folders."""
    names = {f.path.rpartition("/")[0] for f in files if f.ignored is None}
    folders = [tuple(name.split("/")) if name else () for name in sorted(names)]
    depth = 0
    while True:
        tops = {folder[depth] for folder in folders if len(folder) > depth}
        inner = {folder[: depth + 2] for folder in folders if len(folder) > depth + 1}
        if len(tops) != 1 or not inner:
            return next((folder[:depth] for folder in folders if len(folder) >= depth), ())
        depth += 1


def _folder_at(path: str, depth: int) -> str | None:
    """The folder of a path at a depth, or None where the file itself stands there or above."""
    parts = path.split("/", depth + 1)
    return parts[depth] if len(parts) > depth + 1 else None


def _assign_label(file: SourceFile, wrapper: int, is_divided: bool) -> SourceFile:
    """Read one path, below ``wrapper`` folders that only wrap."""
    if file.ignored is not None:
        return file
    label = _folder_at(file.path, wrapper + is_divided)
    if label is None:
        return replace(file, ignored="not in a class folder")
    split = as_split(_folder_at(file.path, wrapper) or "") if is_divided else None
    return replace(file, label=sys.intern(label), split=split)
