"""Words for splits: what people call the parts that are trained, validated and tested on."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping

from mien.errors import ConfigError, SourceError

__all__ = ["LEFT_OUT", "as_split", "as_splits", "check_splits", "parse_split_map", "split_in"]

LEFT_OUT = "none"
"""What ``--split-map`` calls a part whose photos take no part."""

_WORDS: dict[str, tuple[str, ...]] = {
    "train": (
        "train",
        "training",
        "trainings",
        "trn",
        "entrenamiento",
        "treino",
        "apprentissage",
        "训练",
        "訓練",
        "学習",
    ),
    "val": (
        *("val", "valid", "validation", "validate", "validating", "dev", "devel", "development"),
        *("publictest", "validación", "validacion", "validierung", "validierungs", "验证", "検証"),
    ),
    "test": ("test", "testing", "tst", "privatetest", "holdout", "heldout", "prueba", "测试", "測試", "テスト"),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
_PUBLIC_TEST = "publictest"
"""FER2013's validation photos; where another part is called validation, a test like any other."""
_SHORT = {"tr": "train", "ts": "test"}
"""What says a split only beside another, as in ``imagesTr`` and ``imagesTs``."""
_PAIRS = (_PUBLIC_TEST, "privatetest")
_ENDINGS = r"(sets?|splits?|data|dataset|daten|datensatz|bilder|fotos?|images?|imgs?|photos?|faces|集)$"
_PARTS = re.compile(r"[^\W\d_]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])|[^\W\d_]")
"""The words of a name: those of ``FER2013Train`` are FER and Train."""


def as_split(name: str) -> str | None:
    """``train``, ``val`` or ``test`` for any usual spelling of it (``train_set``, ``Dev``, ``PrivateTest``)."""
    plain = "".join(c for c in unicodedata.normalize("NFC", name).lower() if c.isalnum())
    return _SPLIT_OF.get(plain) or _SPLIT_OF.get(re.sub(_ENDINGS, "", plain))


def split_in(name: str) -> str | None:
    """The one split that a word of a name says, as in ``FER2013Train``, ``01_train`` and ``labels-test``.

    Only names beside it can tell whether it is meant (``as_splits``): ``test_subject_4`` may be a person.
    """
    words = _PARTS.findall(unicodedata.normalize("NFC", name))
    pairs = {(first + second).lower() for first, second in itertools.pairwise(words)} & set(_PAIRS)
    told = {split for word in pairs or words if (split := as_split(word) or _SHORT.get(word.lower()))}
    return told.pop() if len(told) == 1 else None


def as_splits(names: Iterable[str], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """Name → split, for those of the names that are splits.

    Where none is by itself, those that hold a word for one are (``fer_train``, ``fer_test``), if one of these is train
    and another is not.

    Args:
        chosen: what a person decided of names, which goes before what they usually mean.
    """
    by_case = {name.lower(): split for name, split in (chosen or {}).items()}
    given = list(names)
    chosen = {name: split for name in given if (split := by_case.get(name.lower()))}
    found = {name: split for name in given if (split := chosen.get(name) or as_split(name))}
    if set(found) == set(chosen):
        told = {name: split for name in given if name not in found and (split := split_in(name))}
        sides = {*told.values(), *found.values()} - {LEFT_OUT}
        found |= told if "train" in sides and len(sides) > 1 else {}
    others = {split for name, split in found.items() if not _is_public_test(name)}
    if "val" in others:
        found |= {name: "test" for name in found if _is_public_test(name) and name not in chosen}
    return found


def check_splits(names: Iterable[str], splits: Mapping[str, str], what: str, way_out: str) -> None:
    """Refuse a mixture of split names and other names, and splits without train.

    Args:
        names: folders or values.
        splits: name → split, as ``as_splits`` gives it.
        what: what the names are, in the plural.
        way_out: what to do other than to mend the names.

    Raises:
        SourceError: if the names contradict each other.
    """
    known, others = sorted(name for name in names if name in splits), sorted(set(names) - set(splits))
    if known and others:
        raise SourceError(
            f"the {what} {_few(known)} look like splits, but {_few(others)} are beside them; "
            f"say what these are with --split-map {_quoted(others[0])}=train (or val, test, none), or {way_out}"
        )
    if known and "train" not in splits.values():
        raise SourceError(f"the {what} {_few(known)} look like splits without train; add it, or {way_out}")


def parse_split_map(text: str | None) -> dict[str, str]:
    """Read ``Training=train,extra=none``.

    Raises:
        ConfigError: unless every part is a name and one of train, val, test and none.
    """
    pairs = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, is_pair, split = part.rpartition("=")
        if not is_pair or split.strip().lower() not in (*_WORDS, LEFT_OUT) or not name.strip():
            raise ConfigError(
                f"--split-map {text}: expected NAME=train, val, test or none, with commas, as in Training=train"
            )
        pairs[name.strip()] = split.strip().lower()
    return pairs


def _is_public_test(name: str) -> bool:
    return _PUBLIC_TEST in "".join(c for c in name.lower() if c.isalnum())


def _few(names: list[str], shown: int = 6) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _quoted(name: str) -> str:
    return name if name.isalnum() else repr(name)
