"""``mien compare``."""

from __future__ import annotations

from pathlib import Path

from mien.cluster.connecting import on_cluster
from mien.comparing.compare import compare_arms
from mien.progress import Progress
from mien.results.comparison import CompareResults
from mien.settings.compare import CompareSettings
from mien.system.in_use import in_use
from mien.telling.report.comparison_page import write_page

__all__ = ["run_comparison"]


def run_comparison(config: CompareSettings, folder: Path, *, resume: bool, progress: Progress) -> CompareResults:
    """Compare the arms and write the folder with its page; see ``compare_arms``."""

    def tell(results: CompareResults) -> None:
        write_page(results, folder / "compare.html")

    with in_use(folder, progress.tell, resume=resume), on_cluster(config.workers.cluster, progress):
        return compare_arms(config, folder, resume=resume, progress=progress, tell=tell)
