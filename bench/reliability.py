"""What a study survives: kills at random moments, a disk that fills at each stage, damage to each of its files.

A study of drawn faces is done once and left alone. Then it is killed, starved of room or damaged, resumed, and its
results are compared with those, number by number. Filling a disk needs the right to mount a file system in memory;
without it, the size of files is limited instead.

    python bench/reliability.py [--kills N] [--disks N] [--damage] [--two] [--seed N]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.demo import draw_face
from mien.errors import MienError
from mien.jobs.study import run_study
from mien.progress import Silent
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml

CLASSES, EACH, SIDE = ("anger", "happy", "sad"), 14, 64
RECIPES = ("scratch", "probe")
OPTIONS = ("--size", "32", "--epochs", "4", "--precision", "fp32", "--device", "cpu")
SECONDS = 600


@dataclass(frozen=True)
class Ended:
    """How a command ended, and after how many seconds."""

    code: int
    said: str
    seconds: float

    @property
    def lines(self) -> list[str]:
        return [line for line in self.said.splitlines() if line.startswith("mien: ")]

    @property
    def is_one_line(self) -> bool:
        return len(self.lines) == 1 and "Traceback" not in self.said and self.code in (1, 2)


def draw_photos(root: Path) -> Path:
    for label in CLASSES:
        (root / label).mkdir(parents=True)
        for i in range(EACH):
            draw_face(label, i).resize((SIDE, SIDE)).save(root / label / f"{i:02}.png")
    return root


def words(photos: Path, out: Path) -> list[str]:
    recipes = [word for name in RECIPES for word in ("--recipe", name)]
    return [sys.executable, "-m", "mien", "study", str(photos), *recipes, *OPTIONS, "--out", str(out)]


def run(command: list[str], *, limit: Callable[[], None] | None = None) -> Ended:
    start = time.monotonic()
    process = subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        start_new_session=True,
        preexec_fn=limit,
        check=False,
    )
    return Ended(process.returncode, process.stderr, time.monotonic() - start)


def numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: numbers(each) for name, each in value.items() if name not in ("seconds", "paths", "mien", "out")}
    return [numbers(each) for each in value] if isinstance(value, list) else value


def results(folder: Path) -> Any:
    return numbers(json.loads((folder / "results.json").read_text(encoding="utf-8")))


def leftovers(folder: Path) -> list[str]:
    """What no command may leave in a study folder."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*.partial")] if folder.exists() else []


# -- kills ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moment:
    """When to kill: a random while after a file of the study is there.

    Attributes:
        stage: what the study does then.
        after: the file, as a pattern in the study folder; empty for the start of the command.
        within: seconds that the stage takes, left alone.
    """

    stage: str
    after: str
    within: float


def stages(finished: Path, seconds: float) -> dict[str, Moment]:
    """Anywhere, and the two stages that are too short to be met by chance, as long as they took when left alone."""
    last = f"runs/{RECIPES[-1]}/SHA256SUMS"
    begun, audited, trained, told = (
        (finished / name).stat().st_mtime for name in ("study.toml", "manifest.parquet", last, "report.html")
    )
    return {
        "anywhere": Moment("anywhere", "", seconds),
        "audit": Moment("audit", "study.toml", audited - begun),
        "report": Moment("results and report", last, told - trained),
    }


