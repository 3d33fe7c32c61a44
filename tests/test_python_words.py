"""What messages say to people who call mien from Python: arguments instead of options."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_type_hints

import pytest

import mien as package
from mien.errors import ConfigError, DiskError, MienError, said_in_python
from mien.python_words import FLAGS, LISTS, NUMBERS, TERMINAL_ONLY, TEXTS, in_python
from mien.settings.adapt import AdaptSettings
from mien.settings.audit import AuditSettings
from mien.settings.by_name import option_fields, option_name
from mien.settings.compare import CompareSettings
from mien.settings.evaluate import EvaluateSettings
from mien.settings.score import ScoreSettings
from mien.settings.study import StudySettings
from support.checkout import ROOT, parsed
from support.outcomes import Outcome

SOURCE = ROOT / "src/mien"
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]+)")
OF_OTHERS = {"force-reinstall", "head", "num-cpus"}
"""Options of other programs that messages name."""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("--max-error 0.1: cannot be promised", "max_error=0.1: cannot be promised"),
        ("x: go on with --resume, or give another --out", "x: go on with resume=True, or give another out"),
        ("--device cuda:4: give --device cuda, or cuda:2", 'device="cuda:4": give device="cuda", or cuda:2'),
        ("--folds group: 3 groups; as in --folds 5", 'folds="group": 3 groups; as in folds=5'),
        ("say what it is with --split-map 'Eval'=val (or none)", None),
        ("read all as one: --layout '*/LABEL/*' for folders", 'read all as one: layout="*/LABEL/*" for folders'),
        ("with --path-column 1 --label-column 2", 'with path_column="1" label_column="2"'),
        ("leave --label-column out, and the votes count", "leave label_column out, and the votes count"),
        ("--corrections is for one set of photos", "corrections is for one set of photos"),
        ("--keep-splits earlier: it has none", 'keep_splits="earlier": it has none'),
        ("--classes joy,fury: the model answers sad", 'classes=["joy", "fury"]: the model answers sad'),
        ("--shots: give numbers, as in --shots 0,1,5", "shots: give numbers, as in shots=[0, 1, 5]"),
        ("as in: --arm augment=none --arm augment=notebook; or", 'as in: arm=["augment=none", "augment=notebook"]; or'),
        ("give it without --no-photos", "give it without no_photos=True"),
        ("or --no-check-labels", "or check_labels=False"),
        ("how far: mien study DATA --target OTHER.", "how far: mien.study(DATA, target=OTHER)."),
        ("together: mien study YOURS SOME_OF_THESE.", "together: mien.study([YOURS, SOME_OF_THESE])."),
        ("to: mien evaluate a/b PHOTOS --against a/c", 'to: mien.evaluate("a/b", PHOTOS, against="a/c")'),
        ("like these: mien predict PHOTOS --model MODEL.", "like these: mien.Recognizer(MODEL).predict(PHOTOS)."),
        ("mien audit DATA --out findings.csv lists all", 'mien.audit(DATA, out="findings.csv") lists all'),
        ("or: mien score ANSWERS PHOTOS --against default.", 'or: mien.score(ANSWERS, PHOTOS, against="default").'),
        ("mien score a.csv b.csv --against c.csv", 'mien.score("a.csv", "b.csv", against="c.csv")'),
        ("first, as in: mien score a.csv photos/", 'first, as in: mien.score("a.csv", "photos/")'),
        ("name the one with the paths with --answer-path", "name the one with the paths with answer_path"),
        ("the truth, give --answer-label none", 'the truth, give answer_label="none"'),
        ("a table written by mien audit --out", "a table written by mien.audit(out=…)"),
        ("a file that mien evaluate --write-class-map writes", "a file that mien evaluate --write-class-map writes"),
        ("run: pip install --force-reinstall timm", "run: pip install --force-reinstall timm"),
        ("/data/mien study/--out: no such file", None),
    ],
)
def test_options_are_arguments(said: str, told: str | None) -> None:
    if told is not None:
        assert in_python(said) == told
    assert in_python(in_python(said)) == in_python(said)


def test_every_option_of_the_settings_has_its_kind() -> None:
    kinds = (StudySettings, AuditSettings, EvaluateSettings, CompareSettings, AdaptSettings, ScoreSettings)
    flags, numbers, texts = set[str](), set[str](), set[str]()
    for kind in kinds:
        for name, group in option_fields(kind).items():
            hint = get_type_hints(group, include_extras=True)[name]
            option = option_name(name, hint).replace("_", "-")
            told = str(get_type_hints(group)[name])
            into = flags if "bool" in told else numbers if "int" in told or "float" in told else texts
            into.add(option)
    own = {"data", "model", "target", "answers", "photos"}
    assert flags <= FLAGS | {"check-labels"}
    assert numbers <= NUMBERS
    assert texts - own <= TEXTS
    assert flags | {"resume"} >= FLAGS
    assert numbers | {"smooth"} >= NUMBERS
    assert texts | own | {"out"} >= TEXTS
    assert not TERMINAL_ONLY & (flags | numbers | texts)


def messages() -> Iterator[tuple[str, str]]:
    """Every text in the source that is no docstring, with where it is; what is filled in is ``x1``."""
    for path in sorted(SOURCE.rglob("*.py")):
        if path.name == "python_words.py" or path.parent.name == "cli":
            continue
        tree = parsed(path)
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        inside |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            where = f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "x1" for part in node.values)
                yield where, "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
                yield where, node.value


def test_every_message_can_be_said_in_python() -> None:
    known = FLAGS | {f"no-{flag}" for flag in FLAGS} | NUMBERS | LISTS | TEXTS
    found = [(where, text) for where, text in messages() if OPTION.search(text)]
    assert len(found) > 100
    new = {(where, name) for where, text in found for name in OPTION.findall(text)}
    odd = {(where, name) for where, name in new if name not in known | TERMINAL_ONLY | OF_OTHERS}
    styles = {each for each in odd if each[0].split(":")[0] in ("telling/report/figures.py", "app/cards.py")}
    assert odd - styles - {each for each in odd if "x" in each[1]} == set(), "python_words.py does not know them"
    for where, text in found:
        told = in_python(text)
        left = {name for name in OPTION.findall(told) if name in known}
        assert not left or set(OPTION.findall(told)) & TERMINAL_ONLY, (where, told)
        assert in_python(told) == told, where


def test_an_error_says_arguments_in_python_and_options_on_the_terminal(
    mien: Callable[..., Outcome], tmp_path: Path
) -> None:
    for error in (ConfigError("--folds 1: too few"), DiskError("--folds 1: too few")):
        assert str(error) == error.typed == "--folds 1: too few"
        with pytest.raises(type(error)) as caught, said_in_python():
            raise error
        assert str(caught.value) == "folds=1: too few"
        assert error._render_traceback_() == ["mien: folds=1: too few"]
        assert str(pickle.loads(pickle.dumps(error))) == "folds=1: too few"
        assert error.typed == "--folds 1: too few"
    with pytest.raises(MienError) as told:
        package.study("demo", folds=1, out=tmp_path / "out", progress=False)
    assert str(told.value).startswith("folds=1: ")
    refused = mien("study", "demo", "--folds", "1", "--out", "out")
    assert "--folds 1: " in refused.complaint
    refused = mien("predict", "face.png", "--max-error", "1e-9")
    assert "--max-error 1e-09" in refused.complaint
    with pytest.raises(MienError) as told:
        package.Recognizer(max_error=1e-9)
    assert "max_error=1e-09" in str(told.value)
    assert "--" not in str(told.value)
