"""Write ``collections.msgpack``: by what photos of the collections are known again that mien's weights learnt from.

    python pretraining/write_traits.py ../shared/data

Of FER2013 and six-emotions all photos are taken, those that no weights were fitted to as well: whoever evaluates on
another part of a collection should be told.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import msgspec
from write_sums import write_sums

from mien.data.sources.collection import open_collection
from mien.data.tables.manifest import usable
from mien.data.tables.observed_traits import named, traits_of
from mien.data.tables.prepare import prepare
from mien.data.tables.traits import CollectionTraits
from mien.models.artifact import shipped
from mien.models.known_traits import COLLECTIONS
from mien.progress import Silent
from mien.system.files import written_whole

NAMES = ("fer2013", "six-emotions")
OTHER_NAMES = {"fer2013": ("im1",)}
"""Names of files in other distributions of a collection. Others use them too, so light and sharpness must agree."""


def write_traits(data: Path) -> None:
    """Read each collection from its zip, and write what is kept of all."""
    found = [_traits(name, data / f"{name}.zip") for name in NAMES]
    with written_whole(shipped(COLLECTIONS)) as partial:
        partial.write_bytes(msgspec.msgpack.encode(found, order="deterministic"))
    write_sums()


def _traits(name: str, path: Path) -> CollectionTraits:
    read = prepare([open_collection([str(path)])], [], None, progress=Silent())
    found = traits_of(name, usable(read.manifest), read.pixels, most_pictures=None)
    return replace(found, names=found.names | {named(each).pattern: 0.0 for each in OTHER_NAMES.get(name, ())})


if __name__ == "__main__":
    write_traits(Path(sys.argv[1]))
