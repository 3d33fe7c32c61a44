"""Several sources as one set: names that differ, and one spelling for each class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection as AnyCollection
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mien.data.sources import RECOGNISED, Source, open_source
from mien.data.sources.files import RATERS, VOTES
from mien.errors import MissingColumnError, SourceError
from mien.labels import meanings
from mien.settings.columns import Columns

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Collection", "open_collection", "open_each", "open_with_target"]


@dataclass(frozen=True)
class Collection:
    """One or more labelled sources.

    Attributes:
        sources: each with another name.
        renamed: source name → its class → the class of an earlier source that means the same.
    """

    sources: tuple[Source, ...]
    renamed: dict[str, dict[str, str]]

    @property
    def name(self) -> str:
        """The names of its sources, as in ``a+b``."""
        return "+".join(source.name for source in self.sources)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its sources."""
        return tuple(source.name for source in self.sources)

    @property
    def spec(self) -> str:
        """What was given."""
        return " ".join(source.spec for source in self.sources)

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, sorted by name."""
        return tuple(sorted({label for source in self.sources for label in source.labels}))

    @property
    def notes(self) -> tuple[str, ...]:
        """How each source was read, a line each, with its name where there are several."""
        several = len(self.sources) > 1
        return tuple(f"{source.name}: {note}" if several else note for source in self.sources for note in source.notes)

    @property
    def is_divided(self) -> bool:
        """Whether a source came with ``train/`` and ``val/`` or ``test/`` folders."""
        return any(source.is_divided for source in self.sources)


def open_collection(
    specs: Sequence[str],
    columns: Columns = RECOGNISED,
    *,
    taken: AnyCollection[str] = (),
    least_labels: int = 2,
    is_known: bool | None = None,
) -> Collection:
    """List labelled sources as one set.

    A class that means the same as one of an earlier source (``angry`` and ``anger``) takes that one's name, unless
    either source tells two such classes apart.

    Args:
        specs: one or more, as for ``open_source``.
        columns: which columns of tables say what.
        taken: names that sources may not have; one that does gets a number.
        least_labels: that each source must have, as for ``open_source``.
        is_known: as for ``open_source``.

    Raises:
        SourceError: as ``open_source`` does.
    """
    opened = [_opened(spec, columns, least_labels, is_known) for spec in specs]
    _check_lacking(opened)
    return _as_one(opened, taken)


def open_with_target(
    specs: Sequence[str], target: str | None, columns: Columns
) -> tuple[Collection, Collection | None]:
    """List the data as one set, and photos from elsewhere beside them.

    The target is read by its own layout, or by the one that was asked for the data. A column that was named counts
    wherever there is one of that name, and must be somewhere.

    Raises:
        SourceError: as ``open_source`` does.
    """
    data = [_opened(spec, columns) for spec in specs]
    elsewhere = [_opened_target(target, columns)] if target else []
    _check_lacking([*data, *elsewhere])
    made = _as_one(data, ())
    return made, _as_one(elsewhere, made.names) if elsewhere else None


def open_each(specs: Sequence[str], columns: Columns) -> list[Collection]:
    """List labelled sources, each by itself; a column that was named counts wherever there is one of that name.

    Raises:
        SourceError: as ``open_source`` does.
    """
    opened = [_opened(spec, columns, 1) for spec in specs]
    _check_lacking(opened)
    return [_as_one([each], ()) for each in opened]


@dataclass
class _Opened:
    """A source, and the columns that were named and that it lacks: what each was to say → the error that says so."""

    source: Source
    lacks: dict[str, MissingColumnError]


def _opened(spec: str, columns: Columns, least_labels: int = 2, is_known: bool | None = None) -> _Opened:
    lacks: dict[str, MissingColumnError] = {}
    asked = columns
    while True:
        try:
            source = open_source(spec, asked, least_labels=least_labels, is_known=is_known)
        except MissingColumnError as error:
            if not error.roles:  # a place was asked for of what is no table
                raise
            lacks |= dict.fromkeys(error.roles, error)
            asked = asked.without(error.roles)
        else:
            missing = ", ".join(repr(columns.of(role)) for role in lacks)
            note = f"{spec}: no column {missing} here; it counts for the other photos"
            return _Opened(replace(source, notes=(*source.notes, note)) if lacks else source, lacks)


def _opened_target(spec: str, asked: Columns) -> _Opened:
    own = replace(asked, layout=None, class_names=None, split_map=None, root=None, ending=None)
    try:
        return _opened(spec, own, 1)
    except SourceError:
        same = replace(asked, root=None, ending=None)
        if same == own:
            raise
        return _opened(spec, same, 1)


def _check_lacking(opened: Sequence[_Opened]) -> None:
    """Refuse a column that no source has."""
    for role in {role for each in opened for role in each.lacks}:
        if all(role in each.lacks for each in opened):
            raise opened[0].lacks[role]


def _as_one(opened: Sequence[_Opened], taken: AnyCollection[str]) -> Collection:
    """Sources as one set: names that differ, and one spelling for each class."""
    names, sources = set(taken), []
    labels: list[str] = []
    renamed: dict[str, dict[str, str]] = {}
    for each in opened:
        source = replace(each.source, name=_free_name(each.source.name, names))
        names.add(source.name)
        changes = _respelt(source.labels, labels)
        if changes:
            renamed[source.name] = changes
            files = tuple(replace(f, label=changes.get(f.label or "", f.label)) for f in source.files)
            source = replace(source, files=files, own=_respelt_votes(source.own, changes))
        labels += [label for label in source.labels if label not in labels]
        sources.append(source)
    return Collection(tuple(sources), renamed)


def _respelt(labels: Sequence[str], earlier: Sequence[str]) -> dict[str, str]:
    """Class → the earlier class that means the same; by name before by meaning, and never one of two."""
    now, before = meanings(labels), meanings(earlier)
    meant = {meaning: label for label, meaning in before.items()}
    several = {m for found in (now, before) for m, n in Counter(found.values()).items() if n > 1}
    return {
        label: meant[now[label]]
        for label in labels
        if label not in earlier and now[label] in meant and now[label] not in several
    }


def _respelt_votes(own: pl.DataFrame | None, changes: dict[str, str]) -> pl.DataFrame | None:
    """A table's own columns, in which the votes for a class, and what raters said, go by its new name."""
    if own is None:
        return None
    import polars as pl

    named = own.with_columns(pl.col(name).replace(changes) for name in own.columns if name.startswith(RATERS))
    return named.rename({VOTES + old: VOTES + new for old, new in changes.items()}, strict=False)


def _free_name(name: str, taken: AnyCollection[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
