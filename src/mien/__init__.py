"""mien: a folder of labelled face photos in, a facial-expression recogniser to trust out.

Importing this touches no file, no network and no global state. What is public is loaded when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.version import __version__

if TYPE_CHECKING:
    from mien.recognizer import Recognizer as Recognizer
    from mien.results.prediction import Prediction as Prediction
    from mien.results.reading import open_results as open_results

__all__ = ["Prediction", "Recognizer", "__version__", "open_results"]


_PLACES = {
    "Prediction": "mien.results.prediction",
    "Recognizer": "mien.recognizer",
    "open_results": "mien.results.reading",
}
"""Public name → the module that has it."""


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'mien' has no attribute {name!r}")
