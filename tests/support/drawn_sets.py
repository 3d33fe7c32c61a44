"""Small sets of drawn faces, and what may be wrong with them."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from mien.demo import draw_face

CLASSES = ("anger", "happy", "sad")
PER_CLASS = 20
UNREADABLE = {"anger/broken.png": "cut short", "happy/notes.txt": "no image", "sad/empty.jpg": "no byte"}
IGNORED = {"readme.txt": "in no class folder", "happy/Thumbs.db": "a system file"}


def draw_set(root: Path, folders: Mapping[str, str], count: int, *, style: str = "colour", first: int = 1) -> Path:
    """Draw ``count`` faces into each folder; ``folders`` says which expression each shows."""
    for folder, expression in folders.items():
        (root / folder).mkdir(parents=True)
        for i in range(count):
            draw_face(expression, first + i, style=style).save(root / folder / f"{folder}-{i:02}.png")
    return root


def plant_defects(root: Path) -> None:
    """Files that cannot be read, files that take no part, copies, and a picture under two labels."""
    whole = (root / "anger" / "anger-00.png").read_bytes()
    (root / "anger" / "broken.png").write_bytes(whole[: len(whole) // 2])
    (root / "happy" / "notes.txt").write_text("to do: more photos", encoding="utf-8")
    (root / "sad" / "empty.jpg").write_bytes(b"")
    (root / "happy" / "Thumbs.db").write_bytes(b"system")
    (root / "readme.txt").write_text("drawn", encoding="utf-8")
    shutil.copy(root / "happy" / "happy-03.png", root / "happy" / "same-bytes.png")
    shutil.copy(root / "sad" / "sad-04.png", root / "anger" / "under-two-labels.png")
    face = draw_face("sad", 6)
    face.resize((face.width * 3 // 4, face.height * 3 // 4)).save(root / "sad" / "smaller-copy.jpg", quality=80)


def zipped(folder: Path, path: Path, *, wrapper: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, f"{wrapper}{file.relative_to(folder).as_posix()}")
    return path
