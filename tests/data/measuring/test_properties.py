"""What is measured of a photo: light, colour, sharpness, borders and strips with text."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from mien.data.measuring import properties
from mien.data.reading.preprocess import Box
from support.pictures import BLUE, RED, WHITE, encoded, halves, pattern

SIZES = [(48, 48), (200, 300), (640, 427), (2400, 1600)]


def measured(image: Image.Image, face: Box | None = None) -> dict[str, float | bool]:
    return {name: values[0] for name, values in properties.measure([properties.survey(image, face)]).items()}


def jpeg(image: Image.Image) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=75))).convert("RGB")


def framed(size: tuple[int, int], share: float, colour: tuple[int, int, int] = WHITE) -> Image.Image:
    """A picture in a frame that is this share of the width and of the height at each side."""
    image = Image.new("RGB", size, colour)
    inner = (round(size[0] * (1 - 2 * share)), round(size[1] * (1 - 2 * share)))
    image.paste(pattern(1, inner), (round(size[0] * share), round(size[1] * share)))
    return image


def captioned(
    size: tuple[int, int], share: float, *, text: str = "an agency · 123456789 · www.example.org"
) -> Image.Image:
    """A picture whose lowest part is a black strip with small white text."""
    image = pattern(2, size)
    height = round(size[1] * share)
    strip = Image.new("RGB", (400, round(400 * height / size[0])), "black")
    ImageDraw.Draw(strip).text((60, strip.height // 2 - 6), text, fill="white")
    image.paste(strip.resize((size[0], height), Image.Resampling.BICUBIC), (0, size[1] - height))
    return image


def portrait(size: tuple[int, int] = (300, 300)) -> Image.Image:
    """A head and shoulders before a plain white ground."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((100, 40, 200, 180), fill=(190, 140, 120))
    draw.ellipse((40, 160, 260, 460), fill=(60, 80, 130))
    return image


def test_the_survey_keeps_small_pictures_and_reduces_large_ones() -> None:
    small = pattern(0, (100, 60))
    assert (properties.survey(small).colour == np.asarray(small)).all()
    assert (np.asarray(properties.survey(small).grey) == np.asarray(small.convert("L"))).all()
    for size, reduced in (((1200, 600), (256, 128)), ((3000, 6000), (128, 256)), ((3000, 2), (256, 1))):
        assert properties.survey(pattern(0, size)).grey.size == reduced


@pytest.mark.parametrize("size", [(640, 427), (2400, 1600), (5000, 3000)])
def test_the_survey_shows_the_same_picture_as_a_careful_reduction(size: tuple[int, int]) -> None:
    image = pattern(3, size)
    careful = image.copy()
    careful.thumbnail((256, 256), Image.Resampling.BILINEAR, reducing_gap=None)
    difference = np.asarray(properties.survey(image).grey, int) - np.asarray(careful.convert("L"))
    assert np.abs(difference).mean() < 1


@pytest.mark.parametrize("size", [(300, 200), (640, 427), (5000, 3000)])
def test_colour_is_that_of_all_pixels_though_some_are_looked_at(size: tuple[int, int]) -> None:
    image = jpeg(pattern(3, size))
    pixels = np.asarray(image, int)
    chroma = pixels.max(2) - pixels.min(2)
    assert measured(image)["saturation"] == pytest.approx(chroma.sum() / pixels.max(2).sum(), abs=0.01)


def test_brightness_and_contrast_are_mean_and_deviation_of_luma() -> None:
    image = halves((40, 20))  # red and blue: luma 76 and 29
    found = measured(image)
    assert found["brightness"] == pytest.approx((76 + 29) / 2 / 255, abs=0.002)
    assert found["contrast"] == pytest.approx((76 - 29) / 2 / 255, abs=0.002)
    assert measured(Image.new("RGB", (50, 50), WHITE))["brightness"] == 1
    assert measured(Image.new("RGB", (50, 50), (200, 30, 90)))["contrast"] == 0


def test_saturation_is_none_in_greys_and_full_in_pure_colours() -> None:
    assert measured(ImageOps.grayscale(pattern(4)).convert("RGB"))["saturation"] == 0
    assert measured(Image.new("RGB", (30, 30), RED))["saturation"] == 1
    assert measured(Image.new("RGB", (30, 30), (200, 150, 100)))["saturation"] == pytest.approx(0.5)
    assert measured(Image.new("RGB", (30, 30), "black"))["saturation"] == 0
    half_black = Image.new("RGB", (30, 30), "black")
    half_black.paste((200, 150, 100), (0, 0, 15, 30))
    assert measured(half_black)["saturation"] == pytest.approx(0.5), "black has no colour to count"


