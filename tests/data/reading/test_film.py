"""Moving pictures become upright frames with their times; what is missing or damaged is told, nothing is made up."""

from __future__ import annotations

import io
import itertools
import tracemalloc
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from mien.data.reading.endings import is_cut_short
from mien.data.reading.frames import Frame, Pace
from mien.data.reading.pictures import Picture, open_film, open_pictures
from mien.data.reading.preprocess import UnreadableImageError
from mien.data.reading.signatures import START, is_video
from support.films import RATE, animation, drawn_frames, film, silence, with_matrix
from support.pictures import encoded, halves, pattern, write_files, write_zip

CONTAINERS = {
    "a.mp4": {},
    "a.mov": {"codec": "libx264"},
    "fragments.mp4": {"options": {"movflags": "frag_keyframe+empty_moov"}},
    "first.mp4": {"options": {"movflags": "faststart"}},
    "a.avi": {},
    "a.mkv": {},
    "a.webm": {},
    "a.flv": {},
    "a.wmv": {},
    "a.mpg": {},
    "a.MTS": {"kind": "mpegts"},
}


def shown(pictures: Iterable[Picture]) -> list[Image.Image]:
    """The pictures of all frames, none of which may tell of damage."""
    images = [picture.load() for picture in pictures]
    assert all(isinstance(image, Image.Image) for image in images)
    return [image for image in images if isinstance(image, Image.Image)]


def fault(pictures: list[Picture]) -> str:
    """What the last picture says is wrong; all before it can be loaded."""
    shown(pictures[:-1])
    assert pictures[-1].frame is None
    with pytest.raises(UnreadableImageError) as caught:
        pictures[-1].load()
    return str(caught.value)


def made(folder: Path, name: str, n: int = 40) -> Path:
    return film(folder / name, drawn_frames(n, (96, 64)), 10, **CONTAINERS[name])  # type: ignore[arg-type]


# -- what is a video --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONTAINERS)
def test_video_is_known_by_how_it_begins_whatever_it_is_called(name: str, tmp_path: Path) -> None:
    path = made(tmp_path, name)
    for other in ("clip.xyz", "clip", "photo.jpg"):
        path = path.rename(tmp_path / other)
        frames = list(open_pictures(str(path)))
        assert len(shown(frames)) == 20, other
        assert [frame.time for frame in frames] == pytest.approx([i / 5 for i in range(20)], abs=0.01)
        assert [frame.frame for frame in frames] == [2 * i for i in range(20)]


def test_title_of_any_encoding_is_no_obstacle(tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", drawn_frames(10), 10, title="XXXX")
    content = path.read_bytes()
    assert b"XXXX" in content
    path.write_bytes(content.replace(b"XXXX", "Fête".encode("latin-1")))
    assert len(shown(open_pictures(str(path)))) == 5


def test_bare_stream_without_times_goes_by_its_rate(tmp_path: Path) -> None:
    path = film(tmp_path / "clip", drawn_frames(50), 25, kind="h264", codec="libx264")
    frames = list(open_pictures(str(path)))
    assert len(shown(frames)) == 10
    assert [frame.time for frame in frames] == pytest.approx([i / 5 for i in range(10)], abs=0.05)


def test_video_in_folder_zip_list_and_table_is_read_as_on_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = made(tmp_path, "a.mkv").read_bytes()
    root = write_files(tmp_path / "photos", {"a.png": encoded(pattern(1)), "b": content, "c.png": encoded(pattern(2))})
    archive = write_zip(tmp_path / "x.zip", {"b": content})
    (tmp_path / "t.csv").write_text("path,label\nphotos/b,happy\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{root}/b\n"))
    for spec in (str(root), str(archive), "-", str(tmp_path / "t.csv")):
        (moving,) = (picture for picture in open_pictures(spec) if picture.path.endswith("b"))
        loaded = moving.load()
        assert not isinstance(loaded, Image.Image)
        frames = list(loaded.pictures())
        assert len(shown(frames)) == 20, spec
        assert {frame.path for frame in frames} == {moving.path}
    assert [p.frame for p in open_pictures(f"{root}/*")] == [None, *range(0, 40, 2), None]


@pytest.mark.parametrize(
    "content",
    [
        encoded(pattern(1), "JPEG"),
        encoded(pattern(1)),
        encoded(pattern(1), "AVIF"),
        b"RIFF\0\0\0\0WAVEfmt ",
        b"%PDF-1.7",
    ],
)
def test_what_is_known_as_something_else_is_no_video_whatever_it_is_called(content: bytes) -> None:
    assert not is_video(content[:START], "clip.mp4")


