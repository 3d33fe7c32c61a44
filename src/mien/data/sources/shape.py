"""What the shape of a tree of paths says: at which level the classes are, at which the persons and the splits.

Nothing is read and nothing is guessed from a list of known sets. Levels of folders are compared: which hold words for
expressions, which hold words for splits, which names come again below several other folders. What can be read in one
way is one reading; what can be read in several is all of them, for a person to choose.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mien.data.sources.folder import IMAGE_SUFFIXES
from mien.data.sources.pattern import Place, compile_pattern
from mien.data.sources.presets import PRESETS, Preset
from mien.data.sources.split_words import as_split, as_splits
from mien.labels import expressions_in, is_code, is_expression, says_nothing_else

__all__ = ["MOST_CLASSES", "Reading", "Shape", "look", "looks_like_persons", "wrapper_of"]

MOST_CLASSES = 20
"""More classes of expressions than this are asked about before they are believed."""
MOST_NUMBERS = 11
"""More classes than this that are bare numbers are likelier to be persons or photos."""
MOST_OF = 0.95
"""Share of the photos that a reading of names has to fit."""
MOST_CODES = 0.6
"""Share of the names at a level that must be codes of two letters for the others to be strangers among them."""
AGAIN = 0.3
"""Share of the folders below classes that come again below another, from which on they are persons."""
SOME_OF = 0.3
"""Share of the names that say a class, from which on it is asked whether all do."""
TRIED = 50
"""Names that a pattern is tried on before all are."""
PERSON = re.compile(
    r"(?:s|p|id|sub|subj|subject|person|people|participant|part|actor|actress|user|proband|vp|vpn|pat|patient|model|m|f|"
    r"face|individual|volunteer|speaker|identity|child|kid|man|woman|male|female|af|am|bf|bm|sujet|sujeto|persona)"
    r"[\s_\-.]*\d+[a-z]?(?:_[mf])?|\d{1,3}[fm]|[a-z]{1,2}0\d{2,}",
    re.IGNORECASE,
)
NUMBERED = re.compile(r"[^\W\d_]+[\s_\-.]*\d+\w*")
"""A name with a number of its own, which may be a person's or a sitting's."""
SITTING = re.compile(
    r"(?:session|sess|ses|take|trial|day|visit|block|run|batch|cam|camera|view|angle|rep|repetition|clip|video|scene|seq|"
    r"sequence|frame|frames|shot|set|round|week|time|t|v|c)[\s_\-.]*\d+|\d{4}[-_.]\d\d[-_.]\d\d",
    re.IGNORECASE,
)
_PLAIN = """
male female men women man woman boys girls young old adult child children color colour gray grey rgb bw frontal
front left right profile half images image imgs img photos photo pictures faces face crops cropped crop aligned
original originals raw processed augmented aug clean extra more misc new old backup copy version lab wild posed
spontaneous web indoor outdoor high low medium mid strong weak normal full straight jpg jpeg png bmp hr lr small large
intensity level bright dark dim light lighting day night cam camera view angle side pose upper lower top bottom center
centre glasses mask masked unmasked beard no with without asian black white caucasian latino latina hispanic indian
african european american western eastern teen teens teenager teenagers adults senior seniors elderly aged middle baby
babies infant infants toddler toddlers
"""
ATTRIBUTES = frozenset(_PLAIN.split())
"""Folders that say how a photo is, not whose it is."""
YEAR = re.compile(r"(?:19|20)\d\d(?:[01]\d[0-3]\d)?$")
"""A year or a day."""
NUMBERS_IN_NAMES = "numbers in the names come again with several classes, and could be persons"
Paths = Sequence[tuple[str, ...]]
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


@dataclass(frozen=True)
class Reading:
    """One way to read the paths.

    Attributes:
        pattern: the layout, below the folders that only wrap.
        where: of label, group and split, the ones there are → where they stand, in words.
        preset: name of the published collection whose names these are.
        remark: what should be said of it.
    """

    pattern: str
    where: dict[str, str]
    preset: str | None = None
    remark: str = ""


@dataclass(frozen=True)
class Shape:
    """What a look at the paths came to.

    Attributes:
        readings: none where no class was found, or where no one layout reads all (then ``doubt`` says it); one that can
            be taken; or several to choose from.
        doubt: why it has to be asked, though there is but one reading; or why none was found.
        is_of_words: whether the doubt is only that some classes are no words for expressions, which does no harm where
            a model says which of them it knows.
    """

    readings: tuple[Reading, ...]
    doubt: str = ""
    is_of_words: bool = False

    @property
    def is_clear(self) -> bool:
        """Whether there is one reading that needs no asking."""
        return len(self.readings) == 1 and not self.doubt


@dataclass(frozen=True)
class _Level:
    """The folders at one depth.

    Attributes:
        names: folder → photos below it.
        share: of the photos that are in a folder at this depth.
        splits: those of the names that are splits, and which.
    """

    depth: int
    names: Counter[str]
    share: float
    splits: dict[str, str]

    @property
    def words(self) -> list[str]:
        return sorted(name for name in self.names if is_expression(name))

    @property
    def other_names(self) -> list[str]:
        return sorted(name for name in self.names if not is_expression(name))

    @property
    def is_split(self) -> bool:
        return len(self.splits) == len(self.names)

    @property
    def has_classes(self) -> bool:
        """Whether two or more are words for expressions; initials among which few look like AN and SU are none."""
        codes = [name for name in self.words if is_code(name)]
        are_few = len(codes) < 3 or len(codes) < MOST_CODES * len(self.names)
        are_initials = bool(codes) and len(codes) == len(self.words) < len(self.names) and are_few
        return len({name.lower() for name in self.words}) >= 2 and not self.is_split and not are_initials

    @property
    def plain_names(self) -> list[str]:
        """Those of its folders that say how photos are, and not who is shown."""
        return sorted(filter(_is_plain, self.names))

    @property
    def is_plain(self) -> bool:
        """Whether its folders say nothing about who is shown."""
        return len(self.plain_names) == len(self.names)

    @property
    def where(self) -> str:
        return f"the {_ORDINALS[self.depth]} folder" if self.depth < len(_ORDINALS) else f"folder {self.depth + 1}"


def look(paths: Iterable[str], chosen: Mapping[str, str] | None = None) -> Shape:
    """Look at the paths of photos, relative to one folder, with ``/``.

    Args:
        chosen: what a person decided of names of splits.
    """
    split = [tuple(path.split("/")) for path in paths]
    if not split:
        return Shape(())
    start = wrapper_of(split)
    split = [parts[len(start) :] for parts in split if parts[: len(start)] == start]  # others lie beside the set
    levels = _levels(split, chosen or {})
    mixed = next((level for level in levels if level.splits and not level.is_split), None)
    candidates = [level for level in levels if level.has_classes]
    if not candidates:  # happy_train, sad_train: splits and classes in one name
        apart = [replace(level, splits=_alone(level.splits, chosen or {})) for level in levels]
        if candidates := [level for level in apart if level.has_classes]:
            levels = apart
    if candidates:
        shape = _by_folders(levels, candidates, split)
    else:
        shape = _by_names(levels, split) or _by_one_word(levels, split) or _by_shape_alone(levels, split)
    if mixed is not None and shape.readings and not shape.doubt:
        return Shape(shape.readings, _doubt_of_splits(mixed))
    return shape


def wrapper_of(paths: Paths) -> tuple[str, ...]:
    """The chain of folders that only wrap other folders."""
    folders = sorted({parts[:-1] for parts in paths})
    depth = 0
    while True:
        tops = {folder[depth] for folder in folders if len(folder) > depth}
        inner = any(len(folder) > depth + 1 for folder in folders)
        if len(tops) != 1 or not inner:
            return next((folder[:depth] for folder in folders if len(folder) >= depth), ())
        depth += 1


def looks_like_persons(names: Iterable[str]) -> bool:
    """Whether names of folders are numbered persons, such as subject03, S005, AF01 or 017."""
    listed = list(names)
    if _are_numbered_persons(listed):
        return True
    digits = [name for name in listed if name.isdecimal()]
    if len(digits) < len(listed) or len(digits) < 2:
        return False
    return len(digits) > MOST_NUMBERS or any(name.startswith("0") and len(name) > 1 for name in digits)


def _are_numbered_persons(names: Sequence[str]) -> bool:
    numbered = [name for name in names if PERSON.fullmatch(name)]
    return len(numbered) >= 2 and len(numbered) >= 0.8 * len(names)


def _levels(paths: Paths, chosen: Mapping[str, str]) -> list[_Level]:
    deepest = max(len(parts) for parts in paths) - 1
    levels = []
    for depth in range(deepest):
        names = Counter(parts[depth] for parts in paths if len(parts) > depth + 1)
        levels.append(_Level(depth, names, sum(names.values()) / len(paths), as_splits(names, chosen)))
    return levels


def _alone(splits: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Those of the splits whose name says nothing else."""
    return {name: split for name, split in splits.items() if as_split(name) or name in chosen}


