"""Do intervals hold with few people? Simulated people, photos and recognisers, and what mien says of them.

A person is easy or hard by an offset of their own, most of it the same for two recognisers; a photo has an offset too.
10,000 people are drawn, whose scores are the truth, and of these a few are drawn again and again. One of five classes
has 3 % of the photos. Of two equal recognisers the people are paired with twins for whom they are exchanged, so that
their true difference is 0.

Stored for each setting and number of people: how often the 95 % interval of macro-F1, of accuracy and of the recall
of a middling class holds the truth, how wide that of macro-F1 is, and how often two equal recognisers are told apart;
the same by a percentile bootstrap over people, as mien had it before; how often a true difference of 0.10 is told with
30 people; and how often an error that ``threshold_for`` promises of sure answers is not kept. People have 30 photos
each (even), 3 to 300 (uneven, half of them below 20), or one (independent).

    python bench/few_people.py bench/few_people.json [DRAWS]     default: 2000, half as many where photos are not
                                                                 even; about an hour
    python bench/few_people.py                                   writes the tables of docs/INTERVALS.md
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from mien.calibration import threshold_for
from mien.metrics import LEAST_GROUPS, macro_f1, paired_difference, score

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
SHARES = np.array([0.40, 0.27, 0.18, 0.12, 0.03])
HARDER = np.array([0.3, 0.1, 0.0, -0.2, -0.5])
"""How much easier a class is than the average photo, in standard deviations."""
CLASSES = len(SHARES)
LABELS = tuple("abcde")
POPULATION, FRAMES = 10_000, 30
OF_PERSON = 0.7
"""Share of a person's offset that both recognisers have in common."""
PEOPLE = (4, 6, 10, 25, 100)
UNEVEN_PEOPLE = (6, 10, 25)
TOLD_WITH = 30
RESAMPLES = 2000
DIFFERENCE = 0.10
PROMISED = 0.2
MORE_DRAWS = 5
"""Times as many draws tell how often equal recognisers are told apart: of 2,000, chance alone brings 5 % above 6 %."""
STORED = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).parents[1] / "docs/INTERVALS.md"


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    Attributes:
        accuracy: of both recognisers, about.
        icc: share of a person in the variance of what decides an answer.
        photos: ``even``, ``uneven`` or ``independent``, where each person has one.
    """

    accuracy: float
    icc: float
    photos: str = "even"


SETTINGS = (
    *(Setting(accuracy, icc) for accuracy in (0.6, 0.9) for icc in (0.1, 0.3)),
    *(Setting(accuracy, 0.3, "uneven") for accuracy in (0.6, 0.9)),
    *(Setting(accuracy, 0.0, "independent") for accuracy in (0.6, 0.9)),
)
SINGLE_PHOTOS = (50, 200)
"""Photos, in place of people, where all are independent."""


@dataclass(frozen=True)
class Population:
    """Photos of 10,000 people, a person's next to each other, and what two recognisers answer.

    Attributes:
        start: (P + 1,) place of each person's first photo.
        y: (N,) classes.
        answers: (2, N).
        sure: (N,) how sure the first is, in [0, 1].
    """

    start: Ints
    y: Ints
    answers: Ints
    sure: Floats

    def of(self, people: Ints) -> Ints:
        """Places of some people's photos."""
        return np.concatenate([np.arange(self.start[i], self.start[i + 1]) for i in people])


def population(setting: Setting, gap: float, rng: np.random.Generator) -> Population:
    """Draw people; with a gap the first recogniser is better, without both are equal over all."""
    people = POPULATION if gap else POPULATION // 2
    sizes = {
        "even": np.full(people, FRAMES),
        "uneven": np.clip(np.rint(np.exp(rng.normal(3, 0.8, people))), 3, 300).astype(np.int64),
        "independent": np.ones(people, np.int64),
    }[setting.photos]
    who = np.repeat(np.arange(people), sizes)
    n, spread = len(who), np.sqrt(setting.icc / (1 - setting.icc))
    y = rng.choice(CLASSES, n, p=SHARES)
    common, of_photo = rng.standard_normal(people), rng.standard_normal(n)
    level = NormalDist().inv_cdf(setting.accuracy) * np.sqrt(1 + spread**2) + HARDER[y] - HARDER @ SHARES
    answers, strengths = [], []
    for place in range(2):
        own = np.sqrt(OF_PERSON) * common + np.sqrt(1 - OF_PERSON) * rng.standard_normal(people)
        noise = (of_photo + rng.standard_normal(n)) / np.sqrt(2)
        strengths.append(level + spread * own[who] + noise + gap * (place == 0))
        answers.append(np.where(strengths[-1] > 0, y, (y + rng.integers(1, CLASSES, n)) % CLASSES))
    sure = [0.2 + 0.8 / (1 + np.exp(-each - rng.standard_normal(n) / 2)) for each in strengths]
    made = Population(np.concatenate([[0], np.cumsum(sizes)]), y, np.array(answers), sure[0])
    return made if gap else _with_twins(made, sure[1])


