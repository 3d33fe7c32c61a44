"""Write ``spreads.json``: how light, sharpness and face size are spread over the photos that mien's models learnt from.

    python pretraining/write_spreads.py ../shared/data

Each face of FER2013 that ``default@2`` learnt counts once, as does each usable photo of six-emotions.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from fit_answers import taught
from numpy.typing import NDArray
from PIL import Image
from votes import read_faces
from write_sums import write_sums

from mien.data.measuring.properties import measure, survey
from mien.data.sources.collection import open_collection
from mien.data.tables.manifest import usable
from mien.data.tables.prepare import prepare
from mien.data.tables.spreads import PROPERTIES, spreads_of
from mien.models.artifact import shipped
from mien.models.shipped_spreads import SPREADS
from mien.progress import Silent
from mien.system.files import write_text

Columns = dict[str, NDArray[np.float64]]
AT_ONCE = 512


def main(data: Path) -> None:
    """Measure the photos, and write what is kept."""
    with tempfile.TemporaryDirectory() as folder:
        faces = of_faces(data, Path(folder))
    photos = of_photos(data / "six-emotions.zip")
    both = {name: np.concatenate([faces[name], photos[name]]) for name in PROPERTIES}
    told = {"default@2": both, "default@1": photos, "six@1": photos, "six@2": photos}
    plain = {name: {key: asdict(each) for key, each in spreads_of(columns).items()} for name, columns in told.items()}
    write_text(json.dumps(plain, indent=1) + "\n", shipped(SPREADS))
    write_sums()


def of_faces(data: Path, folder: Path) -> Columns:
    """FER2013's faces of the train part that are learnt."""
    train = read_faces(data, folder)["train"]
    grey = train.grey[taught(train)[0]]
    found: dict[str, list[Any]] = {name: [] for name in PROPERTIES}
    for first in range(0, len(grey), AT_ONCE):
        some = [survey(Image.fromarray(each).convert("RGB")) for each in grey[first : first + AT_ONCE]]
        measured = measure(some)
        found["brightness"] += list(measured["brightness"])
        found["sharpness"] += list(measured["sharpness"])
        found["face_side"] += [min(grey.shape[1:])] * len(some)
    return {name: np.array(values, np.float64) for name, values in found.items()}


def of_photos(path: Path) -> Columns:
    """The usable photos of a collection."""
    rows = usable(prepare([open_collection([str(path)])], [], None, progress=Silent()).manifest)
    return {name: rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in PROPERTIES}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
