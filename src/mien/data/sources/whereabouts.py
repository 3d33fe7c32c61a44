"""Where the photos are that a table names: as it says, or below a folder and with an ending that it leaves out.

A table may have been written on another machine (``C:\\Users\\ann\\faces\\img\\1.png``), may name photos without their
folder, or without their ending. One rule has to hold for the whole table: so much of the start that all names share is
dropped, the rest starts from one folder, and names end in one way. Where two rules would do, a person has to say which.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from mien.data.sources.delimited import names_a_photo
from mien.data.sources.folder import IMAGE_SUFFIXES
from mien.data.sources.split_words import as_split
from mien.errors import SourceError
from mien.labels import canonical, is_expression

if TYPE_CHECKING:
    from mien.data.sources.store import Store

__all__ = ["HOLDS_LISTS", "Found", "find_photos", "with_ending"]

LOOKED_AT = 200
"""Names of a table that are tried as they are, before anything else is looked for."""
MOST_LISTED = 500_000
"""Files below the table's folder that are looked through."""
ENDINGS = re.compile(
    rf"(?:[_\-.](?:aligned|face|crop|cropped))?(?:{'|'.join(map(re.escape, IMAGE_SUFFIXES))})", re.IGNORECASE
)
"""What a name may lack at its end."""
HOLDS_LISTS = re.compile(
    r"(?:emo)?labels?|annotations?|annos?|lists?|splits?|meta(?:data)?|csvs?|tables?", re.IGNORECASE
)
"""Folders for lists of photos, which may lie beside that of the photos: RAF-DB's ``EmoLabel``."""


@dataclass(frozen=True)
class Found:
    """Where the photos of a table are.

    Attributes:
        locations: of each name, relative to the folder that was searched; the name itself where nothing was found.
        note: what was done, for a person to see; nothing where names were taken as they are.
        where: where was looked, for the reason of what is missing.
    """

    locations: list[str]
    note: str = ""
    where: str = ""


@dataclass(frozen=True, order=True)
class _Rule:
    """How names lead to files: folders dropped from their start, the folder they then start from, and their ending."""

    dropped: int
    start: str
    ending: str


def with_ending(name: str, ending: str) -> str:
    """A name with another ending: ``a`` and ``a.png`` with ``.jpg`` are ``a.jpg``."""
    stem = name.rpartition(".")[0] if names_a_photo(name) else name
    return f"{stem}{ending if not ending or ending[0] in '._-' else f'.{ending}'}"


