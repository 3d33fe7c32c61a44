"""Addresses in a store, as in ``s3://bucket/faces``: which texts are one, and what is told of one.

An address may hold a password or a token. Those are kept aside, in the memory of this process, before anything else
sees the address: settings, results, names of photos and messages have it without them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mien.system.paths import STREAMS, why_no_set

__all__ = ["folder_of", "in_full", "is_address", "kept_aside", "last_part", "secrets_of", "told_of", "without_secrets"]

STORE = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.IGNORECASE | re.DOTALL)
NEVER = (*STREAMS, "data", "hf", "kaggle", "demo")
WITH_QUERIES = ("http", "https", "webdav", "webdavs", "abfs", "abfss", "az")
"""Protocols whose addresses may end in a query with a token; in others a question mark belongs to a pattern."""
_given: dict[str, str] = {}


def is_address(text: str) -> bool:
    """Whether a text names something in a store, rather than on this machine, on a camera, or on a site of sets."""
    match = STORE.match(text)
    return match is not None and match[1].lower() not in NEVER and why_no_set(text) is None


def told_of(address: str) -> str:
    """An address without what is secret in it: passwords, names that may be tokens, and whatever a query holds."""
    match = STORE.match(address)
    if match is None:
        return address
    scheme, rest = match[1].lower(), match[2]
    if scheme in WITH_QUERIES:
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    user, at, place = host.rpartition("@")
    if at and (":" in user or scheme in ("http", "https")):
        host = place
    return f"{scheme}://{host}{slash}{path}"


def kept_aside(text: str) -> str:
    """A text that a user gave, without what is secret where it is an address, which ``in_full`` gives again.

    What follows ``::`` stays, and so do texts of any other kind.
    """
    address, mark, part = text.partition("::")
    if not is_address(address):
        return text
    told = told_of(address)
    if told != address or told in _given:
        _given[told] = address
    return f"{told}{mark}{part}"


def without_secrets(words: Sequence[str]) -> list[str]:
    """The words of a command line, without what is secret in addresses; ``in_full`` gives it again."""
    cleaned = []
    for word in words:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        cleaned.append(f"{option}{equals}{kept_aside(value)}")
    return cleaned


def in_full(told: str) -> str:
    """The address as it was given, for the client alone that reads there."""
    return _given.get(told, told)


def folder_of(told: str, folder: str) -> str:
    """The folder of a file in a store, to be asked for by the same user; a query of the file stays its own."""
    match = STORE.match(in_full(told))
    user = match[2].partition("/")[0].rpartition("@")[0] if match else ""
    scheme, mark, rest = folder.partition("://")
    if not user or "@" in rest.partition("/")[0]:
        return folder
    return kept_aside(f"{scheme}{mark}{user}@{rest}")


def secrets_of(address: str) -> list[str]:
    """What may not be told of an address, the longest first: its password, and its query and the values in it."""
    match = STORE.match(address)
    if match is None or told_of(address) == address:
        return []
    host, _, query = match[2].partition("?")
    user = host.partition("/")[0].rpartition("@")[0]
    parts = [user, user.partition(":")[2], query, *(pair.partition("=")[2] for pair in re.split(r"[&#]", query))]
    return sorted({part for part in parts if len(part) > 2}, key=len, reverse=True)


def last_part(address: str) -> str:
    """The last name of an address, by which a source or a folder may be called."""
    match = STORE.match(told_of(address))
    parts = [part for part in (match[2] if match else address).split("/") if part]
    return parts[-1] if parts else (match[1] if match else address)
