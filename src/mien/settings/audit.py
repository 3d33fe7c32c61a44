"""What an audit looks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from mien.settings.columns import Columns
from mien.settings.division import Decisions, Randomness
from mien.settings.groups import RARE, TRUST
from mien.settings.workers import Workers

__all__ = ["AuditSettings", "FaceSearch", "LabelChecks"]


@Parameter(name="*", group=RARE)
@dataclass(frozen=True, kw_only=True)
class FaceSearch:
    """What faces are looked at for.

    Attributes:
        find_faces: Look for faces: none, several, tiny, cut off, blurred.
    """

    find_faces: Annotated[bool, Parameter(name="--faces", negative="--no-faces")] = True


@Parameter(name="*", group=TRUST)
@dataclass(frozen=True, kw_only=True)
class LabelChecks:
    """What is asked of a model about the photos.

    Attributes:
        check_labels: Rank doubtful labels by what a probe would say. Default: for up to 5,000 photos.
        leak_premium: Measure what copies on both sides of a split would add to a score.
    """

    check_labels: Annotated[bool | None, Parameter(negative="--no-check-labels")] = None
    leak_premium: bool = False


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """What is asked of an audit.

    Attributes:
        data: Labelled photos, one or more sources, which make one set.
        columns: how tables are read.
        decisions: what a person decided about single photos.
        face_search: whether faces are looked for.
        checks: what is asked of a model.
        randomness: of folds and permutations.
        workers: which machines do what can be divided.
    """

    data: tuple[str, ...]
    columns: Columns = Columns()
    decisions: Decisions = Decisions()
    face_search: FaceSearch = FaceSearch()
    checks: LabelChecks = LabelChecks()
    randomness: Randomness = Randomness()
    workers: Workers = Workers()