def _reading(
    levels: list[_Level],
    label: _Level | None,
    groups: Sequence[_Level],
    name: str = "*",
    depth: int | None = None,
    label_as: str = "LABEL",
) -> Reading:
    """The layout with the class at a level, or in the name of the file.

    Args:
        depth: folders above a name that says something; None where the name says nothing.
    """
    segments, where = list[str](), dict[str, str]()
    for level in levels if depth is None else levels[:depth]:
        role = "*"
        if level is label:
            role = label_as
        elif level in groups:
            role = "GROUP"
        elif level.is_split and len(set(level.splits.values())) > 1 and (label is None or level.share >= label.share):
            role = "SPLIT"
        segments.append(role)
        if role in ("LABEL", "GROUP", "SPLIT"):
            where[role.lower()] = level.where
    while segments and segments[-1] == "*" and depth is None:  # the last star takes whatever follows
        segments.pop()
    if all(segment == "*" for segment in segments):
        segments = []
    where |= {role.lower(): "the names of the files" for role in ("LABEL", "GROUP", "SPLIT") if role in name}
    return Reading("/".join([*segments, name]), where)


def _is_plain(name: str) -> bool:
    """Whether a name says how photos are (``male``, ``cam_left``), or in which sitting they were taken."""
    words = re.findall(r"[^\W\d_]+", name.lower())
    return name.lower() in ATTRIBUTES or bool(SITTING.fullmatch(name)) or (bool(words) and ATTRIBUTES.issuperset(words))


