"""Write the types of the keyword arguments of ``mien.study`` and its like: ``python docs/write_calls.py``.

Type checkers and editors read them; at run time ``settings/by_name.py`` checks the same settings.
"""

from __future__ import annotations

import textwrap
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from mien.settings.adapt import AdaptSettings
from mien.settings.audit import AuditSettings
from mien.settings.by_name import option_fields, option_name
from mien.settings.compare import CompareSettings
from mien.settings.evaluate import EvaluateSettings
from mien.settings.study import StudySettings

__all__ = ["CALLS", "PLACE", "module"]

PLACE = Path(__file__).parents[1] / "src/mien/settings/calls.py"
CALLS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "StudyCall": (StudySettings, ("data",)),
    "AuditCall": (AuditSettings, ("data",)),
    "EvaluateCall": (EvaluateSettings, ("data", "model")),
    "CompareCall": (CompareSettings, ("data",)),
    "AdaptCall": (AdaptSettings, ("target", "model")),
}
"""Name of the type → the settings, and those that are arguments of their own."""
HEAD = '''"""What the keyword arguments of ``mien.study`` and its like may be; ``docs/write_calls.py`` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

__all__ = [{names}]
'''


def module() -> str:
    """The text of the module."""
    names = ", ".join(f'"{name}"' for name in sorted(CALLS))
    return HEAD.format(names=names) + "".join(_call(name, *told) for name, told in CALLS.items())


def _call(name: str, kind: type[Any], own: tuple[str, ...]) -> str:
    fields = {field: group for field, group in option_fields(kind).items() if field not in own}
    lines = []
    for field, group in fields.items():
        hint = get_type_hints(group, include_extras=True)[field]
        told = _told(hint)
        lines += [f"    {each}: {told}" for each in dict.fromkeys((field, option_name(field, hint)))]
    command = name.removesuffix("Call").lower()
    about = textwrap.dedent(f'''

        class {name}(TypedDict, total=False):
            """Those of ``mien.{command}``; what each does is in the help of ``mien {command}``."""

    ''')
    return about.rstrip(" ") + "\n".join(lines) + "\n"


def _told(hint: Any) -> str:
    """A type as a caller may give it: a list for a tuple, one text for several, a path for a text."""
    if get_origin(hint) is Annotated:
        return _told(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return f"Literal[{', '.join(map(repr, get_args(hint)))}]".replace("'", '"')
    if get_origin(hint) in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(_told(each) for each in get_args(hint)))
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        return "str | PathLike[str] | Sequence[str]" if inner is str else f"Sequence[{_told(inner)}]"
    if hint is str:
        return "str | PathLike[str]"
    return "None" if hint is type(None) else str(hint.__name__)


if __name__ == "__main__":
    PLACE.write_text(module(), encoding="utf-8")
