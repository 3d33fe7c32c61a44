"""Small image files of every format, damaged at random; run as a script, it decodes them and prints what came of it.

``python -m support.mutations COUNT SEED``. It is a process of its own so that a hang can be ended and memory be told.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from mien.data.reading.preprocess import MAX_PIXELS, UnreadableImageError, decode
from support.pictures import encoded, pattern, png_header

CUT_SIZES = (1, 2, 8, 64)


def seeds() -> dict[str, bytes]:
    """A valid file of each kind, by name."""
    picture = pattern(1, (60, 44))
    more: dict[str, Any] = {"save_all": True, "append_images": [pattern(2, (60, 44))]}
    clear = picture.copy()
    clear.putalpha(128)
    deep = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    orientation = Image.Exif()
    orientation[0x0112] = 6
    return {
        "JPEG": encoded(picture, "JPEG", exif=orientation),
        "progressive JPEG": encoded(picture, "JPEG", progressive=True),
        "CMYK JPEG": encoded(picture.convert("CMYK"), "JPEG"),
        "MPO": encoded(picture, "MPO", save_all=True, append_images=[pattern(2)]),
        "PNG": encoded(picture, exif=orientation),
        "RGBA PNG": encoded(clear),
        "palette PNG": encoded(picture.convert("P"), transparency=bytes(range(256))),
        "16-bit PNG": encoded(deep),
        "APNG": encoded(picture, **more),
        "GIF": encoded(picture, "GIF", **more),
        "WebP": encoded(picture, "WEBP", exif=orientation),
        "lossless WebP": encoded(clear, "WEBP", lossless=True),
        "animated WebP": encoded(picture, "WEBP", **more),
        "TIFF": encoded(picture, "TIFF", exif=orientation),
        "LZW TIFF": encoded(clear, "TIFF", compression="tiff_lzw"),
        "JPEG TIFF": encoded(picture, "TIFF", compression="jpeg"),
        "16-bit TIFF": encoded(deep, "TIFF", compression="tiff_deflate"),
        "pages TIFF": encoded(picture.copy(), "TIFF", **more),
        "BMP": encoded(picture, "BMP"),
        "palette BMP": encoded(picture.convert("P"), "BMP"),
        "AVIF": encoded(picture, "AVIF", speed=10),
        "JPEG 2000": encoded(picture, "JPEG2000"),
        "PPM": encoded(picture, "PPM"),
    }


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One of: some bytes changed, the end cut off, two pieces swapped, a piece left out or doubled."""
    data = bytearray(content)
    way = rng.integers(6)
    if way <= 2:
        reach = min(len(data), 64) if way == 0 else len(data)  # headers are a small part, and the fullest of meaning
        for at in rng.integers(0, reach, rng.integers(1, 9)):
            data[at] = rng.choice([0, 255, rng.integers(256), data[at] ^ (1 << rng.integers(8))])
        return bytes(data)
    if way == 3:
        return bytes(data[: rng.integers(1, len(data))])
    size = int(rng.choice(CUT_SIZES))
    first, second = sorted(int(at) for at in rng.integers(0, len(data) - size, 2))
    if way == 4 and first + size <= second:
        data[first : first + size], data[second : second + size] = (
            data[second : second + size],
            data[first : first + size],
        )
        return bytes(data)
    piece = data[first : first + size]
    return bytes(data[:first] + piece * int(rng.choice([0, 2])) + data[first + size :])


def _tiff(width: int, height: int) -> bytes:
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 200, 277: 1, 278: height, 279: 8}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + b"\0" * 4).ljust(200, b"\0") + b"\x80" * 8


def claiming(width: int, height: int) -> dict[str, bytes]:
    """Files of a few hundred bytes whose headers claim a size, as far as their formats can say it."""
    small = {kind: seeds()[kind] for kind in ("JPEG", "GIF", "animated WebP", "BMP", "AVIF", "JPEG 2000")}
    short = struct.pack(">HH", min(height, 65500), min(width, 65500))
    screen = struct.pack("<HH", min(width, 65535), min(height, 65535))
    canvas = b"".join(struct.pack("<I", side - 1)[:3] for side in (width, height))
    old = struct.pack(">II", 60, 44)
    new = struct.pack(">II", width, height)
    jp2 = small["JPEG 2000"].replace(struct.pack(">II", 44, 60), struct.pack(">II", height, width)).replace(old, new)
    ispe, sof = small["AVIF"].index(b"ispe") + 8, small["JPEG"].index(b"\xff\xc0") + 5
    return {
        "PNG": png_header(width, height),
        "JPEG": small["JPEG"][:sof] + short + small["JPEG"][sof + 4 :],
        "GIF": small["GIF"][:6] + screen + small["GIF"][10:],
        "GIF frame": small["GIF"].replace(struct.pack("<HHHH", 0, 0, 60, 44), b"\0" * 4 + screen),
        "WebP": small["animated WebP"][:24] + canvas + small["animated WebP"][30:],
        "TIFF": _tiff(width, height),
        "BMP": small["BMP"][:18] + struct.pack("<ii", width, height) + small["BMP"][26:],
        "AVIF": small["AVIF"][:ispe] + new + small["AVIF"][ispe + 8 :],
        "JPEG 2000": jp2,
        "PPM": b"P6 %d %d 255\n" % (width, height),
    }


def stuffed_png(kind: bytes, megabytes: int) -> bytes:
    """A valid PNG with a compressed text (``zTXt``, ``iTXt``) or profile (``iCCP``) that unpacks to so much."""
    packed = zlib.compress(b"\0" * (megabytes << 20), 9)
    head = {b"zTXt": b"note\0\0", b"iTXt": b"note\0\1\0\0\0", b"iCCP": b"note\0\0"}[kind]
    data = head + packed
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    whole = encoded(pattern(1))
    return whole[:33] + chunk + whole[33:]


def cases(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file to decode."""
    rng = np.random.default_rng(seed)
    files = seeds()
    kinds = list(files)
    for i in range(count):
        kind = kinds[i % len(kinds)]
        yield f"{kind} {i}", mutated(files[kind], rng)
    for size in ((9_000, 9_000), (12_000, 9_000), (60_000, 60_000), (2**24 - 1, 2**24 - 1)):
        for kind, content in claiming(*size).items():
            yield f"{kind} claims {size[0]}×{size[1]}", content
    for text in (b"zTXt", b"iTXt", b"iCCP"):
        yield f"PNG with 200 MB of {text.decode()}", stuffed_png(text, 200)


def peak_bytes() -> int:
    """The most memory that this process has used."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Decode every case, and print one JSON object of what came of it."""
    warnings.simplefilter("ignore")
    todo = list(cases(int(sys.argv[1]), int(sys.argv[2])))
    before, outcomes, wrong, seconds = peak_bytes(), Counter[str](), [], {}
    for name, content in todo:
        start = time.perf_counter()
        try:
            image = decode(content).image
            outcomes["ok"] += 1
            if image.mode != "RGB" or not 0 < image.width * image.height <= MAX_PIXELS:
                wrong.append(f"{name}: {image.mode} {image.size}")
        except UnreadableImageError as error:
            outcomes[str(error)] += 1
        except BaseException as error:
            wrong.append(f"{name}: {error!r}")
        seconds[name] = time.perf_counter() - start
    slowest = max(seconds, key=lambda name: seconds[name])
    print(
        json.dumps(
            {
                "n": len(todo),
                "outcomes": outcomes,
                "wrong": wrong,
                "slowest": [slowest, seconds[slowest]],
                "grown_bytes": peak_bytes() - before,
            }
        )
    )


if __name__ == "__main__":
    sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
    main()
