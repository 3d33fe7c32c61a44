"""The drawn faces: the same everywhere, as many as promised, with the promised defects."""

from __future__ import annotations

import hashlib
import io
import itertools
import random
from collections import Counter

import pytest
from PIL import Image, ImageChops, ImageFile, ImageStat

from mien import demo
from mien.demo.expressions import SOMETIMES, UNIT_NAMES, unit_amounts
from mien.errors import ConfigError, LabelError, SourceError

GOLDEN = {
    "demo anger/anger-0001.bmp": "04e58ad21881e2d6357654b37a21a98430bea8a5584246e3a4d3e9a0d2dff0ea",
    "demo disgust/disgust-0072.bmp": "ca1b71d604675076570fbcb211b8a294caa25e08876294dc2b2c753e5cc323c3",
    "demo pain/pain-0088.bmp": "ae0cfa8cef40adf4654a07bfabec6464adaddb96371c9a1ea178669b052c4554",
    "target happiness/happiness-0005.bmp": "20d5161eadc3cb0b074c61a01d420dcfecc92b0c0334d5d34b9a9a6f4a716002",
    "target surprise/surprise-0028.bmp": "6c071813007211f3ccf09daac5f500513dc9e8f354eba0b5d5c98977ee968d1c",
}
"""SHA-256 by part and file. To change one is to change every figure measured on the set."""


def opened(part: str, path: str) -> Image.Image:
    return Image.open(io.BytesIO(demo.read_file(part, path)))


