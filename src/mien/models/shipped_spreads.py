"""How light, sharpness and face size are spread over the photos that a model learnt from.

A model of a user's own carries that in its contract; of those that come with mien it lies in ``spreads.json`` beside
their weights (``pretraining/write_spreads.py``).
"""

from __future__ import annotations

import json

from mien.data.tables.spreads import Spread, spreads_from_plain
from mien.errors import ModelError
from mien.models.artifact import SHIPPED, Contract, shipped
from mien.system.files import read_checked, why

__all__ = ["SPREADS", "known_spreads"]

SPREADS = "spreads.json"


def known_spreads(contract: Contract, model: str) -> dict[str, Spread]:
    """Property → spread; empty where none is known, as of files from before.

    Args:
        model: a name and version of a model that comes with mien, or anything else.

    Raises:
        ModelError: if the file beside mien's weights cannot be read.
    """
    if contract.spreads is not None or model not in SHIPPED:
        return dict(contract.spreads or {})
    path = shipped(SPREADS)
    try:
        return spreads_from_plain(json.loads(read_checked(path))[model]) or {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = why(error) if isinstance(error, OSError) else str(error)
        raise ModelError(f"{path}: cannot be read ({told}); install mien again") from error
