"""Sets for finding faces (YOLO, as Roboflow exports it): photos in ``images/``, boxes with classes in ``labels/``.

A photo whose boxes all bear one class is a photo of that class. One with boxes of several classes, or with none, is
listed with its reason. Other forms of such sets are named with what to export instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from mien.data.sources.files import Source, SourceFile
from mien.data.sources.folder import is_photo_by_name
from mien.data.sources.presets import parse_class_names
from mien.data.sources.split_words import as_splits, check_splits, parse_split_map
from mien.errors import SourceError
from mien.settings.columns import Columns

__all__ = ["read_detections"]

BOX = re.compile(r"\s*(\d+)((?:\s+-?\d+(?:\.\d*)?(?:e-?\d+)?){4,})\s*", re.IGNORECASE)
MAX_BYTES = 2**20
SEVERAL, NONE, UNBOXED = "boxes of several classes", "no box in its file of boxes", "no file of boxes for it"


def read_detections(source: Source, asked: Columns) -> Source | None:
    """The source with the class of each photo's boxes; None where it is no such set.

    Raises:
        SourceError: if it is one whose boxes are in a form that is not read, or whose classes have no names.
    """
    _refuse_other_forms(source)
    if not any(f.path.endswith(".txt") for f in source.files):
        return None
    by_path = {f.path: f for f in source.files if f.ignored is None}
    boxes = {f.path: _boxes_of(f.path) for f in by_path.values() if is_photo_by_name(f.path)}
    held = [path for path, wanted in boxes.items() if wanted in by_path]
    if (
        len(held) < 2
        or len(held) < len(boxes) / 2
        or not _are_boxes(source, [by_path[boxes[path]] for path in held[:8]])
    ):
        return None
    names = _names(source)
    labels = {path: _label(source, by_path.get(boxes[path])) for path in boxes}
    splits = _splits(list(boxes), asked)
    files = []
    for file in source.files:
        if file.ignored is not None:
            files.append(file)
        elif file.path not in labels:
            files.append(replace(file, ignored="a file of boxes, or about the set"))
        else:
            label = labels[file.path]
            reason = label if label in (SEVERAL, NONE, UNBOXED) else None
            name = names.get(label, label)
            split = splits.get(_top(file.path))
            files.append(replace(file, ignored=reason, label=None if reason else name, split=split))
    given = {f.label for f in files if f.label and f.ignored is None}
    if not names and not asked.class_names and any(label.isdecimal() for label in given):
        raise SourceError(
            f"{source.spec}: photos with boxes (YOLO), whose classes {', '.join(sorted(given)[:6])} have no names, for "
            "there is no data.yaml; give them as in --class-names 0=anger,1=happy"
        )
    parse_class_names(asked.class_names)
    note = "the class of a photo is that of its boxes (YOLO)"
    return replace(source, files=tuple(files), notes=(*source.notes, note))


def _boxes_of(path: str) -> str:
    """Where the boxes of a photo stand: ``train/images/a.jpg`` → ``train/labels/a.txt``, or beside it."""
    stem = path.rpartition(".")[0] or path
    return re.sub(r"(^|/)images/", r"\1labels/", stem + ".txt", count=1)


def _are_boxes(source: Source, files: Sequence[SourceFile]) -> bool:
    """Whether some files hold a number and four coordinates a line."""
    lines = [line for file in files for line in _text(source, file).splitlines() if line.strip()]
    return bool(lines) and all(BOX.fullmatch(line) for line in lines)


def _label(source: Source, file: SourceFile | None) -> str:
    """The number of the class that all boxes bear, or why there is none."""
    if file is None:
        return UNBOXED
    numbers = {match[1] for line in _text(source, file).splitlines() if (match := BOX.fullmatch(line))}
    return numbers.pop() if len(numbers) == 1 else SEVERAL if numbers else NONE


def _splits(paths: Sequence[str], asked: Columns) -> dict[str, str]:
    """Folder → split, where the folders on top of ``images`` are splits."""
    tops = {_top(path) for path in paths}
    splits = as_splits(tops, parse_split_map(asked.split_map))
    if not splits:
        return {}
    check_splits(tops, splits, "folders", "pick one part with PATH::folder")
    return splits if len(set(splits.values())) > 1 else {}


def _top(path: str) -> str:
    """The split of a photo: the folder above ``images``, or below it."""
    before, _, after = path.rpartition("images/")
    return before.strip("/").rpartition("/")[2] or after.partition("/")[0]


def _names(source: Source) -> dict[str, str]:
    """Number → class, from the list ``names`` of a ``data.yaml``, or from ``classes.txt``."""
    for file in source.files:
        name = file.path.rpartition("/")[2].lower()
        if file.ignored is None and name.endswith((".yaml", ".yml")) and (names := _yaml_names(_text(source, file))):
            return names
        if file.ignored is None and name in ("classes.txt", "obj.names"):
            return {str(i): line.strip() for i, line in enumerate(_text(source, file).split("\n")) if line.strip()}
    return {}


def _yaml_names(text: str) -> dict[str, str]:
    """The key ``names`` of a YOLO data file: a list on one line or on many, or numbers with names."""
    found = re.search(r"^names:[ \t]*(\[[^\]]*\]|\{[^}]*\}|(?:\n[ \t]*(?:-|\d+[ \t]*:)[^\n]*)+)", text, re.MULTILINE)
    if found is None:
        return {}
    block = found[1]
    if pairs := re.findall(r"(\d+)[ \t]*:[ \t]*['\"]?([^,'\"}\n]+)", block):
        return {number: name.strip() for number, name in pairs}
    listed = re.findall(r"^[ \t]*-[ \t]*(.+)$", block, re.MULTILINE) or block.strip("[]{} \n").split(",")
    return {str(i): name.strip().strip("'\"").strip() for i, name in enumerate(listed)}


def _text(source: Source, file: SourceFile) -> str:
    try:
        return source.read(file)[:MAX_BYTES].decode("utf-8", "replace")
    except OSError:
        return ""


def _refuse_other_forms(source: Source) -> None:
    """Say what a set of boxes in COCO's or Pascal VOC's form is.

    Raises:
        SourceError: if it is one.
    """
    paths = [f.path for f in source.files if f.ignored is None]
    photos = [path for path in paths if is_photo_by_name(path)]
    coco = next((path for path in paths if path.lower().endswith((".coco.json", "/instances_train.json"))), None)
    stems = {path.rpartition(".")[0] for path in photos}
    boxed = [path for path in paths if path.lower().endswith(".xml") and path.rpartition(".")[0] in stems]
    kind = (
        f"COCO's form ({coco})"
        if coco
        else "Pascal VOC's form (.xml)"
        if photos and len(boxed) > len(photos) / 2
        else ""
    )
    if kind:
        raise SourceError(
            f"{source.spec}: photos with boxes in {kind}, which mien does not read; export the set as folders per "
            "class, as YOLO, or as a CSV with path and label, and give that"
        )