def _distinct(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    return tuple({reading.pattern: reading for reading in readings}.values())


# -- classes in folders -----------------------------------------------------------------------------------------------


def _by_folders(levels: list[_Level], candidates: list[_Level], paths: Paths) -> Shape:
    """Readings where one or more levels hold words for expressions."""
    label = candidates[0]
    if at := _depths_of_words(candidates, paths):
        return Shape((), at)
    if len(candidates) > 1 and not all(_agree(label, level, paths) for level in candidates[1:]):
        readings = [_reading(levels, level, ()) for level in candidates]
        return Shape(_distinct(readings), f"folders at {len(candidates)} levels are words for expressions")
    if crossed := _crossed(label):
        readings = [_reading(levels, label, ()), _reading(levels, label, (), label_as=crossed)]
        return Shape(_distinct(readings), f"several of the folders {_few(label.words)} hold the same word with another")
    groups = _group_levels(levels, paths, label)
    if len(groups) > 1:
        readings = [_reading(levels, label, (level,)) for level in groups]
        return Shape(_distinct(readings), "folders at several levels could be the persons")
    alone = _reading(levels, label, groups)
    if groups and len(groups[0].plain_names) > 1 and not _are_numbered_persons(list(groups[0].names)):
        others = sorted(set(groups[0].names) - set(groups[0].plain_names))
        doubt = f"the folders {_few(groups[0].plain_names)} say how photos are, but {_few(others)} could be persons"
        return Shape((_reading(levels, label, ()), alone), doubt)
    if not groups and (found := _persons_in_names(paths, label)):
        name, is_sure = found
        named = _reading(levels, label, (), name, max(len(parts) for parts in paths) - 1)
        if not is_sure and not _doubt(label):
            return Shape((named, alone), NUMBERS_IN_NAMES)
        return Shape((named if is_sure else alone,), _doubt(label), is_of_words=bool(label.other_names))
    if not groups:
        alone = replace(alone, remark=_unused_folders(levels, label))
    return Shape((alone,), _doubt(label), is_of_words=bool(label.other_names))


def _unused_folders(levels: list[_Level], label: _Level) -> str:
    """A line on folders below the classes that none shares with another, which may be persons all the same."""
    for level in levels:
        if level.depth > label.depth and len(level.names) > 1 and not level.splits and not level.is_plain:
            pattern = "/".join("LABEL" if i == label.depth else "*" for i in range(level.depth)) + "/GROUP/*"
            return (
                f"the folders {_few(sorted(level.names))} below the classes are not read as persons; if they are, give "
                f"--layout '{pattern}'"
            )
    return ""


def _depths_of_words(candidates: list[_Level], paths: Paths) -> str:
    """Why photos whose class is at one depth here and at another there cannot be read by one layout; else nothing."""
    found: dict[int, tuple[str, ...]] = {}
    for parts in paths:
        depths = [x.depth for x in candidates if len(parts) > x.depth + 1 and is_expression(parts[x.depth])]
        if len(depths) > 1:
            return ""
        for depth in depths:
            found.setdefault(depth, parts[:-1])
    if len(found) < 2:
        return ""
    first, *_, last = ("/".join(found[depth]) for depth in sorted(found))
    return (
        f"the class is at several depths, as in {first} and {last}; give such parts one by one (PATH::folder), or list "
        "all photos in a table"
    )


def _persons_in_names(paths: Paths, label: _Level) -> tuple[str, bool] | None:
    """The pattern of names that begin with a person, such as CK+'s ``S010_001_00000014``, and whether that is sure.

    None where they do not.
    """
    if len({len(parts) for parts in paths}) > 1:
        return None
    names = [parts[-1] for parts in paths]
    for preset in PRESETS.values():
        if preset.signature and _share(re.compile(preset.signature, re.IGNORECASE), names) == 1:
            return re.sub(r"LABEL", "*", preset.layouts[0]), True
    for sign in "_-.":
        firsts = [name.partition(sign)[0] for name in names if sign in name.rpartition(".")[0]]
        if len(firsts) < len(names):
            continue
        told = [(first, parts[label.depth], parts[:-1]) for first, parts in zip(firsts, paths, strict=True)]
        if _are_numbered_persons(list(set(firsts))):
            classes: dict[str, set[str]] = defaultdict(set)
            for first, said, _ in told:
                classes[first].add(said)
            if len(classes) <= len(names) / 2 and sum(len(found) > 1 for found in classes.values()) >= len(classes) / 2:
                return f"GROUP{sign}*", True
        elif _are_numbers_again(told):
            return f"GROUP{sign}*", False
    return None


def _are_numbers_again(told: Sequence[tuple[str, str, tuple[str, ...]]]) -> bool:
    """Whether numbers come with several classes and with several photos of one, as those of persons do.

    Args:
        told: the number and the class of each photo, and where it is: a counter starts anew in each folder.
    """
    classes = dict[str, set[str]]()
    for number, label, _ in told:
        if not number.isdecimal() or YEAR.match(number):
            return False
        classes.setdefault(number, set()).add(label.lower())
    again = sum(len(found) > 1 for found in classes.values())
    pairs = Counter(told)
    return len(classes) > 1 and again >= len(classes) / 2 and sum(n > 1 for n in pairs.values()) >= len(pairs) / 2


def _crossed(label: _Level) -> str:
    """How folders such as OAF_anger, YAF_anger, OAF_sad, YAF_sad part person and class; nothing where they do not."""
    shared = Counter(expressions_in(name) for name in label.words if not says_nothing_else(name))
    if sum(n > 1 for n in shared.values()) < 2:
        return ""
    for sign in "_- ":
        parts = [name.split(sign) for name in label.names]
        for i in range(len(parts[0])):
            if len({len(each) for each in parts}) == 1 and all(_is_word(each[i]) for each in parts):
                others = {each[1 - i] for each in parts} if len(parts[0]) == 2 else set[str]()
                rest = "SPLIT" if others and all(map(as_split, others)) else "GROUP" if others else "*"
                return sign.join("LABEL" if k == i else rest for k in range(len(parts[0])))
    return "*"


def _by_one_word(levels: list[_Level], paths: Paths) -> Shape | None:
    """The reading where all photos are in folders of one expression; None where they are not."""
    label = next((level for level in levels if len(level.names) == len(level.words) == 1 and level.share == 1), None)
    return _by_folders(levels, [label], paths) if label else None


def _agree(outer: _Level, inner: _Level, paths: Paths) -> bool:
    """Whether deeper folders are words for no other expression than the outer ones."""
    told = {(parts[outer.depth], parts[inner.depth]) for parts in paths if len(parts) > inner.depth + 1}
    return all(expressions_in(b) <= expressions_in(a) for a, b in told)


def _doubt(label: _Level) -> str:
    """Why classes that are words for expressions are asked about all the same."""
    if label.other_names:
        verb = "folder is no word" if len(label.other_names) == 1 else "folders are no words"
        return f"{_few(label.other_names)}: the {verb} for an expression, unlike {_few(label.words)} beside"
    if len(label.names) > MOST_CLASSES:
        return f"{len(label.names)} folders are more than {MOST_CLASSES} classes"
    if label.share < 0.5:
        return "most of the photos are in no folder that is a word for an expression"
    return ""


def _doubt_of_splits(level: _Level) -> str:
    others = sorted(set(level.names) - set(level.splits))
    return (
        f"the folders {_few(sorted(level.splits))} look like splits, but {_few(others)} beside them "
        f"{'does' if len(others) == 1 else 'do'} not; say what that is with --split-map {_quoted(others[0])}=train "
        "(or val, test, none)"
    )


def _group_levels(levels: list[_Level], paths: Paths, label: _Level) -> tuple[_Level, ...]:
    """The level of the persons; several where it cannot be told which, none where there is none."""
    labelled = [parts for parts in paths if len(parts) > label.depth + 1]
    several = [len({parts[x.depth] for parts in labelled if len(parts) > x.depth + 1}) > 1 for x in levels]
    told = [
        x for x, has_several in zip(levels, several, strict=True) if has_several and not x.splits and not x.is_plain
    ]
    above = tuple(x for x in told if x.depth < label.depth)
    below = tuple(x for x in told if x.depth > label.depth and x.share >= label.share and _recurs(x, label, paths))
    persons = tuple(x for x in above + below if _are_numbered_persons(list(x.names)))
    rivals = [x for x in above + below if x not in persons and all(map(NUMBERED.fullmatch, x.names))]
    return (*persons, *rivals) if persons else above or below


def _recurs(level: _Level, label: _Level, paths: Paths) -> bool:
    """Whether folders below the classes are persons: numbered ones, or names that come again below other classes."""
    classes: dict[str, set[str]] = defaultdict(set)
    for parts in paths:
        if len(parts) > level.depth + 1:
            classes[parts[level.depth]].add(parts[label.depth])
    again = sum(len(found) > 1 for found in classes.values())
    return again >= AGAIN * len(classes) or _are_numbered_persons(list(level.names))


# -- classes in names of files ----------------------------------------------------------------------------------------


def _by_names(levels: list[_Level], paths: Paths) -> Shape | None:
    """Readings where the names of files say the class; None where they do not."""
    names = [parts[-1] for parts in paths]
    for key, preset in PRESETS.items():
        if preset.signature and _share(re.compile(preset.signature, re.IGNORECASE), names) >= MOST_OF:
            where = {"label": f"the names of the files, which are {preset.title}'s", "group": "the names of the files"}
            return Shape((Reading(preset.layouts[0], where, key),))
        if reading := _of_clips(key, preset, paths):
            return Shape((reading,))
    pattern = next((pattern for pattern in _name_patterns(names) if _fits(pattern, names)), None)
    pattern = pattern or next(
        (pattern for pattern in _name_patterns(names, _is_code_or_word) if _are_codes(pattern, names)), None
    )
    if pattern is None:
        return _by_some_names(levels, paths, names)
    folders = [level for level in levels if len(level.names) > 1 and not level.splits and not level.is_plain]
    has_splits = any(level.is_split for level in levels)
    if not folders and (numbered := _with_numbers(pattern, paths)):
        roots = len(paths[0]) - 1 if has_splits else None
        both = (numbered, _with_parts(pattern, names))
        readings = [_reading(levels if has_splits else [], None, (), each, roots) for each in both]
        return Shape(_distinct(readings), NUMBERS_IN_NAMES)
    if not folders and not has_splits:
        return Shape((_reading([], None, (), _with_parts(pattern, names)),))
    depth = len(paths[0]) - 1
    doubt = "" if all(len(parts) == depth + 1 for parts in paths) else "the photos are at several depths"
    persons = [level for level in folders if looks_like_persons(level.names)]
    if not folders or (len(persons) == 1 and len(folders) == 1):
        named = _with_parts(pattern, names, () if persons else ("GROUP",), with_split=not has_splits)
        return Shape((_reading(levels, None, persons, named, depth),), doubt)
    readings = [_reading(levels, None, (level,), pattern, depth) for level in folders]
    readings += [_reading(levels, level, ()) for level in folders[:1] if not persons]
    return Shape(_distinct(readings), "both folders and names of files could say the class or the person")


def _of_clips(key: str, preset: Preset, paths: Paths) -> Reading | None:
    """The reading where frames are in folders that are called as a collection's videos are; None where they are not."""
    folders = [f"{parts[-2]}.x" if len(parts) > 1 else "" for parts in paths]
    if not preset.signature or _share(re.compile(preset.signature, re.IGNORECASE), folders) < MOST_OF:
        return None
    joined = ["/".join(parts) for parts in paths]
    layout = next((layout for layout in preset.layouts if _share(compile_pattern(layout).expression, joined) > 0), None)
    where = {"label": f"the names of folders, which are {preset.title}'s", "group": "the names of folders"}
    return Reading(layout, where, key) if layout else None


def _by_some_names(levels: list[_Level], paths: Paths, names: Sequence[str]) -> Shape | None:
    """Readings to choose from where many names, but not all, say the class; None where few do."""
    for is_class in (_is_word, _is_code_or_word):
        for pattern in _name_patterns(names, is_class):
            compiled = compile_pattern(pattern)
            labels = {name: place.label for name in names if (place := compiled.match(name)) and place.label}
            words = [label for label in map(labels.get, names) if label and is_class(label)]
            if len(words) >= SOME_OF * len(names) and len({word.lower() for word in words}) > 1:
                readings = [_reading([], None, (), pattern), *_by_shape_alone(levels, paths).readings]
                return Shape(_distinct(readings), _doubt_of_names(pattern, names, labels, is_class))
    return None


def _doubt_of_names(
    pattern: str, names: Sequence[str], labels: Mapping[str, str], is_class: Callable[[str], bool]
) -> str:
    odd = next((name for name in names if not is_class(labels.get(name, ""))), None)
    if odd is None:
        return f"the names of files may say the class by two letters, as in {pattern}"
    return (
        f"many names of files say the class, as in {pattern}, but {odd} does not; move such photos away, or "
        "list all in a table"
    )


def _name_patterns(names: Sequence[str], is_class: Callable[[str], bool] | None = None) -> list[str]:
    """Patterns in which one part of some name is a word for an expression, by the signs that part it."""
    is_class = is_class or _is_word
    found: dict[str, None] = {}
    for name in names[:: max(1, len(names) // 20)][:20]:
        stem, end = (name, "") if _ends_in_class(name, is_class) else (name.rpartition(".")[0] or name, ".*")
        for sign in "_-. ":
            parts = stem.split(sign)
            for i, part in enumerate(parts):
                start = f"*{sign}" * i
                key, dash, value = part.partition("-")
                if sign == "_" and dash and key.isalpha() and is_class(value):  # BIDS: sub-01_task-anger
                    found[f"{start}{key}-LABEL{'_*' if i + 1 < len(parts) else end}"] = None
                if is_class(part):
                    found[f"{start}LABEL{f'{sign}*' * (len(parts) - i - 1)}{end}"] = None
                    found[f"{start}LABEL{sign}*" if i + 1 < len(parts) else f"{start}LABEL{end}"] = None
                bare = re.fullmatch(r"([^\W\d_]+)\d+", part)
                if bare and is_class(bare[1]):
                    found[f"{start}LABELNUMBER{sign}*" if i + 1 < len(parts) else f"{start}LABELNUMBER{end}"] = None
        bare = re.match(r"([^\W\d_]+)( ?)\(\d+\)$", stem)
        if bare and _is_word(bare[1]):
            found[f"LABEL{bare[2]}(*"] = None
    return list(found)


def _ends_in_class(name: str, is_class: Callable[[str], bool]) -> bool:
    """Whether the class stands where other names have their ending, as in ``subject01.happy``."""
    return is_class(name.rpartition(".")[2]) and not name.lower().endswith(IMAGE_SUFFIXES)


def _is_word(part: str) -> bool:
    return says_nothing_else(part) and not is_code(part) and not any(c.isdecimal() for c in part)


def _is_code_or_word(part: str) -> bool:
    return is_code(part) or _is_word(part)


def _fits(pattern: str, names: Sequence[str]) -> bool:
    """Whether a pattern finds a word for an expression in every name, and two different ones in all."""
    compiled = compile_pattern(pattern)
    if not all(map(compiled.match, names[:TRIED])):
        return False
    labels = [place.label for name in names if (place := compiled.match(name)) and place.label]
    return len(labels) == len(names) and len({x.lower() for x in labels}) > 1 and all(map(_is_word, set(labels)))


def _are_codes(pattern: str, names: Sequence[str]) -> bool:
    """Whether a pattern finds two letters that stand for an expression in every name, and three of them in all."""
    compiled = compile_pattern(pattern)
    labels = [place.label for name in names if (place := compiled.match(name)) and place.label]
    return (
        len(labels) == len(names) and len({x.lower() for x in labels}) > 2 and all(map(_is_code_or_word, set(labels)))
    )


def _with_parts(
    pattern: str, names: Sequence[str], roles: Sequence[str] = ("GROUP",), *, with_split: bool = True
) -> str:
    """The pattern with SPLIT or GROUP in place of the first star that is one in every name."""
    for role in (*(("SPLIT",) if with_split else ()), *roles):
        for place in [match.start() for match in re.finditer(r"\*", pattern)]:
            changed = f"{pattern[:place]}{role}{pattern[place + 1 :]}"
            compiled = compile_pattern(changed)
            if not all(map(compiled.match, names[:TRIED])):
                continue
            places = [compiled.match(name) for name in names]
            values = {getattr(found, role.lower()) for found in places if found}
            if all(places) and (_are_splits(values) if role == "SPLIT" else _are_persons(places)):
                pattern = changed
                break
    return pattern


def _with_numbers(pattern: str, paths: Paths) -> str:
    """The pattern with GROUP in place of a star that is a number which could be a person's; nothing where none could.

    A number before the class may be one with but one photo of each. The last number behind it is a counter.
    """
    names = [parts[-1] for parts in paths]
    pattern = _with_parts(pattern, names)
    if "GROUP" in pattern:
        return ""
    stars = [match.start() for match in re.finditer(r"\*", pattern)][:-1]
    for place in stars[:-1] if stars and stars[-1] > pattern.index("LABEL") else stars:
        compiled = compile_pattern(changed := f"{pattern[:place]}GROUP{pattern[place + 1 :]}")
        told = [
            (found.group, found.label, (*parts[:-1], found.split or ""))
            for parts in paths
            if (found := compiled.match(parts[-1])) and found.group and found.label
        ]
        if len(told) == len(names) and _are_numbers_again(told * 2 if place == 0 else told):
            return changed
    return ""


def _are_persons(places: Sequence[Place | None]) -> bool:
    """Whether parts of names are numbered persons, or words that come again with several classes."""
    classes: dict[str, set[str]] = defaultdict(set)
    for place in places:
        if place is not None and place.group is not None:
            classes[place.group].add((place.label or "").lower())
    if _are_numbered_persons(list(classes)):
        return True
    are_words = all(re.fullmatch(r"[^\W\d_]{2,}", name) and name.lower() not in ATTRIBUTES for name in classes)
    again = sum(len(found) > 1 for found in classes.values())
    return are_words and len(classes) > 1 and again >= len(classes) / 2 and len(classes) <= len(places) / 2


def _are_splits(values: set[str]) -> bool:
    splits = as_splits(values)
    return len(splits) == len(values) and len(set(splits.values())) > 1


def _share(expression: re.Pattern[str], names: Sequence[str]) -> float:
    return sum(expression.fullmatch(name) is not None for name in names) / len(names)


# -- classes that are no words ----------------------------------------------------------------------------------------


def _by_shape_alone(levels: list[_Level], paths: Paths) -> Shape:
    """Readings where no two names at a level are words for expressions that mien knows."""
    read = [level for level in levels if not level.is_split and level.share > 1 - MOST_OF]
    told = [level for level in read if len(level.names) > 1]
    while len(told) > 1 and (told[-1].is_plain or told[-1].share < 0.5):
        told.pop()
    if not told:
        lone = next((level for level in read if not level.is_plain), None)
        return Shape((_reading(levels, lone, ()),) if lone else ())
    outer = told[0]
    repeated = [level for level in told[1:] if _is_repeated(level, outer, paths)]
    if not repeated:
        return Shape((_reading(levels, outer, ()),), _doubt_alone(outer))
    readings = []
    for label in (*repeated, outer):
        groups = [level for level in (outer, *repeated) if level is not label][:1]
        readings.append(_reading(levels, label, groups))
    doubt = "the same names come again below several folders, and none is a word for an expression that mien knows"
    return Shape(_distinct(readings), doubt)


def _is_repeated(level: _Level, outer: _Level, paths: Paths) -> bool:
    """Whether a name at a level comes again below another of the outer folders."""
    tops: dict[str, set[str]] = defaultdict(set)
    for parts in paths:
        if len(parts) > level.depth + 1:
            tops[parts[level.depth]].add(parts[outer.depth])
    return any(len(found) > 1 for found in tops.values())


def _doubt_alone(level: _Level) -> str:
    names = sorted(level.names)
    if looks_like_persons(names):
        return (
            f"the folders {_few(names)} look like persons or numbers, and nothing known says what photos show; "
            "if a part of their names does, say which, as in --layout 'GROUP/*_LABEL_*'"
        )
    if len(names) > MOST_CLASSES:
        return f"{len(names)} folders ({_few(names)}) are more than {MOST_CLASSES} classes"
    if level.words and not all(map(is_code, level.words)):
        return _doubt(level)
    return ""


def _few(names: Sequence[str], shown: int = 4) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _quoted(name: str) -> str:
    return name if name.isalnum() else repr(name)
