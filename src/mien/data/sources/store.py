"""Folders, archives, tables and photos in a store (``s3://bucket/faces``), through fsspec and the store's own client.

A folder is listed, and its photos are read one at a time when their turn comes; none is kept on this machine. An
archive or a table is fetched whole into a work folder, which goes when mien ends. Nothing is ever written to a store.
Credentials are found by the client itself, as it finds them for any other program.
"""

from __future__ import annotations

import atexit
import os
import posixpath
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.parse import unquote

from mien.data.sources.files import Source, SourceFile, printable, system_file
from mien.errors import MienError, MissingExtraError, SourceError
from mien.system.addresses import in_full, is_address, secrets_of, told_of
from mien.system.files import MAX_FILE_BYTES
from mien.system.paths import shown
from mien.system.scratch import work_folder

__all__ = ["Store", "is_pattern", "list_store", "matching_addresses", "open_store", "read_address", "told_by_address"]

CLIENTS = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    **dict.fromkeys(("webdav", "webdavs"), "webdav4[fsspec]"),
    **dict.fromkeys(("hdfs", "arrow_hdfs"), "pyarrow"),
    **dict.fromkeys(("oci", "ocilake"), "ocifs"),
    "smb": "smbprotocol",
    "oss": "ossfs",
}
"""Protocol → the package that reads it, where fsspec alone does not."""
NO_STORES = (
    "local",
    "dir",
    "reference",
    "generic",
    "git",
    "dask",
    "pyscript",
    "jupyter",
    "jlab",
    "libarchive",
    "tar",
    "zip",
)
"""What fsspec calls a protocol and is none of a store: wrappers and archives, which mien opens itself."""
IN_THREADS = ("file", "memory")
WITHOUT_FOLDERS = ("http", "https")
"""Protocols in which every address is a file, and one that ends in a slash may be a page that lists files."""
UNREACHED = {
    *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "HTTPClientError"),
    *("ClientConnectorError", "ClientConnectorDNSError", "ServerDisconnectedError", "ServerTimeoutError"),
    *("ClientOSError", "ClientPayloadError", "TransportError", "SSHException"),
}
"""Errors of clients that mean that no store answered."""
WITHOUT_CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "TokenRetrievalError",
    "DefaultCredentialsError",
}
GONE, REFUSED = (404, 410), (401, 403, 407)
SPARE_BYTES = 512 * 2**20
"""What is left free in the folder for temporary files."""
VIDEO_BLOCK = 4 * 2**20
VERSION = ("size", "ETag", "etag", "md5", "md5Hash", "generation", "mtime", "LastModified", "last_modified", "created")
"""What a store may say of a file by which it is known to be the same."""
STUDY = ("study.toml", "manifest.parquet")
_scratch = ExitStack()
_fetched: dict[tuple[str, tuple[str, ...]], Path] = {}
_lock = threading.RLock()


