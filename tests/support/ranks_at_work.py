"""Work of processes that speak to each other: for those that are started side by side, and what may become of them."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.nn import functional

from mien.errors import WorkFailedError
from mien.progress import Advance
from mien.training.ranks import rank, ranks, share
from mien.training.side_by_side import side_by_side
from mien.training.whole_batch import whole_batch


def wait_for_ever() -> None:
    """As one of several waits that has done its part of an update."""
    distributed.all_reduce(torch.zeros(1))


def fail(how: str, notes: Path, advance: Advance) -> None:
    """The second of two fails, while the first waits for it."""
    (notes / f"{rank()}.pid").write_text(str(os.getpid()))
    wait_for_ever()
    if rank() == 0:
        wait_for_ever()
    if how == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise WorkFailedError("the loss is no longer a number")


def chat(notes: Path, advance: Advance) -> int:
    """Say on both streams what nobody is to hear, tell of progress, and give a number."""
    os.write(1, b"noise\n")
    print("noise", file=sys.stderr)
    (notes / f"{rank()}.pid").write_text(str(os.getpid()))
    for _ in range(5):
        advance(1)
    total = torch.tensor(float(rank() + 1))
    distributed.all_reduce(total)
    return int(total) * 10 + rank()


def last(notes: Path, advance: Advance) -> None:
    """Work until someone ends it; the second process says when it is under way."""
    (notes / f"{rank()}.pid").write_text(str(os.getpid()))
    wait_for_ever()
    (notes / f"{rank()}.here").touch()
    if rank() == 0:
        while True:
            advance(1)
    wait_for_ever()


def pids(notes: Path) -> list[int]:
    """The processes that have come to work."""
    return [int(path.read_text()) for path in sorted(notes.glob("*.pid"))]


def begin_to_last(notes: str) -> None:
    """Start two processes that never end, and say so as soon as they work."""

    def advance(n: int) -> None:
        if n and (Path(notes) / "1.here").exists() and not told:
            told.append(1)
            os.write(1, b"here\n")

    told: list[int] = []
    side_by_side(partial(last, Path(notes)), 2, "gloo", advance)


def normalized(form: tuple[int, ...], *, is_affine: bool, notes: Path, advance: Advance) -> dict[str, Any]:
    """What batch normalisation of this rank's share gives, forwards and backwards, as nested lists.

    A rank without a share puts a black picture through it.
    """
    batch, upstream, weight, bias, mean, var = drawn(form)
    own = share(list(range(len(batch))))
    x = (batch[own] if own else torch.zeros(1, *form[1:])).requires_grad_()
    learnt = [each.requires_grad_() for each in ((x, weight, bias) if is_affine else (x,))]
    scale, shift = (weight, bias) if is_affine else (None, None)
    with whole_batch(counts=bool(own)):
        y = functional.batch_norm(x, mean, var, scale, shift, True, 0.3)
    mine, *of_affine = torch.autograd.grad((y[: len(own)] * upstream[own]).sum(), learnt)
    for each in of_affine:
        distributed.all_reduce(each)  # as DDP does
    return {
        "y": y[: len(own)].detach().tolist(),
        "gradient": mine[: len(own)].tolist(),
        "affine": [each.tolist() for each in of_affine],
        "running": [mean.tolist(), var.tolist()],
        "ranks": ranks(),
    }


def drawn(form: tuple[int, ...]) -> list[torch.Tensor]:
    """A batch, what comes back to it, weight, bias, running mean and variance; far from 0, as sums of squares hate."""
    draw = torch.Generator().manual_seed(len(form))
    batch = torch.randn(form, generator=draw) * 3 + 20
    upstream = torch.randn(form, generator=draw)
    weight, bias, mean = (torch.randn(form[1], generator=draw) for _ in range(3))
    return [batch, upstream, weight, bias, mean, torch.rand(form[1], generator=draw) + 0.5]


def all_normalized(forms: list[tuple[int, ...]], notes: Path, advance: Advance) -> list[dict[str, Any]]:
    """``normalized`` for several forms, with weights and without."""
    return [normalized(form, is_affine=each, notes=notes, advance=advance) for form in forms for each in (True, False)]
