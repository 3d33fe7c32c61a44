"""What is kept of a collection, by which photos of it are known again under any folder's name.

Nothing here shows a photo: pictures are told by truncated hashes, names of files by hashes of their pattern, and light
and sharpness by the deciles of all photos. Whoever reads a model file reads this, without Polars and msgspec.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CollectionTraits", "FileKind"]


@dataclass(frozen=True)
class FileKind:
    """Files of one size, in colour or grey.

    Attributes:
        width: px, upright.
        height: px, upright.
        is_grey: whether the content has no colour.
        share: of the photos, in (0, 1].
    """

    width: int
    height: int
    is_grey: bool
    share: float


@dataclass(frozen=True)
class CollectionTraits:
    """What is kept of a collection.

    Attributes:
        name: of the collection.
        photos: how many there were.
        pictures: truncated hashes of the pictures, those of flat ones left out.
        is_sample: whether these are the smallest hashes only, and not all.
        kinds: the most frequent kinds of files.
        names: truncated hash of a pattern of names → its share; of patterns that hardly any other collection has.
        look: property → its nine deciles.
    """

    name: str
    photos: int
    pictures: frozenset[str]
    is_sample: bool = False
    kinds: tuple[FileKind, ...] = ()
    names: dict[str, float] = field(default_factory=dict)
    look: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """As JSON can hold it, always in the same order."""
        names = dict(sorted(self.names.items()))
        return dataclasses.asdict(self) | {"pictures": sorted(self.pictures), "names": names}

    @staticmethod
    def from_plain(values: Mapping[str, Any]) -> CollectionTraits:
        """Read what ``to_plain`` gives.

        Raises:
            KeyError: if something is missing.
            TypeError: if something is of another type, or unknown.
        """
        return CollectionTraits(
            **{
                **values,
                "pictures": frozenset(values["pictures"]),
                "kinds": tuple(FileKind(**kind) for kind in values["kinds"]),
                "look": {name: tuple(deciles) for name, deciles in values["look"].items()},
            }
        )
