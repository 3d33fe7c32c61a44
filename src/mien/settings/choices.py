"""The values that a setting may take: names to choose from, ranges, and augmentations with their parts."""

from __future__ import annotations

from typing import Literal

from mien.errors import ConfigError

__all__ = [
    "AUGMENTATIONS",
    "KeepPixels",
    "Precision",
    "SplitMethod",
    "StoredPrecision",
    "VotesAs",
    "augmentation_parts",
    "check_choice",
    "check_range",
    "check_share",
]

Precision = Literal["auto", "fp32", "bf16"]
StoredPrecision = Literal["fp32", "fp16", "int8"]
SplitMethod = Literal["grouped", "series", "naive"]
KeepPixels = Literal["auto", "yes", "no"]
VotesAs = Literal["soft", "majority"]

AUGMENTATIONS: dict[str, tuple[str, ...]] = {
    "none": (),
    "notebook": ("crop", "flip", "rotation", "colour"),
    "elsewhere": ("flip", "rotation", "crop", "colour", "grey", "coarse"),
}
"""What can be done to training photos: names with their parts, in order. ``notebook-flip`` is all of it but one."""


def augmentation_parts(text: str, option: str = "augment") -> tuple[str, ...]:
    """The parts of an augmentation, in order.

    Args:
        text: a name of ``AUGMENTATIONS``, with ``-PART`` behind it for each part that is left out.
        option: what to call it where it is none.

    Raises:
        ConfigError: if there is no such augmentation, or it has no such part.
    """
    name, *without = text.split("-")
    check_choice(option, name, tuple(AUGMENTATIONS))
    parts = AUGMENTATIONS[name]
    for part in without:
        if part not in parts:
            had = ", ".join(parts) or "none"
            raise ConfigError(f"--{option} {text}: {name} has no part {part!r} to leave out; it has {had}")
    if len(set(without)) < len(without):
        raise ConfigError(f"--{option} {text}: leaves a part out twice")
    return tuple(part for part in parts if part not in without)


def check_choice(name: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    """Refuse a value that is none of the choices.

    Raises:
        ConfigError: if it is not among them.
    """
    if value not in choices:
        raise ConfigError(f"--{name} {value}: choose one of {', '.join(c for c in choices if c)}")


def check_range(name: str, value: float, low: float, high: float | None) -> None:
    """Refuse a number out of its range.

    Raises:
        ConfigError: unless it lies from ``low`` to ``high``; None is no limit.
    """
    if not value >= low or (high is not None and value > high):
        limits = f"from {low} to {high}" if high is not None else f"at least {low}"
        raise ConfigError(f"{name} {value}: must be {limits}")


def check_share(name: str, value: float | None) -> None:
    """Refuse a number that is no share of a whole.

    Raises:
        ConfigError: unless it is None or in (0, 1).
    """
    if value is not None and not 0 < value < 1:
        raise ConfigError(f"--{name} {value}: must be a share between 0 and 1, as in 0.1")