def test_photo_that_is_called_a_video_is_a_photo(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(encoded(halves(), "JPEG"))
    (picture,) = open_pictures(str(tmp_path / "clip.mp4"))
    assert picture.frame is None
    assert isinstance(picture.load(), Image.Image)


def test_large_video_is_never_read_whole(tmp_path: Path) -> None:
    path = made(tmp_path, "first.mp4")
    size = path.stat().st_size
    with path.open("ab") as file:  # a box of half a gigabyte, nearly all of it a hole
        file.write((2**29).to_bytes(4, "big") + b"free")
        file.truncate(size + 2**29)
    root = tmp_path / "photos"
    root.mkdir()
    path.rename(root / "long")
    (moving,) = open_pictures(str(root))
    tracemalloc.start()
    loaded = moving.load()
    assert not isinstance(loaded, Image.Image)
    assert len(list(loaded.pictures())) == 20
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()


# -- upright ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((1, 0, 0, 1), None),
        ((-1, 0, 0, 1), Image.Transpose.FLIP_LEFT_RIGHT),
        ((1, 0, 0, -1), Image.Transpose.FLIP_TOP_BOTTOM),
        ((-1, 0, 0, -1), Image.Transpose.ROTATE_180),
        ((0, 1, -1, 0), Image.Transpose.ROTATE_270),  # clockwise by 90°
        ((0, -1, 1, 0), Image.Transpose.ROTATE_90),
        ((0, 1, 1, 0), Image.Transpose.TRANSPOSE),
        ((0, -1, -1, 0), Image.Transpose.TRANSVERSE),
    ],
)
def test_frames_are_shown_as_the_display_matrix_says(
    matrix: tuple[int, int, int, int], turned: Image.Transpose | None, tmp_path: Path
) -> None:
    """All eight ways to turn and mirror; four corners tell them apart."""
    corners = Image.new("RGB", (96, 64), (120, 120, 120))
    for colour, place in (((250, 20, 20), (0, 0)), ((20, 250, 20), (72, 0)), ((20, 20, 250), (0, 40))):
        corners.paste(colour, (*place, place[0] + 24, place[1] + 24))
    path = film(tmp_path / "a.mp4", [corners] * 3, codec="mpeg4")
    path.write_bytes(with_matrix(path.read_bytes(), *matrix))
    image, *_ = shown(open_pictures(str(path)))
    expected = corners if turned is None else corners.transpose(turned)
    assert image.size == expected.size
    assert np.abs(np.asarray(image, int) - np.asarray(expected, int)).mean() < 12


