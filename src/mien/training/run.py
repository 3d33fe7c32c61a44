"""One run from a config: data, network, training, model file.

A run folder that already holds a finished model is left as it is; one that was interrupted goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Generic, TypeAlias, TypedDict

import numpy as np
import onnx
import polars as pl
import torch
from msgspec import structs
from numpy.typing import NDArray
from torch import nn

from mien.data.grouping.independence import independent
from mien.data.reading.pixels import Pixels
from mien.data.tables.manifest import usable
from mien.data.tables.observed_traits import traits_of
from mien.data.tables.spreads import PROPERTIES, spreads_of
from mien.data.tables.traits import CollectionTraits
from mien.data.tables.vote_shares import vote_shares
from mien.errors import ConfigError, WorkFailedError
from mien.labels import class_indices
from mien.models.artifact import HASH_LENGTH, Contract, Origin, laxest_within, least_promise
from mien.models.backbones import Backbone, load_backbone
from mien.models.export import export_model, joined, save_model, save_weights, with_linear_heads
from mien.models.exports import export_backbones
from mien.models.networks import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    EmotionCNN,
    PhotoNetwork,
    TwoStreamFeatures,
    TwoStreamNetwork,
)
from mien.models.seal import MAX_MODEL_BYTES
from mien.progress import Advance, Progress
from mien.recognizer import softmax
from mien.settings.choices import VotesAs
from mien.settings.run import HeadRun, NetworkRun, RunConfig, read_run
from mien.settings.toml import write_toml
from mien.settings.training import HeadSettings
from mien.system.files import read_file
from mien.system.sums import check_kept, keep
from mien.training.batches import TrainingSet
from mien.training.feature_parts import Features, Kept, StoredFeatures, are_many, side_by_side
from mien.training.features import FeatureCache, Wanted
from mien.training.finetune import FineTuned
from mien.training.fit import fit
from mien.training.head import OutOfFold, Sureness, cross_validate, fit_heads, measure_sureness
from mien.training.linear import Head
from mien.training.precision import is_dense, multiplies_bf16, precision_by_rule
from mien.training.prior import Prior, prior_of
from mien.training.recipes import views_of
from mien.version import __version__

__all__ = [
    "AnyStreams",
    "FittedHead",
    "LabelledPhotos",
    "Streams",
    "StreamsOf",
    "backbones_of",
    "decided_run",
    "export_for",
    "fit_head",
    "fresh_network",
    "kept_streams",
    "run_streams",
    "train_run",
    "with_precision",
]

MODEL_FILES = ("model.onnx", "model.safetensors")
NOTHING_MEASURED = Sureness(1.0, (), None)


@dataclass(frozen=True)
class LabelledPhotos:
    """Photos ready to train on.

    Attributes:
        names: of the collections they come from.
        manifest: with splits.
        pixels: their decoded views.
        labels: the classes, in the order the network will have.
        features: folder where features of frozen backbones are kept.
    """

    names: tuple[str, ...]
    manifest: pl.DataFrame
    pixels: Pixels
    labels: tuple[str, ...]
    features: Path

    def split(self, name: str) -> pl.DataFrame:
        """The rows of one split, in file order."""
        return self.manifest.filter(pl.col("split") == name)

    def indices(self, rows: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Class indices (N,) of rows."""
        return class_indices(rows["label"], self.labels)

    def shares(self, rows: pl.DataFrame, votes: VotesAs) -> NDArray[np.float32] | None:
        """Shares (N, K) of the classes in what raters said of rows; None without votes, or where labels are learnt."""
        return vote_shares(rows, self.labels) if votes == "soft" else None


