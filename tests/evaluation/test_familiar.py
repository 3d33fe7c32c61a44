"""Whether photos are of a collection that a model learnt from is told by what they are, and not by their folder."""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mien.data.reading.preprocess import View
from mien.data.sources.collection import open_collection
from mien.data.tables.manifest import usable
from mien.data.tables.observed_traits import traits_of
from mien.data.tables.prepare import Prepared, prepare
from mien.data.tables.traits import CollectionTraits
from mien.demo import draw_face
from mien.evaluation.familiar import familiar_collections, is_known
from mien.models.artifact import SHIPPED, Contract, model_path, open_model
from mien.models.known_traits import known_traits
from mien.progress import Silent
from mien.results.target import CollectionMatch
from support.pictures import grainy, pattern

CLASSES = ("anger", "happy", "sad")
EACH = 40
SIX_NAMES = ("lab", "LAB", "archive", "FER-2013", "my photos", "faces_test")


def crop(expression: str, seed: int) -> Image.Image:
    """A face crop of FER2013's size, drawn by nobody's hand that another set is drawn by."""
    return draw_face(expression, seed, style="grey")


Maker = Callable[[str, int], Image.Image]
BY_CLASS = "{label}-{i:03}.png"


def write_set(root: Path, *, first: int = 1, each: int = EACH, name: str = BY_CLASS, make: Maker = crop) -> Path:
    for label in CLASSES:
        (root / label).mkdir(parents=True)
        for i in range(first, first + each):
            path = root / label / name.format(label=label, i=i)
            make(label, i).save(path, quality=90)
    return root


@functools.cache
def read(root: Path) -> Prepared:
    return prepare([open_collection([str(root)])], [], None, find_faces=False, progress=Silent())


def traits(name: str, root: Path) -> CollectionTraits:
    found = read(root)
    return traits_of(name, usable(found.manifest), found.pixels)


def learnt_from(*known: CollectionTraits, names: tuple[str, ...] = ()) -> Contract:
    """The contract of a model that learnt from collections; of those in ``names`` nothing but the name is kept."""
    every = (*(each.name for each in known), *names)
    return Contract(CLASSES, (View("photo", 32),), "x", collections=every, traits=known)


def matches(contract: Contract, root: Path) -> tuple[CollectionMatch, ...]:
    found = read(root)
    return familiar_collections(contract, usable(found.manifest), found.pixels, (root.name,))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Contract, Path]:
    """A model that learnt from drawn crops in a folder called lab, and the folder."""
    root = write_set(tmp_path_factory.mktemp("own") / "lab")
    return learnt_from(traits("lab", root)), root


@pytest.mark.parametrize("name", SIX_NAMES)
def test_half_of_a_collection_is_known_again_under_any_name(
    lab: tuple[Contract, Path], name: str, tmp_path: Path
) -> None:
    contract, root = lab
    for label in CLASSES:
        (tmp_path / name / label).mkdir(parents=True)
        for i, path in enumerate(sorted((root / label).iterdir())):
            if i % 2:
                (tmp_path / name / label / f"{i}.png").write_bytes(path.read_bytes())
    (match,) = matches(contract, tmp_path / name)
    assert (match.name, match.sure, match.is_whole) == ("lab", "certain", True)
    assert match.copies.count == match.copies.of == len(CLASSES) * EACH // 2


@pytest.mark.heavy
@pytest.mark.parametrize(
    "altered",
    [
        lambda image: image.convert("RGB"),
        lambda image: image.resize((96, 96), Image.Resampling.BICUBIC),
        lambda image: image.transpose(Image.Transpose.ROTATE_90).transpose(Image.Transpose.ROTATE_270),
    ],
)
def test_a_collection_is_known_again_in_other_files(
    lab: tuple[Contract, Path], altered: Callable[[Image.Image], Image.Image], tmp_path: Path
) -> None:
    root = write_set(tmp_path / "archive", name="{i}.jpg", make=lambda label, i: altered(crop(label, i)))
    (match,) = matches(lab[0], root)
    assert match.sure == "certain"
    assert match.copies.count >= 0.5 * match.copies.of


def test_a_tenth_of_a_collection_among_others_is_said_to_be_a_part(lab: tuple[Contract, Path], tmp_path: Path) -> None:
    root = write_set(tmp_path / "mixed", make=lambda label, i: crop(label, i) if i <= 4 else crop(label, i + 5000))
    (match,) = matches(lab[0], root)
    assert (match.sure, match.is_whole) == ("certain", False)
    assert 12 <= match.copies.count <= 14


@pytest.mark.heavy
def test_unrelated_crops_of_the_same_size_are_never_known(lab: tuple[Contract, Path], tmp_path: Path) -> None:
    """Twenty sets, also by the same hand, under names that other collections have too."""
    names = ("{label}-{i:03}.png", "{i}.png", "img_{i}.png", "im{i}.png", "face{i}.png")
    for k in range(20):
        root = write_set(tmp_path / f"set{k}", first=1000 * (k + 1), each=10, name=names[k % len(names)])
        for contract in (lab[0], shipped("default"), shipped("six")):
            assert not [each for each in matches(contract, root) if is_known(each)], (k, contract.collections)


@pytest.mark.heavy
def test_drawn_crops_are_not_even_possibly_fer2013(tmp_path: Path) -> None:
    root = write_set(tmp_path / "archive", name="im{i}.png", each=60)
    assert matches(shipped("default"), root) == ()


