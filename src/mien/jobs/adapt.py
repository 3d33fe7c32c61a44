"""``mien adapt``."""

from __future__ import annotations

from pathlib import Path

from mien.adapting.adapt import adapt_model
from mien.progress import Progress
from mien.results.adaptation import AdaptResults
from mien.settings.adapt import AdaptSettings
from mien.telling.report.adaptation_page import write_page

__all__ = ["run_adaptation"]


def run_adaptation(config: AdaptSettings, folder: Path, *, progress: Progress) -> AdaptResults:
    """Adapt the model and write the folder with its page; see ``adapt_model``."""

    def tell(results: AdaptResults) -> None:
        write_page(results, folder / "adapt.html")

    return adapt_model(config, folder, progress=progress, tell=tell)
