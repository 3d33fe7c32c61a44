"""Write ``SHA256SUMS``, by which mien tells whether the weights that it carries are whole.

The models carry a checksum of their own, as all model files do.
"""

from __future__ import annotations

import hashlib

from mien.models.artifact import shipped
from mien.system.files import SUMS

NAMES = (
    "centerface.onnx",
    "collections.msgpack",
    "expression-1.safetensors",
    "expression.hashes",
    "expression.safetensors",
    "scene.safetensors",
    "spreads.json",
)


def write_sums() -> None:
    """Write the checksums of the files as they are now, as ``sha256sum`` writes and checks them."""
    sums = {name: hashlib.sha256(shipped(name).read_bytes()).hexdigest() for name in NAMES}
    shipped(SUMS).write_text("".join(f"{sum}  {name}\n" for name, sum in sums.items()), encoding="utf-8")


if __name__ == "__main__":
    write_sums()
