"""``mien schema``."""

from __future__ import annotations

__all__ = ["schema"]


def schema() -> None:
    """Print the JSON Schema of the results of every command."""
    import json

    from mien.results.reference import json_schema
    from mien.system.streams import as_data

    print(as_data(json.dumps(json_schema(), ensure_ascii=False)))
