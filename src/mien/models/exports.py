"""Backbones as ONNX models, exported once for each size and kept in the user's cache folder.

An export takes 17 s and imports PyTorch; what it makes depends on nothing of the study that needs it. The name of a
kept file says what it was made of, and ends with the hash of its content, by which it is checked whenever it is used.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from mien.models.backbones import Backbone
from mien.progress import Progress
from mien.system.files import file_sha256, read_file, written_whole

__all__ = ["cache_folder", "export_backbones", "exported"]

PACKAGES = ("torch", "onnx", "onnxscript", "timm")
"""What decides an export beside our own code."""
CODE = ("export.py", "networks.py", "backbones.py")


def cache_folder(settings: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path | None:
    """Where exports are kept: ``MIEN_CACHE``, or ``mien`` in the folder that the system has for caches.

    Args:
        settings: environment variables; None takes those of this process.

    Returns:
        A path that may not exist, or None for a user without a home.
    """
    settings = os.environ if settings is None else settings
    try:
        if settings.get("MIEN_CACHE"):
            return Path(settings["MIEN_CACHE"]).expanduser().absolute()
        if platform == "win32":
            return Path(settings.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "mien" / "Cache"
        if platform == "darwin":
            return Path.home() / "Library" / "Caches" / "mien"
        asked = Path(settings.get("XDG_CACHE_HOME", ""))  # which counts where it is absolute, says its specification
        return (asked if asked.is_absolute() else Path.home() / ".cache") / "mien"
    except RuntimeError:
        return None


def export_backbones(wanted: Iterable[tuple[Backbone, int]], folder: Path, progress: Progress) -> None:
    """Export the backbones, each at its size, that are not exported yet; each is a step of its own.

    Args:
        folder: as for ``exported``.
    """
    for backbone, size in dict.fromkeys(wanted):
        if _found(_stem(backbone, size), folder) is None:
            with progress.step(f"export backbone {backbone.name} at {size} px", None, "models"):
                exported(backbone, size, folder)


def exported(backbone: Backbone, size: int, folder: Path) -> Path:
    """The ONNX model of a backbone: pixels uint8 (n, size, size, 3) → features (n, D). Made where there is none yet.

    Args:
        folder: where it goes if the user's cache cannot be written.

    Raises:
        OSError: if neither can be.
    """
    stem = _stem(backbone, size)
    found = _found(stem, folder)
    if found is not None:
        return found
    from mien.models.export import to_onnx

    content: bytes = to_onnx(backbone.network(), size, "pixels", "features").SerializeToString()
    name = f"{stem}-{hashlib.sha256(content).hexdigest()}.onnx"
    *caches, last = _places(folder)
    for place in caches:
        with suppress(OSError):
            return _written(content, place / name)
    return _written(content, last / name)


def _places(folder: Path) -> list[Path]:
    kept = cache_folder()
    return [kept / "backbones", folder] if kept else [folder]


def _found(stem: str, folder: Path) -> Path | None:
    """A whole export of that name, of the places it may be in; a damaged one is removed."""
    for place in _places(folder):
        with suppress(OSError):
            for path in sorted(place.glob(f"{stem}-*.onnx")):
                if _is_whole(path):
                    return path
                path.unlink()
    return None


def _is_whole(path: Path) -> bool:
    return path.stem.endswith(file_sha256(path))


def _written(content: bytes, path: Path) -> Path:
    """Write a file, which processes that do the same do no harm to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with written_whole(path, by_several=True) as partial:
            partial.write_bytes(content)
    except OSError:
        if not (path.exists() and _is_whole(path)):  # Windows replaces no file that another process reads
            raise
    return path


def _stem(backbone: Backbone, size: int) -> str:
    """What an export was made of: the backbone's name, the size, and a hash of all else that decides its numbers."""
    made_of = [
        backbone.name,
        size,
        backbone.sha256,
        [*backbone.mean, *backbone.std],
        backbone.is_grey,
        [_version(name) for name in PACKAGES],
        _code(),
    ]
    key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", backbone.name)[-60:]
    return f"{name}-{size}-{key}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def _code() -> str:
    """Hash of the modules that make an export; of mien's version where they are not there as files."""
    try:
        return hashlib.sha256(b"".join(read_file(Path(__file__).with_name(name)) for name in CODE)).hexdigest()
    except OSError:
        return _version("mien")
