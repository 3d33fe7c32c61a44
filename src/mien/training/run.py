"""One run from a config: data, network, training, model file.

A run folder that already holds a finished model is left as it is; one that was interrupted goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import nn

import mien
from mien.config import RunConfig, read_toml, write_toml
from mien.data.pixels import Pixels
from mien.errors import ConfigError
from mien.models.artifact import HASH_LENGTH, Contract
from mien.models.backbones import load_backbone
from mien.models.export import export_model, save_model, save_weights, to_onnx, with_linear_head
from mien.models.networks import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    EmotionCNN,
    PhotoNetwork,
    TwoStreamFeatures,
    TwoStreamNetwork,
)
from mien.progress import Advance
from mien.training.fit import TrainingSet, faster_precision, fit
from mien.training.probe import choose_strength, compute_features, fit_head
from mien.training.recipes import views_of

__all__ = ["LabelledPhotos", "train_run"]


@dataclass(frozen=True)
class LabelledPhotos:
    """Photos ready to train on.

    Attributes:
        names: of the collections they come from.
        manifest: with splits.
        pixels: their decoded views.
        labels: the classes, in the order the network will have.
    """

    names: tuple[str, ...]
    manifest: pl.DataFrame
    pixels: Pixels
    labels: tuple[str, ...]

    def split(self, name: str) -> pl.DataFrame:
        """The rows of one split, in file order."""
        return self.manifest.filter(pl.col("split") == name)

    def indices(self, rows: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Class indices (N,) of rows."""
        position = {label: i for i, label in enumerate(self.labels)}
        return np.array([position[label] for label in rows["label"]], dtype=np.int64)


def train_run(run: RunConfig, photos: LabelledPhotos, folder: Path, *, advance: Advance) -> RunConfig:
    """Train one recipe and write its model into a folder.

    Returns:
        The config with everything resolved, as it stands in ``config.toml``.

    Raises:
        ConfigError: if the folder holds a run with other settings.
    """
    run = _same_or_new(run, folder)
    if (folder / "model.onnx").exists():
        return run
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(run.seed)
    if run.probe is not None:
        return _probe_run(run, photos, folder, advance)
    return _network_run(run, photos, folder, advance)


def _probe_run(run: RunConfig, photos: LabelledPhotos, folder: Path, advance: Advance) -> RunConfig:
    assert run.probe is not None
    train = photos.split("train")
    y, views = photos.indices(train), views_of(run)
    backbone = load_backbone(run.probe.backbone)
    body = TwoStreamFeatures(backbone.module, backbone.mean, backbone.std)
    model = to_onnx(body, views, "features")
    features = compute_features(model, views, photos.pixels, train["row"].to_numpy(), advance)
    groups = train["split_group"].to_numpy()
    strength = run.probe.strength or choose_strength(run.probe, features, y, groups, run.seed)
    run = replace(run, probe=replace(run.probe, strength=strength))
    write_toml(run, folder / "config.toml")
    weight, bias = fit_head(strength, features, y)
    save_weights(TwoStreamNetwork(body, _linear(weight, bias)), folder)
    contract = _contract(run, photos, backbone.collections, ["train"])
    save_model(with_linear_head(model, weight, bias), contract, folder)
    return run


def _linear(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
    return layer


def _network_run(run: RunConfig, photos: LabelledPhotos, folder: Path, advance: Advance) -> RunConfig:
    assert run.train is not None
    body = EmotionCNN(len(run.labels), dropout_scale=run.train.dropout_scale)
    network = PhotoNetwork(body, IMAGENET_MEAN, IMAGENET_STD)
    if run.train.precision == "auto":
        precision = faster_precision(network, run.train, len(run.labels), run.device)
        run = replace(run, train=replace(run.train, precision=precision))
    write_toml(run, folder / "config.toml")
    assert run.train is not None
    (view,) = views_of(run)
    train, val = (
        TrainingSet(photos.pixels, view, rows["row"].to_numpy(), photos.indices(rows))
        for rows in (photos.split("train"), photos.split("val"))
    )
    trained = fit(
        network,
        (train, val),
        run.train,
        seed=run.seed,
        n_classes=len(run.labels),
        device=run.device,
        folder=folder,
        advance=advance,
    )
    export_model(trained, _contract(run, photos, (), ["train", "val"]), folder)
    return run


def _contract(run: RunConfig, photos: LabelledPhotos, collections: Sequence[str], splits: Sequence[str]) -> Contract:
    seen = photos.manifest.filter(pl.col("split").is_in(list(splits)))["sha256"]
    return Contract(
        labels=run.labels,
        views=views_of(run),
        recipe=run.recipe,
        collections=(*photos.names, *collections),
        training_hashes=frozenset(sha[:HASH_LENGTH] for sha in seen),
        mien_version=mien.__version__,
    )


def _same_or_new(run: RunConfig, folder: Path) -> RunConfig:
    """The config that stands in the folder if it is the one asked for; what timing and validation chose is kept."""
    path = folder / "config.toml"
    if not path.exists():
        return run
    stored = read_toml(RunConfig, path)
    if _undecided(stored) != _undecided(run):
        raise ConfigError(f"{folder}: holds a run with other settings; give another --out, or the same settings")
    return stored


def _undecided(run: RunConfig) -> RunConfig:
    """A config without what is decided while it runs."""
    if run.train is not None:
        run = replace(run, train=replace(run.train, precision="auto"))
    if run.probe is not None:
        run = replace(run, probe=replace(run.probe, strength=None))
    return run
