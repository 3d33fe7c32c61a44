"""Too little of what a machine has: room on a disk, shared memory, file handles."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from mien.data.reading import intake
from mien.data.reading.pixels import PixelWriter
from mien.data.reading.preprocess import View
from mien.data.reading.processes import NoProcessesError, processes
from mien.data.sources import open_source
from mien.errors import DiskError

WRITE = """
import resource, sys
from pathlib import Path
import numpy as np
from mien.data.reading.pixels import PixelWriter
from mien.data.reading.preprocess import View
from mien.errors import DiskError
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
place = Path(sys.argv[1]) if len(sys.argv) > 1 else None
try:
    with PixelWriter(place, [View("photo", 64)], 100) as writer:
        for row in range(100):
            writer.put(row, {"photo-64": np.full((64, 64, 3), 9, np.uint8)}, np.full((32, 32), 9, np.uint8))
except DiskError as error:
    print(error)
"""


@pytest.mark.parametrize("named", [True, False])
def test_pixels_without_room_are_one_line_and_no_bus_error(named: bool, tmp_path: Path) -> None:
    words = [sys.executable, "-c", WRITE, *([str(tmp_path / "pixels")] if named else [])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "the decoded photos cannot be written" in done.stdout
    assert "1 MB" in done.stdout
    assert ("--resume" if named else "TMPDIR") in done.stdout
    assert named or list(tmp_path.iterdir()) == []


def test_room_is_asked_for_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(DiskError, match="1,000 need some 145 MB"):
        PixelWriter(tmp_path / "pixels", [View("photo", 224)], 1000)
    assert list(tmp_path.iterdir()) == []


def test_without_processes_files_are_read_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(38, "Function not implemented")

    for label in "ab":
        (tmp_path / label).mkdir()
        for i in range(10):
            Image.new("RGB", (20, 20), (i, i, i)).save(tmp_path / label / f"{i}.png")
    source = open_source(str(tmp_path))
    monkeypatch.setattr(intake, "MANY", 1)
    monkeypatch.setattr(intake, "_cores", lambda: 2)
    monkeypatch.setattr("mien.data.reading.processes._start_trackers", fail)
    with pytest.raises(NoProcessesError, match="Function not implemented"), processes(2, "nothing"):
        pass
    rows = [each.row for each in intake.inspect_files(source, source.files, [], None)]
    assert [row["status"] for row in rows] == ["ok"] * 20