def test_grey_is_told_from_colour_after_jpeg() -> None:
    colour = pattern(5, (120, 90))
    assert measured(jpeg(ImageOps.grayscale(colour).convert("RGB")))["is_grey"]
    assert not measured(jpeg(colour))["is_grey"]


@pytest.mark.parametrize("size", [(300, 200), (1600, 1200), (2400, 1600)])
def test_the_noise_of_a_grey_photo_is_no_colour(size: tuple[int, int]) -> None:
    grey = np.asarray(ImageOps.grayscale(pattern(5, size)).convert("RGB"), float)
    noisy = grey + np.random.default_rng(0).normal(0, 2, grey.shape)
    found = measured(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)))
    assert found["is_grey"]
    assert found["saturation"] < 0.015


def test_sharpness_falls_with_blur_and_looks_at_the_face_only() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))
    image = noise.filter(ImageFilter.GaussianBlur(8))
    image.paste(noise.crop((0, 0, 100, 100)), (0, 0))
    sharp, blurred = (measured(image, box)["sharpness"] for box in ((0, 0, 100, 100), (150, 150, 250, 250)))
    assert sharp > 20 * blurred
    assert measured(noise)["sharpness"] > measured(noise.filter(ImageFilter.GaussianBlur(3)))["sharpness"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("colour", [WHITE, (0, 0, 0), (190, 170, 110)])
def test_a_frame_is_measured_by_its_area(size: tuple[int, int], colour: tuple[int, int, int]) -> None:
    for share in (0.05, 0.15):
        found = measured(jpeg(framed(size, share, colour)))
        assert found["border"] == pytest.approx(1 - (1 - 2 * share) ** 2, abs=4 / min(*size, 171))
        assert found["banner"] == 0


@pytest.mark.parametrize("size", SIZES)
def test_bars_are_measured_by_their_area(size: tuple[int, int]) -> None:
    width, height = size
    bars = Image.new("RGB", size, "black")
    bars.paste(pattern(6, (width, height - 2 * (height // 8))), (0, height // 8))
    for image in (bars, bars.rotate(90, expand=True)):
        assert measured(jpeg(image))["border"] == pytest.approx(0.25, abs=4 / min(*size, 171))


def test_a_plain_ground_behind_a_person_is_no_border() -> None:
    for image in (portrait(), ImageOps.flip(portrait()), portrait().rotate(90)):
        assert measured(image)["border"] == 0
        assert measured(image)["banner"] == 0


@pytest.mark.parametrize("colour", [WHITE, (0, 0, 0), BLUE])
def test_a_picture_of_one_colour_has_neither_border_nor_banner(colour: tuple[int, int, int]) -> None:
    found = measured(Image.new("RGB", (60, 40), colour))
    assert found["border"] == found["banner"] == 0


def test_pictures_without_added_edges_have_none() -> None:
    for seed in range(30):
        found = measured(pattern(seed, (200, 150)))
        assert found["border"] == found["banner"] == 0


@pytest.mark.parametrize("size", [(400, 300), (1500, 1000), (2400, 1600)])
def test_a_strip_with_text_is_a_banner_and_one_without_is_a_border(size: tuple[int, int]) -> None:
    image = captioned(size, 0.08)
    for strip in (image, ImageOps.flip(image), ImageOps.mirror(image), jpeg(image), ImageOps.invert(image)):
        found = measured(strip)
        assert found["banner"] == pytest.approx(0.08, abs=0.015)
        assert found["border"] == 0
    bare = measured(captioned(size, 0.08, text=""))
    assert bare["border"] == pytest.approx(0.08, abs=0.015)
    assert bare["banner"] == 0


def test_half_a_picture_of_text_is_no_banner() -> None:
    assert measured(captioned((400, 300), 0.5))["banner"] == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (2, 3), (3, 500)])
def test_every_size_can_be_measured(size: tuple[int, int]) -> None:
    found = measured(pattern(7, size))
    assert all(0 <= found[name] <= 1 for name in ("brightness", "contrast", "saturation", "border", "banner"))
    assert np.isfinite(list(found.values())).all()
