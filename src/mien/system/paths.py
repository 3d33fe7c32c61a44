"""Paths as people give them: ``~`` is put out, and what names no file of this machine is called what it is."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mien.errors import ConfigError

__all__ = ["STREAMS", "shown", "user_path", "why_no_file", "why_no_path", "why_no_set"]

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)
"""How an address begins; ``Path`` makes one slash of two, and one letter is a drive."""
ON_SITES = (
    (re.compile(r"https?:/+(?:www\.)?huggingface\.co/datasets/([\w.-]+/[\w.-]+)"), "hf"),
    (re.compile(r"https?:/+(?:www\.)?kaggle\.com/(?:datasets|competitions)/([\w.-]+/[\w.-]+)"), "kaggle"),
)
"""Pages of sets that mien fetches by another name."""
STREAMS = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "udp", "tcp", "mms", "hls", "v4l2")
CAMERA = re.compile(r"-?\d{1,3}|/dev/video\d*|(?:web)?cam(?:era)?[:_ -]?\d*", re.IGNORECASE)
"""What names a camera in other programs: its number, its device, or the word."""
LONGEST_SHOWN = 100
LONGEST_NAME = 255
"""Characters of a file's name, on all usual systems."""


def user_path(given: str | os.PathLike[str], option: str = "path") -> Path:
    """The path that a user gave, ``~`` put out; there need be nothing yet.

    Args:
        given: as it was given.
        option: what asked for it, for the error.

    Raises:
        ConfigError: if it is empty or blank, an address, begins with a user whom this machine does not know, or can be
            no path.
    """
    text = os.fspath(given)
    if why := why_no_path(text):
        raise ConfigError(f"{option} {shown(text)}: {why}")
    if "\0" in text:
        raise ConfigError(f"{option} {shown(text)}: no file can have this name; it has a null character")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ConfigError(f"{option} {shown(text)}: this machine knows no such user; write the path out") from None


def why_no_path(text: str) -> str | None:
    """Why a text is no path on this machine, and what to do; None where it could be one."""
    if not text.strip():
        return "empty; name a file or folder (a variable that was not set?)"
    if text[:5].lower() == "data:":
        return "a data URL, not a path; save what it holds as a file, or send it to the service of mien app"
    if max(map(len, re.split(r"[/\\]", text))) > LONGEST_NAME:
        return f"a text of {len(text)} characters, which no file is called; of a picture in base64 give the bytes"
    match = ADDRESS.match(text)
    return _of_address(match[1].lower(), text) if match else None


def why_no_file(text: str) -> str | None:
    """Why there is nothing to read by a name that no file here has: as ``why_no_path``, or it names a camera."""
    if why := why_no_path(text):
        return why
    if CAMERA.fullmatch(text.strip()):
        return (
            "a camera, it seems, for no file has this name; mien reads files: record some seconds and give the video, "
            "or use the webcam on the page of mien app"
        )
    return None


def why_no_set(text: str) -> str | None:
    """What to give in place of the web page of a set on a site that mien knows; None for anything else."""
    found = ((site, page.match(text)) for page, site in ON_SITES)
    return next((f"a web page of a set; give {site}:{match[1]}" for site, match in found if match), None)


def shown(text: str) -> str:
    """A text for a message of one line: long ones cut, blank ones and those that would break it in quotes."""
    start = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return start if start.strip() and start.isprintable() else repr(start)


def _of_address(scheme: str, text: str) -> str:
    if why := why_no_set(text):
        return why
    if scheme in ("hf", "kaggle"):
        return f"no name of a set; give {scheme}:owner/name"
    if scheme in STREAMS:
        return "the address of a camera or stream, which mien does not read; record some seconds and give the video"
    if text[len(scheme) : len(scheme) + 3] != "://":
        return f"an address that has lost a slash; give it as text that begins with {scheme}://"
    if scheme == "file":
        return "an address of a file, where only a path will do; give it without file://"
    kind = "a web address" if scheme in ("http", "https", "ftp", "ftps") else f"an address ({scheme})"
    return f"{kind}, and only photos and tables of photos are read from one; give a path on this machine"
