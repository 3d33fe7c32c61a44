"""The map of classes and the places of classes are made in one place, and hold for some of the classes as for all."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

from mien.errors import LabelError
from mien.labels import LabelChoices, class_indices, match_labels
from support.checkout import parsed

SOURCE = Path(__file__).parents[1] / "src" / "mien"
MODEL = ("sad", "happy", "anger", "fear")
TARGET = ("angry", "cat", "joy", "sad", "smile", "zebra")
CHOICES = LabelChoices(classes={"cat": "fear"}, drop=("zebra",))


@pytest.mark.parametrize("n", range(1, len(TARGET) + 1))
def test_a_map_of_some_classes_is_what_matching_them_alone_gives(n: int) -> None:
    whole = match_labels(MODEL, TARGET, CHOICES)
    for some in itertools.combinations(TARGET, n):
        try:
            expected = match_labels(MODEL, some, CHOICES)
        except LabelError:
            with pytest.raises(LabelError, match="no class is shared"):
                whole.among(some)
            continue
        found = whole.among(some)
        assert found == expected
        assert (found.kinds, found.missing, found.shared) == (expected.kinds, expected.missing, expected.shared)


def test_places_follow_the_order_of_the_labels_and_the_map() -> None:
    assert class_indices(["fear", "sad", "fear"], MODEL).tolist() == [3, 0, 3]
    assert class_indices(["angry", "sad"], MODEL, {"angry": "anger"}).tolist() == [2, 0]
    assert class_indices([], MODEL).shape == (0,)
    with pytest.raises(KeyError):
        class_indices(["cat"], MODEL)


def test_nobody_else_makes_places_of_classes() -> None:
    """Of a confusion matrix, one row is looked up by its label; that is no other order of classes."""
    own = re.compile(r"\blabels\.index\(|for i, (\w+) in enumerate\([\w.]*labels\)\}|\{(\w+): i for i, ")
    places = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if own.search(line) and "label" in line
    }
    assert places <= {
        "labels.py",
        "results/scores.py",
        "telling/report/tables.py",
        "evaluation/drift.py",
        "evaluation/attention.py",
    }


def test_a_map_is_made_once_where_the_target_is_opened() -> None:
    calls = [
        (path.name, node.lineno)
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "match_labels"
    ]
    elsewhere = [
        "against.py",
        "rivals.py",
        "scored.py",
        "scored.py",
        "wrap.py",
    ]  # other models, and other tools' answers
    assert sorted(name for name, _ in calls) == sorted(["adapt.py", "evaluate.py", "shift.py", "stages.py", *elsewhere])