@dataclass(frozen=True)
class Store:
    """A place in a store.

    Attributes:
        address: as it is told, without a slash at its end.
        top: the same as the client has it.
        client: fsspec's file system.
        turns: holds back all threads but one, for clients that know no threads.
        has_slash: whether it was given with a slash at its end.
    """

    address: str
    top: str
    client: Any
    turns: AbstractContextManager[object] = field(default_factory=nullcontext)
    has_slash: bool = False

    def __reduce__(self) -> NoReturn:
        """Stay in this process: its client may hold a password, and other machines may not be let in."""
        raise TypeError("what lies in a store is read where mien runs")

    def info(self) -> dict[str, Any]:
        """What the store says of this place.

        Raises:
            SourceError: if there is no such thing, or if it cannot be had.
        """
        with self._asking(), self.turns:
            found: dict[str, Any] = self.client.info(self.top)
        return found

    def names(self, below: str = "") -> list[tuple[str, int | None]]:
        """Every file below this place or a folder in it: its path from there, and its size where the store says it."""
        start = f"{self._at(below) if below else self.top}/"
        with self._asking(), self.turns:
            self.client.invalidate_cache()
            found = self.client.find(start if self._lists_pages else start.rstrip("/"), detail=True)
        files = [(name, info.get("size")) for name, info in found.items() if not name.endswith("/")]
        return [(name[len(start) :], size) for name, size in files if name.startswith(start)]

    def has(self, name: str) -> bool:
        """Whether there is a file of a name below this place."""
        with self._asking(), self.turns:
            return bool(self.client.isfile(self._at(name)))

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Args:
            name: its path from here, or its whole address where that is in the same bucket or on the same host.

        Raises:
            OSError: if this one is gone, refused, or elsewhere.
            SourceError: if the store cannot be reached any more.
        """
        return self._read(self._at(name))

    def opened(self, name: str) -> BinaryIO:
        """A file, to be read piece by piece, as a video is."""
        try:
            file: BinaryIO = self.client.open(self._at(name), "rb", block_size=VIDEO_BLOCK)
        except Exception as error:
            raise self._of_one(error) from error
        return file

    def fetched(self, name: str = "") -> Path:
        """A copy of a file on this machine, under its own name, for as long as mien runs.

        Raises:
            SourceError: if it cannot be had, or if there is no room.
        """
        inner = self._at(name) if name else self.top
        address = f"{self.address}/{name}" if name else self.address
        with self._asking(), self.turns:
            self.client.invalidate_cache()
            info = self.client.info(inner)
        if info.get("type") not in ("file", None):
            raise SourceError(f"{address}: {info['type']}, not a file")
        version = tuple(str(info[key]) for key in VERSION if info.get(key) is not None)
        with _lock:
            if (address, version) not in _fetched or len(version) < 2:  # a size alone does not say that it is the same
                _fetched[address, version] = self._fetch(inner, address, info.get("size"))
            return _fetched[address, version]

    def at(self, folder: str) -> Store:
        """A folder below this one."""
        if not folder:
            return self
        return Store(f"{self.address}/{folder}", self._at(folder), self.client, self.turns)

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder, rather than a file.

        Raises:
            SourceError: if there is neither.
        """
        if self._lists_pages and not self.has_slash:
            kind = self.info().get("mimetype")
            if kind == "text/html":
                raise SourceError(
                    f"{self.address}: a web page; give a file, or a page that lists files with a / behind"
                )
            return False
        return self._lists_pages or bool(self.info().get("type") == "directory")

    @property
    def _lists_pages(self) -> bool:
        return self.address.partition("://")[0] in WITHOUT_FOLDERS

    def _at(self, name: str) -> str:
        if is_address(name):
            inner = str(self.client._strip_protocol(name))
            if _root(self.client, name) != _root(self.client, self.address):
                raise OSError("an address in another place than the table; --root says where photos are")
            return inner
        if "://" in name:
            raise OSError("an address, and not one in this store")
        scheme, mark, top = self.top.rpartition("://")
        inner = posixpath.normpath(f"{top}/{name}")
        if inner.lstrip("/").partition("/")[0] != top.lstrip("/").partition("/")[0]:
            raise OSError("a path that leads out of the bucket or host")
        return f"{scheme}{mark}{inner}"

    def _read(self, inner: str) -> bytes:
        try:
            with self.turns:
                content: bytes = self.client.cat_file(inner)
        except Exception as error:
            raise self._of_one(error) from error
        if len(content) > MAX_FILE_BYTES:
            raise OSError(f"larger than {MAX_FILE_BYTES >> 20} MB")
        return content

    def _fetch(self, inner: str, address: str, size: int | None) -> Path:
        top = _work_folder()
        if shutil.disk_usage(top).free < SPARE_BYTES + (size or 0):
            raise SourceError(f"{address}: no room to fetch it into {top.parent}; name another place with TMPDIR")
        folder = top / os.urandom(8).hex()  # several files of one name may be fetched
        folder.mkdir()
        place = folder / (re.sub(r'[\x00-\x1f<>:"|?*\\]', "_", unquote(inner.rstrip("/").rpartition("/")[2])) or "file")
        try:
            with self._asking(address), self.turns:
                self.client.get_file(inner, str(place))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # half a file, for which a notebook would keep the room
            raise
        return place

    @contextmanager
    def _asking(self, address: str = "") -> Iterator[None]:
        """Errors of the client become one line."""
        try:
            yield
        except MienError:
            raise
        except Exception as error:  # of any kind, by the client and by the libraries below it
            raise SourceError(f"{address or self.address}: {_why(error, self.address)}") from error

    def _of_one(self, error: Exception) -> Exception:
        """What is wrong with one file, as an ``OSError``; that no store answers is no fault of one file."""
        if _is_unreached(error):
            return SourceError(f"{self.address}: {_why(error, self.address)}")
        chain = list(_causes(error))
        if any(isinstance(each, FileNotFoundError) for each in chain) or _status(chain) in GONE:
            return FileNotFoundError("not in the store, or not any more")
        if any(isinstance(each, PermissionError) for each in chain) or _status(chain) in REFUSED:
            return OSError("the store refuses it to these credentials")
        return OSError(f"the store did not give it ({_first_line(error, self.address)})")


