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
    sys.path.insert(0, str(path.parent))  # where Python looks for what a script that it runs imports
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module
