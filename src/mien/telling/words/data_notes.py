"""What of a set of photos did not come along, or does not count as the table has it, in a line each."""

from __future__ import annotations

from mien.results.audit import Audit
from mien.telling.words.numerals import count, plural

__all__ = ["data_notes", "lost_files"]

NOT_FOUND = "No such file"
"""How the reason of a file that is not there begins."""


def data_notes(data: Audit) -> list[str]:
    """Files that were not found or cannot be read, photos without a person, and pictures of several people."""
    told = lost_files(data)
    if n := data.without_group:
        told.append(
            f"{plural(n, 'photo')} {'names' if n == 1 else 'name'} no person or group, where others do; "
            f"{'it' if n == 1 else 'each'} counts as a group of its own."
        )
    if n := data.copies.near.across_groups:
        told.append(
            f"{plural(n, 'picture')} {'appears' if n == 1 else 'appear'} under several people or groups, as "
            f"{'a copy' if n == 1 else 'copies'}; those that share one count as one in intervals."
        )
    return told


def lost_files(data: Audit) -> list[str]:
    """Files that are not there, with what helps; and those that are there and cannot be read."""
    lost = {path: why for path, why in data.unreadable_files.items() if why.startswith(NOT_FOUND)}
    bad = {path: why for path, why in data.unreadable_files.items() if path not in lost}
    told = []
    for files, what in ((lost, "not found"), (bad, "not read")):
        if files:
            path, why = next(iter(files.items()))
            was = "was" if len(files) == 1 else "were"
            told.append(f"{count(len(files))} of {plural(data.files, 'file')} {was} {what}, first: {path} ({why}).")
    return told
