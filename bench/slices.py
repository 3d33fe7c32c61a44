"""Are slices called different that are not, and is a slice found that is? Simulated people, photos and audits.

60 people, easy or hard by an offset of their own, with 30 photos each (even) or 3 to 300 (uneven). Five columns have
20 values together: four are of the person (with 20, 30, 6 to 20 and 6 to 18 people a value), and the camera differs
from photo to photo. Nothing differs by any of them; with ``mix``, one class is more frequent in some values than in
others, though each class is as easy everywhere. Or, with ``planted``, the 20 people of one value are recognised 0.2
less often.

Four differences between a slice and the rest are tried, with the same test: accuracy; macro-F1, and the mean of the
classes' recalls, over the classes that both have; and accuracy class by class (``mien.subgroups``), which is what
mien does. Stored for each: in how many audits some slice was called different after Holm's correction, and in how many
the planted one was found, among all 20 slices and among the 9 of age, sex and camera; and of the planted one how often
the 95 % interval held the true difference.

    python bench/slices.py bench/slices.json [AUDITS]      default: 500; some 20 minutes
    python bench/slices.py                                 writes the table of docs/SLICES.md
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from mien.family import LEVEL, holm
from mien.metrics import LEAST_GROUPS
from mien.subgroups import PartDifference, judged, part_difference

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SHARES = np.array([0.40, 0.27, 0.18, 0.12, 0.03])
HARDER = np.array([0.3, 0.1, 0.0, -0.2, -0.5])
"""How much easier a class is than the average photo, in standard deviations; as in ``few_people.py``."""
CLASSES = len(SHARES)
PEOPLE, FRAMES = 60, 30
OF_PEOPLE = {"age": (20, 20, 20), "sex": (30, 30), "site": (6, 8, 10, 16, 20), "glasses": (6, 6, 8, 10, 12, 18)}
CAMERAS = np.array([0.4, 0.3, 0.2, 0.1])
FEW = ("age", "sex", "camera")
PLANTED, PLACE = 0.2, ("age", 0)
SCORES = ("accuracy", "macro_f1", "recall", "class_by_class")
STORED = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).parents[1] / "docs/SLICES.md"


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes:
        accuracy: over all, about.
        icc: share of a person in the variance of what decides an answer.
        photos: ``even`` or ``uneven``.
        mix: whether classes are as frequent in all values (``same``) or not (``different``).
    """

    accuracy: float
    icc: float
    photos: str = "even"
    mix: str = "same"


SETTINGS = (
    *(Setting(accuracy, icc) for accuracy in (0.6, 0.9) for icc in (0.1, 0.3)),
    *(Setting(accuracy, icc, mix="different") for accuracy in (0.6, 0.9) for icc in (0.1, 0.3)),
    *(Setting(accuracy, 0.3, photos="uneven") for accuracy in (0.6, 0.9)),
)


@dataclass(frozen=True)
class Audit:
    """The photos of one audit: their people, classes, answers, and the value of each column."""

    person: Ints
    y: Ints
    answers: Ints
    columns: dict[str, Ints]


def drawn(setting: Setting, gap: float, rng: np.random.Generator, people: int = PEOPLE) -> Audit:
    """Draw an audit; with a gap, in standard deviations of a photo, people of the first age are harder."""
    share = people // PEOPLE
    of_person = {
        name: rng.permutation(np.repeat(np.arange(len(sizes)), np.array(sizes) * share))
        for name, sizes in OF_PEOPLE.items()
    }
    sizes = np.full(people, FRAMES)
    if setting.photos == "uneven":
        sizes = np.clip(np.rint(np.exp(rng.normal(3, 0.8, people))), 3, 300).astype(np.int64)
    person = np.repeat(np.arange(people), sizes)
    columns = {name: values[person] for name, values in of_person.items()}
    columns["camera"] = rng.choice(len(CAMERAS), len(person), p=CAMERAS)
    y = rng.choice(CLASSES, len(person), p=SHARES)
    if setting.mix == "different":  # the easiest class is rarer in the first age and with the first camera
        turned = ((columns["age"] == 0) | (columns["camera"] == 0)) & (y == 0) & (rng.random(len(person)) < 0.8)
        y = np.where(turned, 3, y)
    spread = np.sqrt(setting.icc / (1 - setting.icc))
    level = NormalDist().inv_cdf(setting.accuracy) * np.sqrt(1 + spread**2) + HARDER[y] - HARDER @ SHARES
    strength = level + spread * rng.standard_normal(people)[person] + rng.standard_normal(len(person))
    strength = strength - gap * (columns["age"] == 0)
    answers = np.where(strength > 0, y, (y + rng.integers(1, CLASSES, len(person))) % CLASSES)
    return Audit(person, y, answers, columns)


def gap_for(setting: Setting) -> float:
    """What makes people of the first age be recognised ``PLANTED`` less often than the others."""
    low, high = 0.0, 4.0
    for _ in range(20):
        middle = (low + high) / 2
        audit = drawn(setting, middle, np.random.default_rng(5), people=100 * PEOPLE)
        right, first = audit.answers == audit.y, audit.columns["age"] == 0
        low, high = (low, middle) if right[~first].mean() - right[first].mean() >= PLANTED else (middle, high)
    return high


