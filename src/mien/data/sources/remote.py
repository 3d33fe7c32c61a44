"""``kaggle:owner/name`` and ``hf:owner/name`` → a folder, through the sites' own client libraries.

The clients keep what they downloaded in caches of their own, and are imported only when they are used. They show
their progress on stderr; what they would print on stdout goes there too.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.errors import MissingExtraError, SourceError

__all__ = ["Download", "download", "is_remote"]

KAGGLE = re.compile(r"kaggle:(?P<id>[\w.-]+/(?P<name>[\w.-]+))(/versions/(?P<version>\d+))?")
HUGGING_FACE = re.compile(r"hf:(?P<id>([\w.-]+/)?(?P<name>[\w.-]+))(@(?P<revision>[^@]+))?")
MISSING, REFUSED = (404, 410), (401, 403, 451)


@dataclass(frozen=True)
class Download:
    """A set that lies on this machine now.

    Attributes:
        folder: in the cache of the client.
        name: of the set, without its owner.
    """

    folder: Path
    name: str


def is_remote(path: str) -> bool:
    """Whether a path names a set on a site."""
    return path.startswith(("kaggle:", "hf:"))


def download(path: str) -> Download:
    """Fetch a set, or find it in the client's cache.

    Args:
        path: ``kaggle:owner/name``, ``kaggle:owner/name/versions/3``, ``hf:owner/name`` or ``hf:owner/name@rev``.

    Raises:
        MissingExtraError: if the client is not installed.
        SourceError: if the name is malformed, or if the set could not be had.
    """
    return _from_kaggle(path) if path.startswith("kaggle:") else _from_hugging_face(path)


def _from_kaggle(path: str) -> Download:
    match = KAGGLE.fullmatch(path)
    if match is None:
        raise SourceError(f"{path}: expected kaggle:owner/name, or kaggle:owner/name/versions/3 for one version")
    page = f"https://www.kaggle.com/datasets/{match['id']}"
    with _stdout_kept_clean():
        try:
            import kagglehub
        except ImportError as error:
            raise _missing(path, "kagglehub") from error
        _log_to_stderr("kagglehub")
        try:
            folder = kagglehub.dataset_download(path.removeprefix("kaggle:"))
        except Exception as error:  # its own errors and those of the HTTP library below it
            why = _why(error, "Kaggle") + _kept_from_kaggle(match["id"])
            raise SourceError(_by_hand(path, why, page)) from error
    return Download(Path(folder), match["name"])


def _kept_from_kaggle(id: str) -> str:
    """A hint at a version in the client's cache; without a version, the client asks the site which one is current."""
    from kagglehub.config import get_cache_folder

    folder = Path(get_cache_folder(), "datasets", id)
    versions = [int(mark.stem) for mark in folder.glob("*.complete") if mark.stem.isdigit()]
    return f" (kaggle:{id}/versions/{max(versions)} lies on this machine already)" if versions else ""


def _from_hugging_face(path: str) -> Download:
    match = HUGGING_FACE.fullmatch(path)
    if match is None:
        raise SourceError(f"{path}: expected hf:owner/name, or hf:owner/name@revision for one revision")
    page = f"https://huggingface.co/datasets/{match['id']}"
    with _stdout_kept_clean():
        try:
            from huggingface_hub import snapshot_download
            from huggingface_hub.errors import GatedRepoError, RevisionNotFoundError
        except ImportError as error:
            raise _missing(path, "huggingface_hub") from error
        try:
            folder = snapshot_download(match["id"], repo_type="dataset", revision=match["revision"])
        except GatedRepoError as error:
            why = "its owner asks everyone to agree to terms first; agree on its page and run 'hf auth login'"
            raise SourceError(_by_hand(path, why, page)) from error
        except RevisionNotFoundError as error:
            raise SourceError(_by_hand(path, f"it has no revision {match['revision']!r}", page)) from error
        except Exception as error:  # its own errors and those of the HTTP library below it
            raise SourceError(_by_hand(path, _why(error, "Hugging Face"), page)) from error
    return Download(Path(folder), match["name"])


def _why(error: BaseException, site: str) -> str:
    """What went wrong, from the answer of the site or from the system's own error below."""
    chain = list(_causes(error))
    statuses = [getattr(getattr(e, "response", None), "status_code", None) for e in chain]
    status = next((s for s in statuses if isinstance(s, int)), None)
    if status in MISSING:
        return f"{site} has no such dataset, or it is private (answer {status})"
    if status in REFUSED:
        return f"{site} refused it (answer {status}): it is private, has terms to agree to, or does not exist"
    if status is not None:
        return f"{site} answered {status}"
    if any(isinstance(e, ConnectionError | TimeoutError | socket.gaierror) for e in chain):
        return f"{site} cannot be reached"
    first = (str(error).splitlines() or [""])[0]
    return f"the download failed ({type(error).__name__}: {first})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _by_hand(path: str, why: str, page: str) -> str:
    return f"{path}: {why}; or download it by hand at {page} and give the file: mien audit the-file.zip"


def _missing(path: str, package: str) -> MissingExtraError:
    return MissingExtraError(f"{path}: this needs {package}, which is not installed; pip install 'mien[train]'")


@contextlib.contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    """Send to stderr what is printed meanwhile, in the whole process."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _log_to_stderr(logger: str) -> None:
    """A client that was imported before may log to stdout."""
    for handler in logging.getLogger(logger).handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.setStream(sys.stderr)
