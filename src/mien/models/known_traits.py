"""By what the collections are known again that the weights which come with mien were trained on.

``collections.msgpack`` lies beside those weights (``pretraining/write_traits.py``); a model of a user's own carries the
traits of its photos in its contract.
"""

from __future__ import annotations

from functools import cache

import msgspec

from mien.data.tables.traits import CollectionTraits
from mien.errors import ModelError
from mien.models.artifact import Contract, shipped
from mien.system.files import read_checked, why

__all__ = ["COLLECTIONS", "known_traits"]

COLLECTIONS = "collections.msgpack"


def known_traits(contract: Contract) -> tuple[CollectionTraits, ...]:
    """The traits of each collection that a model or its backbone learnt from, as far as there are any."""
    inherited = (each for each in _shipped_traits() if each.name in contract.collections)
    return (*contract.traits, *inherited)


@cache
def _shipped_traits() -> tuple[CollectionTraits, ...]:
    path = shipped(COLLECTIONS)
    try:
        return msgspec.msgpack.decode(read_checked(path), type=tuple[CollectionTraits, ...])
    except (OSError, msgspec.MsgspecError) as error:
        told = why(error) if isinstance(error, OSError) else str(error)
        raise ModelError(f"{path}: cannot be read ({told}); install mien again") from error
