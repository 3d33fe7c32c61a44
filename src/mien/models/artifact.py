"""The model file and its contract; reading it needs no torch.

``model.onnx`` carries in its metadata, under the key ``mien``, everything that use needs: the classes in order,
the views it looks at, the temperature, the abstention threshold, and what it was trained on. A checksum of the whole
file stands behind it (``seal.py``), and is compared before ONNX Runtime sees the file.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.data.measuring.runtime import onnxruntime, open_session
from mien.data.reading.preprocess import View
from mien.data.sources.files import existing_path
from mien.data.tables.spreads import Spread, spreads_from_plain
from mien.data.tables.traits import CollectionTraits
from mien.errors import ModelError
from mien.models.seal import MAX_MODEL_BYTES, SEAL_KEY, is_intact, is_sealed, metadata_of, write_sealed
from mien.system.files import MAX_FILE_BYTES, read_checked, read_file, read_text, why
from mien.system.paths import shown, why_no_path

__all__ = [
    "DEFAULT",
    "HASH_LENGTH",
    "METADATA_KEY",
    "NEWEST",
    "SHIPPED",
    "Contract",
    "Origin",
    "Threshold",
    "lasting_name",
    "laxest_within",
    "least_promise",
    "model_path",
    "open_model",
    "shipped",
    "whole_model",
    "write_model",
]

METADATA_KEY = "mien"
FORMAT, FORMAT_WITHOUT_CHECKSUM = 3, 2
CHECKSUM = "sha256"
"""What the contract of a file with a checksum says under ``checksum``; one from before says nothing there, so that no
flipped bit makes the one of the other."""
FORMATS = ((FORMAT, CHECKSUM), (FORMAT_WITHOUT_CHECKSUM, None))
NO_MODEL = "not a model file that can be read; give the model.onnx of a run"
DEFAULT = "default"
"""Name of the recogniser that comes with mien, wherever a model is taken."""
SHIPPED = {
    "default@1": ("default-1.onnx", ("scene.safetensors", "expression-1.safetensors")),
    "default@2": ("default-2.onnx", ("scene.safetensors", "expression.safetensors")),
    "six@1": ("default-1.onnx", ("scene.safetensors", "expression-1.safetensors")),
    "six@2": ("six-2.onnx", ("scene.safetensors", "expression.safetensors")),
}
"""Name and version of each model that comes with mien → its file, and the files that hold its weights."""
NEWEST = {DEFAULT: "default@2", "six": "six@2"}
"""What a name without a version means."""
HASH_LENGTH = 12
"""Hexadecimal digits of an image's sha256 that travel with the model. They reveal whether a photo at hand was
among the training photos, and nothing else."""


@dataclass(frozen=True)
class Threshold:
    """From which probability on answers are given, so that few of them are wrong.

    Attributes:
        max_error: share of the answers that may be wrong, in (0, 1); the upper 95 % confidence bound stays below it.
        probability: the likeliest class must have this much.
        answered: share of photos of the same kind that are then answered, in (0, 1].
    """

    max_error: float
    probability: float
    answered: float


def laxest_within(thresholds: Sequence[Threshold], max_error: float) -> Threshold | None:
    """The threshold that answers most and keeps the error; None if none keeps it.

    Args:
        thresholds: from the smallest error up.
    """
    return next((each for each in reversed(thresholds) if each.max_error <= max_error), None)


def least_promise(thresholds: Sequence[Threshold], otherwise: str) -> str:
    """The smallest error that can be promised, for a message; ``otherwise`` where there is none."""
    if not thresholds:
        return otherwise
    least = thresholds[0]
    return f"the least is {least.max_error:g}, answering {least.answered:.0%} of the photos; give that or more"


@dataclass(frozen=True)
class Origin:
    """Pretrained weights that a model is made of.

    Attributes:
        name: of the backbone.
        licence: as the makers of its weights name it.
        sha256: of the weight file.
    """

    name: str
    licence: str
    sha256: str


@dataclass(frozen=True)
class Contract:
    """What a model file says of itself.

    Attributes:
        labels: the classes in the order of the outputs.
        views: the network's inputs in order, each uint8 (N, S, S, 3) RGB; outputs are logits (N, K).
        recipe: name of the recipe.
        temperature: logits are divided by this before the softmax; 1 where none was fitted.
        max_error: the share of wrong answers that was asked for when it was trained; None asks for none.
        thresholds: what can be promised of its answers, from the smallest error up; empty where nothing was measured.
        measured: how good it was found to be on photos it was not fitted to, as docs/RESULTS.md describes; or None.
        unproven: classes of which nobody measured how often they are right on people from elsewhere; their answers are
            flagged.
        backbones: the pretrained weights it is made of; empty where it was trained from scratch.
        collections: names of the image collections that model and backbone were trained on.
        training_hashes: first ``HASH_LENGTH`` digits of the sha256 of each photo it was fitted to, and of each
            validation photo that decided when to stop.
        traits: by which photos of those collections are known again that it was not fitted to; of collections that came
            with a backbone, ``known_traits.py`` has them.
        spreads: how light, sharpness and face size are spread over the photos it was fitted to; None of files from
            before, and where nobody measured them.
        mien_version: the version that wrote the file.
        card: heading → text of a short model card, as the study wrote it that tested the model; None of a model that
            no study tested, and of files from before.
    """

    labels: tuple[str, ...]
    views: tuple[View, ...]
    recipe: str
    temperature: float = 1.0
    max_error: float | None = None
    thresholds: tuple[Threshold, ...] = ()
    measured: dict[str, Any] | None = None
    unproven: tuple[str, ...] = ()
    backbones: tuple[Origin, ...] = ()
    collections: tuple[str, ...] = ()
    training_hashes: frozenset[str] = frozenset()
    traits: tuple[CollectionTraits, ...] = ()
    spreads: dict[str, Spread] | None = None
    mien_version: str = ""
    card: dict[str, str] | None = None

    def to_json(self) -> str:
        """The metadata string."""
        values = dataclasses.asdict(self) | {
            "training_hashes": sorted(self.training_hashes),
            "traits": [each.to_plain() for each in self.traits],
        }
        return json.dumps(values | {"format": FORMAT, "checksum": CHECKSUM}, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Contract:
        """Read the metadata string.

        Raises:
            ValueError: if it is not a contract of a format known here.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("no object")
        if (values.pop("format", None), values.pop("checksum", None)) not in FORMATS:
            raise ValueError("written by another version of mien")
        contract = Contract(
            **values
            | {
                "labels": tuple(values["labels"]),
                "views": tuple(View(**view) for view in values["views"]),
                "thresholds": tuple(Threshold(**threshold) for threshold in values["thresholds"]),
                "backbones": tuple(Origin(**origin) for origin in values.get("backbones", ())),
                "unproven": tuple(values.get("unproven", ())),
                "collections": tuple(values["collections"]),
                "training_hashes": frozenset(values["training_hashes"]),
                "traits": tuple(CollectionTraits.from_plain(each) for each in values.get("traits", ())),
                "spreads": spreads_from_plain(values.get("spreads")),
            }
        )
        if not (0 < contract.temperature < math.inf and all(isinstance(label, str) for label in contract.labels)):
            raise ValueError("its temperature or its classes make no sense")
        if not _is_card(contract.card):
            raise ValueError("its card is no text")
        return contract


