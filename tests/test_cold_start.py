"""What answering for one photo from a cold start loads and does, beyond what the answer needs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.data.measuring.faces import FaceDetector
from mien.data.measuring.runtime import open_session
from mien.demo import draw_face
from mien.models.artifact import model_path, open_model, shipped
from support.checkout import parsed

SOURCE = Path(__file__).parents[1] / "src"
WAITS = "session.intra_op.allow_spinning"


def said_by(code: str, *words: object) -> str:
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_predicting_loads_neither_tables_nor_drawn_faces(tmp_path: Path) -> None:
    draw_face("happy", 0).save(tmp_path / "face.png")
    code = (
        "import json, sys\n"
        "from mien.cli import main\n"
        "sys.argv[1:1] = ['predict', '--jsonl']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(json.dumps([name for name in sys.modules if name.startswith(('polars', 'msgspec', 'mien.demo'))]))"
    )
    answer, loaded = said_by(code, tmp_path / "face.png").splitlines()
    assert json.loads(answer)["label"]
    assert json.loads(loaded) == []


@pytest.mark.parametrize("load", ["load()", "thread = threading.Thread(target=load); thread.start(); thread.join()"])
def test_polars_does_not_take_ctrl_c_over_wherever_it_is_imported(load: str) -> None:
    code = (
        "import signal, sys, threading\n"
        "from ctypes import c_int, c_void_p, pythonapi\n"
        "from mien.system.signals import ended_by_signals, keep_ctrl_c_from_polars\n"
        "pythonapi.PyOS_getsig.argtypes, pythonapi.PyOS_getsig.restype = [c_int], c_void_p\n"
        "def load():\n"
        "    import polars\n"
        "    assert polars.DataFrame({'a': [1, 2]})['a'].sum() == 3\n"
        "with ended_by_signals():\n"
        "    if sys.argv[1] == 'kept': keep_ctrl_c_from_polars()\n"
        "    before = pythonapi.PyOS_getsig(signal.SIGINT)\n"
        f"    {load}\n"
        "    print(pythonapi.PyOS_getsig(signal.SIGINT) == before)"
    )
    assert said_by(code, "kept").strip() == "True"
    assert said_by(code, "left alone").strip() == "False"  # or Polars has mended it, and nothing need be kept


def test_no_model_is_opened_with_threads_that_spin(tmp_path: Path) -> None:
    session, _ = open_model(model_path("default"))
    for each in (session, FaceDetector()._session, open_session(shipped("centerface.onnx").read_bytes())):
        assert each.get_session_options().get_session_config_entry(WAITS) == "0"


def test_models_are_opened_in_one_place() -> None:
    """There, threads are told not to spin."""
    places = [
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("InferenceSession")
    ]
    assert places == ["mien/data/measuring/runtime.py"]


def test_threads_that_sleep_give_the_same_numbers() -> None:
    from mien.data.measuring.runtime import onnxruntime

    path = model_path("default")
    spinning = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    session, contract = open_model(path)
    rng = np.random.default_rng(0)
    views = {view.name: rng.integers(0, 256, (5, view.size, view.size, 3), dtype=np.uint8) for view in contract.views}
    assert np.array_equal(session.run(None, views)[0], spinning.run(None, views)[0])


def test_nothing_is_searched_for_garbage_at_the_end(tmp_path: Path) -> None:
    Image.new("RGB", (50, 50)).save(tmp_path / "photo.png")
    code = (
        "import atexit, gc, sys\n"
        "from mien.__main__ import main\n"
        "sys.argv[1:1] = ['predict']\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 10_000))\n"
        "main()"
    )
    assert said_by(code, tmp_path / "photo.png").splitlines()[-1] == "True"
