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
from mien.demo.people import known_person
from mien.errors import ConfigError, LabelError, SourceError

GOLDEN = {
    "demo anger/anger-0001.bmp": "4faa7159c0afac8e3d5add5751d3fcc5991347f1d232bce21875bca01587d314",
    "demo disgust/disgust-0072.bmp": "45f0c9dc53f2bfbf3236769305b09130e64780aa66739688f14cc173584d3e29",
    "demo pain/pain-0088.bmp": "1b92d86c4d28a437f666e944a5d35cc4d4cd9f5374498f3e4fd54b6011273a0c",
    "target happiness/happiness-0005.bmp": "f1f54019ad564a7e6dbba692142484982fd7ebd5139f82975dcef5d5fbef1e50",
    "target surprise/surprise-0028.bmp": "68a6381409b6b35a0a929266bd0778c716db98dd877d1f6e50a9c62a2da06bf5",
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
    for part, path, label, style in (
        ("demo", "sad/sad-0007.bmp", "sad", "colour"),
        ("target", "angry/angry-0007.bmp", "anger", "grey"),
    ):
        person = int(demo.person_of(part, path).partition("-")[2])
        assert opened(part, path).tobytes() == demo.draw_face(label, 7, style=style, person=person).tobytes()


def test_people_take_turns_over_all_expressions() -> None:
    shown: dict[str, Counter[str]] = {}
    for name in demo.file_names("demo"):
        shown.setdefault(demo.person_of("demo", name), Counter())[name.split("/")[0]] += 1
    assert len(shown) == 60
    assert all(8 <= counts.total() <= 12 for counts in shown.values())
    assert all(len(counts) >= 5 for counts in shown.values())
    others = {demo.person_of("target", name) for name in demo.file_names("target")}
    assert len(others) == 40
    assert not others & set(shown)


def test_person_has_one_age_group_and_every_age_group_has_people() -> None:
    ages: dict[str, set[str]] = {}
    for part in ("demo", "target"):
        for name in demo.file_names(part):
            ages.setdefault(demo.person_of(part, name), set()).add(demo.age_group_of(part, name))
    assert all(len(groups) == 1 for groups in ages.values())
    assert {age for groups in ages.values() for age in groups} == set(demo.AGE_GROUPS)


@pytest.mark.parametrize("style", ["colour", "grey"])
def test_person_looks_the_same_in_every_picture_and_unlike_others(style: str) -> None:
    looks = [known_person(style, number) for number in range(1, 30)]
    assert known_person(style, 7) == looks[6]
    assert len({(p.skin, p.hair, p.hair_style, p.width, p.glasses) for p in looks}) == len(looks)
    assert gap(demo.draw_face("sad", 1, style=style, person=1), demo.draw_face("sad", 1, style=style, person=2)) > 1
    assert demo.draw_face("sad", 1, style=style, person=1).size == demo.draw_face("sad", 1, style=style).size


def test_planted_copy_shows_the_person_of_its_source() -> None:
    for path, planted in demo.PLANTED.items():
        assert demo.person_of("demo", path) == demo.person_of("demo", planted.source)


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