def train_run(run: RunConfig, photos: LabelledPhotos, folder: Path, *, advance: Advance) -> RunConfig:
    """Train one recipe and write its model into a folder.

    Returns:
        The config with everything resolved, as it stands in ``config.toml``.

    Raises:
        ConfigError: if the folder holds a run with other settings.
        OutputError: if a file of it is damaged.
    """
    run = decided_run(run, folder)
    if (folder / "model.onnx").exists():
        for name in MODEL_FILES:
            if (folder / name).exists():  # who needs room may remove the weights, which only adapting reads again
                check_kept(folder / name, _done_again(folder))
        return run
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(run.seed)
    match run:
        case HeadRun():
            run = _head_run(run, photos, folder, advance)
        case NetworkRun():
            run = _network_run(run, photos, folder, advance)
    for name in MODEL_FILES:
        keep(folder / name)
    return run


def _done_again(folder: Path) -> str:
    """What to do about a damaged file of a run."""
    return f"remove {folder}, and --resume trains this run again"


class Learnt(TypedDict):
    """What a head learns from besides labels, as ``fit_heads`` takes it."""

    shares: NDArray[np.float32] | None
    prior: Head | None


@dataclass(frozen=True)
class StreamsOf(Generic[Kept]):
    """The two backbones of a head, and what they make of N photos, in memory or, of many photos, on the disk.

    Attributes:
        backbones: of the whole photo, and of the face; may be the same object.
        models: their ONNX models.
        whole: features (N, D) of the whole photo or scene.
        face: features (N, D') of the face.
        mirrored: features (N, D + D') of both in the mirror image; None where nothing is learnt from it.
    """

    backbones: tuple[Backbone, Backbone]
    models: tuple[Path, Path]
    whole: Kept
    face: Kept
    mirrored: Kept | None

    @property
    def features(self) -> Kept:
        """Both, joined: (N, D + D')."""
        return side_by_side(self.whole, self.face)

    @property
    def mirrored_face(self) -> Kept | None:
        """Features (N, D') of the face in the mirror image."""
        if self.mirrored is None:
            return None
        if isinstance(self.mirrored, StoredFeatures):
            return StoredFeatures(self.mirrored.kinds[1:])
        return self.mirrored[:, self.whole.shape[1] :]

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that features are read from when they are needed."""
        kinds: list[object] = [self.whole, self.face, self.mirrored]
        return tuple(path for each in kinds if isinstance(each, StoredFeatures) for path in each.files)

    def part(self, chosen: NDArray[np.bool_]) -> StreamsOf[Kept]:
        """Of some of the photos, (N,)."""
        mirrored = None if self.mirrored is None else self.mirrored[chosen]
        return replace(self, whole=self.whole[chosen], face=self.face[chosen], mirrored=mirrored)


Streams: TypeAlias = StreamsOf[NDArray[np.float32]]
AnyStreams: TypeAlias = Streams | StreamsOf[StoredFeatures]


@dataclass(frozen=True)
class FittedHead:
    """A head without the networks before it.

    Attributes:
        run: with the penalty that was chosen.
        heads: of both features; and, where the whole photo is a scene, of pictures that have none.
        sureness: from out-of-fold answers within the training photos.
        prior: what it is drawn towards; None where there is nothing, or where answers out of fold were no better for
            it.
    """

    run: HeadRun
    heads: list[Head]
    sureness: Sureness
    prior: Prior | None

    def probabilities(self, features: Features, is_blank: NDArray[np.bool_]) -> NDArray[np.float64]:
        """What the model file of this head would answer, (N, K).

        Args:
            features: (N, D + D') of both streams.
            is_blank: (N,) whether a picture has no scene, so that its face alone answers.
        """
        if isinstance(features, StoredFeatures):
            parts = [self.probabilities(rows, is_blank[some]) for some, rows in features.pieces()]
            return np.concatenate(parts) if parts else np.zeros((0, len(self.run.labels)))
        logits = [features @ weight.T + bias for weight, bias in self.heads]
        return softmax(np.where(is_blank[:, None], logits[-1], logits[0]) / self.sureness.temperature)


def run_streams(run: HeadRun, photos: LabelledPhotos, rows: pl.DataFrame, advance: Advance) -> Streams:
    """Run both backbones of a head on rows of the manifest; ``advance`` counts each photo and mirror image twice."""
    cache = _cache(run, photos)
    return _streams(run, cache, cache.of_several(_wanted(run), rows, advance))


def kept_streams(run: HeadRun, photos: LabelledPhotos, rows: pl.DataFrame, advance: Advance) -> AnyStreams:
    """The same, left on the disk where there are many photos."""
    if not are_many(photos.manifest):
        return run_streams(run, photos, rows, advance)
    cache = _cache(run, photos)
    return _streams(run, cache, cache.stored(_wanted(run), rows, advance))


def _cache(run: HeadRun, photos: LabelledPhotos) -> FeatureCache:
    return FeatureCache(photos.features, photos.pixels, torch_device=None if run.device == "cpu" else run.device)


def _wanted(run: HeadRun) -> list[Wanted]:
    ways = (False, True) if run.head.mirrored else (False,)
    pairs = list(zip(_backbones(run.head), views_of(run), strict=True))
    return [Wanted(*pair, mirrored) for mirrored in ways for pair in pairs]


def _streams(run: HeadRun, cache: FeatureCache, found: Sequence[Kept]) -> StreamsOf[Kept]:
    """What stands side by side of features as ``_wanted`` lists them."""
    first, second = _backbones(run.head)
    one, other = views_of(run)
    models = (cache.model(first, one.size), cache.model(second, other.size))
    mirrored: Kept | None = side_by_side(*found[2:]) if len(found) > 2 else None
    return StreamsOf((first, second), models, found[0], found[1], mirrored)


def export_for(runs: Iterable[RunConfig], photos: LabelledPhotos, progress: Progress) -> None:
    """Export the frozen backbones of runs that are not exported yet, as steps of their own."""
    for head, run in {run.head: run for run in runs if isinstance(run, HeadRun)}.items():
        sized = zip(_backbones(head), (view.size for view in views_of(run)), strict=True)
        export_backbones(sized, photos.features, progress)


def backbones_of(run: RunConfig) -> tuple[Backbone, ...]:
    """The pretrained networks that a run is made of, each once."""
    match run:
        case HeadRun(head=head):
            return tuple({each.sha256: each for each in _backbones(head)}.values())
        case NetworkRun(train=train):
            return (load_backbone(train.backbone),) if train.backbone else ()


def _backbones(head: HeadSettings) -> tuple[Backbone, Backbone]:
    """What the whole photo and the face go through; one object where they are the same."""
    first = load_backbone(head.photo_backbone)
    return first, first if head.face_backbone == head.photo_backbone else load_backbone(head.face_backbone)


def _head_run(run: HeadRun, photos: LabelledPhotos, folder: Path, advance: Advance) -> HeadRun:
    streams = kept_streams(run, photos, photos.split("train"), advance)
    fitted = fit_head(run, photos, streams)
    run, heads, views = fitted.run, fitted.heads, views_of(run)
    _check_promise(run, fitted.sureness)
    write_toml(run, folder / "config.toml")
    keep(folder / "config.toml")
    save_weights(TwoStreamNetwork(_joined(streams.backbones), *(_linear(*head) for head in heads)), folder)
    contract = _contract(run, photos, streams.backbones, ["train"], fitted.sureness, fitted.prior)
    features = joined([onnx.load_from_string(read_file(path, MAX_MODEL_BYTES)) for path in streams.models], views)
    save_model(with_linear_heads(features, *heads), contract, folder)
    return run


def fit_head(run: HeadRun, photos: LabelledPhotos, streams: AnyStreams, *, for_crops: bool = True) -> FittedHead:
    """Choose the penalty, fit the head, and measure how sure it is, all on the training photos.

    Args:
        streams: of the training photos, in the order of ``photos.split("train")``.
        for_crops: whether pictures without a scene will be answered too, which takes a head of their own.
    """
    train = photos.split("train")
    units, y = independent(train), photos.indices(train)
    prior, shares = prior_of(run.head, run.labels), photos.shares(train, run.votes)
    learnt = Learnt(shares=shares, prior=prior.head if prior else None)
    answers = cross_validate(run.head, streams.features, y, units.of, run.seed, streams.mirrored, **learnt)
    run = structs.replace(run, head=_chosen(run.head, answers))
    strength = run.head.strength
    assert strength is not None
    if not run.head.is_drawn:
        prior, learnt = None, Learnt(shares=shares, prior=None)
    sureness = measure_sureness(answers, run.labels, units.kind) if answers else NOTHING_MEASURED
    heads = fit_heads([strength], streams.features, y, streams.mirrored, **learnt)
    if views_of(run)[0].name == "scene" and for_crops:
        of_face = Learnt(shares=shares, prior=prior.of_face(streams.whole.shape[1]) if prior else None)
        heads.append(_face_head(run, streams, y, of_face, groups=units.of, temperature=sureness.temperature))
    return FittedHead(run, heads, sureness, prior)


def _chosen(head: HeadSettings, answers: OutOfFold | None) -> HeadSettings:
    """The settings with what out-of-fold answers chose; where there are none, nothing speaks for a prior."""
    if answers:
        return replace(head, strength=answers.strength, is_drawn=answers.is_drawn if head.prior else None)
    if head.strength is not None:
        return replace(head, is_drawn=head.is_drawn is not False if head.prior else None)
    strengths = head.own_strengths or head.strengths
    return replace(head, strength=strengths[0], is_drawn=not head.own_strengths if head.prior else None)


def _face_head(
    run: HeadRun,
    streams: AnyStreams,
    y: NDArray[np.int64],
    learnt: Learnt,
    *,
    groups: NDArray[np.int64],
    temperature: float,
) -> Head:
    """The head for pictures without a scene, scaled so that the network's one temperature fits it as well."""
    mirrored = streams.mirrored_face
    assert run.head.strength is not None
    ((weight, bias),) = fit_heads([run.head.strength], streams.face, y, mirrored, **learnt)
    answers = cross_validate(run.head, streams.face, y, groups, run.seed, mirrored, **learnt)
    scale = np.float32(temperature / answers.temperature if answers else 1.0)
    no_scene = np.zeros((len(weight), streams.whole.shape[1]), np.float32)
    return scale * np.concatenate([no_scene, weight], axis=1), scale * bias


def _joined(backbones: tuple[Backbone, Backbone]) -> TwoStreamFeatures:
    photo = backbones[0].network()
    return TwoStreamFeatures(photo, photo if backbones[1] is backbones[0] else backbones[1].network())


def _check_promise(run: HeadRun, sureness: Sureness) -> None:
    """Refuse an error that cannot be promised, with what can be."""
    wanted = run.head.max_error
    if wanted is None or laxest_within(sureness.thresholds, wanted):
        return
    can = least_promise(sureness.thresholds, "there are too few photos to promise any")
    raise WorkFailedError(f"--max-error {wanted:g}: cannot be promised from these training photos; {can}")


def _linear(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)})
    return layer