def _is_card(value: object) -> bool:
    texts = (*value.keys(), *value.values()) if isinstance(value, dict) else ()
    return value is None or (isinstance(value, dict) and all(isinstance(each, str) for each in texts))


def shipped(name: str) -> Path:
    """A file of weights that comes with mien."""
    return Path(__file__).with_name("weights") / name


def lasting_name(model: str | Path, path: Path) -> str:
    """What names the same model from any folder and, of those that come with mien, in any place: path or name."""
    name = NEWEST.get(str(model), str(model))
    return name if name in SHIPPED else str(path.absolute())


def model_path(model: str | Path) -> Path:
    """The model file of a run folder, a study folder, a path to the file itself, or the one that comes with mien.

    Raises:
        ModelError: if there is none.
    """
    name = NEWEST.get(str(model), str(model))
    if name in SHIPPED:
        return shipped(SHIPPED[name][0])
    path = existing_path(model)
    if path is None:
        if why := why_no_path(str(model)):
            raise ModelError(f"model {shown(str(model))}: {why}")
        named = ", ".join([*NEWEST, *SHIPPED])
        raise ModelError(f"{model}: no such model; give a run folder, a model.onnx, or one of {named}")
    if not path.is_dir():
        return path
    if (path / "model.onnx").is_file():
        return path / "model.onnx"
    runs = sorted(p.parent.name for p in path.glob("runs/*/model.onnx"))
    results = path / "results.json"
    if runs and results.is_file():
        return path / "runs" / _selected(results) / "model.onnx"
    named = f"one of its runs: {', '.join(str(path / 'runs' / r) for r in runs)}"
    hint = named if runs else "a study or run folder that mien has finished"
    raise ModelError(f"{model}: a folder without a finished model.onnx; give {hint}")


