"""What is said of the answers of any tool: how many photos were answered, and whether its probabilities hold."""

from __future__ import annotations

from mien.results.scoring import AnswerCounts, ScoredTarget
from mien.telling.words.numerals import count, listed, percent, plural, score
from mien.telling.words.over import span

__all__ = ["ORIGIN", "answer_sentences", "calibration_sentences", "reliability_rows"]

ORIGIN = (
    "Whether the tool learnt from these photos cannot be told from its answers; if it did, the scores are too high."
)


def answer_sentences(target: ScoredTarget) -> list[str]:
    """How answers and photos go together, and what photos without an answer do to the score."""
    counts = target.answers
    return [*_unanswered(target), *_of_table(counts), *_unsaid(target), ORIGIN]


def _unanswered(target: ScoredTarget) -> list[str]:
    counts, answered = target.answers, target.answered
    if not counts.unanswered:
        return [f"All {plural(counts.photos, 'photo')} were answered."] if counts.photos > 1 else []
    parts = [
        *([f"{count(counts.no_face)} without one in the table (no face found)"] if counts.no_face else []),
        *([f"{count(counts.missing)} not in the table"] if counts.missing else []),
    ]
    reached = f"macro-F1 {score(answered.macro_f1)}, {span(answered.interval, answered.over)}"
    return [
        f"{count(counts.answered)} of {plural(counts.photos, 'photo')} have an answer; {listed(parts)}.",
        f"Photos without an answer count as wrong. On those of shared classes that were answered, "
        f"{count(answered.images)}, it would be {reached}, accuracy {score(answered.accuracy)}.",
    ]


def _of_table(counts: AnswerCounts) -> list[str]:
    told = []
    if n := counts.without_face:
        were = "was" if n == 1 else "were"
        told.append(f"{plural(n, 'photo')} {were} answered although the tool found no face; the answer counts.")
    if n := counts.several:
        has = "has" if n == 1 else "have"
        told.append(
            f"{plural(n, 'photo')} {has} several answers, as of several faces; that of the largest face counts."
        )
    if n := counts.elsewhere:
        what = "name in the table is no photo" if n == 1 else "names in the table are no photos"
        told.append(f"{count(n)} {what} of these, first: {counts.first_elsewhere[0]}.")
    if counts.by_name:
        told.append("Photos were matched by file name alone, since the folders differ.")
    return told


def _unsaid(target: ScoredTarget) -> list[str]:
    if not target.unsaid:
        return []
    it = "it counts as a class" if len(target.unsaid) == 1 else "they count as classes"
    return [
        f"The answers never say {listed(target.unsaid)}; {it} that the tool could have named. If it has no such class, "
        "list it under unknown in a class map (--class-map)."
    ]


def calibration_sentences(target: ScoredTarget) -> list[str]:
    """Whether the probabilities hold."""
    if not target.has_probabilities:
        return ["The table has no probabilities, so nothing can be said of how sure its answers are."]
    sure = target.sureness
    if sure.ece is None or not sure.reliability:
        return []
    n = sum(part.n for part in sure.reliability)
    claimed = sum(part.confidence * part.n for part in sure.reliability) / n
    right = sum(part.accuracy * part.n for part in sure.reliability) / n
    return [
        f"Probabilities: on average the answers claim {percent(claimed)}, and {percent(right)} of {count(n)} are "
        f"right; the expected calibration error is {score(sure.ece)}."
    ]


def reliability_rows(target: ScoredTarget) -> list[list[str]]:
    """What answers claim against how many are right, in tenths of the answers, with a header; empty without any."""
    parts = target.sureness.reliability
    if not target.has_probabilities or not parts:
        return []
    rows = [[percent(part.confidence), percent(part.accuracy), count(part.n)] for part in parts]
    return [["claimed", "right", "answers"], *rows]
