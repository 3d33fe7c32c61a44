"""The figures of docs/MODEL_CARDS.md, for whatever else shows how good a model that comes with mien is.

The contract of ``six`` holds what was measured while it was fitted; its card has folds with every choice made inside,
which are the harder test. So that no two numbers for one thing are shown, the card's are.
"""

from __future__ import annotations

import json
from dataclasses import replace

from mien.errors import ModelError
from mien.models.artifact import Contract, shipped
from mien.system.files import MAX_FILE_BYTES, read_text, why

__all__ = ["as_on_card"]

NESTED = {"six@1": "six-1.json", "default@1": "six-1.json", "six@2": "six.json"}
"""Models whose card has other figures than their contract, and the file beside their weights that has them."""


def as_on_card(contract: Contract, model: str) -> Contract:
    """The contract with the figures of the model's card.

    Args:
        model: a name and version of a model that comes with mien, or anything else.

    Raises:
        ModelError: if the file beside mien's weights cannot be read.
    """
    if model not in NESTED:
        return contract
    path = shipped(NESTED[model])
    try:
        found = json.loads(read_text(path, MAX_FILE_BYTES))["two-stream"]["grouped"]
        figures = {name: found["seeds"][0][name] for name in ("macro_f1", "interval", "accuracy", "ece")}
        how = f"{found['folds']} folds that keep copies together, every choice made inside them"
        figures |= {"how": how, "recall": found["recall"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = why(error) if isinstance(error, OSError) else str(error)
        raise ModelError(f"{path}: cannot be read ({told}); install mien again") from error
    return replace(contract, measured=(contract.measured or {}) | figures)
