"""``mien compare``."""

from __future__ import annotations

from mien.cli.exits import finish
from mien.cli.options import ColumnOptions, Folder, Json, Sources, output_folder
from mien.extras import extra
from mien.settings.budget import Budget
from mien.settings.columns import Columns
from mien.settings.compare import CompareSettings, Comparison
from mien.settings.computing import Computing
from mien.settings.division import Decisions, Division, Randomness
from mien.settings.slicing import Slicing
from mien.settings.workers import Workers

__all__ = ["compare"]


def compare(
    data: Sources,
    /,
    *,
    comparison: Comparison = Comparison(),
    budget: Budget = Budget(),
    computing: Computing = Computing(),
    division: Division = Division(),
    slicing: Slicing = Slicing(),
    randomness: Randomness = Randomness(),
    decisions: Decisions = Decisions(),
    columns: ColumnOptions = Columns(),
    workers: Workers = Workers(),
    folder: Folder = Folder(),
    json: Json = False,
) -> None:
    """Run a comparison and say what it tells.

    Args:
        data: Labelled photos, as for 'mien study'.
    """
    settings = CompareSettings(
        data=data,
        comparison=comparison,
        budget=budget,
        computing=computing,
        division=division,
        randomness=randomness,
        decisions=decisions,
        columns=columns,
        slicing=slicing,
        workers=workers,
    )
    with extra("train", "training"):
        from mien.jobs.compare import run_comparison
        from mien.telling.terminal.comparison import comparison_summary
    from mien.telling.terminal.summaries import TerminalProgress

    place = output_folder(folder.out, data, "mien-compare")
    results = run_comparison(settings, place, resume=folder.resume, progress=TerminalProgress())
    finish(results, comparison_summary, json=json)
