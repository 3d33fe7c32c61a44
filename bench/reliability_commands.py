"""What each command does when it is ended by a signal, and when the disk it writes to is full.

Each command works on drawn faces, first alone. Then SIGTERM and SIGINT end it at moments spread over that time, and it
is run on file systems in memory that are full at moments spread over what it writes. What can be resumed is resumed
afterwards, the rest run again.

    python bench/reliability_commands.py [--moments N] [--disks N] [--only COMMAND]
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability import EACH, OPTIONS, SECONDS, Ended, draw_photos, leftovers, results, run, small_disk

SIGNALS = {signal.SIGTERM: 143, signal.SIGINT: 130}
OUT = "OUT"
"""Stands in a command for the folder that it is to write to."""


@dataclass(frozen=True)
class Command:
    """A command, and what it writes to.

    Attributes:
        words: what follows ``mien``.
        resumes: whether it takes ``--resume``.
        serves: whether it goes on until it is told to end.
    """

    words: tuple[str, ...]
    resumes: bool = False
    serves: bool = False

    def line(self, out: Path, *, resume: bool = False) -> list[str]:
        words = [word.replace(OUT, str(out)) for word in self.words]
        return [sys.executable, "-m", "mien", *words, *(["--resume"] if resume and self.resumes else [])]


def commands(photos: Path, study: Path, others: Path) -> dict[str, Command]:
    given, model = str(photos), str(study)
    folder = ("--out", f"{OUT}/folder")
    return {
        "audit": Command(("audit", given, "--out", f"{OUT}/findings.csv", "--check-labels")),
        "study": Command(("study", given, "--recipe", "scratch", *OPTIONS, *folder), resumes=True),
        "study --folds": Command(("study", given, "--recipe", "probe", "--folds", "3", *folder), resumes=True),
        "train": Command(("train", given, "--recipe", "scratch", *OPTIONS, *folder), resumes=True),
        "compare": Command(
            ("compare", given, "--arm", "augment=none", "--arm", "augment=notebook", *OPTIONS, *folder), resumes=True
        ),
        "evaluate": Command(("evaluate", model, str(others), *folder)),
        "adapt": Command(("adapt", model, str(others), "--shots", "0,2", *folder)),
        "export": Command(("export", model, "--precision", "int8", "--out", f"{OUT}/model.onnx")),
        "predict": Command(("predict", given, "--jsonl")),
        "app": Command(("app", "--api-only", "--port", str(free_port())), serves=True),
    }


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@dataclass(frozen=True)
class Tried:
    """One command, ended once.

    Attributes:
        when: the moment, or the size of the disk.
        outcome: ``good``, or what was not.
        said: its last line.
    """

    when: str
    outcome: str
    said: str


def numbers_of(command: Command, out: Path) -> Any:
    return results(out / "folder") if command.words[0] == "study" else None


# -- signals ----------------------------------------------------------------------------------------------------------


def signalled(command: list[str], sign: signal.Signals, after: float, scratch: Path) -> tuple[Ended, list[str]]:
    """End the command after some seconds; with it what it left of temporary files and processes."""
    scratch.mkdir()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"TMPDIR": str(scratch)},
    )
    time.sleep(after)
    start = time.monotonic()
    process.send_signal(sign)
    _, said = process.communicate(timeout=SECONDS)
    seconds = time.monotonic() - start
    left = [f"temporary {path.name}" for path in scratch.iterdir()]
    try:
        time.sleep(0.2)
        os.killpg(process.pid, 0)
        left.append("a process")
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    shutil.rmtree(scratch)
    return Ended(process.returncode, said, seconds), left


def ended_by(sign: signal.Signals, command: Command, after: float, work: Path, whole: Any) -> Tried:
    out = work / "out"
    out.mkdir()
    ended, left = signalled(command.line(out), sign, after, work / "scratch")
    wrong = left + leftovers(out)
    if command.serves and ended.code == 0 and sign == signal.SIGTERM:  # as docs/SERVING.md says of one that answers
        shutil.rmtree(out)
        return Tried(f"{sign.name} after {after:.1f} s", "; ".join(wrong) or "good", (ended.lines or ["-"])[-1])
    if ended.code != SIGNALS[sign]:
        wrong.append(f"code {ended.code}")
    lines = [line for line in ended.lines if not line.startswith("mien: http")]  # where a service answers
    if len(lines) != 1 or "Traceback" in ended.said:
        wrong.append(f"said {ended.said[-400:]!r}")
    if ended.code == 0 and not command.serves:
        outcome = "over before" if not wrong[:-2] else str(wrong)
    else:
        outcome = "; ".join(wrong) or "good"
    if outcome == "good" and not command.serves:
        again = run(command.line(out, resume=(out / "folder").exists()))
        outcome = "good" if again.code == 0 and numbers_of(command, out) == whole else f"again: {again.said[-300:]}"
    shutil.rmtree(out)
    return Tried(f"{sign.name} after {after:.1f} s", outcome, (ended.lines or ["-"])[-1])


def signals(command: Command, n: int, work: Path, alone: float, whole: Any) -> list[Tried]:
    """At moments spread over the time that the command took alone; sooner where it is over by then."""
    tried = []
    for i in range(n):
        for sign in SIGNALS:
            after = 0.1 + (alone - 0.1) * (i + 0.5) / n
            tried.append(ended_by(sign, command, after, work, whole))
            while tried[-1].outcome == "over before":
                after *= 0.8
                tried[-1] = ended_by(sign, command, after, work, whole)
    return tried


# -- full disks -------------------------------------------------------------------------------------------------------


def disks(command: Command, n: int, work: Path, used: int, whole: Any) -> list[Tried]:
    tried = []
    for i in range(n):
        size = max(4096, int(used * (i + 0.5) / n))
        with small_disk(work / "disk", size) as make_room:
            ended = run(command.line(work / "disk"))
            left = leftovers(work / "disk")
            outcome = "good" if ended.is_one_line and not left else f"code {ended.code}: {ended.said[-600:]} {left}"
            if ended.code == 0:
                outcome = "enough room"
            make_room()
            again = run(command.line(work / "disk", resume=(work / "disk/folder").exists()))
            if again.code or numbers_of(command, work / "disk") != whole:
                outcome += f"; again: {again.said[-300:]}"
        tried.append(Tried(f"{size / 2**20:.2f} MB", outcome, (ended.lines or ["-"])[-1]))
    return tried


def told(name: str, kind: str, tried: list[Tried]) -> None:
    for each in tried:
        print(f"  {name}, {each.when}: {each.outcome}\n      {each.said}", flush=True)
    counts = Counter("good" if each.outcome == "good" else each.outcome[:20] for each in tried)
    print(f"{name}, {kind}: {dict(counts)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=0)
    parser.add_argument("--disks", type=int, default=0)
    parser.add_argument("--only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        photos, study = draw_photos(work / "photos"), work / "study"
        others = draw_photos(work / "others", range(EACH, EACH + 40))
        first = run([sys.executable, "-m", "mien", "study", str(photos), "--recipe", "probe", "--out", str(study)])
        if first.code:
            sys.exit(first.said)
        for name, command in commands(photos, study, others).items():
            if asked.only not in (None, name):
                continue
            alone, used, whole = 8.0, 0, None
            if not command.serves:
                out = work / "alone"
                out.mkdir()
                ended = run(command.line(out))
                if ended.code:
                    sys.exit(f"{name}: {ended.said}")
                used = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
                alone, whole = ended.seconds, numbers_of(command, out)
                shutil.rmtree(out)
            print(f"{name}: {alone:.1f} s, {used / 2**20:.1f} MB", flush=True)
            if asked.moments:
                told(name, "signals", signals(command, asked.moments, work, alone, whole))
            if asked.disks and used:
                told(name, "full disks", disks(command, asked.disks, work, used, whole))


if __name__ == "__main__":
    main()
