"""Bad and odd files, each with what must become of it: a usable image, or a row with its reason."""

from __future__ import annotations

import struct
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from support.pictures import BLUE, RED, encoded, halves, pattern, png, png_header

FIRST_FRAME = "several frames: first frame used"
SYSTEM = "hidden or system file"


@dataclass(frozen=True)
class Planted:
    """One file of the gallery.

    Attributes:
        path: below the root; bytes that are not UTF-8 are escaped, as Python does in file names.
        reason: how the reason begins; nothing for a usable image.
        note: of a usable image.
        ignored: whether it takes no part.
        link: where a symbolic link leads to, in place of content.
    """

    path: str
    content: bytes = b""
    reason: str = ""
    note: str | None = None
    ignored: bool = False
    link: str | None = None

    @property
    def status(self) -> str:
        """Of its row."""
        return "ignored" if self.ignored else "unreadable" if self.reason else "ok"

    @property
    def printable(self) -> str:
        """Its path as it is shown."""
        text = self.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def whole_set() -> list[Planted]:
    """Good photos in two classes, with everything bad among them; what a zip and a tar can hold, too."""
    good = [Planted(f"{label}/{i}.png", png(i + at)) for label, at in (("happy", 0), ("sad", 10)) for i in range(3)]
    return (
        good + truncated() + not_what_the_name_says() + odd_shapes() + several_frames() + odd_names() + system_files()
    )