def _with_twins(made: Population, sure_of_second: Floats) -> Population:
    """The people, and for each one for whom the recognisers are exchanged."""
    start = np.concatenate([made.start, made.start[1:] + made.start[-1]])
    answers = np.concatenate([made.answers, made.answers[::-1]], axis=1)
    return Population(start, np.tile(made.y, 2), answers, np.concatenate([made.sure, sure_of_second]))


def gap_for(setting: Setting, seed: int) -> float:
    """The advantage, in standard deviations of a photo, that makes the difference of macro-F1 that is looked for."""
    low, high = 0.0, 4.0
    for _ in range(20):
        middle = (low + high) / 2
        if true_difference(population(setting, middle, np.random.default_rng(seed))) < DIFFERENCE:
            low = middle
        else:
            high = middle
    return high


def counts(y: Ints, answers: Ints) -> Floats:
    return np.bincount(y * CLASSES + answers, minlength=CLASSES**2).reshape(CLASSES, CLASSES).astype(float)


def true_difference(drawn: Population) -> float:
    first, second = (float(macro_f1(counts(drawn.y, each))) for each in drawn.answers)
    return first - second


def by_bootstrap(y: Ints, answers: Ints, groups: Ints, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Percentile intervals over resampled people: macro-F1, accuracy, and the difference of two recognisers."""
    names, group = np.unique(groups, return_inverse=True)
    cells = (group * CLASSES + y) * CLASSES
    held = [
        np.bincount(cells + each, minlength=len(names) * CLASSES**2).reshape(len(names), -1).astype(float)
        for each in answers
    ]
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), RESAMPLES).astype(float)
    first, second = ((weights @ each).reshape(-1, CLASSES, CLASSES) for each in held)
    values = {
        "macro_f1": macro_f1(first),
        "accuracy": np.trace(first, axis1=1, axis2=2) / first.sum((1, 2)),
        "difference": macro_f1(first) - macro_f1(second),
    }
    found = {name: np.nanpercentile(each, [2.5, 97.5]) for name, each in values.items()}
    return {name: (float(low), float(high)) for name, (low, high) in found.items()}


def holds(interval: tuple[float, float] | None, truth: float) -> float:
    """1 or 0, or no number where there is no interval."""
    return float("nan") if interval is None else float(interval[0] <= truth <= interval[1])


def row(setting: Setting, drawn: Population, people: int, draws: int, seed: int) -> dict[str, Any]:
    """Coverage of the intervals, and how often equal recognisers are told apart, for one number of people."""
    rng = np.random.default_rng(seed)
    whole = counts(drawn.y, drawn.answers[0])
    truth = {"macro_f1": float(macro_f1(whole)), "accuracy": float(np.trace(whole) / whole.sum())}
    recall = float(whole[2, 2] / whole[2].sum())
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for _ in range(draws):
        some = rng.choice(POPULATION, people, replace=False)
        place = drawn.of(some)
        groups = np.repeat(some, np.diff(drawn.start)[some])
        y, answers = drawn.y[place], drawn.answers[:, place]
        scores = score(y, answers[0], LABELS, groups=groups)
        before = by_bootstrap(y, answers, groups, rng)
        note("given", float(scores.macro_f1_interval is not None))
        note("macro_f1", holds(scores.macro_f1_interval, truth["macro_f1"]))
        note("accuracy", holds(scores.accuracy_interval, truth["accuracy"]))
        note("recall", holds(scores.per_class[2].recall_interval, recall))
        ends = scores.macro_f1_interval
        note("width", ends.high - ends.low if ends else float("nan"))
        note("macro_f1_before", holds(before["macro_f1"], truth["macro_f1"]))
        note("accuracy_before", holds(before["accuracy"], truth["accuracy"]))
        note("wrongly_told_before", float(not before["difference"][0] <= 0 <= before["difference"][1]))
        note("width_before", before["macro_f1"][1] - before["macro_f1"][0])
        _note_promise(note, drawn, place, groups)
    apart = told_apart(drawn, people, MORE_DRAWS * draws, seed + 500_000)
    about = {"setting": asdict(setting), "people": people, "draws": draws, "wrongly_told": apart}
    return about | {name: mean(each) for name, each in found.items()}


def told_apart(drawn: Population, people: int, draws: int, seed: int) -> float | None:
    """How often two equal recognisers are told apart; of more draws, since it is rare."""
    rng, told, sizes = np.random.default_rng(seed), [], np.diff(drawn.start)
    for _ in range(draws):
        some = rng.choice(POPULATION, people, replace=False, shuffle=False)
        place, groups = drawn.of(some), np.repeat(some, sizes[some])
        first, second = drawn.answers[:, place]
        found = paired_difference(drawn.y[place], first, second, CLASSES, groups=groups)
        told.append(float(found.verdict != "cannot tell"))
    return mean(told)


def _note_promise(note: Callable[[str, float], None], drawn: Population, place: Ints, groups: Ints) -> None:
    """Whether a promise is given, and where it is, whether it is kept over all people."""
    answers, sure = drawn.answers[0], drawn.sure
    probs = np.repeat((1 - sure[place])[:, None] / (CLASSES - 1), CLASSES, axis=1)
    probs[np.arange(len(place)), answers[place]] = sure[place]
    found = threshold_for(PROMISED, probs, drawn.y[place], groups)
    note("promised", float(found is not None))
    note("broken", float((answers != drawn.y)[sure >= found[0]].mean() > PROMISED) if found else float("nan"))


def mean(values: list[float]) -> float | None:
    """Mean of those that are numbers; None without any."""
    known = [value for value in values if value == value]
    return round(float(np.mean(known)), 4) if known else None


def power(setting: Setting, draws: int, seed: int) -> dict[str, Any]:
    """How often a true difference is told."""
    drawn = population(setting, gap_for(setting, seed), np.random.default_rng(seed))
    rng, told, before = np.random.default_rng(seed + 1), [], []
    for _ in range(draws):
        some = rng.choice(POPULATION, TOLD_WITH, replace=False)
        place, groups = drawn.of(some), np.repeat(some, np.diff(drawn.start)[some])
        y, answers = drawn.y[place], drawn.answers[:, place]
        told.append(float(paired_difference(y, answers[0], answers[1], CLASSES, groups=groups).verdict == "better"))
        before.append(float(by_bootstrap(y, answers, groups, rng)["difference"][0] > 0))
    return {
        "setting": asdict(setting),
        "people": TOLD_WITH,
        "difference": round(true_difference(drawn), 4),
        "told": mean(told),
        "told_before": mean(before),
    }


def tables(found: dict[str, Any]) -> str:
    """What docs/INTERVALS.md shows of the stored numbers."""
    held = [
        "| accuracy | ICC | photos | people | macro-F1 holds | accuracy holds | recall holds | width | told apart "
        "| by the bootstrap: macro-F1, accuracy hold | width | told apart |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in found["rows"]:
        about = [f"{each['setting']['accuracy']:g}", f"{each['setting']['icc']:g}", each["setting"]["photos"]]
        new = [shown(each[name]) for name in ("macro_f1", "accuracy", "recall")]
        new += [wide(each["width"]), shown(each["wrongly_told"]) if each["given"] else "cannot tell"]
        old = [f"{shown(each['macro_f1_before'])}, {shown(each['accuracy_before'])}", wide(each["width_before"])]
        old.append(shown(each["wrongly_told_before"]))
        held.append(f"| {' | '.join([*about, str(each['people']), *new, *old])} |")
    told = ["| accuracy | ICC | people | true difference | told | by the bootstrap |", "|---|---|---|---|---|---|"]
    for each in found["power"]:
        about = [f"{each['setting'][name]:g}" for name in ("accuracy", "icc")] + [str(each["people"])]
        shares = [shown(each[name]) for name in ("told", "told_before")]
        told.append(f"| {' | '.join([*about, wide(each['difference']), *shares])} |")
    return "\n".join([*held, "", *told])


def shown(share: float | None) -> str:
    return "—" if share is None else f"{share:.1%}"


def wide(width: float | None) -> str:
    return "—" if width is None else f"{width:.2f}"


def page(text: str, found: dict[str, Any]) -> str:
    """The page with its tables written anew."""
    head, rest = text.split("<!-- simulated -->\n")
    return f"{head}<!-- simulated -->\n{tables(found)}\n<!-- end -->{rest.split('<!-- end -->')[1]}"


def main() -> None:
    if len(sys.argv) == 1:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), json.loads(STORED.read_text())), encoding="utf-8")
        return
    out, draws = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    rows, powers = [], []
    for number, setting in enumerate(SETTINGS):
        drawn = population(setting, 0.0, np.random.default_rng(100 + number))
        for people in {"even": PEOPLE, "uneven": UNEVEN_PEOPLE, "independent": SINGLE_PHOTOS}[setting.photos]:
            some = draws if setting.photos == "even" else draws // 2
            rows.append(row(setting, drawn, people, some, 1000 * (number + 1) + people))
            print(rows[-1], flush=True)
        if setting.photos == "even":
            powers.append(power(setting, draws, 7000 + number))
            print(powers[-1], flush=True)
    kept = {"draws": draws, "least_groups": LEAST_GROUPS, "resamples_before": RESAMPLES, "promised": PROMISED}
    out.write_text(json.dumps(kept | {"rows": rows, "power": powers}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
