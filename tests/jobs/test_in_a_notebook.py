"""mien in the kernel of a notebook: a bar that is drawn in place, results as HTML, errors in one line, Ctrl-C."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from nbclient import NotebookClient

from mien.demo import draw_face
from support.checkout import ROOT

pytestmark = pytest.mark.slow
LABELS = ("anger", "happy", "sad")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in, with 42 drawn photos."""
    place = tmp_path_factory.mktemp("notebook")
    for label in LABELS:
        (place / "photos" / label).mkdir(parents=True)
        for i in range(14):
            draw_face(label, i).resize((64, 64)).save(place / "photos" / label / f"{i:02}.png")
    return place


def run(folder: Path, *cells: str, allow_errors: bool = False) -> list[Any]:
    """The outputs of each cell."""
    made: Any = nbformat.v4  # which has no types
    book = made.new_notebook(cells=[made.new_code_cell(cell) for cell in cells])
    NotebookClient(
        book, timeout=300, resources={"metadata": {"path": str(folder)}}, allow_errors=allow_errors
    ).execute()
    return [cell.outputs for cell in book.cells]


def test_a_study_leaves_its_answer_and_no_more(folder: Path) -> None:
    _, outputs, shown = run(folder, "import mien", "study = mien.study('photos', recipe='probe', out='one')", "study")
    assert len(str(outputs)) < 5000, "a bar is drawn in its place"
    (result,) = shown
    assert "<table>" in result["data"]["text/html"]
    assert (folder / "one/report.html").is_file()


def test_from_nothing_to_an_own_report_takes_at_most_eight_lines(folder: Path) -> None:
    block = re.search(r"^```python\n(.*?)^```", (ROOT / "docs/PYTHON.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert block
    lines = [line for line in block[1].splitlines() if line]
    assert len(lines) <= 8
    assert "study.report" in block[1]
    draw_face("happy", 99).save(folder / "photo.jpg")
    shown = dict(zip(lines, run(folder, *lines), strict=True))
    assert not [each for outputs in shown.values() for each in outputs if each.get("name") == "stderr"]
    (answer,) = (outputs for line, outputs in shown.items() if line.startswith("study  #"))
    assert "<table>" in answer[-1]["data"]["text/html"]
    (report,) = (outputs for line, outputs in shown.items() if line.startswith("study.report"))
    assert (folder / "mien-photos/report.html").is_file()
    assert "mien-photos/report.html" in report[-1]["data"]["text/plain"]


def test_an_error_is_one_line(folder: Path) -> None:
    _, outputs = run(folder, "import mien", "mien.study('no-such-folder', progress=False)", allow_errors=True)
    (error,) = outputs
    assert error["output_type"] == "error"
    assert len(error["traceback"]) == 1
    assert "no-such-folder" in error["traceback"][0]


@pytest.fixture
def kernel(folder: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A kernel that can be interrupted."""
    manager, client = start_new_kernel(cwd=str(folder))
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_ctrl_c_leaves_what_resumes(folder: Path, kernel: tuple[KernelManager, BlockingKernelClient]) -> None:
    manager, client = kernel
    settings = "recipe='scratch', size=32, epochs=60, device='cpu', progress=False, out='two'"
    # Or the kernel would throw away, unanswered, what comes within a moment of the error.
    client.execute(f"import mien; study = mien.study('photos', {settings})", stop_on_error=False)
    checkpoint = folder / "two/runs/scratch/checkpoints/last.ckpt"
    end = time.monotonic() + 240
    while not checkpoint.exists() and time.monotonic() < end:
        time.sleep(0.1)
    manager.interrupt_kernel()
    assert reply(client)["ename"] == "KeyboardInterrupt"
    assert checkpoint.exists()
    assert not (folder / "two/results.json").exists()

    client.execute("1 + 1")
    assert reply(client)["status"] == "ok", "the kernel lives on"
    client.execute(f"study = mien.study('photos', {settings}, resume=True)")
    assert reply(client)["status"] == "ok"
    assert (folder / "two/results.json").exists()


def reply(client: BlockingKernelClient) -> dict[str, Any]:
    """What a kernel answers to the code that it was given last."""
    while True:
        try:
            content: dict[str, Any] = client.get_shell_msg(timeout=240)["content"]
        except Empty:
            pytest.fail("no answer")
        if "status" in content and "execution_count" in content:
            return content
