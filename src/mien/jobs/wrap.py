"""``mien.wrap``: someone's own ONNX network as a model file that every command takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View, render
from mien.data.sources.collection import open_collection
from mien.data.sources.files import existing_path
from mien.data.tables.manifest import read_manifest, usable
from mien.data.tables.observed_traits import traits_of
from mien.data.tables.prepare import prepare
from mien.demo import draw_face
from mien.errors import ConfigError, ModelError, OutputError, said_in_python
from mien.evaluation.predictions import predict_rows, probabilities
from mien.extras import extra
from mien.jobs.handles import Study
from mien.jobs.labelled import Photos, taken
from mien.labels import class_indices, match_labels
from mien.models.artifact import HASH_LENGTH, Contract, Origin, write_model
from mien.models.wrapping import (
    LEAST_PROBABILITY,
    UINT8,
    Answers,
    Channels,
    Layout,
    OwnNetwork,
    Shown,
    answers_of,
    kind_of_answers,
    read_network,
    wrapped,
)
from mien.progress import Silent
from mien.recognizer import Recognizer
from mien.settings.columns import Columns
from mien.settings.views import named_view, view_side
from mien.system.files import file_sha256, not_written
from mien.system.leftovers import undone_if_stopped
from mien.system.paths import user_path
from mien.system.scratch import work_folder
from mien.version import __version__

__all__ = ["wrap"]

T = TypeVar("T")
RECIPE = "wrapped"
UNKNOWN_LICENCE = "not stated"
EXPRESSIONS = ("happy", "sad", "fear")
"""Of the drawn faces that a network is tried on."""


class Unsaid(TypedDict, total=False):
    """What a file may leave open.

    Attributes:
        size: side of the pictures, px.
        layout: where the channels are, where the shape does not tell.
        output: name of the output to use, where there are several.
        outputs: what it gives; by default, found out on the trial pictures.
    """

    size: int | None
    layout: Layout | None
    output: str | None
    outputs: Answers | None


@said_in_python()
def wrap(
    onnx: str | Path,
    labels: Sequence[str],
    view: str = "face",
    *,
    out: str | Path,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    white: float = 1.0,
    channels: Channels = "rgb",
    temperature: float | None = None,
    validation: Photos | None = None,
    study: Study | str | Path | None = None,
    licence: str | None = None,
    data: str | Sequence[str] = (),
    **unsaid: Unpack[Unsaid],
) -> Recognizer:
    """Write a network of your own as a model file, which is predicted with, evaluated and served like any other.

    It takes square pictures, N×3×S×S, N×S×S×3 or 1 channel of grey, as floats or uint8, with N free to vary, and gives
    a number per class. It is tried on a few pictures before anything is written; the model comes back, opened.

    Args:
        onnx: the exported network, with its weights in it or in files beside it.
        labels: (K,) the classes in the order of its outputs.
        view: what it was trained on: ``face``, ``photo`` or ``scene``, also as in ``face-112``.
        out: file to write, ending in ``.onnx``, or the folder that gets a ``model.onnx``; must not exist.
        mean: taken off pixels, one number, or one per channel in the network's order; 0 where the network does it.
        std: pixels are divided by this afterwards.
        white: what a white pixel is before that: 1 as ``ToTensor`` of torchvision has it, or 255.
        channels: ``bgr`` for a network that was trained on pictures from OpenCV.
        temperature: logits are divided by this before the softmax; 1 by default.
        validation: labelled photos, as ``mien.study`` takes them, to fit the temperature to; needs ``mien[train]``.
        study: whose training and validation photos the network learnt from, so that they are known again.
        licence: of its weights.
        data: names of the collections that it learnt from.
        **unsaid: ``size``, ``layout`` (``nchw``, ``nhwc``), ``output`` (its name) and ``outputs`` (``logits``,
            ``probabilities``), where the file leaves them open.

    Raises:
        MienError: in one line, if the network cannot be used so, or ``out`` not be written.

    Example:
        >>> model = mien.wrap("net.onnx", ["anger", "happy", "sad"], "face", out="mine.onnx", mean=0.5, std=0.25)
        >>> model.predict("photo.png").label in model.labels
        True
    """
    names, place, shown = _labels(labels), _place(out), _shown(mean, std, white, channels)
    divisor = _temperature(temperature, validation)
    network, model, seen = _tried(_source(onnx), view, shown, unsaid, len(names))
    learnt = _learnt(study, data)
    weights = Origin(network.path.name, licence or UNKNOWN_LICENCE, file_sha256(network.path))
    contract = Contract(names, (seen,), RECIPE, divisor, backbones=(weights,), mien_version=__version__, **learnt)
    if validation is not None:
        contract = dataclasses.replace(contract, temperature=_fitted(model, contract, validation))
    _write(model, contract, place)
    return Recognizer(place)


def _shown(mean: float | Sequence[float], std: float | Sequence[float], white: float, channels: Channels) -> Shown:
    shown = Shown(_each("mean", mean), _each("std", std), _positive("white", white), _channels(channels))
    if any(each == 0 for each in shown.std):
        raise ConfigError("std=0: pixels are divided by it; give numbers above 0")
    return shown


def _temperature(temperature: float | None, validation: Photos | None) -> float:
    if temperature is not None and validation is not None:
        raise ConfigError("temperature and validation: give one of them; it is fitted to the validation photos")
    return 1.0 if temperature is None else _positive("temperature", temperature)


def _labels(labels: Sequence[str]) -> tuple[str, ...]:
    names = list(labels) if isinstance(labels, Iterable) and not isinstance(labels, str | bytes) else [None]
    if not all(isinstance(each, str) and each.strip() for each in names):
        raise ConfigError("labels: give a list of the names of the classes, in the order of the network's outputs")
    if len(names) < 2 or len(set(names)) < len(names):
        told = f"{len(names)} names, {len(set(names))} of them different"
        raise ConfigError(f"labels: {told}; give two or more, each once")
    return tuple(str(each) for each in names)


def _each(name: str, values: float | Sequence[float]) -> tuple[float, ...]:
    """One number, or one per channel."""
    found = np.atleast_1d(np.asarray(values, dtype=object))
    try:
        numbers = tuple(float(each) for each in found)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) not in (1, 3) or not np.isfinite(numbers).all():
        raise ConfigError(f"{name}={values!r}: give one number, or three, of red, green and blue")
    return numbers


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < float("inf"):
        raise ConfigError(f"{name}={value!r}: give a number above 0")
    return float(value)


def _one_of(name: str, value: T | None, choices: object) -> T | None:
    """A value that is one of a ``Literal``'s, or None."""
    if value is not None and value not in get_args(choices):
        raise ConfigError(f"{name}={value!r}: choose from {', '.join(get_args(choices))}")
    return value


