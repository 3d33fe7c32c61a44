"""Which columns of a table say what. The sources themselves take this, so it loads nothing but the standard library."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Columns"]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How to read photos that a table lists.

    Attributes:
        path_column: Column of a table with the photos' paths, or with embedded images. Default: one with a usual name.
        label_column: Column with their classes. Default: one with a usual name.
        split_column: Column that says train, val or test. Default: one with a usual name.
        group_column: Column with what must not appear in two splits, such as a person. Default: none.
    """

    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None

    def of(self, role: str) -> str | None:
        """The column that was named for ``path``, ``label``, ``split`` or ``group``; None where none was."""
        column: str | None = getattr(self, f"{role}_column")
        return column

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that were named."""
        return tuple(column for column in map(self.of, ("path", "label", "group", "split")) if column)
