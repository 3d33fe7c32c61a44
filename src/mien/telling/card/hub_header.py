"""The YAML header of a model card: what the Hugging Face Hub reads, with a ``model-index`` of every score.

Every value is written as JSON, which is YAML as well, so that no name of a class or collection can change the header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from mien.results.scores import Scores
from mien.results.slices import Slice, Slices
from mien.results.study import StudyResults
from mien.telling.words.cross_validation import evidence
from mien.telling.words.model_card import is_research_only
from mien.telling.words.numerals import plural
from mien.telling.words.over import counted, span
from mien.telling.words.slices import named

__all__ = ["header", "hub_fields"]

Value: TypeAlias = str | float | Sequence["Value"] | Mapping[str, "Value"]
TASK = "image-classification"
HUB = "hf:"
"""Sources from the Hub begin so; what follows is the name of a data set there."""
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
DIGITS = 4
UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|[\ud800-\udfff]")
"""What JSON may hold as it is and YAML may not."""


def header(results: StudyResults) -> str:
    """The header with the lines that enclose it."""
    return "\n".join(["---", *_lines(hub_fields(results), 0), "---"]) + "\n"


def hub_fields(results: StudyResults) -> dict[str, Value]:
    """What stands in the header; no key without a value."""
    licence: dict[str, Value] = {"license": "unknown"}
    if is_research_only(results):
        licence = {"license": "other", "license_name": "research-only", "license_link": "README.md#licence"}
    datasets = {"datasets": found} if (found := hub_datasets(results.config.data)) else {}
    return {
        "language": "en",
        **licence,
        "library_name": "mien",
        "pipeline_tag": TASK,
        "tags": ["facial-expression-recognition", "face", TASK, "onnx", "mien"],
        **datasets,
        "metrics": ["f1", "accuracy", "recall", "precision"],
        "model-index": [{"name": f"mien-{_slug(results.data.name)}", "results": list(_results(results))}],
    }


def hub_datasets(sources: Sequence[str]) -> list[str]:
    """Names on the Hub of those of the sources that came from there."""
    names = [source.removeprefix(HUB).partition("::")[0] for source in sources if source.startswith(HUB)]
    return [name for name in dict.fromkeys(names) if HUB_NAME.fullmatch(name)]


def _results(results: StudyResults) -> Iterator[Value]:
    """An entry for each set of photos that was scored, and for each value of a column."""
    own = _dataset(results.data.name, results.config.data, "held out in turn" if results.folds else "test")
    yield _entry(own, _metrics(results.test, results.sureness.ece, plural(results.test.images, evidence(results))))
    yield from _sliced(own, results.slices)
    if target := results.target:
        elsewhere = _dataset(target.data.name, (target.data.source,), "shared classes")
        of = plural(target.shared.images, "photo from elsewhere", "photos from elsewhere")
        told = of if target.is_new else f"{of}, not new to the model, so too high"
        yield _entry(elsewhere, _metrics(target.shared, target.sureness.ece, told))
        yield from _sliced(elsewhere, target.slices)


def _sliced(dataset: Mapping[str, Value], slices: Slices | None) -> Iterator[Value]:
    for column, each in slices.named if slices else ():
        yield _entry({**dataset, "config": named(column, each)}, _slice_metrics(each))


def _dataset(name: str, sources: Sequence[str], split: str) -> dict[str, Value]:
    """A set of photos by its name on the Hub, or by one made of its own."""
    on_hub = hub_datasets(sources) if len(sources) == 1 else []
    return {"name": name, "type": on_hub[0] if on_hub else _slug(name), "split": split}


def _entry(dataset: Mapping[str, Value], metrics: list[Value]) -> Value:
    """One set of photos with its scores."""
    return {"task": {"type": TASK, "name": "Facial expression recognition"}, "dataset": dataset, "metrics": metrics}


def _metrics(scores: Scores, ece: float | None, of: str) -> list[Value]:
    """Every score that there is; one that there is not has no entry, for the Hub would show it as 0."""
    shown = "" if scores.beats_chance else ", not shown to be better than guessing"
    found = [
        _metric("f1", "Macro-F1", scores.macro_f1, f"{span(scores.interval, scores.over)}; {of}{shown}", "macro"),
        _metric("accuracy", "Accuracy", scores.accuracy, f"{span(scores.accuracy_interval, scores.over)}; {of}"),
        _metric("expected_calibration_error", "Expected calibration error", ece, of),
    ]
    for label, each in scores.per_class.items():
        ends = span(each.recall_interval, None) if each.recall_interval else "no interval: too few"
        count = plural(each.support, "photo")
        found.append(_metric("recall", f"Recall of {label}", each.recall, f"{ends}; {count}"))
        found.append(_metric("precision", f"Precision of {label}", each.precision, count))
        found.append(_metric("f1", f"F1 of {label}", each.f1, count))
    return [each for each in found if each is not None]


def _slice_metrics(each: Slice) -> list[Value]:
    of = f"{plural(each.images, 'photo')}, {counted(each.over)}"
    found = [
        _metric("f1", "Macro-F1", each.macro_f1, f"{span(each.interval, each.over)}; {of}", "macro"),
        _metric("accuracy", "Accuracy", each.accuracy, f"{span(each.accuracy_interval, each.over)}; {of}"),
    ]
    return [one for one in found if one is not None]


def _metric(kind: str, name: str, value: float | None, told: str, average: str = "") -> Value | None:
    """A score; its name says what its 95 % interval is, or why there is none."""
    if value is None:
        return None
    args: dict[str, Value] = {"args": {"average": average}} if average else {}
    return {"type": kind, "name": f"{name} ({told})", "value": round(value, DIGITS), **args}


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "photos"


def _lines(value: Value, depth: int) -> Iterator[str]:
    """A mapping or list as YAML, two spaces a level."""
    indent = "  " * depth
    if isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(each, str | float | int):
                yield f"{indent}{key}: {_scalar(each)}"
            else:
                yield f"{indent}{key}:"
                yield from _lines(each, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for each in value:
            first, *rest = [_scalar(each)] if isinstance(each, str | float | int) else _lines(each, depth + 1)
            yield f"{indent}- {first.strip()}"
            yield from rest


def _scalar(value: str | float) -> str:
    """A word as it is, any other text in quotes."""
    if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_-]*", value) and value not in ("true", "false", "null"):
        return value if value not in ("yes", "no", "on", "off", "y", "n") else json.dumps(value)
    text = json.dumps(value, ensure_ascii=False).replace("\N{NO-BREAK SPACE}", " ")
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