def find_photos(
    names: Sequence[str],
    root: PurePath,
    spec: str,
    *,
    ending: str | None = None,
    top: PurePath | None = None,
    store: Store | None = None,
) -> Found:
    """Find the files that names lead to.

    Args:
        names: as in the table, each once, relative to ``root`` or absolute.
        root: the table's folder, or the one that was asked for.
        ending: what names end in, where that was asked for.
        top: folder above ``root`` that was given, and may be looked through too.
        store: what ``root`` is in; None on this machine.

    Raises:
        SourceError: if two rules would do.
    """
    where = f"looked in {_told_place(root, store)}"
    wanted = [
        name.removeprefix("./") if ending is None else with_ending(name.removeprefix("./"), ending) for name in names
    ]
    tried = wanted[:: max(1, len(wanted) // LOOKED_AT)]
    if not wanted or any(_is_there(root, name, store) for name in tried):
        return Found(wanted, where=where)
    whole = root.resolve() if isinstance(root, Path) else root
    above = top or (whole.parent if HOLDS_LISTS.fullmatch(whole.name) else None)
    files, base = _listed(root, (root, above) if above else (root,), store)
    is_sure = base == root or top is not None
    if not files:
        return Found(wanted, where=where)
    parts = [
        tuple(part for part in re.split(r"[/\\]", re.sub(r"^[A-Za-z]:", "", name)) if part not in ("", "."))
        for name in wanted
    ]
    where = f"looked in {_told_place(base, store)} and the folders below it"
    rules = _rules(parts, files)
    counts = {rule: sum(_file(rule, name, files) is not None for name in parts) for rule in rules}
    most = max(counts.values(), default=0)
    if is_sure and most < len(parts) and (alone := _by_name_alone(spec, parts, files, most)):
        locations = [_from(root, base, file) if file else name for file, name in zip(alone, wanted, strict=True)]
        return Found(locations, f"the photos that the table names were found by their names below {base}", where)
    best = sorted(rule for rule, count in counts.items() if count == most)
    best = [rule for rule in best if rule.dropped == best[0].dropped]
    if not most or (not is_sure and (most < len(parts) or len(best) > 1)):
        return Found(wanted, where=where)
    if len(best) > 1:
        raise SourceError(_asking(spec, best, wanted, _told_place(base, store)))
    found = [_file(best[0], name, files) for name in parts]
    locations = [_from(root, base, file) if file else name for file, name in zip(found, wanted, strict=True)]
    return Found(locations, _told(best[0], parts), where)


def _told_place(folder: PurePath, store: Store | None) -> str:
    return str(folder) if store is None else f"{store.address}/{folder.as_posix()}".removesuffix("/.")


def _is_there(root: PurePath, name: str, store: Store | None) -> bool:
    if "://" in name or store is not None:
        try:
            return store is not None and store.has(name if "://" in name else (root / name).as_posix())
        except OSError:
            return False
    root = Path(root)
    try:
        return (root / name).exists() or ("\\" in name and (root / name.replace("\\", "/")).exists())
    except (OSError, ValueError):
        return False


def _listed(root: PurePath, bases: Sequence[PurePath], store: Store | None) -> tuple[dict[str, list[str]], PurePath]:
    """Name in lower case, with and without its ending → files below the first of some folders that holds photos."""
    for base in bases:
        found: dict[str, list[str]] = defaultdict(list)
        for n, path in enumerate(_below(base) if store is None else _below_in(store, base)):
            if n >= MOST_LISTED:
                return {}, root
            name = path.rpartition("/")[2]
            if names_a_photo(name):
                for key in _keys(name):
                    found[key].append(path)
        if found:
            return dict(found), base
    return {}, root


def _below(base: PurePath) -> Iterator[str]:
    """Every file below a folder, as a path from there; hidden folders are passed over."""
    for folder, subfolders, names in os.walk(base):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        start = os.path.relpath(folder, base).replace(os.sep, "/")
        yield from names if start == "." else (f"{start}/{name}" for name in names)


def _below_in(store: Store, base: PurePath) -> Iterator[str]:
    for name, _ in sorted(store.names("" if base.as_posix() == "." else base.as_posix())):
        if not any(part.startswith(".") for part in name.split("/")[:-1]):
            yield name


def _keys(name: str) -> set[str]:
    """What a file may be called in a table, in lower case: its name, and that without an ending it may lack."""
    lower = name.lower()
    keys = {lower, lower.rpartition(".")[0]}
    if match := re.search(rf"{ENDINGS.pattern}$", lower):
        keys.add(lower[: match.start()])
    return keys


def _rules(parts: Sequence[tuple[str, ...]], files: dict[str, list[str]]) -> set[_Rule]:
    """The rules by which some of the names lead to a file."""
    shared = _shared([name[:-1] for name in parts])
    rules: Counter[_Rule] = Counter()
    for name in parts[:: max(1, len(parts) // 30)]:
        if name:
            rules.update(_rules_of(name, len(shared), files))
    return set(rules)


def _shared(folders: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The folders that all names begin with."""
    low, high = min(folders), max(folders)
    n = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[:n]


def _rules_of(name: tuple[str, ...], may_drop: int, files: dict[str, list[str]]) -> set[_Rule]:
    stem = name[-1].rpartition(".")[0] if names_a_photo(name[-1]) else name[-1]
    rules = set()
    for file in {file for key in (name[-1].lower(), stem.lower()) for file in files.get(key, ())}:
        folders = tuple(file.split("/"))[:-1]
        for dropped in range(may_drop + 1):
            kept = name[dropped:-1]
            start = folders[: len(folders) - len(kept)]
            if tuple(x.lower() for x in folders[len(start) :]) != tuple(x.lower() for x in kept) or len(kept) > len(
                folders
            ):
                continue
            if _contradicts(name[:dropped], start):
                continue
            rules.add(_Rule(dropped, "/".join(start), _ending_of(file.rpartition("/")[2], name[-1], stem)))
            break
    return rules


def _ending_of(file: str, name: str, stem: str) -> str:
    """What has to stand at the end of a name for a file to have it; nothing where it has."""
    return "" if file.lower() == name.lower() else file[len(stem) :]


def _contradicts(dropped: Sequence[str], start: Sequence[str]) -> bool:
    """Whether a name says one split or expression in its folders, and the file lies in those of another."""
    for meaning in (as_split, lambda name: canonical(name) if is_expression(name) else None):
        said, found = {meaning(x) for x in dropped} - {None}, {meaning(x) for x in start} - {None}
        if said and found and not said & found:
            return True
    return False


def _file(rule: _Rule, name: tuple[str, ...], files: dict[str, list[str]]) -> str | None:
    if len(name) <= rule.dropped:
        return None
    last = with_ending(name[-1], rule.ending) if rule.ending else name[-1]
    wanted = "/".join(filter(None, (rule.start, *name[rule.dropped : -1], last)))
    same = [file for file in files.get(last.lower(), ()) if file.lower() == wanted.lower()]
    exact = [file for file in same if file == wanted]
    return exact[0] if exact else same[0] if len(same) == 1 else None


def _by_name_alone(
    spec: str, parts: Sequence[tuple[str, ...]], files: dict[str, list[str]], least: int
) -> list[str | None] | None:
    """The one file of each name, whatever its folder; None where names have folders, or just ``least`` are found.

    Raises:
        SourceError: if several files bear one of the names.
    """
    if not all(parts) or len({name[:-1] for name in parts}) > 1:
        return None
    found = [
        [file for file in files.get(name[-1].lower(), ()) if not _contradicts(name[:-1], file.split("/")[:-1])]
        for name in parts
    ]
    if sum(bool(same) for same in found) <= least:
        return None
    if double := next((same for same in found if len(same) > 1), None):
        raise SourceError(
            f"{spec}: the table names photos without their folders, and {' and '.join(double[:2])} bear one name; "
            "write the folders into the table, or say with --root where its photos are"
        )
    return [same[0] if same else None for same in found]


def _from(root: PurePath, base: PurePath, file: str) -> str:
    return file if base == root else os.path.relpath(base / file, root).replace(os.sep, "/")


def _told(rule: _Rule, parts: Sequence[tuple[str, ...]]) -> str:
    """What a rule does, in words; nothing where it does nothing."""
    told = []
    if rule.dropped:
        told.append(f"without {'/'.join(parts[0][: rule.dropped])}/ at their start")
    if rule.start:
        told.append(f"in {rule.start}/")
    if rule.ending:
        told.append(f"with {rule.ending} at their end")
    return f"the photos that the table names were found {', '.join(told)}" if told else ""


def _asking(spec: str, rules: Sequence[_Rule], wanted: Sequence[str], base: str) -> str:
    shown = ", ".join(
        f"--root {f'{base}/{rule.start}'.rstrip('/')}" + (f" --ending {rule.ending}" if rule.ending else "")
        for rule in rules[:4]
    )
    return f"{spec}: photos called like {wanted[0]!r} are in several places; say which are meant: {shown}"
