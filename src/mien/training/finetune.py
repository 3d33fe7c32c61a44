"""A pretrained backbone that goes on learning: the stages near the pixels frozen, the others at a low rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from mien.errors import ConfigError
from mien.models.backbones import Backbone
from mien.settings.training import TrainSettings

__all__ = ["FineTuned", "parameter_groups"]

DROPOUT = 0.3


class FineTuned(nn.Module):
    """Normalised floats (N, 3, H, W) → logits (N, K), by a backbone of timm's EfficientNet kind and a linear layer."""

    def __init__(self, backbone: Backbone, n_classes: int, settings: TrainSettings) -> None:
        """Make the network; the stem counts with the first stage.

        Raises:
            ConfigError: if the backbone has no stages that could be frozen, or fewer.
        """
        super().__init__()
        self.backbone: Any = backbone.module.requires_grad_(True)
        self.dropout = nn.Dropout(DROPOUT * settings.dropout_scale)
        self.head = nn.Linear(_width(backbone.module), n_classes)
        self._frozen = list(_first_stages(backbone, settings.frozen_stages))
        for module in self._frozen:
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> FineTuned:
        """Training mode for all but the frozen stages, whose normalisation stays as it is, too."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N, K) of normalised images."""
        logits: Tensor = self.head(self.dropout(self.backbone(image)))
        return logits

    def parts(self) -> tuple[nn.Module, nn.Linear]:
        """Normalised images → features (N, D), and the linear layer behind them."""
        return self.backbone, self.head

    @property
    def has_stages(self) -> bool:
        """Whether the network can be parted between stages, as those of timm's EfficientNet kind can."""
        return all(hasattr(self._network, part) for part in ("conv_stem", "bn1", "blocks", "conv_head", "bn2"))

    @property
    def stages(self) -> nn.Sequential:
        """The backbone's stages."""
        stages: nn.Sequential = self._network.blocks
        return stages

    def lower(self, image: Tensor, split: int) -> tuple[Tensor, Tensor]:
        """What the stages before ``split`` make of normalised images: maps (N, C, h, w), and means (N, M) of stages."""
        network = self._network
        return self._through(
            self.stages[:split], 0, network.bn1(network.conv_stem(image)), image.new_zeros(len(image), 0)
        )

    def upper(self, maps: Tensor, means: Tensor, split: int) -> Tensor:
        """Logits (N, K) of what ``lower`` gave."""
        network = self._network
        maps, means = self._through(self.stages[split:], split, maps, means)
        own = network.forward_head(network.bn2(network.conv_head(maps)))
        logits: Tensor = self.head(self.dropout(torch.cat([means, own], 1)))
        return logits

    def learn_from(self, split: int) -> list[nn.Parameter]:
        """Let the stages from ``split`` on learn, and what follows them; returns the parameters that do.

        Depthwise filters stay: on a CPU the gradients of these few weights take a quarter of an update, and on photos
        of FER2013's training part learning them gained 0.002 of macro-F1, within what draws differ by.
        """
        network = self._network
        learning = nn.ModuleList([self.stages[split:], network.conv_head, network.bn2, self.head]).requires_grad_()
        for module in learning.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                module.requires_grad_(requires_grad=False)
        return [each for each in learning.parameters() if each.requires_grad]

    @property
    def _network(self) -> Any:
        return getattr(self.backbone, "network", self.backbone)

    def _through(self, stages: nn.Sequential, first: int, maps: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        is_staged = self._network is not self.backbone  # then the means of its stages are features, too
        for i, stage in enumerate(stages, first):
            maps = stage(maps)
            if is_staged and i >= self.backbone.first:
                means = torch.cat([means, maps.mean((2, 3))], 1)
        return maps, means


def parameter_groups(network: nn.Module, settings: TrainSettings) -> list[dict[str, Any]]:
    """What an optimiser takes: parameters with their learning rate, those of the head first.

    ``peak`` repeats the rate, for a schedule that sets it anew at each update.
    """
    body = getattr(network, "body", None)
    inherited = {id(each) for each in body.backbone.parameters()} if isinstance(body, FineTuned) else set()
    learning = [each for each in network.parameters() if each.requires_grad]
    own = [each for each in learning if id(each) not in inherited]
    rate = settings.learning_rate
    groups = [(own, rate), ([each for each in learning if id(each) in inherited], rate * settings.backbone_rate)]
    return [{"params": params, "lr": lr, "peak": lr} for params, lr in groups if params]


def _first_stages(backbone: Backbone, count: int) -> Iterator[nn.Module]:
    if not count:
        return
    network: Any = getattr(backbone.module, "network", backbone.module)
    if not hasattr(network, "conv_stem") or not hasattr(network, "blocks"):
        raise ConfigError(f"frozen_stages: {backbone.name} has no stages that could be frozen; give frozen_stages=0")
    if count > len(network.blocks):
        raise ConfigError(f"frozen_stages {count}: {backbone.name} has {len(network.blocks)}")
    yield from (network.conv_stem, network.bn1, *network.blocks[:count])


def _width(module: nn.Module) -> int:
    """How many features a backbone gives."""
    network: Any = getattr(module, "network", module)
    means = sum(stage[-1].bn3.num_features for stage in network.blocks[module.first :]) if network is not module else 0
    own = getattr(network, "head_hidden_size", None) or network.num_features  # MobileNetV3 widens behind its last stage
    return int(own + means)
