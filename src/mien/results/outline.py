"""The results of a dry run: what was read of labelled photos, and what the work with them would take."""

from __future__ import annotations

from typing import Annotated

from mien.results.document import Document
from mien.results.record import Record, about
from mien.settings.choices import VotesAs

__all__ = ["OutlineResults", "OutlinedSource", "WorkEstimate"]


class OutlinedSource(Record):
    """What one source holds by its folders, names and tables."""

    name: Annotated[str, about("The name it goes by.")]
    spec: Annotated[str, about("What was given.")]
    notes: Annotated[tuple[str, ...], about("How it was read, a line each.")]
    files: Annotated[int, about("Files that take part; whether they are images is not looked at.")]
    classes: Annotated[dict[str, int], about("Class → files.")]
    splits: Annotated[dict[str, dict[str, int]], about("Split it came in → class → files; empty where undivided.")]
    groups: Annotated[int, about("Groups, such as persons; 0 where there are none.")]
    without_group: Annotated[int, about("Files without a group where others have one.")]
    ignored: Annotated[dict[str, int], about("Why files or rows take no part → how many.")]
    columns: Annotated[tuple[str, ...], about("Further columns of its table, which the manifest keeps.")]
    votes: Annotated[tuple[str, ...], about("Classes that raters could choose; empty without votes.")]


class WorkEstimate(Record):
    """What the work would take, from some photos that were read and timed."""

    sampled: Annotated[int, about("Photos that were read to measure it.")]
    photos: Annotated[int, about("Photos that the work is about.")]
    seconds: Annotated[
        tuple[float, float],
        about("From what it takes where nothing else runs to what it takes where as much runs as did now."),
    ]
    by_cores: Annotated[
        dict[str, tuple[float, float]], about("Cores of one machine like this, idle → from and to, in seconds.")
    ]
    stages: Annotated[dict[str, float], about("Stage → seconds of all processors together.")]
    memory_mb: Annotated[float, about("Largest memory of the main process, MB.")]
    disk_mb: Annotated[float, about("Room that decoded photos and features need at most, MB.")]
    left_out: Annotated[tuple[str, ...], about("What is not in the estimate.")]


class OutlineResults(Document, tag="dry run"):
    """What `mien audit --dry-run` and `mien study --dry-run` read, and what the work would take; nothing is kept."""

    labels: Annotated[tuple[str, ...], about("The classes of the data, sorted by name.")]
    sources: Annotated[tuple[OutlinedSource, ...], about("One for each that was given.")]
    renamed: Annotated[dict[str, dict[str, str]], about("Source → its class → the class of an earlier source.")]
    votes: Annotated[
        VotesAs | None,
        about(
            "What recipes would learn of raters' votes: `soft` (the share of each class) or `majority` (the class with "
            "most); null where the data have no votes, and of an audit, which trains nothing."
        ),
    ] = None
    target: Annotated[OutlinedSource | None, about("Photos from elsewhere, or null.")]
    estimate: Annotated[
        WorkEstimate | None, about("What the work would take; null for few photos, or where none could be read.")
    ] = None
