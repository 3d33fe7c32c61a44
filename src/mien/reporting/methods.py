"""The methods paragraphs, ready to be pasted into a paper: what was done, from the stored settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.data.audit import MAX_DISTANCE
from mien.data.preprocess import FACE_MARGIN
from mien.metrics import RESAMPLES
from mien.reporting.figures import kept_epoch
from mien.reporting.numerals import count, percent, plural

__all__ = ["methods"]

Results = Mapping[str, Any]

_AUGMENT = {
    "none": "without augmentation",
    "notebook": "with augmented training photos (random resized crop, horizontal flip, rotation, colour jitter)",
}


def methods(results: Results) -> list[str]:
    """The paragraphs, in order."""
    return [
        _photos(results),
        _split(results),
        *_recipes(results),
        _scores(results),
        *_target(results),
        _software(results),
    ]


def _photos(results: Results) -> str:
    data = results["data"]
    classes = ", ".join(f"{label} {count(n)}" for label, n in data["classes"].items())
    left = f"Not used: {plural(data['unreadable'], 'file')} that could not be read. " if data["unreadable"] else ""
    return (
        f"We used {plural(data['images'], 'labelled photo')} of the collection {data['name']} ({classes}). "
        f"{left}A label is the expression shown according to the collection. "
        "Photos were turned upright by their EXIF orientation, converted to RGB and resized to squares by "
        "antialiased bilinear interpolation. Faces were located with CenterFace (Xu et al., 2019); the "
        f"face view is the largest face with {percent(FACE_MARGIN - 1)} margin, or the whole photo where "
        f"none was found. Pictures were taken as near duplicates when at most {MAX_DISTANCE} of the 256 "
        f"bits of their difference hashes differed ({plural(data['near_duplicate_groups'], 'group')})."
    )


def _split(results: Results) -> str:
    counts = {name: sum(part.values()) for name, part in results["splits"]["counts"].items()}
    sizes = (
        f"{count(counts['train'])} training, {count(counts['val'])} validation and {count(counts['test'])} test photos"
    )
    if results["splits"]["given"]:
        left = len(results["splits"]["left_out"])
        return (
            f"The division that came with the collection was kept ({sizes}), less {plural(left, 'photo')} "
            "that recurred in a later part; a part that did not come with it was drawn from the training "
            "photos. The division is by photo, not by person."
        )
    return (
        f"Photos were divided {results['config']['split']} per cent into {sizes}, stratified by class, with "
        f"near duplicates kept together (seed {results['config']['seed']}). The division is by photo, not "
        "by person."
    )


def _recipes(results: Results) -> list[str]:
    told = [_probe(run) if run["config"]["probe"] else _network(run) for run in results["runs"].values()]
    return [
        "Recipes. " + " ".join(told),
        "The recipe with the highest macro-F1 on the validation photos was selected: "
        f"{results['selected']}. Recipes were compared by the difference of macro-F1 on the validation "
        f"photos with a paired bootstrap ({count(RESAMPLES)} resamples of near-duplicate groups); one "
        "training seed each, so the comparison does not speak of other seeds. The test photos were read "
        "once, after the selection.",
    ]


def _probe(run: Mapping[str, Any]) -> str:
    name, probe = run["config"]["name"], run["config"]["probe"]
    strengths = ", ".join(f"{c:g}" for c in probe["strengths"])
    return (
        f"{name}: logistic regression on standardised frozen features of a pretrained {probe['backbone']}, "
        f"of the whole photo ({probe['photo_size']} px) and of the face ({probe['face_size']} px), joined; "
        f"inverse L2 penalty C = {probe['strength']:g}, chosen from {strengths} by {probe['folds']}-fold "
        "cross-validation grouped by near duplicates within the training photos."
    )


def _network(run: Mapping[str, Any]) -> str:
    name, train, history = run["config"]["name"], run["config"]["train"], run["history"]
    settings = [
        f"{train['size']} px input",
        f"batches of {train['batch_size']}",
        f"Adam with learning rate {train['learning_rate']:g} and weight decay {train['weight_decay']:g}",
        f"label smoothing {train['label_smoothing']:g}" if train["label_smoothing"] else "",
        f"gradient norm at most {train['clip_norm']:g}" if train["clip_norm"] else "",
        f"learning rate times {train['plateau_factor']:g} after {train['plateau_patience']} epochs without "
        f"a higher validation {_spoken(train['monitor'])}",
        f"stopped after {train['stop_patience']} such epochs" if train["stop_patience"] else "",
        _AUGMENT.get(train["augment"], f"augmentation {train['augment']}"),
        f"precision {train['precision']}",
    ]
    if history:
        kept = kept_epoch(history, train["monitor"])
        settings.append(f"{plural(len(history), 'epoch')} run{_limit(train['budget'])}, epoch {kept} kept")
    told = ", ".join(setting for setting in settings if setting)
    return f"{name}: EmotionCNN trained from scratch, {told} (seed {run['config']['seed']})."


def _limit(budget: Mapping[str, Any]) -> str:
    limits = [f"{value:g} {name}" for name, value in budget.items() if value]
    return f" of at most {' or '.join(limits)}" if limits else ""


def _spoken(monitor: str) -> str:
    return {"macro_f1": "macro-F1"}.get(monitor, monitor)


def _scores(results: Results) -> str:
    return (
        "The primary score is macro-F1, the mean of the F1 scores of the classes with at least one true "
        "photo. Intervals of macro-F1 and accuracy are 95 % percentile bootstrap intervals over "
        f"near-duplicate groups ({count(RESAMPLES)} resamples); intervals of recall and of error rates are "
        "Wilson score intervals (Wilson, 1927). Chance is the expected macro-F1 of answers drawn by the "
        "class shares, majority the accuracy of always answering the most frequent class."
    )


def _target(results: Results) -> list[str]:
    if "target" not in results:
        return []
    target = results["target"]
    shared = [label for label, n in target["shared"]["support"].items() if n]
    return [
        f"The models were also tested on {plural(target['all']['images'], 'photo')} of the collection "
        f"{target['data']['name']}, which took no part in training or selection. Classes were matched by "
        f"name and synonym; shared: {_listed(shared)}{_besides(target['labels'])}. Scores over the shared "
        "classes let the model answer any of its classes unless stated."
    ]


def _besides(labels: Mapping[str, Any]) -> str:
    told = "; only in the collection: " + _listed(labels["extra"]) if labels["extra"] else ""
    return told + ("; only in the model: " + _listed(labels["missing"]) if labels["missing"] else "")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _software(results: Results) -> str:
    return (
        f"All steps were done with mien {results['mien']} (seed {results['config']['seed']}). Scores refer to "
        "expressions shown, not to emotions felt."
    )
