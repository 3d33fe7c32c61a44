"""What a TIFF says of its own numbers, where Pillow does not act on it or does not read it."""

from __future__ import annotations

import io

from PIL import Image, TiffImagePlugin

__all__ = ["is_negative", "why_unread_tiff"]

WIDTH, BITS, PHOTOMETRIC, STRIPS, SAMPLES, TILES, FORMAT = 256, 258, 262, 273, 277, 324, 339
"""Numbers of the tags (TIFF 6.0)."""
KINDS = {2: "signed integers", 3: "floats", 5: "complex numbers", 6: "complex numbers"}


def is_negative(image: Image.Image) -> bool:
    """Whether 0 is white in a file of greys, as some microscopes and scanners write them.

    Pillow turns those of up to 8 bits round, and leaves those of 16 bits and floats as they are.
    """
    return isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == 0


def why_unread_tiff(content: bytes) -> str | None:
    """Why a whole TIFF is not read, such as for colours as floats; None for what is none, or has a damaged header."""
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(content[:8])
        file = io.BytesIO(content)
        file.seek(directory.next)
        directory.load(file)
        if not {WIDTH, BITS, PHOTOMETRIC} <= set(directory) or not {STRIPS, TILES} & set(directory):
            return None
        bits, kind = directory.get(BITS, (1,)), directory.get(FORMAT, (1,))
        samples = directory.get(SAMPLES, 1)
        first = bits[0] if isinstance(bits, tuple) else bits
        of = KINDS.get(kind[0] if isinstance(kind, tuple) else kind, "integers")
    except Exception:  # a damaged header can raise nearly anything
        return None
    return f"a TIFF of {samples} × {first} bits ({of}), which is not read; save it as RGB or grey with 8 bits"