def truncated() -> list[Planted]:
    """A JPEG and a PNG cut at five places each."""
    planted = []
    for name, content in {"jpg": encoded(pattern(20, (90, 70)), "JPEG"), "png": png(21, (90, 70))}.items():
        for percent in (1, 25, 50, 75, 95):
            cut = content[: len(content) * percent // 100]
            planted.append(Planted(f"happy/cut-at-{percent}.{name}", cut, "damaged: "))
    return planted


def not_what_the_name_says() -> list[Planted]:
    """Things that are called photos, and photos that are called otherwise."""
    page = b"<!doctype html><html><body>404 not found</body></html>"
    return [
        Planted("sad/empty.jpg", b"", "empty file"),
        Planted("sad/text.jpg", b"to do: more photos\n", "text, not an image"),
        Planted("sad/page.jpg", page, "a web page (HTML)"),
        Planted("sad/pointer.jpg", b"version https://git-lfs.github.com/spec/v1\n", "only a pointer of Git LFS"),
        Planted("sad/zeros.jpg", b"\0" * 4096, "zeros only"),
        Planted("sad/noise.jpg", bytes(range(130, 250)) * 9, "not an image, or of a format that is not read"),
        Planted("sad/paper.jpg", b"%PDF-1.7\n", "a PDF document"),
        Planted("sad/film.jpg", b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "a video (MP4 or QuickTime)"),
        Planted("sad/album.jpg", b"PK\x05\x06" + b"\0" * 18, "a zip archive or an office document"),
        Planted("sad/drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        Planted("sad/phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99, "HEIC: "),
        Planted("sad/is-png.jpg", png(30)),
        Planted("sad/is-jpeg.png", encoded(pattern(31), "JPEG")),
        Planted("sad/is-jpeg.jfif", encoded(pattern(32), "JPEG")),
        Planted("sad/is-webp.txt", encoded(pattern(33), "WEBP")),
        Planted("sad/no-extension", encoded(pattern(34), "BMP")),
    ]


def odd_shapes() -> list[Planted]:
    """Bombs, the smallest and the narrowest pictures, and EXIF that lies."""
    tiff_exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0"
    screen = b"GIF89a" + struct.pack("<HHBBB", 60000, 60000, 0, 0, 0)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 60000, 60000, 0) + b"\x02\x02\x44\x01\0;"
    return [
        Planted("happy/bomb.png", png_header(100_000, 100_000), "too large: "),
        Planted("happy/half-a-bomb.png", png_header(10_000, 10_000), "too large: 10000×10000 pixels; scale it down"),
        Planted("happy/bomb.gif", screen + frame, "too large: "),
        Planted("happy/bomb.ppm", b"P6 50000 50000 255\n", "too large: "),
        Planted("happy/less-than-claimed.png", png_header(500, 500), "damaged: the file is cut short"),
        Planted("happy/one-pixel.png", encoded(Image.new("RGB", (1, 1), RED))),
        Planted("happy/wide.png", encoded(halves((20_000, 3)))),
        Planted("happy/tall.png", encoded(Image.new("RGB", (3, 20_000), BLUE))),
        Planted("happy/exif-garbage.jpg", encoded(pattern(40), "JPEG", exif=b"Exif\0\0garbage")),
        Planted("happy/exif-loop.jpg", encoded(pattern(41), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")),
        Planted("happy/exif-orientation-99.jpg", encoded(pattern(42), "JPEG", exif=tiff_exif)),
    ]


def several_frames() -> list[Planted]:
    """Animations and pages, of which the first is used; and the further picture of a phone's JPEG, which is none."""
    endings = {"GIF": "gif", "WEBP": "webp", "PNG": "apng", "TIFF": "tiff"}
    planted = []
    for seed, (format, ending) in enumerate(endings.items(), 50):
        content = encoded(pattern(seed), format, save_all=True, append_images=[pattern(seed + 10)])
        planted.append(Planted(f"sad/moves.{ending}", content, note=FIRST_FRAME))
    phone = encoded(pattern(58), "MPO", save_all=True, append_images=[pattern(68)])
    return [*planted, Planted("sad/phone.jpg", phone)]


def odd_names() -> list[Planted]:
    """Names that trip programs up."""
    names = ["two words .png", 'it\'s "quoted".png', "😀 päin.png", "-rf.png", "100%20.png", "a\tb.png", "a\nb.png"]
    names += ["$(reboot);.png", "#?&=*.png", "[1].png", f"{'n' * 246}.png", "CON.png", "e\u0301.png"]
    empty = ["\x1b[2J clears the screen.png", "\u202egnp.png", "\x07[red]bell[/].png", "@\r\n two lines.png"]
    usable = [Planted(f"happy/{name}", png(70 + i)) for i, name in enumerate(names)]
    return usable + [Planted(f"happy/{name}", b"", "empty file") for name in empty]


def system_files() -> list[Planted]:
    """What systems leave in folders."""
    paths = ["happy/.DS_Store", "sad/Thumbs.db", "sad/desktop.ini", "happy/.hidden.png", "__MACOSX/happy/0.png"]
    left = [Planted(path, png(90), SYSTEM, ignored=True) for path in [*paths, "happy/._0.png"]]
    return [*left, Planted("beside.png", png(91), "not in a class folder", ignored=True)]


def links() -> list[Planted]:
    """Links that lead in circles, nowhere, and to a photo."""
    ignored = "link to a folder; links are not followed"
    return [
        Planted("happy/self.png", reason="Too many levels of symbolic links", link="self.png"),
        Planted("happy/there.png", reason="Too many levels of symbolic links", link="and-back.png"),
        Planted("happy/and-back.png", reason="Too many levels of symbolic links", link="there.png"),
        Planted("happy/broken.png", reason="No such file or directory", link="gone.png"),
        Planted("happy/photo.png", link="0.png"),
        Planted("happy/loop", reason=ignored, ignored=True, link=".."),
        Planted("sad/root", reason=ignored, ignored=True, link="/"),
    ]


def only_in_a_folder() -> list[Planted]:
    """What neither archive can hold in the same way."""
    return [*links(), Planted("happy/caf\udce9.png", png(95)), Planted("happy/back\\slash.png", png(96))]


def in_folder(root: Path, planted: Sequence[Planted]) -> Path:
    """Write the files below a folder."""
    for file in planted:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.link is None:
            path.write_bytes(file.content)
        else:
            path.symlink_to(file.link)
    return root


def in_zip(path: Path, planted: Sequence[Planted]) -> Path:
    """Write the files into a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in planted:
            archive.writestr(zipfile.ZipInfo(file.path), file.content)
    return path


def in_tar(path: Path, planted: Sequence[Planted]) -> Path:
    """Write a folder of the files into a compressed tar, links and all."""
    folder = in_folder(path.with_suffix(".folder"), planted)
    with tarfile.open(path, "w:gz") as archive:
        for file in planted:
            archive.add(folder / file.path, file.path)
    return path
