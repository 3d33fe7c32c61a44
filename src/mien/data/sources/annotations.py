"""Collections with a small file for the class of each photo: AffectNet's ``_exp.npy``, CK+'s ``_emotion.txt``."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mien.data.sources.files import Source, SourceFile
from mien.data.sources.presets import PRESETS, Preset

__all__ = ["annotated_as", "beside"]

UNLABELLED = "no file says its class"
MAX_BYTES = 4096
ENDINGS = ("_exp.npy", "_emotion.txt")


def annotated_as(files: Sequence[SourceFile], photos: Sequence[str]) -> str | None:
    """The preset by which small files beside the photos say their classes; None where there are none."""
    names = {f.path.rpartition("/")[2] for f in files if f.path.endswith(ENDINGS)}
    for key, preset in PRESETS.items():
        if preset.annotation is None or not names:
            continue
        pattern, replacement = preset.annotation
        told = {re.sub(pattern, replacement, path).rpartition("/")[2] for path in photos if re.search(pattern, path)}
        if len(names & told) >= len(names) / 2:
            return key
    return None


def beside(source: Source, files: Sequence[SourceFile], preset: Preset) -> list[SourceFile]:
    """The files with the class that the small file of each says; where folders or names said it, that stays."""
    if preset.annotation is None:
        return list(files)
    pattern, replacement = preset.annotation
    by_path = {f.path: f for f in files}
    by_name = defaultdict[str, list[SourceFile]](list)
    for file in files:
        by_name[file.path.rpartition("/")[2]].append(file)
    out = []
    for file in files:
        wanted, n = re.subn(pattern, replacement, file.path)
        if file.ignored is not None or file.label in preset.class_names or not n:
            out.append(file)
            continue
        same_name = by_name[wanted.rpartition("/")[2]]
        found = by_path.get(wanted) or (same_name[0] if len(same_name) == 1 else None)
        label = _label(source, found) if found else None
        out.append(replace(file, label=label, ignored=None if label else UNLABELLED))
    notes = {f.path for f in files if f.path.endswith(ENDINGS)}
    return [
        replace(f, ignored="says the class of a photo") if f.path in notes and f.ignored is None else f for f in out
    ]


def _label(source: Source, file: SourceFile) -> str | None:
    """The number in a small file, as text; None where there is none."""
    try:
        content = source.read(file)[:MAX_BYTES]
        value = (
            np.load(io.BytesIO(content), allow_pickle=False).item() if content[:6] == b"\x93NUMPY" else content.decode()
        )
        return str(int(float(str(value).strip())))
    except (OSError, ValueError, EOFError):
        return None
