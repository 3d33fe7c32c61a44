"""``mien completion``."""

from __future__ import annotations

from typing import Literal

__all__ = ["completion"]


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print the script by which a shell completes commands, options and their choices; it starts no Python.

    Args:
        shell: Whose script: bash, zsh or fish.
    """
    from mien.cli import app
    from mien.system.streams import as_data

    print(as_data(app.generate_completion(prog_name="mien", shell=shell)))
