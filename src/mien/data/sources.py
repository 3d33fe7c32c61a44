"""Where photos come from: a folder, a zip, or the drawn demo → files with labels.

A source is listed without opening a single image, and read file by file. Nothing is ever extracted to disk.
A layout is a folder per class; a wrapping folder is stepped into; ``train/``, ``val/`` and ``test/`` folders
are kept as splits. ``PATH::sub/folder`` picks a part.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from mien.data import demo
from mien.errors import SourceError

__all__ = ["Source", "SourceFile", "open_images", "open_source"]

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}
MAX_FILE_BYTES = 256 * 2**20


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes:
        path: printable path inside the source, with ``/``.
        location: what the source needs to read it; differs from ``path`` for names that are not UTF-8.
        label: class folder, or None.
        split: ``train``, ``val`` or ``test`` where the source came divided, else None.
        ignored: why the file takes no part, or None.
    """

    path: str
    location: str
    label: str | None = None
    split: str | None = None
    ignored: str | None = None


@dataclass(frozen=True)
class Source:
    """A set of files that can be read one at a time, from several threads."""

    name: str
    spec: str
    files: tuple[SourceFile, ...]
    read: Callable[[SourceFile], bytes]

    @property
    def labels(self) -> tuple[str, ...]:
        """The class folders, sorted by name."""
        return tuple(sorted({f.label for f in self.files if f.label is not None and f.ignored is None}))

    @property
    def is_divided(self) -> bool:
        """Whether the source came with ``train/`` and ``val/`` or ``test/`` folders."""
        return any(f.split is not None for f in self.files)


def open_source(spec: str) -> Source:
    """List a labelled source.

    Args:
        spec: path of a folder or zip, or ``demo``; with ``::sub/folder`` for a part of it.

    Raises:
        SourceError: if there is no such path, no image file in class folders, or only one class.
    """
    source = _list(spec)
    laid_out = replace(source, files=_assign_labels(source.files))
    if not laid_out.labels:
        raise SourceError(
            f"{spec}: no class folders with files; expected one folder per class, as in photos/happy/1.jpg"
        )
    if len(laid_out.labels) == 1:
        raise SourceError(
            f"{spec}: only one class, {laid_out.labels[0]!r}; a recogniser needs at least two class folders"
        )
    return laid_out


def open_images(spec: str) -> Source:
    """List a source whose labels do not matter: one image, a folder at any depth, a zip, or ``demo``."""
    return _list(spec)


def _list(spec: str) -> Source:
    path, _, part = spec.partition("::")
    if path == "demo":
        return _demo(spec, part or "demo")
    for prefix, site in (("kaggle:", "Kaggle"), ("hf:", "Hugging Face")):
        if path.startswith(prefix):
            raise SourceError(
                f"{spec}: mien does not download from {site} yet; download it there and give the zip or folder"
            )
    try:
        where = Path(path).expanduser()
        found = where.exists()
    except (OSError, RuntimeError, ValueError):  # a name too long, an unknown ~user, a null byte
        found = False
    if not found:
        raise SourceError(f"{path}: no such file or folder; give a folder, a zip, or 'demo'")
    if where.is_dir():
        source = _folder(where, spec)
    elif zipfile.is_zipfile(where):
        source = _zip(where, spec)
    elif where.suffix.lower() == ".zip":
        raise SourceError(f"{path}: the zip is damaged or incomplete; download it again")
    else:
        source = _single_file(where, spec)
    return _pick(source, part) if part else source


def _demo(spec: str, part: str) -> Source:
    files = tuple(SourceFile(name, name) for name in demo.file_names(part))
    return Source(spec.replace("::", "-"), spec, files, lambda f: demo.read_file(part, f.location))


def _folder(root: Path, spec: str) -> Source:
    files = []
    for folder, subfolders, names in os.walk(root, onerror=_raise_unreadable):
        subfolders.sort()
        if Path(folder) != root and {"study.toml", "manifest.parquet"} <= set(names):
            location, printable = _names(root, folder, "study.toml")
            files.append(SourceFile(printable, location, ignored="a study that mien wrote; its folder is left out"))
            subfolders.clear()
            continue
        links = [name for name in subfolders if Path(folder, name).is_symlink()]
        files += [_linked_folder(root, folder, name) for name in links]
        for name in sorted(names):
            location, printable = _names(root, folder, name)
            files.append(SourceFile(printable, location, ignored=_system_file(printable)))
    files.sort(key=lambda f: f.path.split("/"))
    if not files:
        raise SourceError(f"{root}: the folder is empty; expected one folder of photos per class")
    return Source(root.resolve().name, spec, tuple(files), lambda f: _read_file(root / f.location))


def _names(root: Path, folder: str, name: str) -> tuple[str, str]:
    """Location below the root, and the same in printable form."""
    location = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
    return location, os.fsencode(location).decode("utf-8", "backslashreplace")


def _linked_folder(root: Path, folder: str, name: str) -> SourceFile:
    location, printable = _names(root, folder, name)
    return SourceFile(printable, location, ignored="link to a folder; links are not followed")


def _raise_unreadable(error: OSError) -> None:
    raise SourceError(f"{error.filename}: cannot be listed ({error.strerror}); check its permissions")


