"""Trees of drawn photos, and sources opened on them, for the tests of layouts and tables."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from mien.data.sources import Source, SourceFile, open_source
from mien.demo import draw_face
from mien.errors import MienError
from mien.settings.columns import Columns

CLASSES = ("anger", "happy", "sad")


@functools.cache
def face(expression: str = "happy", seed: int = 0, kind: str = "PNG") -> bytes:
    """A small drawn face as a file."""
    out = io.BytesIO()
    draw_face(expression, seed).resize((24, 24)).save(out, kind)
    return out.getvalue()


def plant(root: Path, names: Iterable[str] | Mapping[str, bytes]) -> Path:
    """Write files below a folder; names alone get a drawn face each."""
    files = names if isinstance(names, Mapping) else {name: face(seed=i % 7) for i, name in enumerate(names)}
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def grid(pattern: str, n: int = 2, **parts: Sequence[str]) -> list[str]:
    """Every path that a pattern such as ``{person}/{label}/{i}.png`` comes to."""
    names = [pattern]
    for part, values in parts.items():
        names = [name.replace(f"{{{part}}}", value) for name in names for value in values]
    return [name.replace("{i}", str(i)) for name in names for i in range(n)]


def used(source: Source) -> list[SourceFile]:
    """The files that take part."""
    return [file for file in source.files if file.ignored is None]


def classes_of(source: Source) -> dict[str, str | None]:
    """Path → class of the files that take part."""
    return {file.path: file.label for file in used(source)}


def counted(source: Source) -> dict[tuple[str | None, str | None], int]:
    """Split and class → files."""
    found: dict[tuple[str | None, str | None], int] = {}
    for file in used(source):
        found[file.split, file.label] = found.get((file.split, file.label), 0) + 1
    return found


def all_read(source: Source) -> bool:
    """Whether each file that takes part can be read as a drawn face."""
    return all(source.read(file)[:4] == b"\x89PNG" or source.read(file)[:2] == b"\xff\xd8" for file in used(source))


def refusal(spec: Path | str, columns: Columns | None = None) -> str:
    """The one line with which a source is refused."""
    with pytest.raises(MienError) as caught:
        open_source(str(spec), columns or Columns())
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def opened(spec: Path | str, **asked: str) -> Source:
    """A source read as asked."""
    return open_source(str(spec), Columns(**asked))  # type: ignore[arg-type]
