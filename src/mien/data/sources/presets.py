"""Published collections whose layout has a name: ``--layout kdef``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mien.errors import ConfigError

__all__ = ["FER2013", "PRESETS", "Preset", "parse_class_names", "preset_of"]


@dataclass(frozen=True)
class Preset:
    """How a published collection is laid out.

    Attributes:
        title: what people call it.
        layouts: patterns; the first that fits most photos is taken.
        class_names: what its classes stand for.
        signature: a regular expression that the names of its photos match and hardly any others.
        annotation: where a file beside each photo says its class: a regular expression that the photo's path holds, and
            what to put in its place for the path of that file.
        no_classes: those of its classes that are no expression; their photos take no part.
        listed: name of the list that says what each photo shows.
    """

    title: str
    layouts: tuple[str, ...] = ()
    class_names: Mapping[str, str] = field(default_factory=dict)
    signature: str | None = None
    annotation: tuple[str, str] | None = None
    no_classes: tuple[str, ...] = ()
    listed: str | None = None


def _numbered(names: str, start: int = 0) -> dict[str, str]:
    return {str(i): name for i, name in enumerate(names.split(), start)}


FER2013 = _numbered("angry disgust fear happy sad surprise neutral")
_AFFECTNET = _numbered("neutral happy sad surprise fear disgust anger contempt none uncertain non-face")
_CODES = {"AN": "anger", "DI": "disgust", "FE": "fear", "HA": "happy", "NE": "neutral", "SA": "sad", "SU": "surprise"}
_RAVDESS = _numbered("neutral calm happy sad angry fearful disgust surprised", 1)

PRESETS: dict[str, Preset] = {
    "jaffe": Preset(
        "JAFFE",
        ("GROUP.LABEL(2)NUMBER.*",),
        _CODES,
        signature=r"[A-Z]{2}\.(?:AN|DI|FE|HA|NE|SA|SU)\d{1,2}\.\d{1,3}\.\w+",
    ),
    "kdef": Preset(
        "KDEF",
        ("*(1)GROUP(3)LABEL(2)*",),
        _CODES | {"AF": "fear"},
        signature=r"[AB][FM]\d\d(?:AF|AN|DI|HA|NE|SA|SU)(?:FL|FR|HL|HR|S)(?: ?\(\d+\))?\.\w+",
    ),
    "rafd": Preset(
        "RaFD",
        ("Rafd*_GROUP_*_*_LABEL_*",),
        {},
        signature=r"Rafd\d{3}_\d{2}_[A-Za-z]+_(?:fe)?male_[A-Za-z]+_[A-Za-z]+\.\w+",
    ),
    "rafdb": Preset(
        "RAF-DB",
        ("SPLIT/LABEL/*", "LABEL/*", "SPLIT_*"),
        _numbered("surprise fear disgust happy sad anger neutral", 1),
        listed="list_patition_label.txt",
    ),
    "affectnet": Preset(
        "AffectNet",
        ("SPLIT/LABEL/*", "SPLIT/images/*"),
        _AFFECTNET,
        annotation=(r"images/([^/]+)\.\w+$", r"annotations/\1_exp.npy"),
        no_classes=("none", "uncertain", "non-face"),
    ),
    "ckplus": Preset(
        "CK+",
        ("LABEL/GROUP_*", "GROUP_*"),
        _numbered("neutral anger contempt disgust fear happy sadness surprise"),
        annotation=(r"cohn-kanade-images/(.+)\.\w+$", r"Emotion/\1_emotion.txt"),
    ),
    "ferplus": Preset("FER+", ("SPLIT/LABEL/*", "LABEL/*")),
    "fer2013": Preset("FER2013", ("SPLIT/LABEL/*", "LABEL/*"), FER2013),
    "ravdess": Preset(
        "RAVDESS",
        ("*-*-LABEL-*-*-*-GROUP(2)*", "*-*-LABEL-*-*-*-GROUP(2)*/*", "*/*-*-LABEL-*-*-*-GROUP(2)*/*"),
        _RAVDESS | {f"{int(number):02d}": name for number, name in _RAVDESS.items()},
        signature=r"0[123]-0[12]-0[1-8]-0[12]-0[12]-0[12]-[0-2]\d(?:\D[^/]*)?\.\w+",
    ),
}
"""Name → preset. Numbers are those of the collections' own documentation."""


def preset_of(layout: str | None) -> Preset | None:
    """The preset that ``--layout`` names; None where it is a pattern.

    Raises:
        ConfigError: if it is neither.
    """
    if layout is None:
        return None
    preset = PRESETS.get(layout.strip().lower())
    if preset is None and not re.search("LABEL|GROUP|PERSON|SPLIT", layout):
        raise ConfigError(
            f"--layout {layout}: no layout of that name; give one of {', '.join(PRESETS)}, "
            "or a pattern such as 'GROUP/LABEL/*'"
        )
    return preset


def parse_class_names(text: str | None) -> dict[str, str]:
    """Read ``0=anger,1=disgust``; a name alone keeps itself.

    Raises:
        ConfigError: unless every part is a name, ``=`` and a name.
    """
    names: dict[str, str] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        old, is_pair, new = part.rpartition("=")
        if not is_pair or not new.strip() or not old:
            raise ConfigError(
                f"--class-names {text}: expected OLD=NEW with commas between, as in 0=anger,1=disgust or angry=anger"
            )
        if names.get(old, new.strip()) != new.strip():
            raise ConfigError(f"--class-names: {old} is given two names, {names[old]} and {new.strip()}; keep one")
        names[old] = new.strip()
    return names