def _single_file(path: Path, spec: str) -> Source:
    return Source(path.stem, spec, (SourceFile(path.name, path.name),), lambda f: _read_file(path))


def _read_file(path: Path) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise OSError(f"larger than {MAX_FILE_BYTES >> 20} MB")
    return path.read_bytes()


def _zip(path: Path, spec: str) -> Source:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise SourceError(f"{path}: the zip is damaged ({error}); download it again") from error
    members = archive.infolist()  # by place, because two may bear the same name
    files = []
    for i, member in enumerate(members):
        if member.is_dir():
            continue
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if not name.parts or name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
            raise SourceError(
                f"{path}: the member {member.filename!r} points outside the archive; do not trust this zip"
            )
        if member.flag_bits & 1:
            raise SourceError(f"{path}: the zip is encrypted; unpack it with its password and give the folder")
        files.append(SourceFile(str(name), str(i), ignored=_system_file(str(name))))
    if not files:
        raise SourceError(f"{path}: the zip is empty; expected one folder of photos per class")
    files.sort(key=lambda f: f.path)
    return Source(path.stem, spec, tuple(files), lambda f: _read_member(archive, members[int(f.location)]))


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > MAX_FILE_BYTES:
        raise OSError(f"larger than {MAX_FILE_BYTES >> 20} MB")
    try:
        return archive.read(member)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise OSError(f"damaged in the zip: {error}") from error
    except Exception as error:  # zlib.error and lzma.LZMAError share no base class
        if type(error).__module__ in ("zlib", "_lzma"):
            raise OSError(f"damaged in the zip: {error}") from error
        raise


def _system_file(path: str) -> str | None:
    parts = path.lower().split("/")
    if any(part in SYSTEM_FILES for part in parts) or any(part.startswith(".") for part in parts):
        return "hidden or system file"
    return None


def _pick(source: Source, part: str) -> Source:
    """Only the files below ``part``, which may stand below a wrapping folder."""
    wanted = tuple(PurePosixPath(part).parts)
    wrapper = _wrapper(source.files)
    for prefix in (wanted, wrapper + wanted):
        depth = len(prefix)
        files = tuple(
            replace(f, path="/".join(f.path.split("/")[depth:]))
            for f in source.files
            if tuple(f.path.split("/")[:depth]) == prefix and f.path.count("/") >= depth
        )
        if files:
            return replace(source, name=f"{source.name}-{'-'.join(wanted)}", files=files)
    inside = [f.path.split("/") for f in source.files if f.ignored is None]
    depth = len(wrapper)
    parts = sorted({path[depth] for path in inside if len(path) > depth + 1 and tuple(path[:depth]) == wrapper})
    raise SourceError(f"{source.spec}: no folder {part!r} inside; there are: {', '.join(parts) or 'no folders'}")


def _wrapper(files: Iterable[SourceFile]) -> tuple[str, ...]:
    """The chain of folders that only wrap other folders."""
    folders = [tuple(f.path.split("/")[:-1]) for f in files if f.ignored is None]
    depth = 0
    while True:
        tops = {folder[depth] for folder in folders if len(folder) > depth}
        inner = {folder[: depth + 2] for folder in folders if len(folder) > depth + 1}
        if len(tops) != 1 or not inner:
            return next((folder[:depth] for folder in folders if len(folder) >= depth), ())
        depth += 1


def _assign_labels(files: tuple[SourceFile, ...]) -> tuple[SourceFile, ...]:
    """Read label and split off each path."""
    wrapper = _wrapper(files)
    rests = [tuple(f.path.split("/"))[len(wrapper) :] for f in files]
    usable = [rest for f, rest in zip(files, rests, strict=True) if f.ignored is None]
    tops = {rest[0].lower() for rest in usable if len(rest) > 1}
    is_divided = bool(tops) and tops <= set(SPLIT_FOLDERS)
    _check_split_folders(tops)
    return tuple(_assign_label(f, rest, is_divided) for f, rest in zip(files, rests, strict=True))


def _check_split_folders(tops: set[str]) -> None:
    """Refuse folders of which some are splits and some are not, and splits without a train folder."""
    splits, others = sorted(tops & set(SPLIT_FOLDERS)), sorted(tops - set(SPLIT_FOLDERS))
    if len(splits) > 1 and others:
        raise SourceError(
            f"the folders {', '.join(splits)} look like splits, but {', '.join(others)} stand beside them; "
            "move those away, or pick one part with PATH::folder"
        )
    if splits and not others and not any(SPLIT_FOLDERS[name] == "train" for name in splits):
        raise SourceError(
            f"the folders {', '.join(splits)} look like splits without a train folder; add one, "
            "or pick one part with PATH::folder"
        )


def _assign_label(file: SourceFile, rest: tuple[str, ...], is_divided: bool) -> SourceFile:
    depth = 1 if is_divided else 0
    if file.ignored is not None:
        return file
    if len(rest) < depth + 2:
        return replace(file, ignored="not in a class folder")
    return replace(file, label=rest[depth], split=SPLIT_FOLDERS[rest[0].lower()] if is_divided else None)
