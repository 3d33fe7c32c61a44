"""``mien review``."""

from __future__ import annotations

import sys

from mien.cli.options import ColumnOptions, Sources
from mien.extras import extra
from mien.settings.audit import AuditSettings, FaceSearch, LabelChecks
from mien.settings.columns import Columns
from mien.settings.review import Reviewing

__all__ = ["review"]


def review(
    data: Sources,
    /,
    *,
    reviewing: Reviewing = Reviewing(),
    face_search: FaceSearch = FaceSearch(),
    columns: ColumnOptions = Columns(),
) -> None:
    """Review what an audit found.

    Args:
        data: Labelled photos, as for 'mien study', or the folder of a study.
    """
    with extra("app", "the page of mien review"):
        from mien.reviewing.serve import review_photos
        from mien.telling.terminal.summaries import TerminalProgress

    settings = AuditSettings(
        data=data, face_search=face_search, checks=LabelChecks(check_labels=reviewing.check_labels), columns=columns
    )

    def tell(address: str) -> None:
        print(f"mien: {address} (Ctrl+C ends it; every decision is written at once)", file=sys.stderr)

    reviewed = review_photos(settings, reviewing, TerminalProgress(), tell)
    if reviewed is None:
        print("nothing to review: the audit found no photo that needs a look")
    else:
        print(reviewed.told)
