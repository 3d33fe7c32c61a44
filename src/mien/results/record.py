"""What every result is made of: frozen records whose fields are described once, for people and for the JSON Schema."""

from __future__ import annotations

from typing import Any, dataclass_transform

import msgspec
from msgspec import Meta

__all__ = ["Record", "about"]


class _RecordType(msgspec.StructMeta):
    """Gives every record the same settings, which a Struct would not pass on to the types derived from it."""

    def __new__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any], **settings: Any) -> _RecordType:  # type: ignore[explicit-any]  # as any class is made
        usual = {"frozen": True, "kw_only": True, "forbid_unknown_fields": True}
        return super().__new__(cls, name, bases, members, **usual | settings)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, metaclass=_RecordType, frozen=True):
    """Plain data: what one part of the results holds."""


def about(description: str) -> Meta:
    """What a field is; docs/RESULTS.md and the schema repeat it."""
    return Meta(description=description)