def open_store(address: str) -> Store:
    """The place that an address names; nothing is asked of the store yet, as far as its client allows.

    Raises:
        MissingExtraError: if fsspec or the client of the protocol is not installed.
        SourceError: if there is no such protocol, or if the client refuses the address.
    """
    told = told_of(address).rstrip("/")
    scheme = told.partition("://")[0]
    try:
        import fsspec
    except ImportError as error:
        packages = " ".join(["'mien[stores]'", *([CLIENTS[scheme]] if scheme in CLIENTS else [])])
        by_path = ", or give the path without file://" if scheme == "file" else ""
        raise MissingExtraError(
            f"{shown(told)}: this needs fsspec, which is not installed; run: pip install {packages}{by_path}"
        ) from error
    if scheme in NO_STORES or scheme not in {*fsspec.available_protocols(), *fsspec.registry}:
        raise SourceError(f"{shown(told)}: {scheme}:// is no store that fsspec knows; check the address")
    try:
        client, top = fsspec.url_to_fs(in_full(told_of(address)))
    except ImportError as error:
        package = CLIENTS.get(scheme)
        what = f"{package}, which is not installed; run: pip install {package}" if package else _first_line(error, told)
        raise MissingExtraError(f"{shown(told)}: this needs {what}") from error
    except Exception as error:
        raise SourceError(f"{shown(told)}: {_why(error, told)}") from error
    turns = nullcontext() if client.async_impl or scheme in IN_THREADS else threading.RLock()
    return Store(told, top.rstrip("/"), client, turns, told_of(address).endswith("/"))


def list_store(store: Store, spec: str) -> Source:
    """Every file below a place in a store.

    Raises:
        SourceError: if it cannot be listed, or if there is no file.
    """
    too_large, files = set(), []
    for name, size in store.names():
        path = printable((unquote(name) if store._lists_pages else name).encode("utf-8", "surrogateescape"))
        files.append(SourceFile(name if path == name else path, name, ignored=system_file(path)))
        if size is not None and size > MAX_FILE_BYTES:
            too_large.add(name)
    files = sorted(_without_studies(files), key=lambda f: f.path.split("/"))
    if not files:
        raise SourceError(f"{store.address}: no file is listed there; check the address, or what you may list")

    def read(file: SourceFile) -> bytes:
        if file.location in too_large:
            raise OSError(f"larger than {MAX_FILE_BYTES >> 20} MB")
        return store.read(file.location)

    return Source(
        store.address.rpartition("/")[2],
        spec,
        tuple(files),
        read,
        opened=lambda f: store.opened(f.location),
        store=store,
    )


def _without_studies(files: list[SourceFile]) -> list[SourceFile]:
    """The files, with one in place of each study that mien wrote below, as in a folder of this machine."""
    folders = [{f.path.rpartition("/")[0] for f in files if f.path.endswith(f"/{name}")} for name in STUDY]
    studies = folders[0] & folders[1]
    if not studies:
        return files
    kept = [f for f in files if not any(f.path.startswith(f"{study}/") for study in studies)]
    return kept + [
        SourceFile(f"{study}/{STUDY[0]}", f"{study}/{STUDY[0]}", ignored="a study that mien wrote; it is left out")
        for study in studies
    ]