def _network_run(run: NetworkRun, photos: LabelledPhotos, folder: Path, advance: Advance) -> NetworkRun:
    write_toml(run, folder / "config.toml")
    keep(folder / "config.toml")
    (view,) = views_of(run)
    train, val = (
        TrainingSet(photos.pixels, view, rows["row"].to_numpy(), photos.indices(rows), photos.shares(rows, run.votes))
        for rows in (photos.split("train"), photos.split("val"))
    )
    members = []
    for member in range(run.train.members):
        seed = _member_seed(run.seed, member)
        torch.manual_seed(seed)
        trained = fit(
            fresh_network(run),
            (train, val),
            run.train,
            seed=seed,
            n_classes=len(run.labels),
            device=run.device,
            folder=folder / f"member-{member + 1}" if member else folder,
            advance=advance,
        )
        assert isinstance(trained, PhotoNetwork)
        members.append(trained)
    backbones = [load_backbone(run.train.backbone)] if run.train.backbone else []
    export_model(members, _contract(run, photos, backbones, ["train", "val"]), folder)
    return run


def with_precision(run: RunConfig) -> RunConfig:
    """The settings with their precision decided: by what the device can do and how the network is built."""
    if not isinstance(run, NetworkRun) or run.train.precision != "auto":
        return run
    rule = precision_by_rule(bf16_units=multiplies_bf16(run.device), dense=_is_dense(run.train.backbone))
    return structs.replace(run, train=replace(run.train, precision=rule))


