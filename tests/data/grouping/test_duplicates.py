"""The same picture is found again whatever was done to the file, and another picture is not taken for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from mien.data.grouping import cells, duplicates
from mien.data.grouping.duplicates import COPY_SIMILARITY, Pairs, assign_groups, find_pairs
from mien.data.measuring.fingerprints import SIDE, align, descriptors, look_in, of_mirrored, similarity
from mien.data.reading.intake import take_in
from mien.data.reading.pixels import Pixels, PixelWriter
from mien.data.reading.preprocess import is_face_crop
from mien.data.sources import Source, SourceFile, open_source
from mien.data.sources.collection import open_collection
from mien.data.tables.counts import count_audit
from mien.data.tables.prepare import prepare
from mien.demo import ACTION_UNITS, draw_face
from mien.progress import Silent
from planted import KINDS, Pictures, cropped, jpeg, marked, plant, printed, score
from support.pictures import encoded, pattern, png

Prints = NDArray[np.uint8]

CORNERS = {"upper left": (0, 0), "upper right": (1, 0), "lower left": (0, 1), "lower right": (1, 1)}
PLACES = CORNERS | {"centre": (0.5, 0.5), "beside the centre": (0.7, 0.4)}
"""Where a crop is taken: shares of what was cut that lie to its left and above it."""


def texture(seed: int, size: tuple[int, int] = (240, 180)) -> Image.Image:
    """A random RGB picture with the spectrum of a photo: the finer, the fainter."""
    width, height = size
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width) * width)
    amplitude = np.where(frequency > 0, frequency, np.inf) ** -1.5
    phases = rng.normal(size=(4, *amplitude.shape)) + 1j * rng.normal(size=(4, *amplitude.shape))
    planes = np.fft.irfft2(phases * amplitude, s=(height, width))
    shared, *channels = planes / planes.std((1, 2), keepdims=True)
    return Image.fromarray(np.clip(128 + 40 * shared[..., None] + 15 * np.stack(channels, -1), 0, 255).astype(np.uint8))


def brighter(image: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(factor)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG": jpeg,
    "half size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "mirror": ImageOps.mirror,
    "brighter": lambda image: brighter(image, 1.25),
    "darker": lambda image: brighter(image, 0.75),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "square": lambda image: image.resize((160, 160)),
    "mirrored crop": lambda image: ImageOps.mirror(cropped(image, 0.9, (1, 0))),
    "strip at top": lambda image: marked(image, 0, height=0.12),
    "strip at bottom": lambda image: marked(image, 1, height=0.12),
    "strip in the middle": lambda image: marked(image, 0.5, height=0.06),
    "faint strip in the middle": lambda image: marked(image, 0.5, height=0.12, opacity=0.5),
    **{f"crop of 10 % {name}": partial(cropped, share=0.9, place=place) for name, place in PLACES.items()},
    **{f"crop of 15 % {name}": partial(cropped, share=0.85, place=place) for name, place in PLACES.items()},
}


def pairs_of(prints: Sequence[Prints] | Prints, is_crop: Sequence[bool] | None = None) -> Pairs:
    stored = np.asarray(prints).reshape(-1, SIDE, SIDE)
    crops = np.zeros(len(stored), np.bool_) if is_crop is None else np.asarray(is_crop, np.bool_)
    return find_pairs(lambda some: stored[some], crops)


def copies(found: Pairs) -> set[tuple[int, int]]:
    """The pairs that are copies."""
    return {(int(i), int(j)) for i, j in found.indices[found.similarity >= COPY_SIMILARITY]}


@pytest.fixture(scope="module")
def textures() -> list[Image.Image]:
    return [texture(seed) for seed in range(16)]


@pytest.fixture(scope="module")
def faces() -> list[Image.Image]:
    """Distinct drawn faces, all in the middle and before plain backgrounds: far more alike than photos are."""
    return [draw_face(label, seed) for label in ACTION_UNITS for seed in range(7)]


@pytest.fixture
def group(tmp_path: Path) -> Callable[[Mapping[str, bytes]], pl.DataFrame]:
    """Files in memory, read as a source is and grouped; the label is the folder."""

    def call(files: Mapping[str, bytes]) -> pl.DataFrame:
        listed = tuple(SourceFile(name, name, label=name.split("/")[0]) for name in files)
        source = Source("set", "set", listed, lambda file: files[file.location])
        with PixelWriter(tmp_path / "pixels", [], len(files)) as writer:
            table = take_in(source, [], writer, None)
        return assign_groups(table, Pixels(tmp_path / "pixels"))

    return call


def groups_of(table: pl.DataFrame, column: str = "near_group") -> set[frozenset[str]]:
    """The groups of two or more, by path."""
    groups = table.drop_nulls(column).group_by(column).agg("path")["path"]
    return {frozenset(paths) for paths in groups if len(paths) > 1}


# What is a copy


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copy_is_found_and_nothing_else(textures: list[Image.Image], change: str) -> None:
    changed = [CHANGES[change](image) for image in textures]
    found = copies(pairs_of([printed(image) for image in (*textures, *changed)]))
    assert found == {(i, i + len(textures)) for i in range(len(textures))}


@pytest.mark.parametrize("change", ["JPEG", "half size", "mirror", "crop of 10 % beside the centre", "darker", "grey"])
def test_changed_copy_of_a_drawn_face_is_found_and_nothing_else(faces: list[Image.Image], change: str) -> None:
    some = faces[::5]
    found = copies(pairs_of([printed(image) for image in (*some, *map(CHANGES[change], some))]))
    assert found == {(i, i + len(some)) for i in range(len(some))}


def test_distinct_pictures_are_no_copies(textures: list[Image.Image]) -> None:
    smooth = [pattern(seed) for seed in range(40)]
    assert copies(pairs_of([printed(image) for image in (*textures, *smooth)])) == set()


def test_distinct_drawn_faces_are_no_copies(faces: list[Image.Image]) -> None:
    assert copies(pairs_of([printed(image) for image in faces])) == set()


@settings(max_examples=30, deadline=None)
@given(
    share=st.floats(0.85, 1),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    factor=st.floats(0.75, 1.25),
    scale=st.floats(0.5, 1),
    is_mirrored=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_copy_changed_in_several_ways_is_found(
    share: float, x: float, y: float, factor: float, scale: float, is_mirrored: bool, seed: int
) -> None:
    image = texture(seed)
    copy = brighter(cropped(image, share, (x, y)), factor)
    copy = copy.resize((round(copy.width * scale), round(copy.height * scale)))
    copy = ImageOps.mirror(copy) if is_mirrored else copy
    assert copies(pairs_of([printed(image), printed(copy)])) == {(0, 1)}


def test_face_crops_are_searched_for_whole_and_mirrored_copies_beside_photos(textures: list[Image.Image]) -> None:
    crops = [image.resize((48, 48)) for image in textures[:6]]
    others = [pattern(seed, (48, 48)) for seed in range(6)]
    images = [crops[0], textures[1], ImageOps.mirror(crops[0]), *others, jpeg(textures[1]), jpeg(crops[0])]
    found = pairs_of([printed(image) for image in images], [is_face_crop(*image.size) for image in images])
    assert copies(found) == {(0, 2), (0, 10), (2, 10), (1, 9)}


def test_face_crop_that_is_a_whole_photo_made_small_is_its_copy(textures: list[Image.Image]) -> None:
    images = [textures[0], textures[1], textures[0].resize((100, 80))]
    assert copies(pairs_of([printed(image) for image in images], [False, False, True])) == {(0, 2)}


def test_pairs_are_sorted_and_few_pictures_have_none(textures: list[Image.Image]) -> None:
    prints = [printed(image) for image in textures]
    assert pairs_of([]).indices.shape == pairs_of(prints[:1]).indices.shape == (0, 2)
    found = pairs_of([prints[1], prints[0], prints[1], prints[0], prints[1]])
    assert found.indices.tolist() == [[0, 2], [0, 4], [1, 3], [2, 4]]
    assert found.similarity == pytest.approx([1, 1, 1, 1], abs=1e-3)


def test_blocks_do_not_change_the_pairs(textures: list[Image.Image], monkeypatch: pytest.MonkeyPatch) -> None:
    small = [image.resize((48, 48)) for image in textures[:5]]
    images = [
        *textures,
        *(cropped(image, 0.88, (0.2, 0.9)) for image in textures),
        *small,
        *map(ImageOps.mirror, small),
    ]
    prints, is_crop = [printed(image) for image in images], [is_face_crop(*image.size) for image in images]
    whole = pairs_of(prints, is_crop)
    monkeypatch.setattr(duplicates, "BLOCK", 4)
    parts = pairs_of(prints, is_crop)
    assert len(whole.indices) >= len(textures) + len(small)
    assert np.array_equal(parts.indices, whole.indices)
    assert parts.similarity == pytest.approx(whole.similarity, abs=1e-3)


def test_order_of_pictures_does_not_change_the_pairs(textures: list[Image.Image]) -> None:
    images = [*textures, *(cropped(image, 0.9, (0.1, 0.6)) for image in textures), *map(ImageOps.mirror, textures[:6])]
    prints = np.stack([printed(image) for image in images])
    order = np.random.default_rng(3).permutation(len(prints))
    shuffled = {tuple(sorted((int(order[i]), int(order[j])))) for i, j in copies(pairs_of(prints[order]))}
    assert shuffled == copies(pairs_of(prints))


# The measure


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**16), low=st.integers(0, 255), high=st.integers(0, 255), mixed=st.floats(0, 1))
def test_similarity_is_symmetric_and_a_cosine(seed: int, low: int, high: int, mixed: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(min(low, high), max(low, high) + 1, (2, 1, SIDE, SIDE)).astype(np.float32)
    b = mixed * a + (1 - mixed) * b
    assert similarity(a, b) == pytest.approx(similarity(b, a), abs=1e-5)
    assert -1 - 1e-5 <= similarity(a, b)[0] <= 1 + 1e-5


def test_similarity_of_a_picture_with_itself_is_one_and_with_its_negative_is_not(textures: list[Image.Image]) -> None:
    luma = np.stack([printed(image) for image in textures]).astype(np.float32)
    assert similarity(luma, luma) == pytest.approx(np.ones(len(luma)), abs=1e-3)
    assert np.all(similarity(luma, 255 - luma) < -0.5)


def test_looking_through_the_whole_window_changes_nothing(textures: list[Image.Image]) -> None:
    luma = np.stack([printed(image) for image in textures]).astype(np.float32)
    whole = np.tile(np.array([0, 1, 0, 1], np.float32), (len(luma), 1))
    assert look_in(luma, whole) == pytest.approx(luma, abs=1e-3)


def test_alignment_recovers_a_window(textures: list[Image.Image]) -> None:
    rng = np.random.default_rng(5)
    low, high = rng.uniform(0, 0.1, (len(textures), 2)), rng.uniform(0.9, 1, (len(textures), 2))
    windows = np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], axis=1).astype(np.float32)
    wholes = np.stack([printed(image) for image in textures]).astype(np.float32)
    start = np.tile(np.array([0.05, 0.95, 0.05, 0.95], np.float32), (len(windows), 1))
    found = align(look_in(wholes, windows), wholes, start)
    assert np.abs(found - windows).max() <= 0.01


# Groups


def test_same_bytes_are_an_exact_group(group: Callable[..., pl.DataFrame], textures: list[Image.Image]) -> None:
    table = group({"a/1": png(1), "a/2": png(1), "a/3": png(2), "b/4": encoded(pattern(1), "JPEG", quality=90)})
    assert groups_of(table, "exact_group") == {frozenset(["a/1", "a/2"])}
    assert groups_of(table) == {frozenset(["a/1", "a/2", "b/4"])}


def test_groups_are_named_by_their_first_row_and_others_have_none(group: Callable[..., pl.DataFrame]) -> None:
    table = group({"a/1": png(5), "a/2": png(6), "b/bad": b"x", "b/3": png(5), "b/4": png(6), "b/5": png(7)})
    assert table["near_group"].to_list() == table["exact_group"].to_list() == [0, 1, None, 0, 1, 5]


def test_flat_pictures_are_grouped_only_if_their_bytes_are_the_same(group: Callable[..., pl.DataFrame]) -> None:
    tones = {"a/1": 10, "a/2": 200, "a/3": 10, "b/4": 11}
    table = group({name: encoded(Image.new("RGB", (40, 30), (tone, tone, tone))) for name, tone in tones.items()})
    assert groups_of(table) == groups_of(table, "exact_group") == {frozenset(["a/1", "a/3"])}


def test_groups_are_transitive(group: Callable[..., pl.DataFrame]) -> None:
    images = [texture(1, (400, 300))]
    for _ in range(3):
        images.append(cropped(images[-1], 0.87, (0.5, 0.5)))
    first_and_last = [printed(images[0]), printed(images[-1])]
    assert copies(pairs_of(first_and_last)) == set()
    assert group({f"a/{i}": encoded(image) for i, image in enumerate(images)})["near_group"].to_list() == [0] * 4


def test_order_of_files_does_not_change_the_groups(group: Callable[..., pl.DataFrame]) -> None:
    images = {f"{i}": texture(i % 7) if i < 14 else cropped(texture(i % 7), 0.9, (0, 0.3)) for i in range(18)}
    files = {name: encoded(image) for name, image in images.items()}
    assert groups_of(group(dict(reversed(files.items())))) == groups_of(group(files))


def chain(length: int) -> dict[str, bytes]:
    """Pictures of which each is a crop of the one before."""
    images = [texture(2, (900, 700))]
    for _ in range(length - 1):
        images.append(cropped(images[-1], 0.93, (0.5, 0.5)))
    return {f"a/{i:02}": encoded(image, "BMP") for i, image in enumerate(images)}


def test_chain_longer_than_the_cap_is_cut_and_same_files_are_not(
    group: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = chain(12)
    assert len(groups_of(group(files))) == 1
    monkeypatch.setattr(duplicates, "MIN_GROUP_CAP", 5)
    same = {f"b/{i:02}": png(1) for i in range(9)}
    groups = groups_of(group(files | same))
    assert frozenset(same) in groups
    sizes = [len(paths) for paths in groups if paths != frozenset(same)]
    assert max(sizes) <= 5
    assert sum(sizes) >= 8, "most of the chain still stands beside what it is a copy of"


# Real photos


def grouped(path: Path, folder: Path) -> pl.DataFrame:
    return prepare([open_collection([str(path)])], [], folder, find_faces=False, progress=Silent()).manifest


@pytest.fixture(scope="module")
def planted(real_data: Path) -> tuple[Pictures, dict[str, Pictures]]:
    """All photos, and changed copies of 200 of them."""
    return plant(open_source(str(real_data / "six-emotions.zip")), list(KINDS), count=200)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_planted_copies_of_real_photos_are_found(planted: tuple[Pictures, dict[str, Pictures]], kind: str) -> None:
    photos, changed = planted
    result = score(photos, changed[kind])
    assert (len(photos.prints), result.planted) == (1020, 200)
    assert result.found >= 0.95 * result.planted
    assert result.false <= (len(photos.prints) + result.planted) // 1000


@pytest.mark.data
@pytest.mark.slow
def test_copies_among_many_small_files_are_all_found(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "fer2013.zip"
    found = count_audit(open_collection([str(path)]), grouped(path, tmp_path))
    assert found.images == 35_887
    exact, near = found.copies.exact, found.copies.near
    assert (exact.groups, exact.across_labels) == (1516, 57)
    assert exact.across_splits == {"train+test": 531}
    assert near.groups > exact.groups


@pytest.mark.parametrize("n_photos", [0, 5])
def test_cells_find_the_copies_that_a_search_of_each_with_each_finds(
    faces: list[Image.Image], monkeypatch: pytest.MonkeyPatch, n_photos: int
) -> None:
    changed = [jpeg(face) for face in faces] + [ImageOps.mirror(face) for face in faces]
    prints = [printed(image) for image in (*faces, *changed)]
    is_crop = np.arange(len(prints)) >= n_photos
    exact = pairs_of(prints, is_crop.tolist())
    monkeypatch.setattr(cells, "FROM", 50)
    monkeypatch.setattr(cells, "IN_A_CELL", 6)
    found = pairs_of(prints, is_crop.tolist())
    assert len(exact.indices) >= 2 * len(faces)
    assert copies(found) == copies(exact)
    pairs = [dict(zip(map(tuple, each.indices.tolist()), each.similarity, strict=True)) for each in (exact, found)]
    assert pairs[1].items() <= pairs[0].items()
    assert len(pairs[1]) >= 0.99 * len(pairs[0])


def test_cells_look_for_pairs_across_two_sets_alone(faces: list[Image.Image], monkeypatch: pytest.MonkeyPatch) -> None:
    prints = np.stack([printed(image) for image in (*faces, *map(jpeg, faces))])
    ours, is_crop = np.arange(len(prints)) % 3 == 0, np.ones(len(prints), np.bool_)
    exact = find_pairs(lambda some: prints[some], is_crop, ours)
    monkeypatch.setattr(cells, "FROM", 50)
    found = find_pairs(lambda some: prints[some], is_crop, ours)
    assert (ours[found.indices[:, 0]] != ours[found.indices[:, 1]]).all()
    assert copies(found) == copies(exact)
    assert len(copies(found)) > 10


@pytest.mark.data
def test_cells_miss_hardly_a_pair_of_real_faces(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = grouped(real_data / "fer2013.zip", tmp_path / "exact")
    monkeypatch.setattr(cells, "FROM", 1000)
    found = grouped(real_data / "fer2013.zip", tmp_path / "cells")
    for column in ("near_group", "series"):
        same = (exact[column] == found[column]).sum()
        assert same >= 0.999 * len(exact)


def test_descriptors_of_mirrored_pictures_need_no_second_look() -> None:
    prints = np.random.default_rng(3).integers(0, 256, (6, SIDE, SIDE), dtype=np.uint8)
    assert np.allclose(of_mirrored(descriptors(prints)), descriptors(prints[:, :, ::-1]), atol=1e-6)
    assert np.array_equal(of_mirrored(of_mirrored(descriptors(prints))), descriptors(prints))
