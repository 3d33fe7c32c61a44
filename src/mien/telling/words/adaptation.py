"""The results of adapting as rows and sentences, for the terminal and the page alike."""

from __future__ import annotations

from mien.results.adaptation import AdaptResults, SideScores, Way
from mien.settings import ways
from mien.telling.words.numerals import count, number_word, plural, score, signed
from mien.telling.words.over import over_each

__all__ = ["MEANING", "division", "doubts", "name_of", "short_rows", "title", "verdicts", "way_rows"]

MEANING = {
    ways.AS_IT_IS: "the model unchanged",
    ways.CLASS_SHARES: "biases moved towards the class shares that its answers suggest (Saerens and others, 2002)",
    ways.ALIGNED: "each feature moved to the mean and spread that it has at home",
    ways.MADE_ALIKE: "a new head, fitted to the study's training photos made like the target's",
    ways.SELF_TRAINING: "the same, fitted to the surest half of its own answers as well",
    ways.LABELS: "a new head, fitted to the study's photos made like the target's and to labelled photos of the target",
    ways.LABELS_SHARES: "after the most labels, biases moved towards the class shares that its answers then suggest",
    ways.SELF_TAUGHT_BLOCKS: "the last blocks of the network trained further, half by the study's training photos made "
    "like the target's, half by the surest half of its own answers",
    ways.BLOCKS: "the last blocks of the network trained further, by the study's training photos made like the "
    "target's and by labelled photos of the target",
    ways.BLOCKS_SHARES: "after the most labels, biases moved towards the class shares that its answers then suggest",
}


def title(results: AdaptResults) -> str:
    """``two-stream on fer2013-test: what would make it better``."""
    return f"{results.recipe} on {results.target}: what would make it better, and what that would cost"


def division(results: AdaptResults) -> str:
    """How the photos were divided, and what the scores are."""
    pool, scored = sum(results.pool.values()), sum(results.scored.values())
    text = (
        f"{count(scored)} photos of the target are only scored, {count(pool)} others are learnt from; what belongs "
        f"together is on one side. Answers there are limited to the {number_word(len(results.shared))} shared "
        f"classes. Home: {plural(results.home_images, 'validation photo')} of the study"
    )
    return text + (", cropped to the face as the target's are." if results.are_crops else ".")


def name_of(entry: Way) -> str:
    """``made alike``, ``labels: 5 a class``, or ``labels: 20, shares``."""
    way, shots = entry.described, entry.shots
    if not shots:
        return way.name
    return f"{way.moves.name}: {shots}, shares" if way.moves else f"{way.name}: {shots} a class"


def way_rows(results: AdaptResults) -> list[list[str]]:
    """A header and a row for each way."""
    rows = [["way", "target", "accuracy", "change [95 %]", "home", "change [95 %]"]]
    for entry in results.ways:
        rows.append([name_of(entry), *_scores(entry.target, True), *_scores(entry.home, False)])
    return rows


def short_rows(results: AdaptResults) -> list[list[str]]:
    """The same, narrow enough for a terminal of 80 columns."""
    rows = [["way", "target", "change", "home", "change"]]
    for entry in results.ways:
        cells = [[score(side.macro_f1), _change(side, 2)] for side in (entry.target, entry.home)]
        rows.append([name_of(entry), *cells[0], *cells[1]])
    return rows


def _change(side: SideScores, digits: int) -> str:
    """The change and its interval; nothing for the model as it is."""
    if side.change == 0 and side.interval == (0, 0):
        return ""
    if side.interval is None:
        return f"{signed(side.change, digits)} [cannot tell]"
    low, high = (signed(end, digits) for end in side.interval)
    return f"{signed(side.change, digits)} [{low}, {high}]"


def _scores(side: SideScores, has_accuracy: bool) -> list[str]:
    several = f" ({score(side.lowest)}–{score(side.highest)})" if side.lowest != side.highest else ""
    accuracy = [score(side.accuracy, 3)] if has_accuracy else []
    return [score(side.macro_f1, 3) + several, *accuracy, _change(side, 3)]


def verdicts(results: AdaptResults) -> list[str]:
    """Whether the target is new at all; which ways are better than the model as it is, without labels and with them."""
    tried = [entry for entry in results.ways if not entry.is_unchanged]
    sides = {"Without labels": [w for w in tried if not w.shots], "With labels": [w for w in tried if w.shots]}
    known = " and ".join(results.known_collections)
    told = [f"The model, or what it is built on, was trained on photos of {known}: this is no new domain."]
    return told[: bool(known)] + [f"{name}: {_verdict(entries)}" for name, entries in sides.items() if entries]


def _verdict(entries: list[Way]) -> str:
    tried = f"of {number_word(len(entries))} tried" if len(entries) > 1 else "the one tried"
    better = [entry for entry in entries if entry.target.verdict == "better"]
    if not better:
        return f"no way, {tried}, is better on the target than the model as it is beyond what chance would do."
    best = max(better, key=lambda entry: entry.target.change)
    text = f"“{name_of(best)}” gains most on the target, {tried}: {signed(best.target.change)} of macro-F1"
    home = best.home
    if home.verdict == "worse":
        return f"{text}; at home it loses {score(-home.change)}."
    if home.verdict == "better":
        return f"{text}; at home it gains {score(home.change)}."
    return f"{text}; at home {signed(home.change)}, within what chance would do."


def doubts(results: AdaptResults) -> list[str]:
    """What a reader must know before believing the best row."""
    sides = [("on the target", results.target_over), ("at home", results.home_over)]
    lines = ["Intervals hold for all rows together, and speak of other people, or photos, of the same kind."]
    lines += [f"{told}." for told in [over_each(sides)] if told]
    if any(entry.shots for entry in results.ways) and results.config.adaptation.draws > 1:
        draws = number_word(results.config.adaptation.draws)
        lines.append(f"With labels, scores are means over {draws} draws (lowest–highest).")
    if results.too_many_shots:
        numbers = ", ".join(map(str, results.too_many_shots))
        lines.append(f"Not tried: {numbers} labelled photos a class; the rarest class has too few to learn from.")
    left = results.left_out
    if left.copies:
        lines.append(f"Left out: {plural(left.copies, 'photo')} of the target that are copies of the study's.")
    if left.other_kind:
        kind, others = "whole photos" if results.are_crops else "face crops", plural(left.other_kind, "photo")
        lines.append(f"Left out: {others} of the target that are {kind}, for which another head answers.")
    return lines
