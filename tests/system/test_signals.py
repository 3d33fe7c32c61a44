"""A signal ends a command at once, in one line, with 128 and its number as exit code, whatever code is running."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from mien.jobs.study import run_training
from mien.progress import Silent
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml
from support.processes import SECONDS, TRAIN, are_gone, begin, signalled, start, stop, wait_for_epochs
from support.studies import Study, assert_same, train_command
from support.tiny_training import trained

pytestmark = pytest.mark.heavy  # starts and ends processes

ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

SWALLOWED = {
    "by a handler": """
def work(*words, **named):
    try:
        pause()
    except BaseException:
        work()
""",
    "by a finaliser": """
class Pausing:
    def __del__(self):
        pause()
def work(*words, **named):
    Pausing()
    return {}
""",
    "by a change of its kind": """
def work(*words, **named):
    try:
        pause()
    except BaseException as error:
        raise RuntimeError from error
""",
    "by Lightning": """
def work(*words, **named):
    try:
        pause()
    except KeyboardInterrupt:
        sys.exit(1)
""",
}


@pytest.mark.parametrize("sign", ENDS)
@pytest.mark.parametrize("swallowed", SWALLOWED)
def test_nothing_swallows_a_signal(sign: signal.Signals, swallowed: str) -> None:
    outcome = signalled(begin(SWALLOWED[swallowed] + TRAIN, "train", "demo"), sign)
    assert outcome.code == 128 + sign
    assert "--resume" in outcome.complaint
    assert len(outcome.err.splitlines()) == 1
    assert outcome.out == ""


@pytest.mark.parametrize("signs", [[signal.SIGTERM] * 3, [signal.SIGINT, signal.SIGTERM], [signal.SIGINT] * 3])
def test_further_signals_add_no_line(signs: list[signal.Signals]) -> None:
    slow = """
from mien.system.leftovers import undone_if_stopped
def work(*words, **named):
    with undone_if_stopped(lambda: time.sleep(0.5)):
        pause()
"""
    outcome = signalled(begin(slow + TRAIN, "train", "demo"), *signs)
    assert outcome.code in {128 + sign for sign in signs}
    assert len(outcome.err.splitlines()) == 1
    assert outcome.complaint


@pytest.mark.parametrize("sign", ENDS)
def test_a_signal_that_another_thread_gets_wakes_the_main_thread(sign: signal.Signals) -> None:
    """Which is where handlers run, and which may wait for a lock for as long as a training takes."""
    waiting = f"""
import signal, threading
def send():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), {int(sign)})
    time.sleep(60)
def work(*words, **named):
    os.write(1, b"here\\n")
    threading.Thread(target=send, daemon=True).start()
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""
    outcome = signalled(begin(waiting + TRAIN, "train", "demo"))
    assert outcome.code == 128 + sign
    assert len(outcome.err.splitlines()) == 1


def test_ignored_signals_stay_ignored() -> None:
    """As nohup has it."""
    process = begin("work = pause\n" + TRAIN, "train", "demo", ignored=(signal.SIGHUP,))
    assert signalled(process, signal.SIGHUP, signal.SIGTERM).code == 128 + signal.SIGTERM


def test_signals_are_heard_while_the_command_is_imported() -> None:
    code = (
        "class Slow:\n    def find_spec(self, name, *rest):\n        if name == 'mien.cli': pause()\n"
        "sys.meta_path.insert(0, Slow())\nfrom mien.__main__ import main\nmain()"
    )
    outcome = signalled(begin(code, "audit", "demo"), signal.SIGINT)
    assert outcome.code == 130
    assert len(outcome.err.splitlines()) == 1