@pytest.mark.heavy
def test_names_that_nobody_else_gives_make_it_likely_and_alone_only_possible(tmp_path: Path) -> None:
    own = write_set(tmp_path / "lab", name="zurich_{i}_{label}.png")
    contract = learnt_from(traits("lab", own))
    (match,) = matches(contract, write_set(tmp_path / "new", first=500, name="zurich_{i}_{label}.png"))
    assert (match.sure, match.telling_names, match.copies.count) == ("likely", True, 0)
    large = write_set(tmp_path / "large", first=500, name="zurich_{i}_{label}.png", make=lambda *_: pattern(_[1]))
    (match,) = matches(contract, large)
    assert match.sure == "possible"
    assert not is_known(match)


def test_the_name_of_a_folder_alone_says_little(tmp_path: Path, lab: tuple[Contract, Path]) -> None:
    unknown = learnt_from(names=("lab_train", "ImageNet-1k"))
    root = write_set(tmp_path / "lab-test", first=700, each=34)
    (match,) = matches(unknown, root)
    assert (match.name, match.sure, match.same_folder) == ("lab_train", "possible", True)
    (match,) = matches(lab[0], root)
    assert (match.sure, match.same_look) == ("likely", True), "of the same size and light as well"
    noise = write_set(tmp_path / "noise" / "lab", make=lambda label, i: grainy(i + 99 * CLASSES.index(label)))
    assert matches(lab[0], noise) == (), "in colour, where the collection is grey"


def test_a_sample_of_a_large_collection_suffices(lab: tuple[Contract, Path], tmp_path: Path) -> None:
    own = read(lab[1])
    sample = traits_of("lab", usable(own.manifest), own.pixels, most_pictures=30)
    assert (len(sample.pictures), sample.is_sample) == (30, True)
    (match,) = matches(learnt_from(sample), lab[1])
    assert match.sure == "certain"
    assert match.copies.count == match.copies.of == 30, "those that would not have been kept are not looked for"


def test_traits_outlive_the_model_file(lab: tuple[Contract, Path]) -> None:
    again = Contract.from_json(lab[0].to_json())
    assert again == lab[0]
    assert again.to_json() == lab[0].to_json()
    plain = dataclasses.asdict(lab[0])
    assert Contract.from_json(Contract(CLASSES, (), "x").to_json()).traits == ()
    assert "anger-001" not in lab[0].to_json(), f"no name of a file is kept, of {len(plain)} fields"


@pytest.mark.parametrize("name", SHIPPED)
def test_the_models_that_come_with_mien_know_what_they_learnt_from(name: str) -> None:
    known = {each.name: each for each in known_traits(shipped(name))}
    assert {"fer2013", "six-emotions"} <= set(known)
    fer2013 = known["fer2013"]
    assert fer2013.photos == 35_887
    assert len(fer2013.pictures) > 33_000
    assert [(kind.width, kind.height, kind.is_grey, kind.share) for kind in fer2013.kinds] == [(48, 48, True, 1.0)]


@functools.cache
def shipped(name: str) -> Contract:
    return open_model(model_path(name))[1]


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["fer2013", "FER-2013", "archive", "emotions", "my photos", "test"])
def test_half_of_fer2013s_test_half_is_known_under_any_name(real_data: Path, name: str, tmp_path: Path) -> None:
    root = some_of_fer2013(real_data, tmp_path / name, 1000)
    (match,) = matches(shipped("default"), root)
    assert (match.name, match.sure, match.is_whole) == ("fer2013", "certain", True)
    assert match.copies.count == match.copies.of >= 995, "all but flat ones"


@pytest.mark.data
@pytest.mark.slow
def test_fer2013_is_known_enlarged_compressed_and_renamed(real_data: Path, tmp_path: Path) -> None:
    root = some_of_fer2013(real_data, tmp_path / "plain", 200)
    for i, path in enumerate(sorted(root.rglob("*.jpg"))):
        made = tmp_path / "archive" / path.parent.name / f"{i}.jpg"
        made.parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC).save(made, quality=75)
    (match,) = matches(shipped("default"), tmp_path / "archive")
    assert (match.name, match.sure) == ("fer2013", "certain")


@pytest.mark.data
@pytest.mark.slow
def test_grey_crops_of_other_real_faces_are_not_fer2013(real_data: Path, tmp_path: Path) -> None:
    """Middles of stock photos, of FER2013's size and colour."""
    import io
    import zipfile

    with zipfile.ZipFile(real_data / "six-emotions.zip") as archive:
        members = [each for each in archive.namelist() if each.lower().endswith((".jpg", ".jpeg", ".png"))]
        for i, member in enumerate(random.Random(1).sample(members, 150)):
            image = Image.open(io.BytesIO(archive.read(member))).convert("L")
            side = min(image.size) // 2
            left, top = (image.width - side) // 2, (image.height - side) // 3
            path = tmp_path / "crops" / CLASSES[i % 3] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.crop((left, top, left + side, top + side)).resize((48, 48)).save(path)
    assert not [each for each in matches(shipped("default"), tmp_path / "crops") if is_known(each)]


def some_of_fer2013(real_data: Path, root: Path, n: int) -> Path:
    """So many photos of its test half, in folders of their classes, under names of their own."""
    import zipfile

    with zipfile.ZipFile(real_data / "fer2013.zip") as archive:
        members = [each for each in archive.namelist() if each.startswith("test/") and each.endswith(".jpg")]
        for i, member in enumerate(sorted(random.Random(0).sample(members, n))):
            path = root / member.split("/")[1] / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(member))
    return root
