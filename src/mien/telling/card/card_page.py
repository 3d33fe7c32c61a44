"""Results of a study → ``model-card.md``: a header for the Hub, and a page for people, that can be passed on.

It names no path of this machine, no file and no person; values of columns that were asked for as slices are named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePath

from mien.results.document import printable
from mien.results.file_names import MODEL_CARD, RESULTS
from mien.results.scores import Scores
from mien.results.study import StudyResults
from mien.settings.run import NetworkRun
from mien.system.files import write_text
from mien.telling.card.hub_header import header, hub_datasets
from mien.telling.words import model_card as words
from mien.telling.words.answers import headline
from mien.telling.words.cross_validation import evidence
from mien.telling.words.notice import BARRED, INTENDED, plain_notice
from mien.telling.words.numerals import NONE, count, interval, plural, score
from mien.telling.words.over import counted
from mien.telling.words.raters import learnt_of_votes
from mien.telling.words.slices import column_rows, how_read, slice_sentences

__all__ = ["model_card", "write_model_card"]

MARKS = re.compile(r"([\\`*_\[\]<>|#~$])")
"""What Markdown would take for more than a letter."""
GUESSING = ("macro-F1 by guessing", "accuracy by always answering the most frequent class")
"""Headings of what a score is held against."""
KAGGLE = "kaggle:"


def write_model_card(folder: Path, results: StudyResults) -> None:
    """Write ``model-card.md`` into the study's folder, whole or not at all."""
    write_text(model_card(results), folder / MODEL_CARD)


def model_card(results: StudyResults) -> str:
    """The card as text."""
    results = printable(results)
    sections = {
        "What it answers": [_text(words.answers_sentence(results)), *_made_of(results)],
        "Scores": _scores(results),
        "Scores per class": _per_class(results),
        "Scores by column": _by_column(results),
        "Data": _data(results),
        "How it was split and tested": [_text(" ".join(words.tested_sentences(results)))],
        "Calibration and promise": [_text(" ".join(words.calibration_sentences(results)))],
        "Intended uses": [_list(INTENDED)],
        "Uses that are barred": [_list(BARRED)],
        "Limits": [_list(words.limits(results))],
        "Law": [_text(plain_notice())],
        "Licence": [_text(" ".join(words.licence_sentences(results)))],
        "How to use it": _use(results),
    }
    parts = [f"# Model card: {_text(results.data.name)}", f"**{_text(headline(results))}.**"]
    for title, told in sections.items():
        parts += [f"## {title}", *told] if told else []
    parts.append(f"Written by mien {_text(results.mien)} from `{RESULTS}` of the study, which has every number.")
    return header(results) + "\n" + "\n\n".join(parts) + "\n"


def _made_of(results: StudyResults) -> list[str]:
    """The recipe, and the weights that it started from."""
    run = results.run
    what = (
        "a network trained on these photos" if isinstance(run.config, NetworkRun) else "a linear classifier on features"
    )
    told = [
        _text(f"Recipe: {results.selected}, {what}. Classes in the order of the outputs: {', '.join(results.labels)}.")
    ]
    if run.backbones:
        rows = [["pretrained weights", "licence", "sha256"]]
        told.append(_table([*rows, *([each.name, each.licence, each.sha256] for each in run.backbones)]))
    return told


def _scores(results: StudyResults) -> list[str]:
    rows = [["photos", "number", "macro-F1", "accuracy", *GUESSING, "intervals over"]]
    rows.append(_score_row(f"{evidence(results)}s", results.test))
    told = [_text(words.chance_words(results.test))]
    if target := results.target:
        rows.append(_score_row(f"{target.data.name}, shared classes", target.shared))
        told.append(_text(words.chance_words(target.shared, "photos from elsewhere")))
        if not target.is_new:
            told.append("The photos from elsewhere are not new to the model, so its scores there are too high.")
    return [_table(rows), "Intervals are 95 %. " + " ".join(told)]


def _score_row(name: str, scores: Scores) -> list[str]:
    over = NONE if scores.over is None else counted(scores.over) + ("" if scores.over.enough else ", too few to tell")
    return [
        name,
        count(scores.images),
        _with_ends(scores.macro_f1, scores.interval),
        _with_ends(scores.accuracy, scores.accuracy_interval),
        score(scores.chance_macro_f1),
        score(scores.majority_accuracy),
        over,
    ]


