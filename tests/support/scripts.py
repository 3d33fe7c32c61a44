"""The scripts of the project as modules."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from support.checkout import ROOT


def script(name: str) -> Any:
    """A script of the project as a module."""
    path = ROOT / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where its dataclasses look for themselves
    spec.loader.exec_module(module)
    return module
