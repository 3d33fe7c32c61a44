"""Where photos come from → files with labels.

A source is a folder, a zip, a tar, a table (CSV, JSON Lines, Parquet), any of these in a store (``s3://``), a set on
Kaggle or Hugging Face, one image, or the drawn demo. It is listed without opening a single image, and read file by
file; nothing is extracted, except that a compressed tar is decompressed into a temporary file, and an archive or a
table in a store is fetched into one. Which folder or part of a name is the class, the person and the split is looked
for in the shape of the paths, or said with ``--layout``; wrapping folders are stepped into.
Tables say it in columns.
``PATH::part`` picks a folder, a table or an archive inside, or a split of a table.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING

from mien.data.sources import remote
from mien.data.sources.archive import is_tar, is_zip, list_tar, list_zip
from mien.data.sources.classes import few
from mien.data.sources.drawn import list_drawn, with_people
from mien.data.sources.files import Source, SourceFile, Tables, check_is_here, existing_path, is_parquet
from mien.data.sources.folder import (
    ARCHIVE_SUFFIXES,
    IMAGE_SUFFIXES,
    TABLE_SUFFIXES,
    WORKBOOK_SUFFIXES,
    holdings,
    list_folder,
    list_single_file,
    photos_by_name,
)
from mien.data.sources.layout import assign_labels, folders_say_classes, pick
from mien.data.sources.presets import preset_of
from mien.data.sources.split_words import as_splits
from mien.errors import MissingColumnError, SourceError
from mien.settings.columns import Columns
from mien.system.addresses import folder_of, is_address, last_part, told_of
from mien.system.files import irregular

if TYPE_CHECKING:
    from mien.data.sources.store import Store

__all__ = ["RECOGNISED", "Source", "SourceFile", "open_images", "open_source"]

RECOGNISED = Columns()
FOREIGN_ARCHIVES = (".7z", ".rar", ".zst")
METADATA = ("metadata", "_classes", "_annotations")
"""Tables, without their endings, that lie beside the photos they speak of."""
ROLES = ("path", "label", "group", "split")
LISTS = (".txt", ".lst", ".list", ".json")


@dataclass(frozen=True)
class Place:
    """A folder or file that a spec led to, on this machine or in a store.

    Attributes:
        path: in the store, where there is one.
        name: of the source, or nothing to name it after the file.
        part: what follows ``::``.
        confined: whether its tables may name only files below it.
        top: the folder that was given, of a file below it.
        store: what it is in; None on this machine.
        copy: of a file in a store, on this machine, where it was fetched already.
    """

    path: PurePath
    name: str
    spec: str
    part: str
    confined: bool = False
    top: PurePath | None = None
    store: Store | None = None
    copy: Path | None = None

    def has(self, inner: PurePosixPath) -> bool:
        """Whether there is a file below this folder."""
        return Path(self.path / inner).is_file() if self.store is None else self.store.has(str(self.path / inner))

    def listed(self) -> Source:
        """Every file below this folder."""
        if self.store is None:
            return list_folder(Path(self.path), self.spec)
        from mien.data.sources.store import list_store

        return list_store(self.store, self.spec)

    def here(self) -> Path:
        """The file, on this machine."""
        if self.copy is not None or self.store is None:
            return self.copy or Path(self.path)
        return self.store.fetched(self.path.as_posix())


def open_source(
    spec: str, columns: Columns = RECOGNISED, *, least_labels: int = 2, is_known: bool | None = None
) -> Source:
    """List a labelled source.

    Args:
        spec: path or address (``s3://bucket/faces``) of a folder, zip, tar or table, ``kaggle:owner/name``,
            ``hf:owner/name``, or ``demo``; with ``::part`` for a part of it.
        columns: which columns of a table say what.
        least_labels: 2 for photos to learn from, 1 for photos to score a model on.
        is_known: whether a model says which classes count, so that those which are no words for expressions need no
            asking. Default: where one class is enough.

    Raises:
        SourceError: if there is no such path, no labels, too few labels, or if columns were named for a source
            that is no table.
        MissingExtraError: if a client library is needed that is not installed.
    """
    with _as_told(spec):
        return _open_source(spec, columns, least_labels, least_labels < 2 if is_known is None else is_known)


def _open_source(spec: str, columns: Columns, least_labels: int, is_known: bool) -> Source:
    found = _locate(spec)
    if isinstance(found, Source) and (beside := _metadata(found, columns)):
        found = beside
    if isinstance(found, Tables):
        from mien.data.sources.table import open_tables  # here, for it brings a library that folders do not need

        return _with_labels(open_tables(found, columns, is_known=is_known), least_labels, "has no row with a label")
    is_demo = spec.partition("::")[0] == "demo"
    given = [*(() if is_demo else columns.named), *(option for option in (columns.root, columns.ending) if option)]
    if given:
        raise MissingColumnError(
            f"{spec}: the column or place {', '.join(given)} was asked for, but this is no table; "
            "list the photos in a CSV with path, label and that column, and give the CSV",
            tuple(role for role in ROLES if columns.of(role)),
        )
    labelled = assign_labels(found, columns, is_known=is_known)
    labelled = _with_labels(labelled, least_labels, _why_no_classes(found), _table_hint(found))
    return with_people(labelled, columns) if is_demo else labelled


def _metadata(source: Source, columns: Columns) -> Tables | None:
    """The tables beside photos that say what they show, such as Hugging Face's ``metadata.csv``; None without.

    They count where folders do not say it, one beside the photos or one in each split.
    """
    if source.folder is None and source.store is None:
        return None
    if lists := _listed_in(source, columns):
        return Tables(source.name, source.spec, lists.parent, (lists.name,), "", top=source.folder)
    held = holdings(source).tables
    tables = tuple(path for path in held if PurePosixPath(path).stem.lower() in METADATA)
    splits = as_splits({PurePosixPath(path).stem for path in held})
    if not tables and len(held) > 1 and len(set(splits.values())) == len(held):  # train.csv, labels_test.csv
        tables = held
    if not tables or folders_say_classes(source, columns):
        return None
    is_remote = remote.is_remote(source.spec.partition("::")[0])
    root = source.folder or PurePosixPath()
    return Tables(source.name, source.spec, root, tables, "", confined=is_remote, store=source.store)


def _listed_in(source: Source, columns: Columns) -> Path | None:
    """The list with which a collection is handed out whose layout was asked for, where the folder has it."""
    preset = preset_of(columns.layout)
    wanted = preset.listed if preset else None
    found = [f.path for f in source.files if wanted and f.path.rpartition("/")[2].lower() == wanted]
    return source.folder / found[0] if source.folder and len(found) == 1 else None


def open_images(spec: str, columns: Columns = RECOGNISED) -> Source:
    """List a source whose labels do not matter: all that ``open_source`` takes, one image, a folder at any depth.

    Args:
        columns: which column of a table holds the paths.
    """
    with _as_told(spec):
        found = _locate(spec)
        if isinstance(found, Source):
            return found
        from mien.data.sources.table import open_tables

        return open_tables(found, columns, roles=("path", "split") if found.part else ("path",))


def _as_told(spec: str) -> AbstractContextManager[None]:
    """Errors of a copy of what is in a store name the address."""
    if not is_address(spec):
        return nullcontext()
    from mien.data.sources.store import told_by_address

    return told_by_address()


def _with_labels(source: Source, least: int, missing: str, hint: str = "") -> Source:
    if not source.labels:
        raise SourceError(f"{source.spec}: {missing}{hint}")
    if len(source.labels) < least:
        raise SourceError(
            f"{source.spec}: only one class, {source.labels[0]!r}; a recogniser needs at least two classes{hint}"
        )
    return source


def _why_no_classes(source: Source) -> str:
    """What was looked at in vain for classes, and what to give instead."""
    expected = "expected one folder per class, as in photos/happy/1.jpg"
    path = existing_path(source.spec.partition("::")[0])
    if path is None or path.is_dir() or len(source.files) != 1 or source.files[0].path != path.name:
        photos = photos_by_name(f.path for f in source.files if f.ignored is None)
        first = f" (the first is {photos[0]})" if photos else ""
        return (
            f"no class folders with files, and no class in the names of its files{first}; {expected}, or --layout with "
            "LABEL where the class is, as in '*_LABEL_*'"
        )
    if path.suffix.lower() == ".json":
        return "no JSON that mien reads as labels; expected a list of objects with path and label, or columns of these"
    if path.suffix.lower() in LISTS:
        return "a text that is no list of photos; expected the name of a photo and its class in each line"
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return f"a single photo; {expected}"
    return f"no folder, archive or table that mien reads; {expected}, or CSV, JSON Lines or Parquet"


def _table_hint(source: Source) -> str:
    """What to do where the labels seem to stand in a table beside the photos."""
    tables = holdings(source).tables or _lists(source)
    if not tables:
        return ""
    path, is_archive = source.spec.partition("::")[0], source.folder is None and source.store is None
    how = "unpack the archive and give the table" if is_archive else f"give that, as in {path}::{tables[0]}"
    if len(tables) == 1:
        return f"; if the table {tables[0]} says what the photos show, {how}"
    how = how if is_archive else f"give the one that does, as in {path}::{tables[0]}, or one table put together of them"
    return f"; if one of the tables {few(tables, 4)} says what the photos show, {how}"


def _lists(source: Source) -> tuple[str, ...]:
    """Texts in a folder that list photos."""
    texts = [f.path for f in source.files if f.ignored is None and f.path.lower().endswith(LISTS)][:20]
    if not texts or (source.folder is None and source.store is None):
        return ()
    from mien.data.sources.table import is_list

    tables = Tables("", "", source.folder or PurePosixPath(), (), store=source.store)
    return tuple(path for path in texts if is_list(tables.here(path)))


def _locate(spec: str) -> Source | Tables:
    """What a spec names: files without labels yet, or tables that have not been read."""
    path, _, part = spec.partition("::")
    if path == "demo":
        return list_drawn(spec)
    if remote.is_remote(path):
        fetched = remote.download(path)
        return _in_folder(Place(fetched.folder, fetched.name, spec, part, confined=True))
    if is_address(path):
        return _at_address(path, part)
    where = existing_path(path)
    if where is None:
        check_is_here(spec)
        raise SourceError(
            f"{path}: no such file or folder; check it, or give photos, a folder, zip, tar, table or 'demo'"
        )
    if where.is_dir():
        return _in_folder(Place(where, where.resolve().name, spec, part))
    return _in_file(Place(where, "", spec, part))


def _at_address(address: str, part: str) -> Source | Tables:
    """What an address leads to: a folder in a store, or a file, which is fetched."""
    from mien.data.sources.store import open_store
    from mien.data.sources.whereabouts import HOLDS_LISTS

    told, store = told_of(address).rstrip("/"), open_store(address)
    spec, name = "::".join(filter(None, (told, part))), last_part(told)
    if store.is_folder:
        return _in_folder(Place(PurePosixPath(), name, spec, part, store=store))
    folder = told.rpartition("/")[0]
    if folder.endswith("/"):  # a file that is in no bucket
        return _in_file(Place(PurePosixPath(name), "", spec, part, store=store, copy=store.fetched()))
    above, inner = folder.rpartition("/")[0], last_part(folder)
    path = PurePosixPath(name)
    if HOLDS_LISTS.fullmatch(inner) and not above.endswith("/"):  # whose photos may lie beside it
        folder, path = above, inner / path
    return _in_file(Place(path, "", spec, part, store=open_store(folder_of(told, folder)), copy=store.fetched()))


def _in_folder(place: Place) -> Source | Tables:
    """A folder's photos; or, where it holds none, those in its tables or its archive."""
    inner = PurePosixPath(place.part)
    is_below = place.part and not inner.is_absolute() and ".." not in inner.parts
    if (
        is_below
        and place.part.lower().endswith((*TABLE_SUFFIXES, *ARCHIVE_SUFFIXES, *WORKBOOK_SUFFIXES, *LISTS))
        and place.has(inner)
    ):
        name, top = f"{place.name}-{inner.stem}", None if place.confined else place.path
        return _in_file(replace(place, path=place.path / inner, part="", name=name, top=top))
    listed = replace(place.listed(), name=place.name)
    held = holdings(listed)
    if held.has_photos or not (held.tables or held.archives):
        return pick(listed, place.part) if place.part else listed
    if not held.archives:
        return _tables(place, held.tables)
    if len(held.archives) > 1 or held.tables:
        names = ", ".join((*held.archives, *held.tables))
        raise SourceError(
            f"{place.spec}: holds {names} and no photos beside them; unpack what the photos are in, "
            f"or give one of them, as in {place.spec.partition('::')[0]}::{held.archives[0]}"
        )
    return _in_file(replace(place, path=place.path / held.archives[0]))


def _tables(place: Place, files: tuple[str, ...]) -> Tables:
    """The tables of a folder; a part is a folder of them, or else a split."""
    below = tuple(file for file in files if place.part and file.startswith(f"{place.part.strip('/')}/"))
    name = f"{place.name}-{place.part.strip('/').replace('/', '-')}" if below else place.name
    part = "" if below else place.part
    return Tables(name, place.spec, place.path, below or files, part, place.confined, store=place.store)


def _in_file(place: Place) -> Source | Tables:
    """What a file is by its content: a tar (before the zip, for a tar may end in one), a zip, a table or an image."""
    path, lower = place.here(), place.path.name.lower()
    if kind := irregular(path):
        raise SourceError(f"{path}: {kind}; save what comes out of it as a file, and give that")
    if lower.endswith(WORKBOOK_SUFFIXES):
        raise SourceError(
            f"{path}: a spreadsheet, which mien does not open; save its sheet as CSV (in Excel: CSV UTF-8) beside it, "
            f"and give {path.with_suffix('.csv').name}"
        )
    if is_tar(path):
        source = list_tar(path, place.spec)
    elif is_zip(path):
        source = list_zip(path, place.spec)
    elif lower.endswith(ARCHIVE_SUFFIXES):
        kind = "zip" if lower.endswith(".zip") else "tar"
        raise SourceError(f"{path}: the {kind} is damaged, incomplete or empty; download it again")
    elif lower.endswith(FOREIGN_ARCHIVES):
        raise SourceError(f"{path}: mien does not open {path.suffix} archives; unpack it and give the folder")
    elif lower.endswith(TABLE_SUFFIXES) or is_parquet(path) or (lower.endswith(LISTS) and _holds_list(path)):
        return Tables(
            place.name or path.stem,
            place.spec,
            place.path.parent,
            (place.path.name,),
            place.part,
            place.confined,
            place.top,
            store=place.store,
            copy=path if place.store else None,
        )
    else:
        source = list_single_file(path, place.spec)
    source = replace(source, name=place.name or source.name)
    return pick(source, place.part) if place.part else source


def _holds_list(path: Path) -> bool:
    from mien.data.sources.table import is_list

    return is_list(path)
