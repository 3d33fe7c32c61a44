"""Features of frozen backbones: computed once for each content, and blank for what is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import timm
import torch
from numpy.typing import NDArray
from PIL import Image

from mien.data.measuring.fingerprints import SIDE
from mien.data.reading.pixels import Pixels, PixelWriter
from mien.data.reading.preprocess import View, render
from mien.demo import draw_face
from mien.errors import ConfigError, ModelError
from mien.models.artifact import HASH_LENGTH, shipped
from mien.models.backbones import BACKBONES, Backbone, load_backbone, read_hashes, view_size
from mien.models.networks import StagedFeatures
from mien.settings.run import HeadRun
from mien.settings.training import HeadSettings
from mien.training import run as training
from mien.training.feature_parts import FeatureParts
from mien.training.features import FeatureCache, Wanted

VIEW = View("photo", 64)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("expression")


@pytest.fixture
def pixels(tmp_path: Path) -> Pixels:
    """Four faces, the last the same picture as the first."""
    with PixelWriter(tmp_path / "pixels", [VIEW], 4) as writer:
        for row, seed in enumerate((0, 1, 2, 0)):
            face = render(draw_face("happy", seed), VIEW, None)
            writer.put(row, {VIEW.key: face}, np.zeros((SIDE, SIDE), np.uint8))
    return Pixels(tmp_path / "pixels")


def photos(*rows: int) -> pl.DataFrame:
    return pl.DataFrame({"row": list(rows), "sha256": [("a", "b", "c", "a")[row] * 64 for row in rows]})


@pytest.mark.heavy
def test_features_are_those_of_the_network(backbone: Backbone, pixels: Pixels, tmp_path: Path) -> None:
    found = FeatureCache(tmp_path / "f", pixels).of(backbone, VIEW, photos(0, 1, 2))
    with torch.inference_mode():
        expected = backbone.network()(torch.from_numpy(pixels.read(VIEW, [0, 1, 2]))).numpy()
    assert found.shape == (3, 40 + 80 + 112 + 192 + 320 + 1280)
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.heavy
def test_pytorch_gives_the_features_of_onnx_runtime_and_keeps_them_apart(
    backbone: Backbone, pixels: Pixels, tmp_path: Path
) -> None:
    here = FeatureCache(tmp_path / "f", pixels).of(backbone, VIEW, photos(0, 1, 2))
    for mirrored in (False, True):
        near = FeatureCache(tmp_path / "f", pixels).of(backbone, VIEW, photos(0, 1), mirrored=mirrored)
        far = FeatureCache(tmp_path / "f", pixels, torch_device="cpu")
        found = far.of(backbone, VIEW, photos(0, 1), mirrored=mirrored)
        assert found.dtype == np.float32
        assert 0 < np.abs(found - near).max() < 1e-3
    assert len(list((tmp_path / "f").glob("*.npy"))) == 4
    assert np.array_equal(FeatureCache(tmp_path / "f", pixels).of(backbone, VIEW, photos(0, 1, 2)), here)
    assert next(backbone.module.parameters()).device.type == "cpu"


@pytest.mark.heavy
def test_a_run_on_a_device_takes_its_features_from_pytorch(
    backbone: Backbone, pixels: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str | None]()

    class Noted(FeatureCache):
        def __init__(self, folder: Path, pixels: Pixels, *, torch_device: str | None = None) -> None:
            asked.append(torch_device)
            super().__init__(folder, pixels, torch_device=torch_device and "cpu")

    monkeypatch.setattr(training, "FeatureCache", Noted)
    head = HeadSettings(photo_backbone="expression", face_backbone="expression", photo_size=64, face_size=64)
    with PixelWriter(tmp_path / "both", [VIEW, View("face", 64)], 4) as writer:
        for row in range(4):
            (face,) = pixels.read(VIEW, [row])
            writer.put(row, {"photo-64": face, "face-64": face}, np.zeros((SIDE, SIDE), np.uint8))
    streams = {}
    for device in ("cpu", "cuda"):
        run = HeadRun(name="p", recipe="probe", seed=0, device=device, labels=("happy", "sad"), head=head)
        labelled = training.LabelledPhotos(
            ("a",), photos(0, 1, 2), Pixels(tmp_path / "both"), ("happy", "sad"), tmp_path
        )
        streams[device] = training.run_streams(run, labelled, photos(0, 1, 2), lambda n: None).features
    assert asked == [None, "cuda"]
    assert 0 < np.abs(streams["cpu"] - streams["cuda"]).max() < 1e-3


def test_means_of_stages_stand_before_the_networks_own_features() -> None:
    torch.manual_seed(0)
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    image, maps = torch.rand(2, 3, 64, 64), []
    for stage in list(network.get_submodule("blocks").children())[5:]:
        stage.register_forward_hook(lambda module, inputs, output: maps.append(output))
    with torch.inference_mode():
        own = network(image)
        expected = torch.cat([*(each.mean((2, 3)) for each in maps[:2]), own], dim=1)
        assert torch.allclose(StagedFeatures(network, 5)(image), expected, atol=1e-6)


@pytest.mark.heavy
def test_each_content_is_computed_once(backbone: Backbone, pixels: Pixels, tmp_path: Path) -> None:
    done: list[int] = []
    first = FeatureCache(tmp_path / "f", pixels).of(backbone, VIEW, photos(0, 1, 3), done.append)
    assert (first[0] == first[2]).all()
    again = FeatureCache(tmp_path / "f", Pixels(tmp_path / "nowhere")).of(backbone, VIEW, photos(3, 1), done.append)
    assert (again == first[[2, 1]]).all()
    assert sum(done) == 5
    more = FeatureCache(tmp_path / "f", pixels).of(backbone, VIEW, photos(2, 0))
    assert (more[1] == first[0]).all()


def test_face_crop_has_no_scene_and_a_photo_has() -> None:
    scene = View("scene", 64)
    assert not render(draw_face("happy", 0).resize((48, 48)), scene, None).any()
    photo = Image.effect_noise((300, 200), 60).convert("RGB")
    assert (render(photo, scene, None) == render(photo, VIEW, None)).all()


@pytest.mark.heavy
def test_blank_scenes_are_computed_as_all_others(backbone: Backbone, tmp_path: Path) -> None:
    scene = View("scene", 64)
    images = [np.zeros((64, 64, 3), np.uint8), render(draw_face("happy", 0), scene, None)]
    with PixelWriter(tmp_path / "pixels", [scene], 2) as writer:
        for row, image in enumerate(images):
            writer.put(row, {scene.key: image}, np.zeros((SIDE, SIDE), np.uint8))
    found = FeatureCache(tmp_path / "f", Pixels(tmp_path / "pixels")).of(backbone, scene, photos(0, 1))
    with torch.inference_mode():
        expected = backbone.network()(torch.from_numpy(np.stack(images))).numpy()
    assert np.abs(found - expected).max() < 1e-3


def test_expression_backbone_sees_no_colour(backbone: Backbone) -> None:
    face = np.asarray(draw_face("happy", 0).resize((64, 64)))
    grey = np.repeat(np.asarray(Image.fromarray(face).convert("L"))[..., None], 3, 2)
    with torch.inference_mode():
        coloured, plain = (backbone.network()(torch.from_numpy(each[None].copy())) for each in (face, grey))
    assert float((coloured - plain).abs().max()) < 0.1 * float(plain.abs().max())


def test_shipped_backbone_says_what_it_was_trained_on(backbone: Backbone) -> None:
    assert {"fer2013", "ImageNet-1k"} <= {*backbone.collections}
    assert "research" in backbone.licence
    assert len(backbone.training_hashes) > 20_000
    assert all(len(each) == HASH_LENGTH for each in backbone.training_hashes)
    assert backbone.training_hashes == read_hashes(shipped("expression.hashes"))


def test_unknown_backbone_is_refused_before_anything_is_downloaded() -> None:
    with pytest.raises(ConfigError, match="neither efficientnet-lite0 nor expression"):
        load_backbone("resnet-five-million")
    with pytest.raises(ConfigError, match=r"timm\.list_pretrained"):
        view_size("resnet-five-million", 224)


def test_backbone_that_cannot_be_had_offline_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("resnet18.a1_in1k", "hf-hub:nobody/nothing"):
        with pytest.raises(ModelError, match="go online, or use"):
            load_backbone(name)


def test_backbones_that_need_no_download_take_the_recipes_size() -> None:
    assert [view_size(name, 96) for name in BACKBONES] == [96, 96]


class Decodes(Pixels):
    """Views that are made of photos, which are counted."""

    def __init__(self, pixels: Pixels) -> None:
        super().__init__(pixels._place)
        self.rows: list[int] = []

    are_kept = False

    def read_views(
        self, views: Sequence[View], rows: NDArray[np.integer[Any]] | Sequence[int]
    ) -> dict[str, NDArray[np.uint8]]:
        self.rows += list(rows)
        return super().read_views(views, rows)


@pytest.mark.heavy
def test_several_kinds_take_each_photo_once_where_pixels_are_not_kept(
    backbone: Backbone, pixels: Pixels, tmp_path: Path
) -> None:
    wanted = [Wanted(backbone, VIEW), Wanted(backbone, VIEW, mirrored=True)]
    streamed, done = Decodes(pixels), list[int]()
    FeatureCache(tmp_path / "f", streamed).of(backbone, VIEW, photos(1))
    found = FeatureCache(tmp_path / "f", streamed).of_several(wanted, photos(0, 1, 2, 3), done.append)
    assert streamed.rows == [1, 0, 2, 1]
    assert sum(done) == 8
    plain = FeatureCache(tmp_path / "g", pixels)
    for each, features in zip(wanted, found, strict=True):
        assert np.array_equal(features, plain.of(backbone, VIEW, photos(0, 1, 2, 3), mirrored=each.mirrored))


@pytest.mark.heavy
def test_what_was_computed_before_a_stop_is_not_computed_again(
    backbone: Backbone, pixels: Pixels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.training.features.PHOTOS_A_PART", 1)
    streamed = Decodes(pixels)

    def stop(n: int) -> None:
        if streamed.rows == [0, 1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FeatureCache(tmp_path / "f", streamed).of(backbone, VIEW, photos(0, 1, 2), stop)
    found = FeatureCache(tmp_path / "f", streamed).of(backbone, VIEW, photos(0, 1, 2))
    assert streamed.rows == [0, 1, 1, 2], "the part that was under way is lost, and no other"
    assert np.array_equal(found, FeatureCache(tmp_path / "g", pixels).of(backbone, VIEW, photos(0, 1, 2)))


def some_parts(folder: Path) -> tuple[FeatureParts, NDArray[np.float32]]:
    """Five photos in three parts, with their features."""
    features = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    parts = FeatureParts(folder, "x")
    for some in ((0, 1), (2,), (3, 4)):
        parts.append([f"{i}" * 64 for i in some], features[list(some)])
    return parts, features


def contents(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"sha256": [f"{i}" * 64 for i in numbers]})


def test_parts_give_features_in_any_order_also_when_read_again(tmp_path: Path) -> None:
    written, features = some_parts(tmp_path)
    for parts in (written, FeatureParts(tmp_path, "x")):
        order = [4, 0, 2, 0, 3, 1]
        assert np.array_equal(parts.of(contents(*order)["sha256"]), features[order])
        assert parts.missing(contents(7, 3, 6, 7))["sha256"].to_list() == ["7" * 64, "6" * 64]
    assert not len(FeatureParts(tmp_path, "y").of(pl.Series([], dtype=pl.String)))


HARMS: dict[str, Callable[[Path], object]] = {
    "other bytes": lambda path: path.write_bytes(path.read_bytes()[:-4] + b"abcd"),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-4]),
    "gone": Path.unlink,
    "no array": lambda path: path.write_bytes(b"no array"),
    "another array": lambda path: np.save(path, np.ones(4)),
    "a pickle": lambda path: np.save(path, np.array([{}], object)),
}


@pytest.mark.parametrize("with_sums", [True, False])
@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_part_counts_as_not_there(harm: str, with_sums: bool, tmp_path: Path) -> None:
    _, features = some_parts(tmp_path)
    if not with_sums:
        if harm == "other bytes":
            pytest.skip("nothing tells that")
        (tmp_path / "SHA256SUMS").unlink()
    harmed = next(path for path in tmp_path.glob("x.*.npy") if b"3" * 64 in path.read_bytes())
    HARMS[harm](harmed)
    parts = FeatureParts(tmp_path, "x")
    assert parts.missing(contents(0, 1, 2, 3, 4))["sha256"].to_list() == ["3" * 64, "4" * 64]
    parts.append(["3" * 64, "4" * 64], features[3:])
    assert np.array_equal(FeatureParts(tmp_path, "x").of(contents(4, 1)["sha256"]), features[[4, 1]])


def test_a_part_that_holds_what_others_hold_changes_nothing(tmp_path: Path) -> None:
    _, features = some_parts(tmp_path)
    FeatureParts(tmp_path / "nowhere", "x")
    other = FeatureParts(tmp_path, "x")
    other.append(["1" * 64, "8" * 64], np.stack([features[1], features[0] + 1]))
    found = FeatureParts(tmp_path, "x").of(contents(1, 8, 0)["sha256"])
    assert np.array_equal(found, np.stack([features[1], features[0] + 1, features[0]]))
