"""Pictures as text in JSON: base64 as programs write it, and data URLs."""

from __future__ import annotations

import base64
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.app.encoded import NotEncodedError, decoded
from support.pictures import encoded as file_of
from support.pictures import grainy, png

CONTENT = file_of(grainy(1))  # with every character of the alphabet in it
PLAIN = base64.b64encode(CONTENT).decode()
WAYS: dict[str, Callable[[bytes], str]] = {
    "plain": lambda content: base64.b64encode(content).decode(),
    "wrapped": lambda content: base64.encodebytes(content).decode(),
    "wrapped as by Windows": lambda content: base64.encodebytes(content).decode().replace("\n", "\r\n"),
    "indented": lambda content: base64.encodebytes(content).decode().replace("\n", "\n    "),
    "for addresses": lambda content: base64.urlsafe_b64encode(content).decode(),
    "without padding": lambda content: base64.urlsafe_b64encode(content).decode().rstrip("="),
    "data URL": lambda content: "data:image/png;base64," + base64.b64encode(content).decode(),
    "data URL in capitals": lambda content: "DATA:image/png;charset=x;BASE64," + base64.b64encode(content).decode(),
    "data URL without kind": lambda content: "data:;base64," + base64.b64encode(content).decode(),
    "data URL, quoted": lambda content: "data:image/png;base64," + quote(base64.b64encode(content).decode(), safe=""),
    "data URL, wrapped": lambda content: " data:image/png;base64,\n" + base64.encodebytes(content).decode(),
    "data URL without base64": lambda content: "data:image/png," + quote(content),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_is_the_same_however_it_is_written(way: str) -> None:
    assert {"+", "/"} <= set(PLAIN)
    for content in (CONTENT, CONTENT[:-1], CONTENT[:-2]):
        assert decoded(WAYS[way](content)) == content


@given(st.sampled_from(sorted(WAYS)), st.binary(min_size=1))
def test_any_bytes_come_back(way: str, content: bytes) -> None:
    assert decoded(WAYS[way](content)) == content


WRONG = {
    "": "empty",
    "  \n": "empty",
    "data:image/png;base64,": "empty",
    "data:image/png;base64": "comma",
    "§": "not base64",
    "A": "not base64",
    "AAAA=AAAA": "not base64",
    "https://example.org/a.jpg": "web address",
    "a sentence": "not base64",
    "data:image/png;base64,§": "not base64",
    PLAIN.replace("+", " "): "+ signs",
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20])
def test_what_is_no_picture_says_why_in_one_short_line(text: str) -> None:
    with pytest.raises(NotEncodedError, match=WRONG[text].replace("+", r"\+")) as error:
        decoded(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


def test_the_file_is_not_looked_into() -> None:
    assert decoded(base64.b64encode(png()[:10]).decode()) == png()[:10]