def killed(command: list[str], out: Path, moment: Moment, rng: random.Random) -> bool:
    """Kill the command, and all that it started, at the moment; False if it ended first."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, text=True
    )
    while moment.after and process.poll() is None and not (out / moment.after).exists():
        time.sleep(0.002)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(rng.uniform(0.02, 1.0) * moment.within)
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def kills(n: int, photos: Path, work: Path, finished: Path, seconds: float, rng: random.Random) -> Counter[str]:
    """Of ten studies one is killed in its audit, one in its report, two twice, the others once, anywhere."""
    found: Counter[str] = Counter()
    whole, at = results(finished), stages(finished, seconds)
    for i in range(n):
        out = work / f"killed-{i}"
        command = [*words(photos, out), "--resume"]
        moment = {2: at["audit"], 7: at["report"]}.get(i % 10, at["anywhere"])
        while not killed(command, out, moment, rng):  # too late: the study was faster than when left alone
            shutil.rmtree(out)
        twice = i % 5 == 4 and killed(command, out, moment, rng)
        ended = run(command)
        same = ended.code == 0 and results(out) == whole and not leftovers(out)
        outcome = "equal" if same else f"not equal: {ended.said[-300:]} {leftovers(out)}"
        found[outcome] += 1
        print(f"  {i}: {moment.stage}, killed {'twice' if twice else 'once'}: {outcome}", flush=True)
        shutil.rmtree(out, ignore_errors=True)
    return found


# -- full disks -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(place: Path, size: int) -> Iterator[Callable[[], None]]:
    """Mount a file system in memory of a given size; yields a function that enlarges it."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True, capture_output=True)
    try:
        yield lambda: enlarge(place)
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def enlarge(place: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=1g", place], check=True)


@contextlib.contextmanager
def small_files(place: Path, size: int) -> Iterator[Callable[[], None]]:
    place.mkdir(exist_ok=True)
    yield lambda: None
    shutil.rmtree(place)


def disks(n: int, photos: Path, work: Path, whole: Any, used: int) -> list[tuple[str, str]]:
    """Disks of growing size, each full at a later stage than the one before."""
    rows = []
    for i in range(n):
        size, place = int(used * (i + 0.5) / n), work / f"disk-{i}"
        can_mount = os.geteuid() == 0
        opened = small_disk(place, size) if can_mount else small_files(place, size)
        with opened as make_room:
            command = words(photos, place / "out")
            limit = None if can_mount else lambda size=size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
            ended = run(command, limit=limit)
            left = leftovers(place / "out")
            one = "one line" if ended.is_one_line else f"code {ended.code}: {ended.said[-600:]}"
            make_room()
            resumed = run([*command, "--resume"])
            same = resumed.code == 0 and results(place / "out") == whole
            outcome = f"{one}; left {left or 'nothing'}; resumed {'equal' if same else resumed.said[-300:]}"
            rows.append((f"{size / 2**20:.1f} MB", outcome))
            print(f"  {size / 2**20:6.1f} MB: {outcome}\n            {(ended.lines or ['-'])[-1]}", flush=True)
    return rows


# -- damage -----------------------------------------------------------------------------------------------------------

WAYS: dict[str, Callable[[Path], object]] = {
    "emptied": lambda path: path.write_bytes(b""),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "bytes changed": lambda path: path.write_bytes(_changed(path.read_bytes())),
    "removed": lambda path: path.unlink(),
}
FILES = {
    "study.toml": (),
    "manifest.parquet": (),
    "pixels/photo-32.npy": (),
    "pixels/fingerprints.npy": (),
    "features/*.npz": ("runs/probe/*",),
    "runs/scratch/checkpoints/last.ckpt": ("runs/scratch/model.*",),
    "runs/scratch/checkpoints/best.ckpt": ("runs/scratch/model.*",),
    "runs/scratch/config.toml": (),
    "runs/scratch/history.csv": (),
    "runs/scratch/model.onnx": ("runs/scratch/predictions.parquet",),
    "runs/scratch/model.safetensors": (),
    "runs/scratch/predictions.parquet": (),
    "runs/scratch/SHA256SUMS": (),
    "SHA256SUMS": (),
    "results.json": (),
}
"""File → what is removed too, so that the file is opened again."""


def _changed(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(b ^ 0x55 for b in content[middle : middle + 64]) + content[middle + 64 :]


def damages(finished: Path, work: Path, whole: Any) -> list[tuple[str, str, str]]:
    """Each file in each way, resumed in this process."""
    rows, config = [], read_toml(StudySettings, finished / "study.toml")
    for name, removed in FILES.items():
        for way, harm in WAYS.items():
            out = Path(shutil.copytree(finished, work / "damaged"))
            for pattern in removed:
                for path in out.glob(pattern):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            for path in out.glob(name):
                harm(path)
            rows.append((name, way, resumed(config, out, whole)))
            print(f"  {name}, {way}: {rows[-1][2]}", flush=True)
            shutil.rmtree(out)
    return rows


def resumed(config: StudySettings, out: Path, whole: Any) -> str:
    try:
        run_study(config, out, resume=True, progress=Silent())
    except MienError as error:
        return f"refused: {str(error).replace(str(out), 'STUDY')}"
    except Exception as error:
        return f"TRACEBACK {type(error).__name__}: {error}"
    return "made again, equal" if results(out) == whole else "SILENT: other numbers"


# -- two at once ------------------------------------------------------------------------------------------------------


def two(photos: Path, work: Path, whole: Any) -> str:
    out = work / "shared"
    command = [*words(photos, out), "--resume"]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (out / "study.toml").exists():
        time.sleep(0.01)
    second = run(command)
    first.wait()
    told = second.lines[-1] if second.is_one_line else f"code {second.code}: {second.said[-300:]}"
    return f"{told}; the first {'equal' if first.returncode == 0 and results(out) == whole else 'NOT EQUAL'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--disks", type=int, default=0)
    parser.add_argument("--damage", action="store_true")
    parser.add_argument("--two", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        photos, finished = draw_photos(work / "photos"), work / "finished"
        alone = run(words(photos, finished))
        if alone.code:
            sys.exit(alone.said)
        whole, used = results(finished), sum(p.stat().st_size for p in finished.rglob("*") if p.is_file())
        print(f"left alone: {alone.seconds:.0f} s, {used / 2**20:.1f} MB", flush=True)
        if asked.damage:
            rows = damages(finished, work, whole)
            kinds = Counter(outcome.split(":")[0].split(" ")[0] for _, _, outcome in rows)
            print(f"{len(rows)} damages: {dict(kinds)}")
        if asked.two:
            print(f"two at once: {two(photos, work, whole)}")
        if asked.disks:
            rows_of_disks = disks(asked.disks, photos, work, whole, used)
            good = sum(outcome == "one line; left nothing; resumed equal" for _, outcome in rows_of_disks)
            print(f"{len(rows_of_disks)} full disks: {good} one line, nothing left, resumed equal")
        if asked.kills:
            rng = random.Random(asked.seed)
            print(f"kills: {dict(kills(asked.kills, photos, work, finished, alone.seconds, rng))}")


if __name__ == "__main__":
    main()
