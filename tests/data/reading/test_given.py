"""What Python users hand over is answered as the same picture in a file is, or refused by what it is and where."""

from __future__ import annotations

import array
import io
import mmap
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given as drawn
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from mien import Recognizer
from mien.data.reading.given import Channels, given
from mien.data.reading.preprocess import UnreadableImageError
from mien.demo import draw_face
from mien.errors import ConfigError, MienError, PhotoError
from support.pictures import BLUE, GREEN, RED, colour_model, encoded, pattern

Pixels = NDArray[np.uint8]
FACE = np.asarray(draw_face("happy", 0).convert("RGB"))
GREY = np.asarray(draw_face("happy", 0).convert("L"))


def seen(photo: Any, channels: Channels = "rgb") -> Pixels:
    """The pixels (H, W, 3) that a single thing comes to."""
    taken = given(photo, channels)
    assert taken.is_one
    return np.asarray(taken.pictures[0].load())


def all_seen(photos: Any, channels: Channels = "rgb") -> list[Pixels]:
    """The pixels of each of several."""
    taken = given(photos, channels)
    assert not taken.is_one
    return [np.asarray(picture.load()) for picture in taken.pictures]


def refusal(photos: Any) -> PhotoError:
    """The error of what is no photo, which says so in one line."""
    with pytest.raises(PhotoError) as error:
        given(photos)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1500
    return error.value


@pytest.fixture
def colours(tmp_path: Path) -> Recognizer:
    """Red is anger, green is fear, blue is sad."""
    return Recognizer(colour_model(tmp_path / "model.onnx"))


def in_place(file: Any) -> Any:
    """A file into which the face was written, its position at the end, as after ``image.save(file)``."""
    file.write(encoded(Image.fromarray(FACE)))
    return file


def closed(file: Any) -> Any:
    file.close()
    return file