@contextmanager
def told_by_address() -> Iterator[None]:
    """Errors of what reads a copy name the place in the store."""
    try:
        yield
    except MienError as error:
        said = str(error.args[0])
        for (address, _), place in _fetched.items():
            for here, there in ((place, address), (place.parent, address.rpartition("/")[0])):
                said = re.sub(rf"{re.escape(str(here))}(?!\w)", there.replace("\\", r"\\"), said)
        error.args = (said, *error.args[1:])
        raise


def is_pattern(address: str) -> bool:
    """Whether an address is a pattern, rather than the name of something; no file of that name is looked for."""
    return any(sign in told_of(address) for sign in "*?")


def matching_addresses(pattern: str) -> list[str]:
    """The addresses that a pattern such as ``s3://bucket/*.jpg`` fits, sorted.

    Raises:
        SourceError: if none does, or if the store cannot be read.
    """
    store = open_store(pattern)
    with store._asking(), store.turns:
        found = sorted(store.client.glob(store.top))
    if not found:
        raise SourceError(f"{store.address}: no file has a name like this; give a file, a folder or another pattern")
    whole = [str(store.client.unstrip_protocol(name)) for name in found]
    return [told_of(name.replace("memory:///", "memory://", 1)) for name in whole]


def read_address(address: str) -> Callable[[], bytes]:
    """What gives the bytes of one file in a store, in this process alone; the client is opened when it is called.

    Raises:
        OSError: when called, if the file cannot be had, with the reason.
    """
    return _File(address)


@dataclass(frozen=True)
class _File:
    address: str

    def __reduce__(self) -> NoReturn:
        raise TypeError("what lies in a store is read where mien runs")

    def __call__(self) -> bytes:
        try:
            store = open_store(self.address)
            return store._read(store.top)
        except MienError as error:  # this one photo's; others may lie elsewhere
            raise OSError(str(error).removeprefix(f"{told_of(self.address)}: ")) from error


def _root(client: Any, address: str) -> tuple[str, str]:
    """What may not be left: the bucket, or the host."""
    scheme, _, rest = told_of(address).partition("://")
    return scheme, rest.partition("/")[0]


@cache
def _work_folder() -> Path:
    """Where copies are kept; it goes when mien ends, and at the next start after a kill."""
    atexit.register(_scratch.close)
    return _scratch.enter_context(work_folder())


def _why(error: BaseException, address: str) -> str:
    """What went wrong, and what to do about it."""
    chain = list(_causes(error))
    scheme, names = address.partition("://")[0], {type(each).__name__ for each in chain}
    client = CLIENTS.get(scheme, "the client of the store")
    if names & WITHOUT_CREDENTIALS:
        how = (
            "run 'aws configure', or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            if client == "s3fs"
            else (f"see how {client} finds them")
        )
        return f"no credentials were found; {how}"
    if _is_unreached(error):
        return "the store cannot be reached; check the address and the connection"
    status = _status(chain)
    if status in REFUSED or any(isinstance(each, PermissionError) for each in chain):
        return f"the store refuses it; check the credentials of {client}, and what they may read"
    if status in GONE or any(isinstance(each, FileNotFoundError) for each in chain):
        return "there is no such bucket, folder or file; check the address"
    return f"the store did not give it ({_first_line(error, address)})"


def _is_unreached(error: BaseException) -> bool:
    return any(
        isinstance(each, ConnectionError | TimeoutError | socket.gaierror) or type(each).__name__ in UNREACHED
        for each in _causes(error)
    )


def _status(chain: list[BaseException]) -> int | None:
    """The status code with which a server refused."""
    for each in chain:
        response = getattr(each, "response", None)
        told = response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(response, dict) else None
        for status in (told, getattr(each, "status", None), getattr(response, "status_code", None)):
            if isinstance(status, int):
                return status
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException, address: str) -> str:
    """What an error says first, without what is secret in addresses."""
    said = (str(error).splitlines() or [""])[0].replace(in_full(address), address)
    for secret in secrets_of(in_full(address)):
        said = said.replace(secret, "***")
    said = re.sub(r"[a-z][a-z0-9+.-]+://\S+", lambda match: told_of(match[0]), said, flags=re.IGNORECASE)
    return f"{type(error).__name__}: {said[:200]}"
