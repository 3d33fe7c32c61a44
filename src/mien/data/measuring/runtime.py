"""ONNX Runtime, kept from reporting to its maker: everything in mien imports it from here.

The wheels of 1.32 note each process that uses them in the user's cache folder (a device id, the program's path, the
machine) and send that to Microsoft, unless a variable is set before they are first imported (``Privacy.md`` in them).
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from pathlib import Path

import onnxruntime

from mien.system.threads import threads_here

# Where someone imported it before mien, this is what can still be done.
onnxruntime.disable_telemetry_events()

__all__ = ["onnxruntime", "open_session"]


def open_session(
    model: bytes, *, threads: int = 0, plans_memory: bool = True, weights: Path | None = None
) -> onnxruntime.InferenceSession:
    """Open an ONNX model on the CPU.

    Threads that wait for work sleep. By default they spin, which takes more than half of the processor time of opening
    a model and answering for one photo, slows whatever else runs on the machine, and gains nothing: 32 photos at once
    take as long or longer. The numbers are the same, for the work is divided among the threads as before.

    Args:
        model: its bytes.
        threads: cores to use; 0 lets ONNX Runtime decide, in a process that may use all.
        plans_memory: whether inputs have one shape, for which it pays to plan the use of memory.
        weights: folder of the files that the model leaves its weights to; None where it has them itself.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or threads_here()
    options.enable_mem_pattern = plans_memory
    options.log_severity_level = 4  # what cannot be opened is said in one line, and by mien
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if weights is not None:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