class Unseekable(io.RawIOBase):
    """Bytes that come once, as from a socket."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1, /) -> bytes:
        return self._content.read(size)

    def seekable(self) -> bool:
        return False


CONTENT = encoded(Image.fromarray(FACE))
SAME: dict[str, Callable[[], Any]] = {
    "bytes": lambda: CONTENT,
    "bytearray": lambda: bytearray(CONTENT),
    "memoryview": lambda: memoryview(CONTENT),
    "array of bytes": lambda: array.array("B", CONTENT),
    "BytesIO": lambda: io.BytesIO(CONTENT),
    "BytesIO at its end": lambda: in_place(io.BytesIO()),
    "temporary file": lambda: in_place(tempfile.TemporaryFile()),  # noqa: SIM115
    "spooled file": lambda: in_place(tempfile.SpooledTemporaryFile()),  # noqa: SIM115
    "socket": lambda: Unseekable(CONTENT),
    "Pillow": lambda: Image.fromarray(FACE),
    "opened": lambda: Image.open(io.BytesIO(CONTENT)),
    "RGBA image": lambda: Image.fromarray(FACE).convert("RGBA"),
    "uint8": lambda: FACE,
    "read only": lambda: np.frombuffer(FACE.tobytes(), np.uint8).reshape(FACE.shape),
    "Fortran": lambda: np.asfortranarray(FACE),
    "turned twice": lambda: np.ascontiguousarray(FACE[::-1, ::-1])[::-1, ::-1],
    "cut out": lambda: np.pad(FACE, ((3, 3), (5, 5), (0, 0)))[3:-3, 5:-5],
    "memoryview of rows": lambda: memoryview(FACE.copy()),  # type: ignore[arg-type]
    "floats to 1": lambda: FACE / 255,
    "float32 to 1": lambda: (FACE / 255).astype(np.float32),
    "float16 to 1": lambda: (FACE / 255).astype(np.float16),
    "floats to 255": lambda: FACE.astype(np.float32),
    "int64": lambda: FACE.astype(np.int64),
    "int16 to 255": lambda: FACE.astype(np.int16),
    "uint16 to 255": lambda: FACE.astype(np.uint16),
    "16 bits": lambda: FACE.astype(np.uint16) * 257,
    "big-endian": lambda: (FACE.astype(np.uint16) * 257).astype(">u2"),
    "RGBA": lambda: np.dstack([FACE, np.full(GREY.shape, 255, np.uint8)]),
    "RGBA floats": lambda: np.dstack([FACE / 255, np.ones(GREY.shape)]),
    "mask that hides nothing": lambda: np.ma.masked_array(FACE, mask=False),
    "tensor": lambda: torch.from_numpy(FACE.copy()),
    "tensor, channels first": lambda: torch.from_numpy(FACE.copy()).permute(2, 0, 1),
    "tensor with a gradient": lambda: torch.from_numpy(FACE / 255).permute(2, 0, 1).requires_grad_(),
}


@pytest.mark.parametrize("kind", SAME)
def test_one_face_is_the_same_however_it_is_handed_over(kind: str) -> None:
    assert np.array_equal(seen(SAME[kind]()), FACE)


GREYS: dict[str, Callable[[], Any]] = {
    "(H, W)": lambda: GREY,
    "(H, W, 1)": lambda: GREY[..., None],
    "floats": lambda: GREY / 255,
    "matrix": lambda: np.asmatrix(GREY),
    "16 bits": lambda: GREY.astype(np.uint16) * 257,
    "tensor (H, W)": lambda: torch.from_numpy(GREY.copy()),
    "tensor (1, H, W)": lambda: torch.from_numpy(GREY.copy())[None],
    "Pillow L": lambda: Image.fromarray(GREY),
    "Pillow I;16": lambda: Image.fromarray(GREY.astype(np.uint16) * 257),
    "Pillow I": lambda: Image.fromarray(GREY.astype(np.int32)),
    "Pillow F": lambda: Image.fromarray(GREY.astype(np.float32) / 255),
    "Pillow La": lambda: Image.fromarray(GREY).convert("LA").convert("La"),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize("kind", GREYS)
def test_a_grey_face_is_grey_however_it_is_handed_over(kind: str) -> None:
    assert np.array_equal(seen(GREYS[kind]()), np.dstack([GREY] * 3))


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_numbers_of_any_depth_are_as_bright_as_those_of_8_bits(bits: int) -> None:
    ramp = np.linspace(0, 2**bits - 1, 256).reshape(16, 16).astype(np.uint16)
    assert np.abs(seen(ramp)[..., 0].astype(int) - np.arange(256).reshape(16, 16)).max() <= 1


def test_true_is_white() -> None:
    mask = GREY > 128
    assert np.array_equal(seen(mask)[..., 0], np.where(mask, 255, 0))


def test_transparency_lies_on_white() -> None:
    clear = np.zeros((20, 20, 4), np.uint8)
    clear[:, 10:, 3] = 255
    assert (seen(clear)[5, 2].tolist(), seen(clear)[5, 15].tolist()) == ([255] * 3, [0] * 3)


@pytest.mark.parametrize(
    "photo", [FACE[..., ::-1], torch.from_numpy(FACE[..., ::-1].copy()).permute(2, 0, 1), FACE[..., ::-1] / 255]
)
def test_colours_of_opencv_are_turned_round(photo: Any) -> None:
    assert np.array_equal(seen(photo, "bgr"), FACE)


def test_alpha_stays_last_where_colours_are_turned_round() -> None:
    bgra = np.dstack([FACE[..., ::-1], np.full(GREY.shape, 255, np.uint8)])
    assert np.array_equal(seen(bgra, "bgr"), FACE)
    assert np.array_equal(seen(Image.fromarray(FACE), "bgr"), FACE)
    assert np.array_equal(seen(GREY, "bgr")[..., 0], GREY)


def test_an_order_of_colours_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="bgr"):
        given(FACE, "BGR")  # type: ignore[arg-type]


TWO = np.stack([FACE, 255 - FACE])


@pytest.mark.parametrize(
    "photos",
    [
        TWO,
        TWO / 255,
        TWO.astype(np.float32),
        torch.from_numpy(TWO).permute(0, 3, 1, 2),
        torch.from_numpy(TWO / 255).permute(0, 3, 1, 2).float(),
        list(TWO),
        tuple(TWO),
        (each for each in TWO),
        map(Image.fromarray, TWO),
        {"a": TWO[0], "b": TWO[1]}.values(),
        np.array([Image.fromarray(each) for each in TWO] + [None], object)[:2],
    ],
    ids=lambda photos: type(photos).__name__,
)
def test_several_are_answered_in_their_order(photos: Any) -> None:
    first, second = all_seen(photos)
    assert np.array_equal(first, TWO[0])
    assert np.array_equal(second, TWO[1])


def test_a_batch_of_one_is_a_list_of_one() -> None:
    assert len(all_seen(FACE[None])) == len(all_seen([FACE])) == 1


@pytest.mark.parametrize(
    "photos", [[], (), iter([]), np.zeros((0, 20, 20, 3), np.uint8), np.array([], dtype=object), {}.values()]
)
def test_no_photos_have_no_answers(photos: Any) -> None:
    assert all_seen(photos) == []


def test_a_dark_picture_of_a_batch_goes_by_the_range_of_all() -> None:
    dark = np.full((40, 40, 3), 0.9)
    bright, read = all_seen(np.stack([np.full((40, 40, 3), 250.0), dark]))
    assert (bright.max(), read.max()) == (250, 1)


def test_a_buffer_that_is_filled_anew_is_read_as_it_was() -> None:
    def frames() -> Iterator[Pixels]:
        buffer = np.empty((30, 30, 3), np.uint8)
        for colour in (RED, GREEN, BLUE):
            buffer[:] = colour
            yield buffer

    assert [tuple(each[0, 0]) for each in all_seen(frames())] == [RED, GREEN, BLUE]


def test_frames_of_one_pillow_image_are_different_pictures() -> None:
    frames = [Image.new("RGB", (30, 30), colour) for colour in (RED, GREEN, BLUE)]
    file = io.BytesIO(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    with Image.open(file) as animation:
        assert [tuple(each[0, 0]) for each in all_seen(ImageSequence.Iterator(animation))] == [RED, GREEN, BLUE]


def test_an_open_file_stays_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        file.seek(7)
        assert np.array_equal(seen(file), FACE)
        assert np.array_equal(seen(file), FACE)
        assert file.tell() == 7
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert np.array_equal(seen(mapped), FACE)


def test_nothing_that_is_handed_over_is_changed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(pattern(1), "JPEG", exif=exif)))
    before = FACE.copy()
    assert seen(image).shape[:2] == (40, 30)
    assert (image.size, image.getexif()[0x0112]) == ((40, 30), 6)
    seen(FACE, "bgr")
    assert np.array_equal(FACE, before)


def test_one_image_may_stand_in_a_list_more_than_once(colours: Recognizer) -> None:
    image = Image.open(io.BytesIO(CONTENT))
    answers = colours.predict([image] * 20)
    assert len({str(answer.probabilities) for answer in answers}) == 1
    assert answers[0].probabilities


def test_home_is_put_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colours: Recognizer) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "face.png").write_bytes(CONTENT)
    for path in ("~/face.png", Path("~/face.png"), np.array(["~/face.png"])[0]):
        answer = colours.predict(path)
        assert answer.probabilities
        assert answer.path == "~/face.png"


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "None": (lambda: None, "None"),
    "number": (lambda: 0, "number (int)"),
    "NumPy number": (lambda: np.float32(3), "float32"),
    "function": (lambda: len, "builtin_function"),
    "class": (lambda: Image.Image, "type"),
    "dict": (lambda: {"a.png": FACE}, "dict"),
    "set": (lambda: {"a.png"}, "set"),
    "empty": (lambda: "", "empty"),
    "blank": (lambda: " \t\n", "empty"),
    "null character": (lambda: "a\0.png", "name"),
    "web in a path": (lambda: Path("http://example.org/a.jpg"), "slash"),
    "page of a set": (lambda: "https://huggingface.co/datasets/ann/faces", "hf:ann/faces"),
    "stream": (lambda: "rtsp://10.0.0.1/live", "camera"),
    "file in a path": (lambda: Path("file:///tmp/a.jpg"), "slash"),
    "data URL": (lambda: "data:image/png;base64,iVBORw0KGgo", "data URL"),
    "long data URL": (lambda: "data:image/png;base64," + "A" * 10**6, "data URL"),
    "camera": (lambda: "0", "camera"),
    "device": (lambda: "/dev/video97", "camera"),
    "unknown user": (lambda: "~no-such-user-of-this-machine/a.png", "user"),
    "text file": (lambda: io.StringIO("x"), "rb"),
    "closed file": (lambda: closed(io.BytesIO(CONTENT)), "closed"),
    "file that only writes": (lambda: open("/dev/null", "wb"), "rb"),  # noqa: PTH123, SIM115
    "empty crop": (lambda: FACE[10:10], "without pixels"),
    "no columns": (lambda: FACE[:, :0], "without pixels"),
    "0 × 0": (lambda: np.zeros((0, 0), np.uint8), "without pixels"),
    "0 × 0 × 3 floats": (lambda: np.zeros((0, 0, 3)), "without pixels"),
    "image of nothing": (lambda: Image.new("RGB", (0, 0)), "without pixels"),
    "image without rows": (lambda: Image.new("L", (5, 0)), "without pixels"),
    "tensor of nothing": (lambda: torch.zeros(3, 0, 0), "without pixels"),
    "NaN": (lambda: np.full((20, 20, 3), np.nan), "NaN"),
    "one infinity": (lambda: np.where(np.arange(400).reshape(20, 20) == 7, np.inf, 0.5), "infinity"),
    "normalised": (lambda: (FACE / 255 - 0.45) / 0.22, "normalised"),
    "overdrawn": (lambda: FACE / 255 * 1.02, "white"),
    "floats beyond 255": (lambda: FACE * 1.05, "white"),
    "32 bits": (lambda: FACE.astype(np.uint32) * 65537, "white"),
    "mask of numbers": (lambda: (GREY > 128).astype(np.int64), "white"),
    "signed bytes": (lambda: FACE.astype(np.int8), "int8"),
    "signed 16 bits": (lambda: FACE.astype(np.int16) * 128, "white"),
    "alpha of another range": (
        lambda: np.dstack([FACE.astype(np.uint16) * 16, np.full(GREY.shape, 65535, np.uint16)]),
        "alpha",
    ),
    "objects": (lambda: FACE.astype(object), "object"),
    "complex": (lambda: FACE.astype(complex), "complex"),
    "dates": (lambda: np.zeros((20, 20), "datetime64[s]"), "datetime"),
    "records": (lambda: np.zeros((20, 20), [("r", "u1"), ("g", "u1")]), "('r'"),
    "masked": (lambda: np.ma.masked_array(FACE, mask=FACE > 200), "masked"),
    "channels first": (lambda: FACE.transpose(2, 0, 1), "transpose(1, 2, 0)"),
    "batch, channels first": (lambda: TWO.transpose(0, 3, 1, 2), "transpose(0, 2, 3, 1)"),
    "batch of greys": (lambda: np.stack([GREY] * 7), "[..., None]"),
    "two channels": (lambda: FACE[..., :2], "channels"),
    "five channels": (lambda: np.zeros((20, 20, 5), np.uint8), "channels"),
    "one axis": (lambda: FACE.reshape(-1) / 255, "axes"),
    "content of a file": (lambda: np.frombuffer(CONTENT, np.uint8), "tobytes"),
    "five axes": (lambda: FACE[None, None], "axes"),
    "flattened": (lambda: GREY.reshape(1, -1), "reshape"),
    "tensor without numbers": (lambda: torch.empty(3, 9, 9, device="meta"), "Tensor"),
    "tensor of either order": (lambda: torch.zeros(3, 9, 3), "first or last"),
    "sparse tensor": (lambda: torch.zeros(9, 9).to_sparse(), "Tensor"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_photo_is_refused_by_what_it_is(kind: str) -> None:
    make, said = REFUSED[kind]
    assert said in str(refusal(make()))


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_photo_is_refused_by_its_place_among_others(kind: str) -> None:
    make, said = REFUSED[kind]
    error = refusal([FACE, make(), CONTENT])
    assert list(error.refused) == [1]
    assert said in error.refused[1]
    assert "photos[1]" in str(error)


def test_one_error_names_all_that_are_refused() -> None:
    error = refusal([FACE, None, "rtsp://example.org/a.jpg", FACE[:0], None, None, [FACE], 5])
    assert list(error.refused) == [1, 2, 3, 4, 5, 6, 7]
    assert "7 of 8" in str(error)
    for named in ("photos[1, 4–5]: None", "photos[2]", "photos[3]", "photos[6]", "photos[7]"):
        assert named in str(error)


def test_an_error_names_the_pictures_of_a_batch() -> None:
    several = np.stack([FACE / 255, np.full(FACE.shape, np.nan), FACE / 255, np.full(FACE.shape, np.inf)])
    assert list(refusal(several).refused) == [1, 3]


@pytest.mark.parametrize("photos", [[[FACE]], FACE.tolist(), [(FACE, FACE)], [iter([FACE])], [1, 2.5] * 99])
def test_lists_in_lists_and_lists_of_numbers_are_refused(photos: Any) -> None:
    assert refusal(photos).refused


def test_the_error_can_be_caught_as_the_kinds_that_it_is() -> None:
    assert issubclass(PhotoError, MienError)
    assert issubclass(PhotoError, TypeError)
    assert issubclass(PhotoError, ValueError)


@pytest.mark.parametrize("content", [b"", b"<html>", CONTENT[:200], b"\0" * 99])
def test_bytes_that_are_no_image_are_answered_with_a_reason(content: bytes, colours: Recognizer) -> None:
    for photo in (content, io.BytesIO(content)):
        answer = colours.predict(photo)
        assert (answer.status, answer.label) == ("unreadable", None)
        assert answer.reason


def test_a_pillow_image_that_is_cut_short_or_closed_is_answered_with_a_reason(colours: Recognizer) -> None:
    cut = Image.open(io.BytesIO(CONTENT[:-200]))
    closed = Image.open(io.BytesIO(CONTENT))
    closed.close()
    for answer in colours.predict([cut, closed]):
        assert (answer.status, answer.label) == ("unreadable", None)
        assert answer.reason


def test_nothing_is_answered_for_what_cannot_be_seen(colours: Recognizer) -> None:
    answer = colours.predict(np.zeros((50, 50, 4), np.uint8))
    assert (answer.status, answer.label) == ("unreadable", None)


@drawn(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=6),
    )
)
def test_any_array_is_a_picture_of_its_pixels_or_refused(values: NDArray[Any]) -> None:
    try:
        taken = given(values)
    except PhotoError:
        return
    for picture in taken.pictures:
        try:
            image = picture.load()
            assert isinstance(image, Image.Image)
            assert 0 not in image.size
        except UnreadableImageError as error:
            reason = str(error)
        else:
            continue
        assert "transparent" in reason
    assert taken.is_one == (values.ndim < 4)
    assert len(taken.pictures) == (1 if taken.is_one else len(values))


def test_tensors_are_known_without_their_library() -> None:
    class Tensor:
        """Has what is asked of a tensor, and nothing else."""

        def detach(self) -> Tensor:
            return self

        def cpu(self) -> Tensor:
            return self

        def numpy(self) -> Pixels:
            return FACE.transpose(2, 0, 1)

    assert np.array_equal(seen(Tensor()), FACE)


# -- what comes from other programs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64, torch.uint8])
def test_tensors_of_kinds_that_numpy_lacks_are_read_too(kind: torch.dtype) -> None:
    scale = 255 if kind == torch.uint8 else 1
    tensor = (torch.from_numpy(FACE.copy()).permute(2, 0, 1).float() / 255 * scale).to(kind)
    assert np.abs(seen(tensor).astype(int) - FACE).max() <= 2


class _NoPath:
    def __fspath__(self) -> str:
        raise RuntimeError("not mounted")


@pytest.mark.parametrize("text", ["iVBORw0KGgo" * 200, "a/" + "b" * 300, _NoPath()])
def test_what_can_be_no_path_is_refused_in_one_short_line(text: Any) -> None:
    assert len(str(refusal(text))) < 400
    assert set(refusal([FACE, text]).refused) == {1}


@pytest.mark.parametrize("thing", [None, b"ftyp", io.BytesIO(b"x"), 0, ["a.mp4"], FACE, _NoPath(), object()])
def test_what_is_no_path_of_a_video_is_refused_by_what_it_is(thing: Any) -> None:
    with pytest.raises(PhotoError) as error:
        Recognizer.default().predict_video(thing)
    assert "\n" not in str(error.value)
    assert isinstance(error.value, TypeError)
