"""Completion in a real shell: commands, options, and what an option may be."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.cli import COMMANDS, app
from support.outcomes import Outcome

Mien = Callable[..., Outcome]

COMPLETED = """
source "$1"; shift
found=$(complete -p mien) || exit 9
function=$(sed -E 's/.* -F ([^ ]+) .*/\\1/' <<< "$found")
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
"$function" mien "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when Tab is pressed."""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shell") / "mien.bash"
    path.write_text(app.generate_completion(prog_name="mien", shell="bash"), encoding="utf-8")
    return path


def completed(script: Path, *words: str, folder: Path | None = None) -> set[str]:
    """What bash offers for the last word."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash to complete in")
    command = [bash, "--norc", "-c", COMPLETED, "bash", str(script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    return {line.strip() for line in done.stdout.splitlines() if line.strip()}


def test_bash_completes_commands(script: Path) -> None:
    assert completed(script, "mien", "") >= set(COMMANDS)
    assert completed(script, "mien", "st") == {"study"}
    assert completed(script, "mien", "e") == {"evaluate", "export"}


@pytest.mark.parametrize("command", COMMANDS)
def test_bash_completes_every_option_of_a_command(script: Path, command: str) -> None:
    names = {
        name
        for argument in app[command].assemble_argument_collection(parse_docstring=True)
        for name in argument.names
        if argument.show and not argument.children and name.startswith("--")
    }
    assert completed(script, "mien", command, "--") >= names


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("study", "photos", "--ep"), {"--epochs"}),
        (("study", "photos", "--epochs", "3", "--ref"), {"--refit"}),
        (("study", "photos", "--device", "c"), {"cpu", "cuda", *(f"cuda:{n}" for n in range(2, 9))}),
        (("predict", "--faces", "a"), {"all"}),
        (("export", "mien-photos", "--precision", "fp"), {"fp16", "fp32"}),
        (("completion", ""), {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes_options_and_their_choices(script: Path, words: tuple[str, ...], expected: set[str]) -> None:
    assert completed(script, "mien", *words) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_command_prints_a_script_for_each_shell(mien: Mien, shell: str) -> None:
    outcome = mien("completion", shell)
    assert (outcome.code, outcome.err) == (0, "")
    assert all(re.search(rf"\b{name}\b", outcome.out) for name in COMMANDS)
    assert "group-column" in outcome.out


def test_no_script_starts_python_or_names_this_machine(mien: Mien) -> None:
    for shell in ("bash", "zsh", "fish"):
        script = mien("completion", shell).out
        assert not re.search(r"\bpython|site-packages|/home/|\$\(mien\b", script)


def test_another_shell_is_refused_in_one_line(mien: Mien) -> None:
    outcome = mien("completion", "tcsh")
    assert outcome.code == 2
    assert "bash" in outcome.complaint
