"""mien: a folder of labelled face photos in, a facial-expression recogniser to trust out.

Importing this touches no file, no network and no global state. What is public is loaded when first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.version import __version__

if TYPE_CHECKING:
    from mien.jobs.classifier import ExpressionClassifier as ExpressionClassifier
    from mien.jobs.dataset import FaceDataset as FaceDataset
    from mien.jobs.from_python import adapt as adapt
    from mien.jobs.from_python import audit as audit
    from mien.jobs.from_python import compare as compare
    from mien.jobs.from_python import evaluate as evaluate
    from mien.jobs.from_python import study as study
    from mien.jobs.handles import Study as Study
    from mien.jobs.wrap import wrap as wrap
    from mien.recognizer import Recognizer as Recognizer
    from mien.results.prediction import Prediction as Prediction
    from mien.results.reading import open_results as open_results

_PLACES = {
    "ExpressionClassifier": "mien.jobs.classifier",
    "FaceDataset": "mien.jobs.dataset",
    "Prediction": "mien.results.prediction",
    "Recognizer": "mien.recognizer",
    "Study": "mien.jobs.handles",
    "adapt": "mien.jobs.from_python",
    "audit": "mien.jobs.from_python",
    "compare": "mien.jobs.from_python",
    "evaluate": "mien.jobs.from_python",
    "open_results": "mien.results.reading",
    "study": "mien.jobs.from_python",
    "wrap": "mien.jobs.wrap",
}
"""Public name → the module that has it."""

__all__ = [
    "ExpressionClassifier",
    "FaceDataset",
    "Prediction",
    "Recognizer",
    "Study",
    "__version__",
    "adapt",
    "audit",
    "compare",
    "evaluate",
    "open_results",
    "study",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'mien' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
