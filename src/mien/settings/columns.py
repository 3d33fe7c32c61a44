"""How photos are read. The sources themselves take this, so it loads next to nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mien.settings.choices import VotesAs

__all__ = ["NO_COLUMN", "Columns"]

NO_COLUMN = "none"
"""What is given for a column that is not to be used, though it has a usual name."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """How photos are read, and which columns of a table say what.

    Attributes:
        layout: Where class, person and split are in the paths, as in `GROUP/LABEL/*`, `SPLIT/LABEL/*` or
            `*_LABEL_*`; or jaffe, kdef, rafd, rafdb, affectnet, ckplus, ferplus, fer2013, ravdess. Default: looked for.
        class_names: Names of numbered or misspelt classes, as in 0=anger,1=disgust; two of one name
            become one. Several are separated by commas.
        split_map: Which split each oddly named part is, as in Training=train,extra=none (none leaves them out).
        path_column: Column of a table with the photos' paths, or with embedded images. Of several names, separated by
            commas, the first that a table has counts; so for the other columns. Default: one with a usual name.
        label_column: Column with their classes. Default: one with a usual name.
        split_column: Column that says train, val or test; none for no column. Default: one with a usual name.
        group_column: Column with what must not appear in two splits and what intervals are over, such as a person;
            none for no column. Default: one called subject, participant, person or actor.
        votes: What recipes learn of raters' votes: soft (the share of each class) or majority (the class with most
            votes). Photos are scored on the class with most votes either way; ties are left out. Default: soft.
        root: Folder that a table's paths start from. Default: the table's folder, or where the photos are found below.
        ending: Extension of the photos, in place of the table's, as in .jpg. Default: detected.
    """

    layout: str | None = None
    class_names: str | None = None
    split_map: str | None = None
    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    votes: VotesAs | None = None
    root: str | None = None
    ending: str | None = None

    @property
    def votes_learnt(self) -> VotesAs:
        """What recipes learn of raters' votes, where there are any."""
        return self.votes or "soft"

    def of(self, role: str) -> str | None:
        """The column that was named for ``path``, ``label``, ``split`` or ``group``; None where none was."""
        column: str | None = getattr(self, f"{role}_column")
        return column

    def without(self, roles: tuple[str, ...]) -> Columns:
        """The same, with no column named for some roles."""
        return replace(self, **{f"{role}_column": None for role in roles})

    @property
    def named(self) -> tuple[str, ...]:
        """The columns that were named."""
        return tuple(column for column in map(self.of, ("path", "label", "group", "split")) if column)
