"""A folder → its files; and what a folder holds, photos or the tables and archives they are kept in."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mien.data.sources.files import Source, SourceFile, printable, system_file
from mien.errors import SourceError
from mien.system.files import open_regular, read_file

__all__ = [
    "ARCHIVE_SUFFIXES",
    "IMAGE_SUFFIXES",
    "TABLE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "WORKBOOK_SUFFIXES",
    "Holdings",
    "holdings",
    "is_photo_by_name",
    "list_folder",
    "list_single_file",
    "photos_by_name",
]

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
WORKBOOK_SUFFIXES = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
"""Tables that have to be saved as text first."""
_IMAGE = """
.jpg .jpeg .jfif .png .bmp .gif .tif .tiff .webp .avif .pgm .ppm .heic .jp2
"""
IMAGE_SUFFIXES = (*_IMAGE.split(),)
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ogv"),
    *(".mts", ".m2ts", ".vob", ".mxf"),
)
_DOCUMENT = """
.md .txt .rst .pdf .json .yaml .yml .toml .py .ipynb .html .bib .xml .npy .npz .mat .log .pkl .db .sqlite .ini
.cfg .doc .docx .odt .sh .m .r .rtf .pts .lnd .h5 .onnx .pt .pth .sav .dat .xmp .url .htm .tex .cache .lst
.list
"""
DOCUMENT_SUFFIXES = (
    *WORKBOOK_SUFFIXES,
    *_DOCUMENT.split(),
)
DOCUMENT_NAMES = ("readme", "license", "licence", "citation", "authors", "changelog", "notice")


@dataclass(frozen=True)
class Holdings:
    """What the names in a folder promise; documents and hidden files count as nothing.

    Attributes:
        has_photos: whether there is a file that is no table, archive or document.
        tables: paths inside the folder.
        archives: paths inside the folder.
    """

    has_photos: bool
    tables: tuple[str, ...]
    archives: tuple[str, ...]


def list_folder(root: Path, spec: str) -> Source:
    """Every file below a folder. Links to folders are not followed, and a study of mien's own is left out.

    Raises:
        SourceError: if a folder cannot be listed, or if there is no file.
    """
    files = []
    for folder, subfolders, names in os.walk(root, onerror=_raise_unreadable):
        subfolders.sort()
        if Path(folder) != root and {"study.toml", "manifest.parquet"} <= set(names):
            location, shown = _names(root, folder, "study.toml")
            files.append(SourceFile(shown, location, ignored="a study that mien wrote; its folder is left out"))
            subfolders.clear()
            continue
        links = [name for name in subfolders if Path(folder, name).is_symlink()]
        files += [_linked_folder(root, folder, name) for name in links]
        for name in sorted(names):
            location, shown = _names(root, folder, name)
            files.append(SourceFile(shown, location, ignored=system_file(shown)))
    files.sort(key=lambda f: f.path.split("/"))
    if not files:
        raise SourceError(f"{root}: the folder is empty; expected one folder of photos per class")
    return Source(
        root.resolve().name,
        spec,
        tuple(files),
        lambda f: read_file(root / f.location),
        root,
        opened=lambda f: open_regular(root / f.location),
    )


def list_single_file(path: Path, spec: str) -> Source:
    """One image."""
    only = (SourceFile(path.name, path.name),)
    return Source(path.stem, spec, only, lambda f: read_file(path), opened=lambda f: open_regular(path))


def holdings(source: Source) -> Holdings:
    """What the files of a folder are, going by their names."""
    paths = [f.path for f in source.files if f.ignored is None]
    tables = tuple(path for path in paths if path.lower().endswith(TABLE_SUFFIXES))
    archives = tuple(path for path in paths if path.lower().endswith(ARCHIVE_SUFFIXES))
    return Holdings(any(map(is_photo_by_name, paths)), tables, archives)


def photos_by_name(paths: Iterable[str]) -> list[str]:
    """Which of some files look like photos: those with the ending of one or with none.

    Where there is none such, all that are neither tables nor documents.
    """
    given = list(paths)
    sure = [path for path in given if _has_no_other_ending(path)]
    return sure or [path for path in given if is_photo_by_name(path)]


def _has_no_other_ending(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.endswith(IMAGE_SUFFIXES) or ("." not in name and name not in DOCUMENT_NAMES)


def is_photo_by_name(path: str) -> bool:
    """Whether a file is neither a table nor an archive nor a document by its name, and so may be a photo."""
    return not path.lower().endswith((*TABLE_SUFFIXES, *ARCHIVE_SUFFIXES)) and not _is_document(path)


def _is_document(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.endswith(DOCUMENT_SUFFIXES) or name in DOCUMENT_NAMES


def _names(root: Path, folder: str, name: str) -> tuple[str, str]:
    """Location below the root, and the same in printable form."""
    location = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
    shown = printable(os.fsencode(location))
    return location, location if shown == location else shown  # one string of the two saves memory


def _linked_folder(root: Path, folder: str, name: str) -> SourceFile:
    location, shown = _names(root, folder, name)
    return SourceFile(shown, location, ignored="link to a folder; links are not followed")


def _raise_unreadable(error: OSError) -> None:
    raise SourceError(f"{error.filename}: cannot be listed ({error.strerror}); check its permissions")
