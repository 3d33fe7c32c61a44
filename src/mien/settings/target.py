"""Photos from elsewhere, and which of their classes is which of the model's."""

from __future__ import annotations

from dataclasses import dataclass

from cyclopts import Parameter

from mien.settings.groups import DATA

__all__ = ["ClassMap", "Target"]


@Parameter(name="*", group=DATA)
@dataclass(frozen=True, kw_only=True)
class Target:
    """Photos from elsewhere.

    Attributes:
        target: Labelled photos from elsewhere to test on as well.
    """

    target: str | None = None


@Parameter(name="*", group=DATA)
@dataclass(frozen=True, kw_only=True)
class ClassMap:
    """Which class of photos from elsewhere is which of the model.

    Attributes:
        class_map: TOML file that says which class of the photos from elsewhere is which of the model, and which to
            leave out; 'mien evaluate --write-class-map' writes one. Default: by name and synonym.
    """

    class_map: str | None = None
