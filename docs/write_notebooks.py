"""Run the notebooks of the docs from top to bottom, and store in them what their cells gave.

    python docs/write_notebooks.py            # all of them
    python docs/write_notebooks.py NAME ...   # some, by their names without an ending

A notebook is edited in Jupyter and then run with this, so that the site shows what its code does today. Each runs in
an empty folder, on drawn faces, and nothing of this machine is stored. Files without a network, such as the site's,
need no kernel: they show what is stored here.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

BOOKS = Path(__file__).parent / "notebooks"
SECONDS = 600
"""After so long a cell is given up, on however busy a machine."""
COLOURS = 64
"""Of a stored figure: a fifth of its bytes, and nobody sees it on plots and drawings."""


def books() -> list[Path]:
    """The notebooks, in the order of their names."""
    return sorted(BOOKS.glob("*.ipynb"))


def read(path: Path) -> Any:
    """A notebook as stored, checked against Jupyter's schema."""
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    return book


def run(path: Path, folder: Path) -> Any:
    """Run a notebook in a folder and give it with its outputs.

    Raises:
        CellExecutionError: if a cell raises.
    """
    book = read(path)
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(book, timeout=SECONDS, kernel_name="python3", record_timing=False, resources=place).execute()
    return _stored(book, folder)


def digest(book: Any) -> str:
    """Of its code, by which outputs are known to be of it; prose may be edited without running anything."""
    code = (cell.source for cell in book.cells if cell.cell_type == "code")
    return hashlib.sha256("\0".join(code).encode()).hexdigest()[:16]


def _stored(book: Any, folder: Path) -> Any:
    """The same without what differs from machine to machine: paths, versions, and bars that were drawn in place."""
    for cell in book.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [_plain(output, folder) for output in cell.outputs if not _is_bar(output)]
    book.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "mien": {"outputs_of": digest(book)},
        }
    )
    return book


def _is_bar(output: Any) -> bool:
    """Whether it is what a finished bar of progress leaves: nothing."""
    return output.output_type == "display_data" and output.data.get("text/html") == ""


def _plain(output: Any, folder: Path) -> Any:
    output.pop("transient", None)
    if output.output_type == "stream":
        output.text = _without(output.text, folder)
        return output
    output.data = {kind: _without(text, folder) for kind, text in output.data.items()}
    if "image/png" in output.data:
        output.data["image/png"] = _small(output.data["image/png"])
    return output


def _small(png: str) -> str:
    """A picture in few colours, in base64 as it came."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    into = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(into, format="PNG", optimize=True)
    return base64.b64encode(into.getvalue()).decode()


def _without(text: Any, folder: Path) -> Any:
    """Text without the folder that a notebook ran in, and without the addresses of objects."""
    if not isinstance(text, str):
        return text
    for place in (folder.resolve(), folder):
        text = text.replace(f"{place}/", "").replace(str(place), ".")
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def main(*names: str) -> None:
    """Write the notebooks of these names, or all."""
    for path in books():
        if names and path.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            book = run(path, Path(folder))
        nbformat.write(book, path)
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