@cache
def _is_dense(backbone: str | None) -> bool:
    return is_dense(EmotionCNN(1) if backbone is None else load_backbone(backbone).module)


def _member_seed(seed: int, member: int) -> int:
    """The first network of a run is the one that it would be alone; the others' seeds are unlike any other's."""
    return int(np.random.SeedSequence((seed, member)).generate_state(1)[0]) if member else seed


def fresh_network(run: NetworkRun) -> PhotoNetwork:
    """The network that training starts from."""
    if run.train.backbone is None:
        body = EmotionCNN(len(run.labels), dropout_scale=run.train.dropout_scale)
        return PhotoNetwork(body, IMAGENET_MEAN, IMAGENET_STD)
    backbone = load_backbone(run.train.backbone)
    tuned = FineTuned(backbone, len(run.labels), run.train)
    return PhotoNetwork(tuned, backbone.mean, backbone.std, is_grey=backbone.is_grey)


def _contract(
    run: RunConfig,
    photos: LabelledPhotos,
    backbones: Sequence[Backbone],
    splits: Sequence[str],
    sureness: Sureness = NOTHING_MEASURED,
    prior: Prior | None = None,
) -> Contract:
    rows = photos.manifest.filter(pl.col("split").is_in(list(splits)))
    seen = rows["sha256"]
    collections = [*photos.names, *(name for backbone in backbones for name in backbone.collections)]
    origins = [Origin(each.name, each.licence, each.sha256) for each in backbones]
    known = frozenset[str]().union(*(backbone.training_hashes for backbone in backbones))
    if prior:
        collections += prior.contract.collections
        known |= prior.contract.training_hashes
    return Contract(
        labels=run.labels,
        views=views_of(run),
        recipe=run.recipe,
        temperature=sureness.temperature,
        max_error=run.head.max_error if isinstance(run, HeadRun) else None,
        thresholds=sureness.thresholds,
        measured=sureness.measured,
        backbones=tuple(dict.fromkeys(origins)),
        collections=tuple(dict.fromkeys(collections)),
        training_hashes=frozenset(sha[:HASH_LENGTH] for sha in seen) | known,
        traits=_traits(photos, prior),
        spreads=spreads_of({name: rows[name].fill_null(float("nan")).to_numpy() for name in PROPERTIES}),
        mien_version=__version__,
    )


