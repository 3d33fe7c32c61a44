"""ONNX Runtime, kept from reporting to its maker: everything in mien imports it from here.

The wheels of 1.32 note each process that uses them in the user's cache folder (a device id, the program's path, the
machine) and send that to Microsoft, unless a variable is set before they are first imported (``Privacy.md`` in them).
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

# Where someone imported it before mien, this is what can still be done.
onnxruntime.disable_telemetry_events()

__all__ = ["onnxruntime"]
