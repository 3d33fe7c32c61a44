"""Importing mien touches nothing, and takes next to no time."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mien

OWN = {"mien", "mien.version"}
HOOK = """
import json, os, sys
seen = []
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
def hook(event, arguments):
    if event == "open" and (arguments[2] or 0) & WRITES:
        seen.append([event, str(arguments[0])])
    if event.partition(".")[0] in ("socket", "subprocess", "shutil", "urllib", "tempfile", "webbrowser"):
        seen.append([event, ""])
    if event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.putenv", "os.unsetenv", "os.system"):
        seen.append([event, str(arguments[0])])
sys.addaudithook(hook)
"""


def printed(code: str, folder: Path) -> object:
    """What a process of its own prints, as JSON."""
    command = [sys.executable, "-B", "-c", code]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout)


def test_importing_mien_loads_nothing_but_the_standard_library(tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import mien, json; print(json.dumps([*set(sys.modules) - before]))"
    loaded = printed(code, tmp_path)
    assert isinstance(loaded, list)
    of_others = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) - {"mien"}
    assert of_others == set()
    assert {name for name in loaded if name.partition(".")[0] == "mien"} == OWN


def test_importing_mien_touches_nothing(tmp_path: Path) -> None:
    state = "[dict(os.environ), os.getcwd(), [repr(each) for each in warnings.filters]]"
    code = f"import warnings\n{HOOK}\nbefore = {state}\nimport mien\nprint(json.dumps([seen, before == {state}]))"
    assert printed(code, tmp_path) == [[], True]
    assert not list(tmp_path.iterdir())


def test_every_public_name_is_there_and_documented() -> None:
    for name in mien.__all__:
        assert getattr(mien, name) is not None
        assert name in dir(mien)
    with pytest.raises(AttributeError):
        mien.no_such_name  # noqa: B018


def test_recognising_loads_no_torch_and_no_matplotlib(tmp_path: Path) -> None:
    code = (
        "import json, sys, mien\n"
        "mien.Recognizer, mien.Prediction, mien.open_results, mien.Study, mien.audit, mien.evaluate, mien.wrap\n"
        "heavy = ('torch', 'sklearn', 'lightning', 'matplotlib', 'scipy', 'gradio')\n"
        "print(json.dumps([name for name in sys.modules if name.startswith(heavy)]))"
    )
    assert printed(code, tmp_path) == []


@pytest.mark.slow
def test_importing_mien_takes_at_most_1_3_times_numpy(tmp_path: Path) -> None:
    def seconds(name: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {name}"], check=True, cwd=tmp_path)
        return time.perf_counter() - start

    for name in ("mien", "numpy"):  # once for the files to be in memory
        seconds(name)
    rounds = [(seconds("mien"), seconds("numpy")) for _ in range(15)]
    of_mien, of_numpy = (statistics.median(each) for each in zip(*rounds, strict=True))
    assert of_mien <= 1.3 * of_numpy, f"{of_mien:.3f} s against {of_numpy:.3f} s"
