"""The photos of a study as a dataset of PyTorch."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, WeightedRandomSampler

import mien as package
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.errors import ConfigError, MienError, OutputError, ResultsError, SourceError
from mien.progress import Silent
from mien.settings.training import HeadSettings
from support.studies import Study as Made

FACE = HeadSettings().face_size
"""The largest that a study keeps."""


def test_a_split_is_that_of_the_study(small_study: Made) -> None:
    study = package.Study.open(small_study.folder)
    manifest = pl.read_parquet(small_study.folder / "manifest.parquet")
    splits: tuple[Literal["train", "val", "test"], ...] = ("train", "val", "test")
    for split in splits:
        dataset = package.FaceDataset(study, split)
        own = manifest.filter(pl.col("split") == split, pl.col("label").is_not_null())
        assert len(dataset) == len(own) == sum(study.results.splits.counts[split].values())
        assert dataset.rows["path"].to_list() == own["path"].to_list()
        assert dataset.classes == study.results.labels
        assert [dataset.classes[k] for k in dataset.labels] == own["label"].to_list()
        assert dataset.class_counts == {
            label: study.results.splits.counts[split].get(label, 0) for label in dataset.classes
        }
    assert len(package.FaceDataset(small_study.folder)) == len(package.FaceDataset(study, "train"))


def test_an_item_is_what_the_study_read(small_study: Made) -> None:
    dataset = package.FaceDataset(package.Study.open(small_study.folder), "val", view="face")
    pixels, label = dataset[0]
    assert isinstance(pixels, Tensor)
    assert (pixels.dtype, tuple(pixels.shape)) == (torch.uint8, (3, FACE, FACE))
    assert dataset.view == f"face-{FACE}"
    assert dataset.classes[label] == dataset.rows["label"][0]
    (stored,) = Pixels(small_study.folder / "pixels").read(View("face", FACE), [dataset.rows["row"][0]])
    assert np.array_equal(pixels.permute(1, 2, 0).numpy(), stored)
    last, _ = dataset[-1]
    assert torch.equal(last, dataset[len(dataset) - 1][0])
    assert len([*dataset]) == len(dataset)  # type: ignore[misc]  # by index, which ends with an IndexError


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork beside threads, which torch does
def test_a_loader_gives_every_photo_once(small_study: Made, workers: int) -> None:
    dataset = package.FaceDataset(small_study.folder, "train", lambda pixels: pixels.float() / 255)
    context = "spawn" if workers else None
    seen: Counter[int] = Counter()
    for pixels, labels in DataLoader(
        package.FaceDataset(small_study.folder), batch_size=7, num_workers=workers, multiprocessing_context=context
    ):
        assert pixels.dtype == torch.uint8
        assert pixels.shape[1:] == (3, FACE, FACE)
        seen.update(labels.tolist())
    assert [seen[k] for k in range(len(dataset.classes))] == list(dataset.class_counts.values())
    (pixels, _) = dataset[0]
    assert pixels.dtype == torch.float32
    assert float(pixels.max()) <= 1


def test_weights_make_classes_count_alike(small_study: Made) -> None:
    dataset = package.FaceDataset(small_study.folder, "train")
    counts = torch.tensor(list(dataset.class_counts.values()), dtype=torch.float32)
    assert torch.allclose(dataset.class_weights * counts, torch.full((len(counts),), len(dataset) / len(counts)))
    assert dataset.sample_weights.shape == (len(dataset),)
    assert torch.isclose(dataset.sample_weights.mean(), torch.tensor(1.0))
    sampler = WeightedRandomSampler(dataset.sample_weights.tolist(), 5)
    assert len([*DataLoader(dataset, sampler=sampler)]) == 5


def test_another_size_is_made_once_and_as_the_study_would(small_study: Made, study_copy: Path) -> None:
    dataset = package.FaceDataset(study_copy, "val", view="face-48")
    pixels, _ = dataset[0]
    assert pixels.shape == (3, 48, 48)
    place = study_copy / "further/face-48/face-48.npy"
    made = place.stat().st_mtime_ns
    again = package.FaceDataset(study_copy, "val", view="face", size=48)
    assert torch.equal(again[0][0], pixels)
    assert place.stat().st_mtime_ns == made
    from mien.data.sources.collection import open_with_target
    from mien.data.tables.prepare import prepare
    from mien.settings.columns import Columns

    data, target = open_with_target([str(small_study.data)], str(small_study.target), Columns())
    assert target is not None
    fresh = prepare([data, target], [View("face", 48)], None, progress=Silent())
    (expected,) = fresh.pixels.read(View("face", 48), [dataset.rows["row"][0]])
    assert np.array_equal(pixels.permute(1, 2, 0).numpy(), expected)
    place.write_bytes(b"damaged")
    assert torch.equal(package.FaceDataset(study_copy, "val", size=48)[0][0], pixels), "a cache is made again"
    (study_copy / f"pixels/face-{FACE}.npy").write_bytes(b"damaged")
    with pytest.raises(OutputError):
        package.FaceDataset(study_copy)


def test_the_test_split_must_be_named() -> None:
    parameters = inspect.signature(package.FaceDataset).parameters
    assert parameters["split"].default == "train"
    assert "once" in (package.FaceDataset.__doc__ or "")


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"split": "all"}, ConfigError, "train, val, test"),
        ({"split": "target"}, ConfigError, "mien.evaluate"),
        ({"view": "nose"}, ConfigError, "face, photo, scene"),
        ({"view": "face-4"}, ConfigError, "pixels a side"),
        ({"fold": 1}, ConfigError, "no folds"),
    ],
)
def test_what_is_out_of_range_is_one_line(
    small_study: Made, options: dict[str, Any], error: type[MienError], told: str
) -> None:
    with pytest.raises(error) as caught:
        package.FaceDataset(small_study.folder, **options)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_study_and_photos_that_are_gone(small_study: Made, study_copy: Path, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no study"):
        package.FaceDataset(tmp_path / "nothing")
    settings = study_copy / "study.toml"
    settings.write_text(settings.read_text("utf-8").replace(str(small_study.data), str(tmp_path / "gone")), "utf-8")
    assert len(package.FaceDataset(study_copy)), "what was kept is enough"
    with pytest.raises(SourceError, match="face-40"):
        package.FaceDataset(study_copy, size=40)
    assert not (study_copy / "further").exists()
    shutil.rmtree(study_copy / "pixels")
    with pytest.raises(MienError):
        package.FaceDataset(study_copy)


@pytest.mark.heavy
def test_a_fold_is_held_out(small_set: Path, tmp_path: Path) -> None:
    study = package.study(str(small_set), recipe="probe", folds=3, out=tmp_path / "out", progress=False)
    with pytest.raises(ConfigError, match="from 1 to 3"):
        package.FaceDataset(study)
    parts = {split: package.FaceDataset(study, split, fold=2) for split in ("train", "val", "test")}
    assert set(parts["test"].rows["fold"]) == {2}
    assert 2 not in {*parts["train"].rows["fold"], *parts["val"].rows["fold"]}
    assert sum(map(len, parts.values())) == study.scores.images


def test_a_network_trained_on_it_is_wrapped(small_study: Made, tmp_path: Path) -> None:
    """A network of one's own from photos to scores, as the documentation says."""
    study = package.Study.open(small_study.folder)
    dataset = package.FaceDataset(study, "train", view="face")
    network = nn.Sequential(nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Linear(3 * 64, len(dataset.classes)))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    weight = dataset.class_weights
    for pixels, labels in DataLoader(dataset, batch_size=16, shuffle=True):
        loss = nn.functional.cross_entropy(network((pixels.float() / 255 - 0.5) / 0.25), labels, weight)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    class Fed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return network(x)  # type: ignore[no-any-return]

    program = torch.onnx.export(
        Fed().eval(), (torch.zeros(2, 3, FACE, FACE),), dynamo=True, verbose=False, dynamic_shapes=({0: "n"},)
    )
    assert program is not None
    program.save(str(tmp_path / "own.onnx"))
    model = package.wrap(
        tmp_path / "own.onnx",
        dataset.classes,
        dataset.view,
        out=tmp_path / "mine.onnx",
        mean=0.5,
        std=0.25,
        study=study,
    )
    pixels, _ = dataset[0]
    with torch.no_grad():
        told = network((pixels[None].float() / 255 - 0.5) / 0.25).numpy()
    found = model.logits({dataset.view: pixels.permute(1, 2, 0).numpy()[None]})
    assert np.abs(found - told).max() <= 1e-4


def test_without_torch_it_is_said_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import mien\n"
        "try:\n    mien.FaceDataset\n"
        "except mien.errors.MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "pip install 'mien[train]'" in done.stdout