def _with_ends(value: float | None, ends: Sequence[float] | None) -> str:
    """``0.80 (0.78 to 0.83)``; without an interval it says so."""
    if value is None:
        return NONE
    return f"{score(value)} ({interval(ends) if ends else 'no interval'})"


def _per_class(results: StudyResults) -> list[str]:
    told = [_class_table(results.test, f"{evidence(results)}s")]
    if results.target:
        told += [f"On photos from elsewhere ({_text(results.target.data.name)}), shared classes:"]
        told.append(_class_table(results.target.shared, "photos"))
    return told


def _class_table(scores: Scores, photos: str) -> str:
    rows = [["class", photos, "recall", "precision", "F1"]]
    for label, each in scores.per_class.items():
        recall = _with_ends(each.recall, each.recall_interval)
        rows.append([label, count(each.support), recall, score(each.precision), score(each.f1)])
    return _table(rows)


def _by_column(results: StudyResults) -> list[str]:
    told = []
    sets = [("", results.slices)]
    sets += (
        [(f"On photos from elsewhere ({_text(results.target.data.name)}):", results.target.slices)]
        if results.target
        else []
    )
    for where, found in sets:
        if found is None:
            continue
        told += [where] if where else []
        told += [_table(column_rows(column, found)) for column in found.columns]
        told.append(_text(" ".join([*slice_sentences(found), *how_read(found)])))
    return told


def _data(results: StudyResults) -> list[str]:
    data, splits = results.data, results.splits.counts
    parts = [] if results.folds else [name for name, counts in splits.items() if counts]
    rows = [["class", "photos", *parts]]
    for label, n in data.classes.items():
        rows.append([label, count(n), *(count(splits[part].get(label, 0)) for part in parts)])
    sources = [["source", "photos", "licence of the photos"]]
    sources += [[name, count(n), _licence_of(name, results)] for name, n in data.sources.items()]
    if results.target:
        target = results.target.data
        sources.append([f"{target.name}, to test on", count(target.images), words.photos_licence(target)])
    left = len(results.splits.left_out)
    told = [f"Left out, as part of a group or copy in a later part: {plural(left, 'photo')}."] * (left > 0)
    if data.voted:
        learnt = f"; the model learnt {learnt_of_votes(results.votes)}" if results.votes else ""
        told.append(f"{plural(data.voted, 'photo')} had votes of several raters{learnt}.")
    return [_table(rows), _table(sources), *([_text(" ".join(told))] if told else [])]


def _licence_of(name: str, results: StudyResults) -> str:
    """What is known of the licence of one source, by where it came from."""
    specs = dict(zip(results.data.names, results.config.data, strict=False))
    spec = specs.get(name, "") if len(results.data.names) == len(results.config.data) else ""
    if hub_datasets([spec]) or spec.startswith(KAGGLE):
        return f"{words.UNKNOWN_LICENCE}: see the page of {spec.partition('::')[0]}"
    return words.photos_licence(results.data)


def _use(results: StudyResults) -> list[str]:
    model = f"runs/{results.selected}/model.onnx"
    refit = PurePath(results.paths.refit).parts[-3:] if results.paths.refit else ()
    told = [
        "With mien installed, in the study’s folder:",
        f"```\nmien predict photo.jpg --model {model}\nmien predict --model {model} --model-info\n```",
        f'```python\nfrom mien import Recognizer\n\nrecognizer = Recognizer("{model}")\n'
        'prediction = recognizer.predict("photo.jpg")\nprint(prediction.label, prediction.probabilities)\n```',
        "Without mien, with ONNX Runtime. The file takes one array per view, uint8 (N, S, S, 3) in RGB, and gives "
        "`logits` (N, K). Its metadata list the views, their sizes, and the classes in order. Divide the logits by "
        "the temperature before the softmax.",
        "```python\nimport json\n\nimport onnxruntime\n\n"
        f'session = onnxruntime.InferenceSession("{model}")\n'
        'contract = json.loads(session.get_modelmeta().custom_metadata_map["mien"])\n'
        'print(contract["labels"], contract["views"], contract["temperature"])\n```',
    ]
    return told + [f"`{'/'.join(refit)}` is the same recipe fitted to all photos; it was not tested itself."] * bool(
        refit
    )


def _text(text: str) -> str:
    """A sentence or name as plain Markdown."""
    return MARKS.sub(r"\\\1", " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split()))


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {_text(each)}" for each in sentences)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [[_text(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))