def test_pixels_that_are_no_squares_are_made_square(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", drawn_frames(3, (64, 64)), codec="mpeg4", aspect=Fraction(3, 2))
    assert {image.size for image in shown(open_pictures(str(path)))} == {(96, 64)}


# -- times ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mkv", "a.MTS", "a.mp4"])
def test_times_count_from_the_first_frame(name: str, tmp_path: Path) -> None:
    times = [5 + i / 10 for i in range(10)]
    kind = "mpegts" if name == "a.MTS" else None
    path = film(tmp_path / name, drawn_frames(10), 10, times=times, codec="libx264", kind=kind)
    frames = list(open_film(path, frames_per_second=10))
    assert [frame.time for frame in frames] == pytest.approx([i / 10 for i in range(10)], abs=0.002)
    assert len(shown(frames)) == 10


def test_frames_of_varying_length_stand_for_as_long_as_they_are_shown(tmp_path: Path) -> None:
    times = [0, 0.2, 0.3, 0.7, 0.8, 1.0, 1.4]
    path = film(tmp_path / "a.mkv", drawn_frames(7), 10, times=times, codec="mpeg4")
    frames = list(open_film(path, frames_per_second=100))
    assert [frame.time for frame in frames] == pytest.approx(times, abs=0.002)
    lasts = [after - before for before, after in itertools.pairwise(times)]
    assert [frame.seconds for frame in frames[:-1]] == pytest.approx(lasts, abs=0.002)
    assert [frame.follows for frame in frames] == [False] + [True] * 6


def test_gap_is_noticed_and_no_frame_stands_for_it(tmp_path: Path) -> None:
    times = [*(i / 10 for i in range(10)), *(4 + i / 10 for i in range(10))]
    for name in ("a.mkv", "a.mp4"):
        path = film(tmp_path / name, drawn_frames(20), 10, times=times, codec="mpeg4")
        frames = list(open_film(path, frames_per_second=5))
        assert [frame.time for frame in frames if not frame.follows] == pytest.approx([0, 4], abs=0.002)
        assert all((frame.seconds or 0) <= 0.21 for frame in frames), name


def test_at_most_so_many_frames_are_looked_at_and_each_stands_until_the_next() -> None:
    pace, taken = Pace(5), list[Frame]()
    for number in range(50):
        taken += pace.take(Frame(lambda: pattern(0), number, number / 25), 0.04)
    taken += pace.end()
    assert [frame.number for frame in taken] == [*range(0, 50, 5)]
    assert [frame.seconds for frame in taken] == pytest.approx([0.2] * 10)


def test_clock_that_is_set_back_goes_on(tmp_path: Path) -> None:
    """As where two recordings are laid end to end."""
    path = film(tmp_path / "a.MTS", drawn_frames(10), 10, kind="mpegts")
    path.write_bytes(path.read_bytes() * 2)
    frames = [frame for frame in open_film(path, frames_per_second=5) if frame.frame is not None]
    times = [frame.time or 0.0 for frame in frames]
    assert len(frames) == 10
    assert times == sorted(times)
    assert [frame.follows for frame in frames].count(False) == 2


def test_frames_a_little_out_of_order_lose_no_time(tmp_path: Path) -> None:
    """An AVI does not name the times of its frames, so those that others are made of come too early."""
    path = film(tmp_path / "a.avi", drawn_frames(40, (96, 64)), 10, codec="libx264")
    frames = list(open_film(path))
    assert len(shown(frames)) == 20
    assert [frame.time for frame in frames] == pytest.approx([i / 5 for i in range(20)], abs=0.11)
    assert [frame.follows for frame in frames].count(False) == 1


def test_sound_that_ends_later_or_earlier_is_no_early_end(tmp_path: Path) -> None:
    for name, seconds in (("long.mp4", 4.0), ("short.mkv", 0.5)):
        path = film(tmp_path / name, drawn_frames(20), 10, sound=seconds)
        frames = list(open_film(path))
        assert len(shown(frames)) == 10, name


def test_video_trimmed_without_coding_it_again_is_no_early_end(tmp_path: Path) -> None:
    """Phones leave the frames in the file, and an edit list says where the video begins."""
    times = [i / 10 - 1 for i in range(30)]
    options = {"use_editlist": "1", "avoid_negative_ts": "disabled"}
    path = film(tmp_path / "a.mp4", drawn_frames(30), 10, times=times, options=options)
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 30
        assert container.duration == pytest.approx(2_000_000, abs=100_000)
    frames = list(open_film(path))
    assert len(shown(frames)) == 10
    assert frames[0].time == 0


# -- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONTAINERS)
def test_whole_video_has_no_fault(name: str, tmp_path: Path) -> None:
    assert len(shown(list(open_film(made(tmp_path, name))))) == 20


@pytest.mark.parametrize("share", [0.9, 0.55])
@pytest.mark.parametrize("name", [name for name in CONTAINERS if name not in ("a.mp4", "a.mov")])
def test_cut_video_answers_what_comes_before_the_cut_and_says_so(name: str, share: float, tmp_path: Path) -> None:
    path = made(tmp_path, name)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    frames = list(open_film(path))
    said = fault(frames)
    assert said.startswith(("cut short", "damaged")), said
    assert 20 * share - 6 < len(frames) - 1 <= 20
    assert frames[-1].time == pytest.approx(4 * share, abs=1.3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_cut_video_whose_index_is_gone_is_one_line(name: str, tmp_path: Path) -> None:
    path = made(tmp_path, name)
    path.write_bytes(path.read_bytes()[:-500])
    (frame,) = open_film(path)
    assert fault([frame]).startswith("cut short")


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "first.mp4", "a.mpg"])
def test_damage_inside_is_told_and_reading_goes_on_at_a_key_frame(name: str, tmp_path: Path) -> None:
    path = made(tmp_path, name, 60)
    content = bytearray(path.read_bytes())
    for place in (35, 45, 55):
        start = len(content) * place // 100
        content[start : start + 400] = np.random.default_rng(place).bytes(400)
    path.write_bytes(bytes(content))
    frames = list(open_film(path, frames_per_second=10))
    assert fault(frames).startswith(("damaged", "cut short"))
    numbers = [frame.frame for frame in frames[:-1] if frame.frame is not None]
    assert 15 < len(numbers) < 60
    assert sum(not frame.follows for frame in frames[:-1]) >= 1
    if name != "a.mkv":  # whose parts are found by what stands before them
        assert max(numbers) > 40
        assert [frame for frame in frames[1:-1] if not frame.follows]