def gap(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures at 64 x 64 px, in grey levels."""
    small = [picture.convert("L").resize((64, 64)) for picture in (one, other)]
    return ImageStat.Stat(ImageChops.difference(*small)).mean[0]


@pytest.mark.parametrize("name", GOLDEN)
def test_bytes_are_the_pinned_ones(name: str) -> None:
    part, path = name.split(" ")
    assert hashlib.sha256(demo.read_file(part, path)).hexdigest() == GOLDEN[name]


def test_drawing_leaves_the_global_random_state_alone_and_does_not_read_it() -> None:
    random.seed(1)
    state = random.getstate()
    first = demo.draw_face("fear", 3)
    assert random.getstate() == state
    random.seed(2)
    assert demo.draw_face("fear", 3).tobytes() == first.tobytes()


def test_demo_has_six_unlike_large_classes() -> None:
    names = demo.file_names("demo")
    assert names == sorted(set(names))
    counts = Counter(name.split("/")[0] for name in names)
    assert counts == {"anger": 110, "disgust": 100, "fear": 84, "happy": 116, "pain": 88, "sad": 104}


def test_target_names_its_classes_otherwise() -> None:
    counts = Counter(name.split("/")[0] for name in demo.file_names("target"))
    assert set(counts) == {"angry", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"}
    assert counts.total() == 200


def test_target_is_grey_and_48_px() -> None:
    for file in demo.drawn_files("target"):
        with Image.open(io.BytesIO(file.content)) as picture:
            assert (picture.mode, picture.size, picture.format) == ("L", (48, 48), "BMP")


def test_demo_is_in_colour_and_of_mixed_sizes() -> None:
    pictures = [opened("demo", name) for name in demo.file_names("demo")[1::60]]
    assert {picture.mode for picture in pictures} == {"RGB"}
    assert all(160 <= side <= 240 for picture in pictures for side in picture.size)
    assert len({picture.size for picture in pictures}) > 5


@pytest.mark.parametrize("part", ["demo", "target"])
def test_iterator_gives_every_name_in_order_and_the_bytes_of_the_single_reader(part: str) -> None:
    files = list(itertools.islice(demo.drawn_files(part), 8))
    assert [file.path for file in files] == demo.file_names(part)[:8]
    for file in reversed(files):
        assert demo.read_file(part, file.path) == file.content


def test_single_file_is_the_face_of_its_label_and_number() -> None:
    assert opened("demo", "sad/sad-0007.bmp").tobytes() == demo.draw_face("sad", 7).tobytes()
    assert opened("target", "angry/angry-0007.bmp").tobytes() == demo.draw_face("anger", 7, style="grey").tobytes()


def test_planted_defects_are_four_and_among_the_files() -> None:
    kinds = sorted(planted.kind for planted in demo.PLANTED.values())
    assert kinds == ["duplicate", "near duplicate", "other label", "truncated"]
    names = set(demo.file_names("demo"))
    for path, planted in demo.PLANTED.items():
        assert {path, planted.source} <= names


def test_truncated_file_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)
    (path,) = (path for path, planted in demo.PLANTED.items() if planted.kind == "truncated")
    with pytest.raises(OSError, match="truncated"):
        opened("demo", path).load()


@pytest.mark.parametrize(("kind", "same_class"), [("duplicate", True), ("other label", False)])
def test_duplicates_have_the_bytes_of_their_source(kind: str, same_class: bool) -> None:
    ((path, planted),) = ((p, d) for p, d in demo.PLANTED.items() if d.kind == kind)
    assert demo.read_file("demo", path) == demo.read_file("demo", planted.source)
    assert (path.split("/")[0] == planted.source.split("/")[0]) is same_class


def test_near_duplicate_looks_like_its_source_but_has_other_bytes() -> None:
    ((path, planted),) = ((p, d) for p, d in demo.PLANTED.items() if d.kind == "near duplicate")
    copy, source = opened("demo", path), opened("demo", planted.source)
    assert copy.size != source.size
    assert gap(copy, source) < 10 < gap(copy, opened("demo", "disgust/disgust-0016.bmp"))


@pytest.mark.heavy
def test_no_other_file_of_demo_is_broken_or_a_copy() -> None:
    by_bytes: dict[str, list[str]] = {}
    broken = []
    for file in demo.drawn_files("demo"):
        by_bytes.setdefault(hashlib.sha256(file.content).hexdigest(), []).append(file.path)
        try:
            Image.open(io.BytesIO(file.content)).load()
        except OSError:
            broken.append(file.path)
    assert broken == [path for path, planted in demo.PLANTED.items() if planted.kind == "truncated"]
    copies = {"duplicate", "other label"}
    expected = {frozenset((path, d.source)) for path, d in demo.PLANTED.items() if d.kind in copies}
    assert {frozenset(paths) for paths in by_bytes.values() if len(paths) > 1} == expected


def test_unknown_part_raises_at_once() -> None:
    for call in (demo.drawn_files, demo.file_names):
        with pytest.raises(SourceError, match="demo and target"):
            call("train")
    with pytest.raises(SourceError, match="train"):
        demo.read_file("train", "sad/sad-0001.bmp")


@pytest.mark.parametrize(
    "path",
    ["sad/sad-0000.bmp", "sad/sad-0105.bmp", "sad/sad-1.bmp", "joy/joy-0001.bmp", "sad/fear-0001.bmp", ""],
)
def test_unknown_file_raises(path: str) -> None:
    with pytest.raises(SourceError, match="no file"):
        demo.read_file("demo", path)


def test_unknown_label_and_style_raise() -> None:
    with pytest.raises(LabelError, match="bored"):
        demo.draw_face("bored", 1)
    with pytest.raises(ConfigError, match="oil"):
        demo.draw_face("sad", 1, style="oil")


@pytest.mark.parametrize("label", sorted(demo.ACTION_UNITS))
def test_unit_amounts_stay_in_range_and_show_the_units_of_the_label(label: str) -> None:
    rng = random.Random(0)
    drawn = [unit_amounts(label, (1.0, 1.0), rng) for _ in range(50)]
    possible = set(demo.ACTION_UNITS[label]) | set(SOMETIMES[label])
    for amounts in drawn:
        assert set(amounts) == set(UNIT_NAMES)
        assert all(0 <= amount <= 1 for amount in amounts.values())
        assert all(amounts[unit] >= 0.7 * amount for unit, amount in demo.ACTION_UNITS[label].items())
        assert all(amount <= 0.2 for unit, amount in amounts.items() if unit not in possible)


@pytest.mark.parametrize("label", sorted(demo.ACTION_UNITS))
@pytest.mark.parametrize("style", ["colour", "grey"])
def test_every_expression_is_drawn_in_both_hands(label: str, style: str) -> None:
    picture = demo.draw_face(label, 12345, style=style)
    assert picture.mode == ("RGB" if style == "colour" else "L")
    assert len(set(picture.convert("L").tobytes())) > 60