def by_score(audit: Audit, in_part: Bools, score: Callable[[Floats, Bools], Floats]) -> PartDifference | None:
    """The difference of a score of confusions (M, K, K), tested as mien tests its own."""
    names, group = np.unique(audit.person, return_inverse=True)
    cells = (group * 2 + ~in_part) * CLASSES**2 + audit.y * CLASSES + audit.answers
    counts = np.bincount(cells, minlength=len(names) * 2 * CLASSES**2).astype(float)
    counts = counts.reshape(len(names), 2, CLASSES, CLASSES)
    sizes = counts.sum((2, 3)).astype(np.int64)
    if min(np.count_nonzero(sizes, axis=0)) < LEAST_GROUPS:
        return None
    total = counts.sum(0)
    rows = np.concatenate([total[None], total - counts])
    shared = np.asarray((total.sum(2) > 0).all(0))
    return judged(score(rows[:, 0], shared), score(rows[:, 1], shared), sizes)


def accuracy(confusion: Floats, shared: Bools) -> Floats:
    return np.asarray(np.trace(confusion, axis1=1, axis2=2) / confusion.sum((1, 2)))


def macro_f1(confusion: Floats, shared: Bools) -> Floats:
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    f1 = 2 * hits / np.maximum(confusion.sum(1) + confusion.sum(2), 1)
    return np.asarray(f1[:, shared].mean(1))


def recall(confusion: Floats, shared: Bools) -> Floats:
    recalls = np.diagonal(confusion, axis1=1, axis2=2) / np.maximum(confusion.sum(2), 1)
    return np.asarray(recalls[:, shared].mean(1))


OTHERS = {"accuracy": accuracy, "macro_f1": macro_f1, "recall": recall}


def differences(audit: Audit, score: str) -> dict[tuple[str, int], PartDifference]:
    """Column and value → its difference from the other values, where there are people enough."""
    right, found = audit.answers == audit.y, {}
    for name, values in audit.columns.items():
        for value in range(int(values.max()) + (values.max() > 1)):  # of two values, one is the rest of the other
            in_part = values == value
            apart = (
                by_score(audit, in_part, OTHERS[score])
                if score in OTHERS
                else part_difference(audit.y, right, in_part, audit.person)
            )
            if apart is not None:
                found[name, value] = apart
    return found


def called(found: dict[tuple[str, int], PartDifference], columns: Sequence[str]) -> set[tuple[str, int]]:
    """The slices of some columns that are called different, after Holm's correction over all of them."""
    p = {key: each.p for key, each in found.items() if key[0] in columns}
    return {key for key, each in zip(p, holm(list(p.values())), strict=True) if each <= LEVEL}


def truth(setting: Setting, gap: float) -> float:
    """The difference of the planted slice, class by class, over many people."""
    audit = drawn(setting, gap, np.random.default_rng(6), people=100 * PEOPLE)
    found = part_difference(audit.y, audit.answers == audit.y, audit.columns["age"] == 0, audit.person)
    assert found is not None
    return found.value


def row(setting: Setting, audits: int, seed: int) -> dict[str, Any]:
    """How often something is called different where nothing is, and how often the planted slice is found."""
    rng, every = np.random.default_rng(seed), (*OF_PEOPLE, "camera")
    wrong = [drawn(setting, 0.0, rng) for _ in range(audits)]
    result: dict[str, Any] = {"setting": asdict(setting), "audits": audits}
    result["wrongly_called"] = {
        score: sum(bool(called(differences(audit, score), every)) for audit in wrong) for score in SCORES
    }
    if setting.mix == "different":
        return result
    gap = gap_for(setting)
    planted, true = [drawn(setting, gap, rng) for _ in range(audits)], truth(setting, gap)
    result |= {"found": {}, "found_among_few": {}}
    for score in SCORES:
        found = [differences(audit, score) for audit in planted]
        for name, columns in (("found", every), ("found_among_few", FEW)):
            result[name][score] = sum(PLACE in called(each, columns) for each in found)
        if score == "class_by_class":
            intervals = [each[PLACE].interval for each in found if PLACE in each]
            result["holds"] = round(sum(low <= true <= high for low, high in intervals) / len(intervals), 4)
    return result


def table(found: dict[str, Any]) -> str:
    """What docs/SLICES.md shows of the stored numbers."""
    shown = {"class_by_class": "class by class", "accuracy": "accuracy", "macro_f1": "macro-F1", "recall": "recall"}
    head = ["accuracy", "ICC", "photos", "classes", f"called different: {', '.join(shown.values())}"]
    head += ["found among 20 slices", "among 9", "interval holds"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for each in found["rows"]:
        setting = each["setting"]
        cells = [f"{setting['accuracy']:g}", f"{setting['icc']:g}", setting["photos"], setting["mix"]]
        cells.append(", ".join(str(each["wrongly_called"][score]) for score in shown))
        for name in ("found", "found_among_few"):
            cells.append(f"{each[name]['class_by_class'] / each['audits']:.0%}" if name in each else "—")
        cells.append(f"{each['holds']:.1%}" if "holds" in each else "—")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def page(text: str, found: dict[str, Any]) -> str:
    """The page with its table written anew."""
    head, rest = text.split("<!-- simulated -->\n")
    return f"{head}<!-- simulated -->\n{table(found)}\n<!-- end -->{rest.split('<!-- end -->')[1]}"


def main() -> None:
    if len(sys.argv) == 1:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), json.loads(STORED.read_text())), encoding="utf-8")
        return
    out, audits = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 500
    rows = []
    for number, setting in enumerate(SETTINGS):
        rows.append(row(setting, audits, 100 + number))
        print(rows[-1], flush=True)
    kept = {"slices": sum(map(len, OF_PEOPLE.values())) + len(CAMERAS), "people": PEOPLE, "level": LEVEL}
    out.write_text(json.dumps(kept | {"least_groups": LEAST_GROUPS, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