def test_a_signal_after_the_result_changes_no_exit_code() -> None:
    code = (
        "import atexit\nclass Late:\n    def find_spec(self, name, *rest):\n"
        "        if name == 'mien.cli': atexit.register(pause)\n"
        "sys.meta_path.insert(0, Late())\nfrom mien.__main__ import main\nmain()"
    )
    outcome = signalled(begin("print = None\n" + code, "audit", "/nowhere"), signal.SIGTERM)
    assert outcome.code == 2
    assert "nowhere" in outcome.complaint


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_nor_does_one_while_the_interpreter_is_taken_down(sign: signal.Signals) -> None:
    """It gives signals back to the system before it clears modules, which takes a second where PyTorch is one."""
    code = (
        "class Slow:\n    def __del__(self, write=os.write, sleep=time.sleep): write(1, b'here\\n'); sleep(1)\n"
        "sys.slow = Slow()\nfrom mien.__main__ import main\nmain()"
    )
    outcome = signalled(begin("print = None\n" + code, "audit", "/nowhere"), sign)
    assert outcome.code == 2
    assert "nowhere" in outcome.complaint


def test_a_caller_gets_its_handlers_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.cli import main

    before = [signal.getsignal(each) for each in ENDS]
    monkeypatch.setattr(sys, "argv", ["mien", "audit", "/nowhere"])
    with pytest.raises(SystemExit):
        main()
    assert [signal.getsignal(each) for each in ENDS] == before


# -- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_training_that_was_terminated_goes_on_as_if_left_alone(small_study: Study, tmp_path: Path) -> None:
    process = start(tmp_path, *train_command(small_study))
    wait_for_epochs(process, tmp_path / "out" / "runs" / "scratch" / "history.csv", 1)
    outcome = stop(process, signal.SIGTERM)
    assert outcome.code == 143, outcome
    assert "--resume" in outcome.complaint
    assert outcome.out == ""
    assert not (tmp_path / "out" / "results.json").exists()

    run_training(
        read_toml(StudySettings, tmp_path / "out" / "study.toml"), tmp_path / "out", resume=True, progress=Silent()
    )
    assert_same(tmp_path / "out", small_study, ("scratch",))


def test_a_training_leaves_signals_to_its_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a program of someone else, too: Lightning would note SIGTERM, end at the next batch, and call that well."""
    got: list[int] = []

    def note(number: int, frame: object) -> None:
        got.append(number)

    def send(rows: object, epochs: int = 2) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, note)
    try:
        monkeypatch.setattr("mien.training.fit.ExpressionModule.on_train_epoch_start", send)
        monkeypatch.setattr("mien.training.fit.ExpressionModule._started", 0.0, raising=False)
        trained(tmp_path / "run", 2, stop_patience=None)
        assert signal.getsignal(signal.SIGTERM) is note
    finally:
        signal.signal(signal.SIGTERM, before)
    assert got == [signal.SIGTERM] * 2


# -- processes --------------------------------------------------------------------------------------------------------

WORKERS = """
from mien.data.reading.processes import processes
from mien.system.signals import ended_by_signals
def work(number):
    import os, time
    print(end="")
    time.sleep(0.3)
    return os.getpid()
def main():
    with ended_by_signals(), processes(2, "") as pool:
        pids = {pool.submit(work, i).result() for i in range(4)} | {p for p in pool._processes}
        for i in range(20):
            pool.submit(work, i)
        os.write(1, ("here " + " ".join(map(str, pids)) + "\\n").encode())
        time.sleep(60)
main()
"""


@pytest.mark.parametrize(("sign", "group"), [(sign, group) for sign in ENDS for group in (False, True)])
def test_processes_end_with_the_command_and_say_nothing(sign: signal.Signals, group: bool) -> None:
    process = begin(WORKERS)
    assert process.stdout is not None
    said = process.stdout.readline()
    pids = [int(pid) for pid in said.split()[1:]]
    assert len(pids) == 2, said
    (os.killpg if group else os.kill)(process.pid, sign)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + sign
    assert len(err.splitlines()) == 1, err
    assert err.startswith("mien: ")
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not list(Path("/dev/shm").glob(f"sem.*-{process.pid}-*"))


def test_processes_end_with_a_command_that_was_killed() -> None:
    process = begin(WORKERS)
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()[1:]]
    process.kill()
    _, err = process.communicate(timeout=SECONDS)
    assert len(pids) == 2
    assert are_gone(pids, 10)
    assert err == ""
