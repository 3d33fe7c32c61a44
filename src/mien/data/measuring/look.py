"""Light, sharpness and face size of one picture, as the manifest has them of a set."""

from __future__ import annotations

from PIL import Image

from mien.data.measuring.faces import Finding
from mien.data.measuring.properties import measure, survey

__all__ = ["look_of"]


def look_of(image: Image.Image, finding: Finding) -> dict[str, float | None]:
    """The properties ``brightness``, ``sharpness`` and ``face_side`` of an upright RGB picture.

    Args:
        finding: the faces in it; where there are none, it has no ``face_side``.
    """
    main = finding.main
    measured = measure([survey(image, main.box if main else None)])
    side = main.side if main else float(min(image.size)) if finding.kind == "crop" else None
    return {
        "brightness": float(measured["brightness"][0]),
        "sharpness": float(measured["sharpness"][0]),
        "face_side": side,
    }