def _traits(photos: LabelledPhotos, prior: Prior | None) -> tuple[CollectionTraits, ...]:
    """Of each collection that the photos come from, its test photos included, and of those that a prior learnt from."""
    own = usable(photos.manifest)
    found = [traits_of(name, rows, photos.pixels) for name in photos.names if len(rows := own.filter(source=name))]
    return (*found, *(prior.contract.traits if prior else ()))


def decided_run(run: RunConfig, folder: Path) -> RunConfig:
    """The config in the folder if it is the one asked for, else the one asked for with its precision decided.

    A run that was begun on another machine thus goes on in the precision it began with.

    Raises:
        ConfigError: if the folder holds a run with other settings.
    """
    path = check_kept(folder / "config.toml", _done_again(folder))
    if not path.exists():
        return with_precision(run)
    stored = read_run(path)
    if _undecided(stored, run) != _undecided(run, run):
        raise ConfigError(f"{folder}: holds a run with other settings; give another --out, or the same settings")
    return stored


def _undecided(run: RunConfig, asked: RunConfig) -> RunConfig:
    """A config without what was left to be decided when it was asked for."""
    match run:
        case NetworkRun() if isinstance(asked, NetworkRun) and asked.train.precision == "auto":
            return structs.replace(run, train=replace(run.train, precision="auto"))
        case HeadRun():
            return structs.replace(run, head=replace(run.head, strength=None, is_drawn=None))
    return run