def test_video_without_frames_or_without_video_is_one_line(tmp_path: Path) -> None:
    for name, content in (("empty.mp4", b""), ("zeros.mov", b"\0" * 4000), ("text.avi", b"no film")):
        (tmp_path / name).write_bytes(content)
        (picture,) = open_film(tmp_path / name)
        assert fault([picture])
    with av.open(str(tmp_path / "header.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
    assert len(list(open_film(tmp_path / "header.avi"))) == 1
    for name in ("", "https://example.org/a.mp4"):
        (picture,) = open_film(name)
        assert fault([picture])
    (picture,) = open_film(tmp_path / "missing.mp4")
    assert "No such file" in fault([picture])
    (tmp_path / "photo.jpg").write_bytes(encoded(halves(), "JPEG"))
    (picture,) = open_film(tmp_path / "photo.jpg")
    assert "still picture" in fault([picture])


@pytest.mark.parametrize("name", ["sound.m4a", "sound.mka", "sound.mp4", "cover.m4a"])
def test_sound_alone_is_no_video_even_with_a_cover(name: str, tmp_path: Path) -> None:
    with av.open(str(tmp_path / name), "w", format="mp4" if name != "sound.mka" else None) as container:
        stream = container.add_stream("aac", rate=RATE)
        packets = silence(stream, 1.0)
        if name == "cover.m4a":
            cover = container.add_stream("png", rate=1)
            cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
            cover.disposition = Disposition.attached_pic
            packets += cover.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24"))
        container.mux(packets)
    for picture in (next(iter(open_pictures(str(tmp_path / name)))), next(open_film(tmp_path / name))):
        assert "sound" in fault([picture])


@pytest.mark.parametrize("name", CONTAINERS)
def test_file_that_is_whole_is_not_called_cut(name: str, tmp_path: Path) -> None:
    content = made(tmp_path, name).read_bytes()
    assert not is_cut_short(io.BytesIO(content))
    if name not in ("a.flv", "a.mpg"):  # which do not say how long they are
        for length in (len(content) - 1, len(content) // 2, 700):
            assert is_cut_short(io.BytesIO(content[:length])), length


@pytest.mark.parametrize("content", [b"", b"R", b"RIFF", b"\0\0\0\1mdat", b"\x1a\x45\xdf\xa3", b"GIF8", b"\x47" * 600])
def test_ends_of_snippets_can_be_asked_for(content: bytes) -> None:
    assert is_cut_short(io.BytesIO(content)) in (True, False)


# -- animations -------------------------------------------------------------------------------------------------------

COLOURS = [(220, 30, 30), (30, 220, 30), (30, 30, 220), (220, 220, 30)]


def poses() -> list[Image.Image]:
    return [Image.new("RGB", (48, 48), colour) for colour in COLOURS]


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_animation_is_read_frame_by_frame_with_its_times(format: str, tmp_path: Path) -> None:
    root = write_files(tmp_path / "x", {"a.gif": animation(poses(), format, [400, 200, 1000, 300])})
    (moving,) = open_pictures(str(root))
    loaded = moving.load()
    assert not isinstance(loaded, Image.Image)
    for frames in (list(loaded.pictures()), list(open_film(root / "a.gif"))):
        assert [frame.time for frame in frames] == pytest.approx([0, 0.4, 0.6, 1.6])
        assert [frame.seconds for frame in frames] == pytest.approx([0.4, 0.2, 1.0, 0.3])
        assert [frame.follows for frame in frames] == [False, True, True, True]
        for image, colour in zip(shown(frames), COLOURS, strict=True):
            assert np.abs(np.asarray(image, int) - np.array(colour)).max() < 8


def test_animation_is_looked_at_no_more_often_than_a_video(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(animation(poses() * 5, "GIF", 50))
    frames = list(open_film(tmp_path / "a.gif", frames_per_second=5))
    assert [frame.time for frame in frames] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert [frame.frame for frame in frames] == [0, 4, 8, 12, 16]


def test_animation_that_names_no_time_runs_as_in_a_browser(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(animation(poses(), "GIF", 0))
    assert [f.time for f in open_film(tmp_path / "a.gif", frames_per_second=50)] == pytest.approx([0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "JPEG"])
def test_still_picture_of_such_a_format_stays_a_picture(format: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(encoded(pattern(1), format))
    (picture,) = open_pictures(str(tmp_path / "a"))
    assert isinstance(picture.load(), Image.Image)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_cut_animation_says_so_after_its_frames(format: str, tmp_path: Path) -> None:
    content = animation(drawn_frames(10), format, 200)
    (tmp_path / "a").write_bytes(content[: len(content) * 7 // 10])
    frames = list(open_film(tmp_path / "a"))
    assert fault(frames).startswith(("cut short", "damaged"))
    assert len(frames) > 3 or format == "WEBP"  # of which libwebp reads a whole file or none
