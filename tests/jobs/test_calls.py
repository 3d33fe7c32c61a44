"""The keyword arguments of ``mien.study`` and its like have types, which are those of the settings."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

import pytest

import mien as package
from mien.errors import ConfigError
from mien.settings import calls
from mien.settings.by_name import checked
from support.checkout import ROOT
from support.scripts import script

if TYPE_CHECKING:

    def wrong_calls_are_errors() -> None:
        """Held by ``make check``: mypy refuses a comment here that ignores nothing."""
        package.study("photos", recipee="probe")  # type: ignore[call-arg]
        package.study("photos", epochs="20")  # type: ignore[arg-type]
        package.study("photos", split_method="by person")  # type: ignore[arg-type]
        package.audit("photos", epochs=20)  # type: ignore[call-arg]
        package.evaluate("default", "photos", slice=3)  # type: ignore[arg-type]
        package.compare("photos", arms=1)  # type: ignore[arg-type]
        package.adapt("run", "photos", shots="many")  # type: ignore[arg-type]

    def right_calls_are_none() -> None:
        """Likewise."""
        study = package.study("photos", recipe="probe", epochs=20, max_error=0.1, folds="group", out=Path("x"))
        package.study("photos", recipe=["probe", "scratch"], target=Path("there"), resume=True)
        package.evaluate(study, "photos", slice="sex", against=["default", "six"])
        package.compare("photos", arms=["augment=none", "augment=notebook"], pairs=3)
        package.adapt(study, "photos", shots=(0, 1), save="labels")
        shown: str = package.audit("photos", check_labels=False).folder.__repr__()
        print(shown)


def test_the_types_are_those_of_the_settings() -> None:
    module = script("docs/write_calls.py")
    assert module.PLACE.read_text(encoding="utf-8") == module.module()


def test_every_argument_that_has_a_type_is_taken_and_no_other() -> None:
    module = script("docs/write_calls.py")
    for name, (kind, own) in module.CALLS.items():
        typed = set(get_type_hints(getattr(calls, name)))
        function = getattr(package, name.removesuffix("Call").lower())
        shown = set(inspect.signature(function).parameters)
        assert shown - {"data", "labels", "groups", "out", "progress", "resume", "model", "target"} <= typed | {*own}
        for each in typed:
            with pytest.raises(ConfigError) as caught:
                checked(kind, {each: object()})
            assert "no such setting" not in str(caught.value)
        with pytest.raises(ConfigError, match="no such setting"):
            checked(kind, {"no_such_name": 1})


@pytest.mark.slow
def test_a_checker_of_types_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import mien\n"
        'mien.study("photos", recipe="probe", epochs=20)\n'
        'mien.study("photos", recipee="probe")\n'
        'mien.study("photos", epochs="20")\n'
        'mien.FaceDataset("study", "everything")\n'
        'reveal_type(mien.study("photos").figure("confusion"))\n'
    )
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = {line.split(":")[1]: line for line in done.stdout.splitlines() if ": error:" in line}
    assert set(told) == {"3", "4", "5"}, done.stdout
    assert "recipee" in told["3"]
    assert "Figure" in done.stdout
