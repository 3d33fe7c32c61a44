"""What was read of labelled photos before one of them is opened: classes, groups, splits and what takes no part."""

from __future__ import annotations

from collections import Counter

import msgspec

from mien.data.sources import Source
from mien.data.sources.collection import Collection
from mien.data.sources.files import OWN, VOTES
from mien.data.sources.folder import is_photo_by_name
from mien.data.sources.sliced import check_sliced
from mien.results.outline import OutlinedSource, OutlineResults
from mien.settings.study import StudySettings

__all__ = ["outline", "outline_study"]

NO_SPLIT = "undivided"
NO_PHOTO = "no photo, going by its name"


def outline_study(settings: StudySettings, data: Collection, target: Collection | None) -> OutlineResults:
    """What a study would read: its data, and photos from elsewhere.

    Raises:
        SourceError: if it is to be looked at by a column that there is not, or that says nothing.
    """
    check_sliced([data.sources, *([target.sources] if target else [])], settings.slicing.slices)
    found = outline(data, target)
    has_votes = any(source.votes for source in found.sources)
    return msgspec.structs.replace(found, votes=settings.columns.votes_learnt if has_votes else None)


def outline(data: Collection, target: Collection | None = None) -> OutlineResults:
    """Everything that a dry run shows.

    Args:
        target: photos from elsewhere, where there are any.
    """
    return OutlineResults(
        labels=data.labels,
        sources=tuple(_outlined(source) for source in data.sources),
        renamed=data.renamed,
        target=_outlined(target.sources[0]) if target else None,
    )


def _outlined(source: Source) -> OutlinedSource:
    named = [f for f in source.files if f.ignored is None and f.label is not None]
    used = [f for f in named if is_photo_by_name(f.path)]
    reasons = Counter(f.ignored for f in source.files if f.ignored is not None)
    reasons[NO_PHOTO] += len(named) - len(used)
    splits: dict[str, Counter[str]] = {}
    for file in used:
        splits.setdefault(file.split or NO_SPLIT, Counter())[file.label or ""] += 1
    columns = source.own.columns if source.own is not None else []
    return OutlinedSource(
        name=source.name,
        spec=source.spec,
        notes=source.notes,
        files=len(used),
        classes=dict(sorted(Counter(f.label or "" for f in used).items())),
        splits={split: dict(sorted(counts.items())) for split, counts in splits.items()} if source.is_divided else {},
        groups=source.groups,
        without_group=sum(f.group is None for f in used) if source.groups else 0,
        ignored={reason: n for reason, n in reasons.most_common() if n},
        columns=tuple(column.removeprefix(OWN) for column in columns if column.startswith(OWN)),
        votes=tuple(column.removeprefix(VOTES) for column in columns if column.startswith(VOTES)),
    )
