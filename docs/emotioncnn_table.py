"""Print the layer table of docs/EMOTIONCNN.md: python docs/emotioncnn_table.py"""

from __future__ import annotations

import torch
from torch import nn

from mien.models.networks import EmotionCNN

SHOWN = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d, nn.Dropout2d)
SHOWN += (nn.AdaptiveAvgPool2d, nn.Linear, nn.BatchNorm1d, nn.Dropout)


def describe(layer: nn.Module) -> str:
    """The layer in words."""
    match layer:
        case nn.Conv2d():
            return f"convolution 3×3, {layer.in_channels} → {layer.out_channels}"
        case nn.BatchNorm2d() | nn.BatchNorm1d():
            return "batch normalisation"
        case nn.MaxPool2d():
            return "max pooling 2×2"
        case nn.Dropout2d():
            return f"channel dropout {layer.p}"
        case nn.Dropout():
            return f"dropout {layer.p}"
        case nn.AdaptiveAvgPool2d():
            return "global average pooling"
        case nn.Linear():
            return f"linear {layer.in_features} → {layer.out_features}"
        case _:
            return "ReLU"


def table(size: int = 224, n_classes: int = 6) -> str:
    """The table as Markdown: name, layer, output shape for one image, parameters."""
    network = EmotionCNN(n_classes).eval()
    rows: list[str] = []

    def record(name: str, layer: nn.Module) -> None:
        def hook(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
            shape = "×".join(str(n) for n in output.shape[1:])
            parameters = sum(p.numel() for p in module.parameters())
            rows.append(f"| `{name}` | {describe(module)} | {shape} | {parameters:,} |")

        layer.register_forward_hook(hook)

    for name, layer in network.named_modules():
        if isinstance(layer, SHOWN):
            record(name, layer)
    network(torch.zeros(1, 3, size, size))
    total = sum(p.numel() for p in network.parameters())
    head = ["| name | layer | output (C×H×W) | parameters |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, f"| | **all** | | **{total:,}** |"])


if __name__ == "__main__":
    print(table())
