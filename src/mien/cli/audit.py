"""``mien audit``."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from mien.cli.exits import finish
from mien.cli.options import ColumnOptions, DryRun, Json, Sources
from mien.settings.audit import AuditSettings, FaceSearch, LabelChecks
from mien.settings.columns import Columns
from mien.settings.division import Decisions, Randomness
from mien.settings.groups import OUTPUT
from mien.settings.workers import Workers
from mien.system.paths import user_path

__all__ = ["audit"]


def audit(
    data: Sources,
    /,
    *,
    decisions: Decisions = Decisions(),
    face_search: FaceSearch = FaceSearch(),
    checks: LabelChecks = LabelChecks(),
    columns: ColumnOptions = Columns(),
    randomness: Randomness = Randomness(),
    workers: Workers = Workers(),
    out: Annotated[str | None, Parameter(group=OUTPUT)] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Audit photos and say what was found.

    Args:
        data: Labelled photos, as for 'mien study'.
        out: CSV file to write all findings to, with a column 'action' for you to fill in.
    """
    from mien.auditing.run import run_audit
    from mien.telling.terminal.summaries import TerminalProgress, audit_summary

    settings = AuditSettings(
        data=data,
        decisions=decisions,
        face_search=face_search,
        checks=checks,
        columns=columns,
        randomness=randomness,
        workers=workers,
    )
    if dry_run:
        from mien.jobs.estimate import outlined_audit
        from mien.telling.terminal.outline import outline_summary

        finish(outlined_audit(settings, TerminalProgress()), outline_summary, json=json)
        return
    finish(
        run_audit(settings, user_path(out, "--out") if out is not None else None, TerminalProgress()),
        audit_summary,
        json=json,
    )
