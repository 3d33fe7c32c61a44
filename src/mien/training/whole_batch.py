"""Batch normalisation by the statistics of the whole batch, of which each rank has a share.

PyTorch has ``SyncBatchNorm`` for that. It computes on GPUs only, so nothing of it could be tested without one; it takes
the place of layers, loses the activation that timm's layers bring along, and is unknown to whatever refers to the old
ones, as the list of frozen stages does. Here the layers stay as they are: while a batch goes through the network, calls
of ``torch.nn.functional.batch_norm`` that would take the statistics of a share take those of the batch instead. Layers
that use their running statistics, as frozen ones do, are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from mien.training.ranks import ranks

__all__ = ["whole_batch"]


def whole_batch(*, counts: bool) -> AbstractContextManager[object]:
    """Normalise by the statistics of all ranks inside the block, which all of them enter.

    Args:
        counts: whether the photos of this rank are part of the batch; a rank that has none in it puts some through the
            network all the same, for the others wait for it at every layer.
    """
    return _WholeBatch(counts=counts) if ranks() > 1 else nullcontext()


class _WholeBatch(TorchFunctionMode):
    def __init__(self, *, counts: bool) -> None:
        super().__init__()
        self._counts = counts

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is functional.batch_norm and kwargs.get("training", len(args) > 5 and args[5]):
            return _normalized(*args, **kwargs, counts=self._counts)
        return func(*args, **kwargs)


def _normalized(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    counts: bool,
) -> Tensor:
    """What ``batch_norm`` gives for this rank's share (N, C, …) of the batch; its arguments, and ``counts``."""
    x = input.float()
    axes, shape = [0, *range(2, x.dim())], [1, -1, *[1] * (x.dim() - 2)]
    own = x.numel() // x.shape[1]
    totals = _Summed.apply(torch.cat([x.sum(axes), x.new_tensor([own])]) * counts)
    n = totals[-1].detach()
    mean = totals[:-1] / n
    centred = x - mean.view(shape)
    variance = _Summed.apply(centred.square().sum(axes) * counts) / n
    with torch.no_grad():
        if running_mean is not None and running_var is not None:
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * (n / (n - 1).clamp(min=1))).to(running_var.dtype), momentum)
    scale = torch.rsqrt(variance + eps)
    normal = centred * (scale if weight is None else scale * weight).view(shape)
    shifted: Tensor = normal if bias is None else normal + bias.view(shape)
    return shifted.to(input.dtype)


class _Summed(torch.autograd.Function):
    """The sum over all ranks; what each did to the sum of all losses comes back to each."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _all_reduced(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _all_reduced(gradient)


def _all_reduced(values: Tensor) -> Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total