def _channels(value: Channels) -> Channels:
    _one_of("channels", value, Channels)
    return value


def _source(onnx: str | Path) -> Path:
    path = existing_path(user_path(onnx, "onnx"))
    if path is None or path.is_dir():
        raise ModelError(f"{onnx}: {'a folder' if path else 'no such file'}; give the ONNX file of a network")
    return path


def _place(out: str | Path) -> Path:
    """The file to write."""
    path = user_path(out, "out")
    path = path if path.suffix == ".onnx" and not path.is_dir() else path / "model.onnx"
    if path.exists():
        raise OutputError(f"{path}: exists already; give another --out")
    return path


def _tried(path: Path, view: str, shown: Shown, unsaid: Unsaid, classes: int) -> tuple[OwnNetwork, Any, View]:  # type: ignore[explicit-any]  # ONNX has no types
    """The network, as a model file holds it, and what it looks at; tried on a few pictures."""
    if unknown := set(unsaid) - set(Unsaid.__annotations__):
        raise ConfigError(f"{min(unknown)}: no such argument; there are also {', '.join(Unsaid.__annotations__)}")
    name, side = named_view(view, unsaid.get("size"))
    layout, outputs = unsaid.get("layout"), unsaid.get("outputs")
    _one_of("outputs", outputs, Answers)
    network = read_network(path, size=side, layout=_one_of("layout", layout, Layout), output=unsaid.get("output"))
    _check_shown(network, shown)
    seen = View(name, view_side(network.size))
    pictures = _pictures(seen)
    found = answers_of(network, wrapped(network, seen, shown, "logits"), seen, pictures)
    if found.shape[1] != classes:
        told = f"gives {found.shape[1]} numbers per picture, and labels names {classes} classes"
        raise ModelError(f"{path}: {told}; name each of its outputs, in order")
    model = wrapped(network, seen, shown, kind_of_answers(path, found, outputs))
    answers_of(network, model, seen, pictures)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = classes
    return network, model, seen


