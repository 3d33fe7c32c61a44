"""mien: a folder of labelled face photos in, a facial-expression recogniser to trust out.

Importing this touches no file, no network and no global state. ``Recognizer`` is loaded when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.recognizer import Prediction as Prediction
    from mien.recognizer import Recognizer as Recognizer

__all__ = ["Prediction", "Recognizer", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in ("Prediction", "Recognizer"):
        from mien import recognizer

        return getattr(recognizer, name)
    raise AttributeError(f"module 'mien' has no attribute {name!r}")
