"""Messages of the command line in the words of Python: ``--max-error 0.1`` is ``max_error=0.1`` there.

Messages name options, since most people who read them typed a command. Errors that leave what Python code calls say
arguments instead (``said_in_python`` of ``errors.py``), and so do the handles and the boxes that notebooks show.
"""

from __future__ import annotations

import re

__all__ = [
    "FLAGS",
    "LISTS",
    "NUMBERS",
    "TERMINAL_ONLY",
    "TEXTS",
    "in_python",
]

FLAGS = frozenset({"check-labels", "explain-mistakes", "faces", "leak-premium", "no-photos", "refit", "resume"})
"""Options without a value; some have an opposite that begins with ``no-``."""
NUMBERS = frozenset(
    {"draws", "epochs", "folds", "jobs", "max-error", "members", "pairs", "seconds", "seed", "shots", "size", "sizes"}
    | {"smooth", "updates"}
)
"""Options whose values are numbers, or lists of them."""
LISTS = frozenset({"classes", "shots", "sizes"})
"""Options whose commas are those of a list."""
TEXTS = frozenset(
    [
        "against",
        "answer-label",
        "answer-path",
        "arm",
        "augment",
        "backbone",
        "class-map",
        "class-names",
        "cluster",
        "corrections",
        "device",
        "ending",
        "group-column",
        "keep-pixels",
        "keep-splits",
        "label-column",
        "layout",
        "leave-one-out",
        "model",
        "out",
        "path-column",
        "precision",
        "primary",
        "recipe",
        "root",
        "save",
        "slice",
        "split",
        "split-column",
        "split-map",
        "split-method",
        "target",
        "votes",
    ]
)
"""Options whose values are text."""
TERMINAL_ONLY = frozenset(
    {"api-only", "csv", "dry-run", "fps", "host", "json", "jsonl", "model-info", "port", "token", "write-class-map"}
)
"""Options that no function of Python has."""
OPPOSITES = frozenset(f"no-{flag}" for flag in FLAGS)
KNOWN = FLAGS | OPPOSITES | NUMBERS | LISTS | TEXTS
CALLS = ("adapt", "audit", "compare", "evaluate", "score", "study")
"""Commands that are functions of the same name."""
WORDS = frozenset(
    [
        "auto",
        "cpu",
        "cuda",
        "default",
        "efficientnet-lite0",
        "elsewhere",
        "expression",
        "finetune",
        "from-default",
        "group",
        "grouped",
        "kdef",
        "labels",
        "local",
        "majority",
        "naive",
        "none",
        "notebook",
        "probe",
        "scratch",
        "series",
        "six",
        "soft",
        "two-stream",
    ]
)
"""Values that look like any other word of a sentence."""

_VALUE = r"'[^']*'|cuda:\d+|\"[^\"]*\"|[^\s;:,)']*[^\s;:,.)'](?:,[^\s;:,)']*[^\s;:,.)'])*"
_OPTION = re.compile(rf"(?<![\w-])--([a-z][a-z0-9-]*)(?: ({_VALUE}))?")
_PLACE = r"[A-Z][A-Z_]+(?![\w-])"
_COMMAND = re.compile(
    rf"(?<![\w./\\-])mien ({'|'.join(CALLS)}|predict)(?![\w/\\-])"
    rf"((?: [^\s;:,]+(?= (?:{_PLACE}|--)))?(?: {_PLACE}| [\w/-]*[./][\w./-]*\w| [\w./-]*\w/(?!\w))*)"
    rf"((?: --[a-z][a-z-]*(?: (?:{_VALUE}))?)*)"
)
_AGAIN = re.compile(r"\b(\w+)=(\"[^\"]*\")(?: \1=(\"[^\"]*\"))+")


def in_python(text: str) -> str:
    """A message in the words of Python; the same again where it is in them already."""
    if "--" not in text and "mien " not in text:
        return text
    return _AGAIN.sub(_as_list, _OPTION.sub(_argument, _COMMAND.sub(_call, text)))


def _call(found: re.Match[str]) -> str:
    """A command as the call that does the same."""
    command, places, options = found.groups()
    if any(f"--{option}" in options.split() for option in TERMINAL_ONLY):
        return found[0]
    given = [each if re.fullmatch(_PLACE, each) else f'"{each}"' for each in places.split()]
    arguments, rest = [], ""
    for option in _OPTION.finditer(options):
        told = _told(option[1], option[2])
        if told is None:  # the value is a word of the sentence that goes on
            told, rest = f"{option[1].replace('-', '_')}=…", f" {option[2]}" if option[2] else ""
        arguments.append(told)
    if command == "predict":
        if not given:
            return found[0]
        model = [each.removeprefix("model=") for each in arguments if each.startswith("model=")]
        others = [each for each in arguments if not each.startswith("model=")]
        return f"mien.Recognizer({', '.join([*model, *others])}).predict({', '.join(given)}){rest}"
    if not given and not arguments:
        return f"mien.{command}"
    return f"mien.{command}({', '.join([*_placed(command, given), *arguments])}){rest}"


def _placed(command: str, given: list[str]) -> list[str]:
    """Positional arguments: several sets of photos are a list."""
    first = {"adapt": 1, "evaluate": 1, "score": 2}.get(command, 0)
    sets = given[first:]
    return [*given[:first], f"[{', '.join(sets)}]"] if len(sets) > 1 else given


def _argument(found: re.Match[str]) -> str:
    """An option as the argument of the same name."""
    option, value = found.groups()
    if option not in KNOWN:
        return found[0]
    told = _told(option, value)
    if told is not None:
        return told + (f" {value}" if value and option not in NUMBERS | TEXTS | LISTS else "")
    if value is None:
        return option.replace("-", "_")
    if found.start() == 0 and found.string[found.end() : found.end() + 1] == ":":  # it is what the message is about
        return f'{option.replace("-", "_")}="{value}"'
    return f"{option.replace('-', '_')} {value}"


def _told(option: str, value: str | None) -> str | None:
    """An option with its value as an argument; None where what follows is no value."""
    name = option.replace("-", "_")
    if option in FLAGS:
        return f"{name}=True"
    if option in OPPOSITES:
        return f"{name.removeprefix('no_')}=False"
    if value is None or not _is_value(value):
        return None
    plain = value.strip("'\"")
    if option in LISTS and ("," in plain or option != "classes"):
        parts = [each if option in NUMBERS else f'"{each}"' for each in plain.split(",")]
        return f"{name}=[{', '.join(parts)}]"
    if (option in NUMBERS and _is_number(plain)) or re.fullmatch(_PLACE, value):
        return f"{name}={plain}"
    return f'{name}="{plain}"'


def _is_value(text: str) -> bool:
    return (
        text in WORDS
        or text[0] in "'\"~/."
        or bool(re.search(r"[=/\\*_,]|::|\d|\w\.\w", text))
        or bool(re.fullmatch(_PLACE, text))
    )


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE))


def _as_list(found: re.Match[str]) -> str:
    """One argument for an option that was given several times."""
    values = re.findall(rf"\b{found[1]}=(\"[^\"]*\")", found[0])
    return f"{found[1]}=[{', '.join(values)}]"