def _check_shown(network: OwnNetwork, shown: Shown) -> None:
    """Refuse a normalisation that does not fit what the network takes."""
    if len(shown.mean) > network.channels or len(shown.std) > network.channels:
        raise ConfigError(
            f"mean and std: three numbers, but {network.path} takes one channel of grey; give one number each"
        )
    if network.kind == UINT8 and shown != Shown(order=shown.order):
        raise ConfigError(f"mean, std and white: {network.path} takes whole numbers from 0 to 255; leave them out")


def _pictures(view: View) -> NDArray[np.uint8]:
    """Black, white, noise and drawn faces, (6, S, S, 3)."""
    shape = (view.size, view.size, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    plain = [np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise]
    return np.stack([*plain, *(render(draw_face(label, 0), view, None) for label in EXPRESSIONS)])


def _learnt(study: Study | str | Path | None, data: str | Sequence[str]) -> dict[str, Any]:  # type: ignore[explicit-any]  # fields of a contract
    """What the contract says of the photos that the network learnt from."""
    named = (data,) if isinstance(data, str) else tuple(data)
    if study is None:
        return {"collections": named}
    opened = study if isinstance(study, Study) else Study.open(study)
    manifest = read_manifest(opened.folder / "manifest.parquet")
    own = manifest.filter(pl.col("split").is_null() | (pl.col("split") != "target"))
    seen = own.filter(pl.col("split").is_in(["train", "val"]))
    pixels, photos = Pixels(opened.folder / "pixels"), usable(seen)
    return {
        "collections": tuple(dict.fromkeys([*seen["source"].unique(maintain_order=True), *named])),
        "training_hashes": frozenset(sha[:HASH_LENGTH] for sha in seen["sha256"]),
        "traits": tuple(
            traits_of(name, rows, pixels) for (name,), rows in photos.group_by("source", maintain_order=True)
        ),
    }


def _fitted(model: Any, contract: Contract, validation: Photos) -> float:  # type: ignore[explicit-any]  # ONNX has no types
    """The temperature that fits labelled photos best."""
    with extra("train", "fitting a temperature"):
        import scipy.optimize  # noqa: F401  # what the fit needs

        from mien.calibration import fit_temperature
    given = taken(validation)
    with work_folder() as folder:
        given.write(folder / "photos.parquet")
        columns = Columns(root=given.root)
        collection = open_collection(
            given.sources_at(folder / "photos.parquet"), columns, least_labels=1, is_known=True
        )
        matched = match_labels(contract.labels, collection.labels)
        prepared = prepare([collection], contract.views, None, progress=Silent())
        known = pl.col("label").is_in(list(matched.matched))
        rows = usable(prepared.manifest).filter(known)
        write_model(model, contract, folder / "model.onnx")
        answers = predict_rows(Recognizer(folder / "model.onnx"), prepared.pixels, rows, lambda n: None)
    logits = np.log(np.maximum(probabilities(answers, contract.labels), LEAST_PROBABILITY))
    return fit_temperature(logits, class_indices(answers["label"], contract.labels, matched.matched))


def _write(model: Any, contract: Contract, place: Path) -> None:  # type: ignore[explicit-any]  # ONNX has no types
    made = not place.parent.exists()

    def undo() -> None:
        place.unlink(missing_ok=True)
        if made:
            with suppress(OSError):  # of a folder that was never made
                place.parent.rmdir()

    with undone_if_stopped(undo):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_model(model, contract, place)
        except OSError as error:
            undo()
            raise not_written(place, error) from error
