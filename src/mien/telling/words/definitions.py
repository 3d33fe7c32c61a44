"""Terms of the report, each explained in a sentence or two."""

from __future__ import annotations

__all__ = ["SPELLINGS", "definitions"]


def definitions(least_groups: int) -> dict[str, str]:
    """Term → its explanation.

    Args:
        least_groups: the fewest groups for which an interval is given.
    """
    return {
        "macro-F1": "The mean of the F1 scores of all classes that have photos, from 0 to 1. Rare classes count as "
        "much as frequent ones.",
        "F1": "The harmonic mean of the precision and recall of a class, from 0 to 1.",
        "precision": "Of the photos that were given this answer, the share that carry this label.",
        "recall": "Of the photos that carry this label, the share that were given this answer.",
        "accuracy": "The share of photos whose answer agrees with the label.",
        "95 % interval": "The range in which the score would usually fall with other people of the same kind, or with "
        "other photos where people are not known. It is computed by leaving out one of them at a time (jackknife), "
        f"and takes at least {least_groups}.",
        "chance": "What guessing in proportion to the class shares would score.",
        "majority": "What always answering the most frequent class would score.",
        "near duplicates": "The same picture again: saved anew, resized, mirrored, cropped, marked or recoloured.",
        "series": "Photos that are alike without being the same, or are numbered in sequence: perhaps of one shoot or "
        "one person.",
        "shortcut": "Something other than the face that goes with a class, such as the file format. A model may learn "
        "it instead of the expression.",
        "doubtful labels": "Labels that a probe, trained on the other photos, disagrees with. The probe is often "
        "wrong.",
        "a probe": "A small classifier on top of a large network that is left as it is.",
        "leak": "A photo that is, perhaps as a copy, both where a model is trained and where it is tested.",
        "validation": "Photos that served to choose between recipes. They were not trained on.",
        "test photos": "Photos that were scored once, after the choice. They were neither trained on nor chosen by.",
        "held-out photos": "Photos of the fold that a model was not trained on. Each photo is held out once.",
        "shared classes": "The classes that both sets of photos have.",
        "calibration error": "The mean difference between the probability of an answer and the share of such answers "
        "that are right.",
        "expression shown": "What a face looks like, as somebody labelled it. Not what the person felt.",
    }


SPELLINGS = {
    "Macro-F1": "macro-F1",
    "A probe": "a probe",
    "95\N{NO-BREAK SPACE}% interval": "95 % interval",
    "near duplicate": "near duplicates",
    "copies of a picture": "near duplicates",
    "doubtful label": "doubtful labels",
    "test photo": "test photos",
    "held-out photo": "held-out photos",
    "expected calibration error": "calibration error",
}
"""How a term may be spelt in a sentence → the term."""
