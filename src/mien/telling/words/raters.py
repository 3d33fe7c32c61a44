"""What is said of several raters of the same photos: how far they agree, and how a model does beside them."""

from __future__ import annotations

from mien.results.raters import Agreement, AgreementMeasure, BesideRaters, NamedRater, Raters, ShareOf
from mien.settings.choices import VotesAs
from mien.telling.words.numerals import NONE, count, interval, listed, percent, plural, score, signed
from mien.telling.words.over import over, span

__all__ = [
    "agreement_sentences",
    "ceiling_sentence",
    "disputed_rows",
    "learnt_of_votes",
    "rater_rows",
    "rater_sentences",
]

MOST_NAMED = 5
MOST_DISPUTED = 10


def learnt_of_votes(votes: VotesAs) -> str:
    """What recipes learn of votes, and the option that asks for it: ``the share of each class (--votes soft)``."""
    what = {"soft": "the share of each class in the votes", "majority": "the class with most votes"}[votes]
    return f"{what} (--votes {votes})"


def rater_sentences(found: Raters | None, who: str = "the model") -> list[str]:
    """How far raters agree, and the model beside them; nothing without votes.

    Args:
        who: what the model is called.
    """
    if found is None:
        return []
    told = [ceiling_sentence(found, who), _apart(found.model, who), *_each(found.model, who), _loss(found.model, who)]
    if found.agreement:
        told[1:1] = [_measures(found.agreement)]
        told += _parting(found.agreement)
    return [text for text in told if text]


def ceiling_sentence(found: Raters, who: str = "the model") -> str:
    """``Your raters agree 0.75 with each other; the model 0.64.`` Empty where votes are shares, of unknown raters."""
    beside = found.model
    if beside.rater.share is None:
        return ""
    told = (
        f"Your raters agree {score(beside.rater.share)} with each other ({interval(beside.rater.interval)}); {who} "
        f"{score(beside.model.share)} ({interval(beside.model.interval)})"
        if beside.rater.interval and beside.model.interval
        else f"Your raters agree {score(beside.rater.share)} with each other; {who} {score(beside.model.share)}"
    )
    verdict = {
        "better": "more than one rater does",
        "worse": "less than one rater does",
        "cannot tell": "whether more or less than one rater cannot be told",
    }[beside.verdict]
    by = f"{signed(beside.difference)}, {span(beside.interval, beside.over, 'signed')}"
    return f"{told}: {verdict} ({by}). Each is held against what most of the other raters say of a photo."


def agreement_sentences(found: Agreement | None) -> list[str]:
    """How far raters agree with each other, without a model beside them; nothing without votes."""
    if found is None:
        return []
    one, ends = found.ceiling.accuracy, found.ceiling.accuracy_interval
    told = [
        f"All raters agree on {plural(found.unanimous, 'photo')}, not on {count(found.split)}.",
        _measures(found),
        *_parting(found),
    ]
    if one is None:
        return told
    share = f"{score(one)} ({interval(ends)})" if ends else score(one)
    return [f"Your raters agree {share} with each other: so often one says what most of the others say.", *told]


def _measures(found: Agreement) -> str:
    votes = (
        f"{found.least_votes} votes each"
        if found.least_votes == found.most_votes
        else f"{found.least_votes} to {found.most_votes} votes each"
    )
    return (
        f"Agreement beyond chance, on {plural(found.photos, 'photo')} with {votes}{over(found.over)}: Fleiss' kappa "
        f"{_measure(found.fleiss)}, Krippendorff's alpha {_measure(found.krippendorff)} (1 is perfect, 0 is chance)."
    )


def _measure(found: AgreementMeasure) -> str:
    return f"{score(found.value)} ({interval(found.interval)})" if found.interval else score(found.value)


def _apart(found: BesideRaters, who: str) -> str:
    if not found.unanimous.images or not found.split.images:
        return ""
    alike, split = (plural(each.images, "photo") for each in (found.unanimous, found.split))
    return (
        f"Where all raters agree ({alike}) {who} is right on {_share(found.unanimous)}, where they do not ({split}) on "
        f"{_share(found.split)}."
    )


def _each(found: BesideRaters, who: str) -> list[str]:
    if not found.against_each:
        return []
    shown = sorted(found.against_each.items(), key=lambda each: -(each[1].share or 0))
    named = [f"{name} {score(each.share)}" for name, each in shown[:MOST_NAMED]]
    more = f", and {count(len(shown) - MOST_NAMED)} more" if len(shown) > MOST_NAMED else ""
    return [f"{who[:1].upper()}{who[1:]} agrees with each rater: {', '.join(named)}{more}."]


def _loss(found: BesideRaters, who: str) -> str:
    if found.log_loss is None:
        return ""
    return (
        f"Against the raters' shares, the log loss of {who} is {score(found.log_loss)}; it would be "
        f"{score(found.least_log_loss)} with their shares as the answer, and {score(found.uniform_log_loss)} with the "
        "same probability for each class."
    )


def _parting(found: Agreement) -> list[str]:
    """Those who part from the others by more than chance, who agree least."""
    told = [each for each in found.raters if each.verdict == "worse"]
    if not found.raters:
        return []
    if not told:
        return ["No rater parts from the others by more than chance."]
    part = "parts" if len(told) == 1 else "part"
    return [f"{listed([_named(each) for each in told])} {part} from the other raters by more than chance."]


def _named(each: NamedRater) -> str:
    by = f"{signed(each.difference)} in how often two agree"
    if each.agrees is None:
        return f"{each.name} ({by})"
    return f"{each.name} (says what most others say of {percent(each.agrees)} of {plural(each.photos, 'photo')}; {by})"


def _share(found: ShareOf) -> str:
    ends = f" ({interval(found.interval, 'percent')})" if found.interval else ""
    return f"{percent(found.share)}{ends}"


def rater_rows(found: Raters | None) -> list[list[str]]:
    """Named raters against the majority of the others, with a header; empty where they are not named."""
    if found is None or found.agreement is None or not found.agreement.raters:
        return []
    rows = [["rater", "photos", "says what most others say", "agrees, less the others", "than the others"]]
    for each in found.agreement.raters:
        ends = f" ({interval(each.interval, 'percent')})" if each.interval else ""
        agrees = f"{percent(each.agrees)}{ends}"
        rows.append([each.name, count(each.rated), agrees, signed(each.difference), each.verdict])
    return rows


def disputed_rows(found: Raters | None) -> list[list[str]]:
    """Photos on which raters part most, with their votes and a header; empty without any."""
    if found is None or found.agreement is None or not found.agreement.disputed:
        return []
    rows = [["photo", "votes"]]
    for each in found.agreement.disputed[:MOST_DISPUTED]:
        votes = ", ".join(f"{label} {votes:g}" for label, votes in each.votes.items())
        rows.append([each.path, votes or NONE])
    return rows
