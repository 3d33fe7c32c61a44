"""How often a random tree of folders is read without asking, and whether any is read wrongly.

``python bench/layout_trees.py 2000`` draws trees whose classes are words for expressions at one level or in names, with
persons, splits and sittings at others in any order, combinations left out, wrapping folders, and files beside them. Of
2,000, 1,891 were read without asking, 109 were asked about, none was read wrongly.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mien.data.sources.files import Source, SourceFile, system_file
from mien.data.sources.layout import assign_labels
from mien.data.sources.split_words import split_in
from mien.errors import SourceError
from mien.labels import canonical
from mien.settings.columns import Columns

Told = tuple[str, str | None, str | None]
"""Class, person and split of a photo."""
WORD_SETS = (
    ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
    ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"),
    ("Wut", "Freude", "Trauer", "Angst"),
    ("pain", "neutral"),
    ("AN", "DI", "FE", "HA", "NE", "SA", "SU"),
    ("0_neutral", "1_happy", "2_sad"),
    ("smile", "frown", "laugh"),
)
NAMED = ("anna", "ben", "carla", "dai", "eve", "finn", "gus", "hana")
INITIALS = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM")
PERSON_NAMES: tuple[Callable[[int], str], ...] = (
    lambda i: f"subject{i:02d}",
    lambda i: f"S{i:03d}",
    lambda i: f"p{i}",
    lambda i: f"actor_{i:02d}",
    lambda i: f"AF{i:02d}",
    lambda i: f"id{i:05d}",
    lambda i: NAMED[i],
    lambda i: INITIALS[i],
    lambda i: str(i),
    lambda i: f"{i + 1:03d}",
    lambda i: f"{i:02d}F",
    lambda i: f"2021{i:04d}",
)
SITTINGS = (
    *(("session1", "session2"), ("frontal", "left", "right"), ("male", "female")),
    *(("low", "medium", "high"), ("cam_left", "cam_right")),
)
SPLIT_NAMES = (
    *(("train", "test"), ("train", "val", "test"), ("train_set", "val_set"), ("train", "dev")),
    ("Training", "PublicTest", "PrivateTest"),
    ("FER2013Train", "FER2013Valid", "FER2013Test"),
    ("01_train", "02_test"),
)


def random_tree(draw: random.Random) -> tuple[list[str], dict[str, Told]]:
    """Paths of a set, and for each photo its class, person and split; classes are words at one level, or in names."""
    while True:
        words = draw.choice(WORD_SETS)
        parts: dict[str, Sequence[str]] = {"label": draw.sample(words, draw.randint(2, len(words)))}
        if draw.random() < 0.5:
            name = draw.choice(PERSON_NAMES)
            parts["person"] = [name(i) for i in range(draw.randint(2, 8))]
        if draw.random() < 0.4:
            parts["split"] = draw.choice(SPLIT_NAMES)
        if draw.random() < 0.2:
            parts["sitting"] = draw.choice(SITTINGS)
        tree = _planted(draw, parts)
        kept = [len({told[i] for told in tree.values()}) for i in range(3)]
        if kept == [len(parts.get(part, " ")) for part in ("label", "person", "split")]:  # none was left out whole
            return _strewn(draw, tree), tree


def _planted(draw: random.Random, parts: dict[str, Sequence[str]]) -> dict[str, Told]:
    """Photos below the levels in some order; one in ten combinations is left out."""
    levels = draw.sample(list(parts), len(parts))
    wrapper = draw.choice(("", "", "data/", "set/images/", "6 Emotions/"))
    by_name = draw.random() < 0.15
    tree: dict[str, Told] = {}
    for values in itertools.product(*(parts[level] for level in levels)):
        told = dict(zip(levels, values, strict=True))
        folders = "".join(f"{told[level]}/" for level in levels if not (by_name and level == "label"))
        for i in range(0 if draw.random() < 0.1 else draw.randint(1, 3)):
            start = f"{told['label']}_" if by_name else draw.choice(("", "img", "IMG_", "frame"))
            tree[f"{wrapper}{folders}{start}{i:03d}.png"] = (told["label"], told.get("person"), told.get("split"))
    return tree


def _strewn(draw: random.Random, tree: dict[str, Told]) -> list[str]:
    """The paths with some that are none of the set."""
    paths = list(tree)
    for odd in ("readme.txt", ".DS_Store", "__MACOSX/._x.png", "docs/list.txt", "labels/fig.pdf", "photo.png"):
        paths += [odd] * (draw.random() < 0.1)
    paths += ["extra/1.png", "extra/2.png"] * (draw.random() < 0.04)
    draw.shuffle(paths)
    return paths


def right(paths: list[str], tree: dict[str, Told], root: Path) -> bool:
    """Whether a tree is read without asking; fails where one is read wrongly."""
    files = tuple(SourceFile(path, path, ignored=system_file(path)) for path in sorted(paths))
    source = Source("set", "set", files, lambda f: b"", root)
    try:
        read = assign_labels(source, Columns())
    except SourceError:
        return False
    if len(read.labels) < 2:  # which opening it would refuse
        return False
    found = {file.path: file for file in read.files}
    for path, (label, person, split) in tree.items():
        file = found[path]
        assert file.ignored is None, (path, file.ignored, read.notes)
        assert file.label is not None
        assert canonical(file.label) == canonical(label), (path, file.label, read.notes)
        assert file.group == person, (path, file.group, read.notes)
        assert file.split == (split and split_in(split)), (path, file.split, read.notes)
    return True


def main(n: int) -> int:
    """Print what came of n trees; the number that were read wrongly."""
    start, read, wrong = time.monotonic(), 0, 0
    for seed in range(n):
        paths, tree = random_tree(random.Random(seed))
        try:
            read += right(paths, tree, Path())
        except AssertionError as error:
            wrong += 1
            print(f"seed {seed}: {error}")
    seconds = time.monotonic() - start
    print(f"{n} trees: {read} read, {n - read - wrong} asked about, {wrong} wrong; {seconds:.0f} s")
    return wrong


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000) > 0)
