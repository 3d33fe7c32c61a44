"""docs/RESULTS.md and the JSON Schema, printed from the types."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from mien.metrics import Interval
from mien.results.reading import DOCUMENTS
from mien.results.record import Record

__all__ = ["json_schema", "reference"]

COMMANDS = {
    "StudyResults": "mien study",
    "TrainResults": "mien train",
    "CompareResults": "mien compare",
    "AdaptResults": "mien adapt",
    "AuditResults": "mien audit",
    "EvaluateResults": "mien evaluate",
    "PairedResults": "mien evaluate --against",
    "ScoreResults": "mien score",
    "ClassMapResults": "mien evaluate --write-class-map",
    "ExportResults": "mien export",
    "OutlineResults": "mien audit --dry-run",
}
PLAIN = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "true or false",
    type(None): "null",
    Interval: "interval",
}
HEAD = """\
# The results as JSON

`--json` prints one object on stdout; messages and progress go to stderr. Commands that make a folder write the same to
`results.json`, and `mien.open_results(folder)` reads it back, typed. `mien schema` prints the JSON Schema.

`null` means that there is no such number, as for the score of a class without images; it is never 0. Scores are in
[0, 1]. An interval is a list of its lower and upper end, and a 95 % interval where nothing else is said.

This page is printed from the code (`python docs/write_results.py`).
"""
TAIL = """\
## `mien predict`

`--jsonl` prints an object a line, `--csv` the same as columns, with one for each class:

| key | type | what it is |
|---|---|---|
| `path` | string | where the picture is |
| `status` | string | the first of the flags, or `ok` |
| `flags` | list of strings | `unreadable`, `no_face`, `several_faces`, `low_quality`, `turned`, `unsure`, `unproven` |
| `label` | string or null | the likeliest class |
| `probabilities` | object or null | class → probability, in the model's order |
| `face` | list or null | left, top, right, bottom of the judged face, px |
| `time` | number or null | of a video's frame, seconds since the first frame |
| `reason` | string or null | why a picture could not be read, or how a video is damaged |
| `frame` | integer or null | number of a video's frame, counting all from 0 |
| `seconds` | number or null | how long the frame is shown: until the next one that was looked at |
| `face_id` | integer or null | which face of a video, from 1; [no person is recognised by it](VIDEO.md) |
| `smoothed` | object or null | class → probability averaged over time, with `--smooth` |
| `smoothed_label` | string or null | the likeliest class by these |

## `model.onnx`

Inputs: one uint8 (N, S, S, 3) RGB array a view; output `logits` (N, K). The metadata entry `mien` holds a JSON object:
`labels` in the order of the outputs, `views` (`name`: `photo` the whole picture, `scene` the same but black for face
crops, `face` the largest face; `size` in px), `recipe`, `temperature` (divide the logits by it before the softmax),
`max_error`, `thresholds` (`max_error`, the `probability` from which answers keep it, the share `answered`), `measured`
(out-of-fold scores), `backbones` (`name`, `licence`, `sha256` of pretrained weights), `collections` and
`training_hashes` (truncated sha256) of all photos that the model and its backbones were trained on, `traits` (by what
other photos of a collection are known again: truncated hashes of its pictures at 8 × 8 cells, sizes and colours of its
files, hashes of the patterns of their names, deciles of brightness, contrast and sharpness), `mien_version`, `format`,
`card` (heading → text of a short model card, written by the study that tested the model; else null).
The hashes reveal whether a photo at hand was among those of the study, and nothing of what it shows.
"""


def json_schema() -> dict[str, Any]:  # type: ignore[explicit-any]  # types are looked into
    """The JSON Schema of the results of every command."""
    return msgspec.json.schema(Union[DOCUMENTS])  # noqa: UP007 - a union of a tuple's items


def reference() -> str:
    """The text of docs/RESULTS.md: a section for each command, and then one for each record that these hold."""
    lines = [HEAD]
    for kind in DOCUMENTS:
        lines += [f"## `{COMMANDS[kind.__name__]}`\n", f"{_summary(kind)}\n", *_table(kind)]
    lines.append("## The records\n")
    for record in sorted(_records(), key=lambda each: each.__name__):
        lines += [f"### {record.__name__}\n", f"{_summary(record)}\n", *_table(record)]
    return "\n".join([*lines, TAIL])


def _summary(kind: type) -> str:
    return " ".join((kind.__doc__ or "").split())


def _table(kind: type[Record]) -> Iterator[str]:
    yield "| key | type | what it is |"
    yield "|---|---|---|"
    if tag := kind.__struct_config__.tag:
        yield f'| `{kind.__struct_config__.tag_field}` | string | `"{tag}"` |'
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name in kind.__struct_fields__:
            yield f"| `{name}` | {_words(hint)} | {_description(hint)} |"
    yield ""


def _description(hint: Any) -> str:  # type: ignore[explicit-any]  # types are looked into
    return next((each.description for each in getattr(hint, "__metadata__", ()) if each.description), "")


def _words(hint: Any) -> str:  # type: ignore[explicit-any]  # types are looked into
    """A type as a reader of JSON knows it, with links to records."""
    if get_origin(hint) is Annotated:
        return _words(get_args(hint)[0])
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_words(each) for each in inside))
    if origin is tuple:
        return (
            f"list of {_words(inside[0])}" if inside[-1] is Ellipsis else f"list of {len(inside)}: {_words(inside[0])}"
        )
    if origin is dict:
        return f"object of {_words(inside[1])}"
    if origin is Literal:
        return " or ".join(f"`{each}`" for each in inside)
    if hint in PLAIN:
        return PLAIN[hint]
    if is_dataclass(hint) or not issubclass(hint, Record):
        return "object, as in the settings"
    return f"[{hint.__name__}](#{hint.__name__.lower()})"


def _records() -> set[type[Record]]:
    """Every record that some document holds, documents left out."""
    found: set[type[Record]] = set()
    waiting: list[Any] = list(DOCUMENTS)  # type: ignore[explicit-any]  # types are looked into
    while waiting:
        hint = waiting.pop()
        if isinstance(hint, type) and issubclass(hint, Record):
            if hint in found:
                continue
            found.add(hint)
            waiting += get_type_hints(hint, include_extras=True).values()
        else:
            waiting += get_args(hint)
    return found - set(DOCUMENTS)