def _selected(results: Path) -> str:
    try:
        return str(json.loads(read_text(results, MAX_FILE_BYTES))["selected"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{results}: cannot be read ({error}); give one of the study's runs instead") from error


def write_model(model: Any, contract: Contract, path: Path) -> None:
    """Write an ONNX model with a contract, in place of any it has, and a checksum of both; whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    for entry in [each for each in model.metadata_props if each.key == METADATA_KEY]:
        model.metadata_props.remove(entry)
    model.metadata_props.add(key=METADATA_KEY, value=contract.to_json())
    write_sealed(model, path)


def open_model(path: Path, threads: int = 0) -> tuple[onnxruntime.InferenceSession, Contract]:
    """Open a model file.

    Args:
        threads: cores to use; 0 lets ONNX Runtime decide.

    Raises:
        ModelError: if the file cannot be read, is no ONNX model, none that mien wrote, or not as mien wrote it.
    """
    try:
        content = read_file(path, MAX_MODEL_BYTES)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({why(error)}); give the model.onnx of a run") from error
    contract = _contract(content, path)
    shared = _check_shared(path)
    try:
        session = open_session(content, threads=threads, weights=path.parent if shared else None)
        _check_graph(session, contract)
    except ValueError as error:
        raise ModelError(f"{path}: its contract cannot be used ({error}); train again with this version") from error
    except Exception as error:  # ONNX Runtime raises a class of its own for each kind of damage
        raise ModelError(f"{path}: {NO_MODEL}") from error
    return session, contract


def whole_model(path: Path) -> Any:
    """The ONNX model of a file, with the weights in it that a model which comes with mien has in files beside it.

    Raises:
        OSError: if it cannot be read.
    """
    import onnx

    model = onnx.load_from_string(read_file(path, MAX_MODEL_BYTES))
    if _shared_weights(path):
        onnx.load_external_data_for_model(model, str(path.parent))
    return model


def _shared_weights(path: Path) -> tuple[str, ...]:
    """Files beside a model of mien's own that hold its weights; none of any other, which must hold them itself."""
    files = dict(SHIPPED.values()) if path.resolve().parent == shipped("").resolve() else {}
    return files.get(path.name, ())


def _check_shared(path: Path) -> tuple[str, ...]:
    names = _shared_weights(path)
    for name in names:
        try:
            read_checked(path.with_name(name))
        except OSError as error:
            raise ModelError(f"{path.with_name(name)}: cannot be read ({why(error)}); install mien again") from error
    return names


def _contract(content: bytes, path: Path) -> Contract:
    """The contract of a model file, which is as it was written; one from before checksums is taken as it is."""
    damaged = ModelError(
        f"{path}: damaged, or changed after mien wrote it (its checksum is that of another content); take another copy "
        "of it, or train again"
    )
    is_as_written = is_intact(content)
    if is_sealed(content) and not is_as_written:
        raise damaged
    try:
        metadata = metadata_of(content)
    except ValueError as error:
        raise ModelError(f"{path}: {NO_MODEL}") from error
    if not is_as_written and SEAL_KEY in metadata:
        raise damaged
    text = metadata.get(METADATA_KEY)
    if text is None:
        raise ModelError(f"{path}: an ONNX file without mien's contract; give a model.onnx that mien wrote")
    try:
        has_checksum = "checksum" in json.loads(text)
        contract = Contract.from_json(text)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{path}: its contract cannot be used ({error}); train again with this version") from error
    if has_checksum and not is_as_written:
        raise damaged
    return contract


def _check_graph(session: onnxruntime.InferenceSession, contract: Contract) -> None:
    """The network must take the views and give the classes that the contract names."""
    inputs = {value.name: value.shape[1:] for value in session.get_inputs()}
    if inputs != {view.name: [view.size, view.size, 3] for view in contract.views}:
        raise ValueError("its views do not fit the network's inputs")
    outputs = session.get_outputs()
    if len(outputs) != 1 or outputs[0].shape[1:] != [len(contract.labels)]:
        raise ValueError("its classes do not fit the network's outputs")
