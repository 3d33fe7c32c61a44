"""The methods paragraphs, ready to be pasted into a paper: what was done, from the stored settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import PurePath

from mien.results.scores import Scores
from mien.results.study import Splits, StudyResults, TestedRun
from mien.results.target import LabelMatching
from mien.settings.budget import Budget
from mien.settings.choices import augmentation_parts
from mien.settings.run import HeadRun, NetworkRun
from mien.settings.training import HeadSettings, TrainSettings
from mien.telling.report.figures import kept_epoch
from mien.telling.words.cross_validation import final_sentence, fold_sentences, folds_sentence
from mien.telling.words.division import keeps_groups, kept_together, where_people_are
from mien.telling.words.numerals import count, percent, plural, score
from mien.telling.words.over import counted

__all__ = ["methods", "sources"]

_AUGMENT = {
    "crop": "random resized crop",
    "flip": "horizontal flip",
    "rotation": "rotation",
    "colour": "colour jitter",
    "grey": "half of them without colour",
    "coarse": "half of them coarse",
}
_TOGETHER = {
    "grouped": ", one with near duplicates together",
    "people": ", one with people together",
    "series": " and one with series together",
}
_BALANCE = {
    "none": "",
    "loss": "classes weighed in the loss by the inverse of their photos",
    "sampler": "classes drawn equally often",
}


def methods(results: StudyResults) -> list[str]:
    """The paragraphs, in order."""
    return [
        _photos(results),
        _copies(results),
        *_corrections(results),
        _split(results),
        *_label_check(results),
        *_leakage(results),
        *_recipes(results),
        *_votes(results),
        _scores(results),
        *_slices(results),
        *_target(results),
        _software(results),
    ]


def _slices(results: StudyResults) -> list[str]:
    found = results.slices
    if found is None or not found.comparisons:
        return []
    columns = ", ".join(column.column for column in found.columns)
    return [
        f"Scores were also computed for each value of {columns}. A value was compared with the others of its column by "
        "the difference of accuracy within classes (Mantel and Haenszel, 1959), with errors of its log-odds by a "
        "delete-one-group jackknife and Student's t (degrees of freedom after Welch), and with Holm's (1979) "
        f"correction for {plural(found.comparisons, 'comparison')} at a level of {found.level:g}."
    ]


def _photos(results: StudyResults) -> str:
    data = results.data
    classes = ", ".join(f"{label} {count(n)}" for label, n in data.classes.items())
    left = f"{plural(data.unreadable, 'file')} could not be read. " if data.unreadable else ""
    return (
        f"We used {plural(data.images, 'labelled photo')} of the collection {data.name} ({classes}). "
        f"{left}A label is the expression shown according to the collection. "
        "Photos were turned upright by their EXIF orientation, converted to RGB and resized to squares by "
        "antialiased bilinear interpolation. Faces were located with CenterFace (Xu et al., 2019); the "
        "face view is a square around the largest face, or the whole photo where none was found."
    )


def _copies(results: StudyResults) -> str:
    data, copies = results.data, results.methods.copies
    coarse = copies.side // 2
    return (
        f"Pictures were compared all with all by the cosine of their luma gradients at {coarse} × {coarse} "
        "pixels, squashed by tanh, less the horizontal band that differs most: as they are, mirrored, and, unless they "
        "are face crops, through windows of the other picture whose edges were aligned by Gauss-Newton steps (Lucas "
        f"and Kanade, 1981). Two pictures count as near duplicates if the cosine is at least {copies.similarity:g} "
        f"(and {copies.fine_similarity:g} at {copies.side} × {copies.side} pixels), or if their bytes are equal. "
        f"Groups of them are transitive and have at most {copies.most_pictures} distinct pictures or "
        f"{percent(copies.most_share)} of all, the surest links first ({plural(data.near_duplicate_groups, 'group')}, "
        f"{plural(data.duplicate_files, 'redundant file')}). Photos with a cosine of at least "
        f"{copies.series_similarity:g}, or with closely consecutive long numbers in their file names, form a series "
        f"({plural(data.series[0], 'series', 'series')} besides the near duplicates)."
    )


def _corrections(results: StudyResults) -> list[str]:
    stored, data = results.corrections, results.data
    if stored is None:
        return []
    return [
        "Before the photos were compared and divided, a person’s decisions on single photos were applied: "
        f"{plural(data.dropped, 'photo')} dropped, {plural(data.relabelled, 'photo')} given another label "
        f"(table {PurePath(stored.file).name}, SHA-256 {stored.sha256})."
    ]


def _split(results: StudyResults) -> str:
    splits, seed = results.splits, results.config.randomness.seed
    if results.folds:
        drawn = f" Folds and validation photos follow from a hash of their content and the seed ({seed})."
        return " ".join([folds_sentence(results, results.folds) + drawn, where_people_are(results)])
    counts = {name: sum(part.values()) for name, part in splits.counts.items()}
    sizes = (
        f"{count(counts['train'])} training, {count(counts['val'])} validation and {count(counts['test'])} test photos"
    )
    by = "class and source" if len(results.data.sources) > 1 else "class"
    how = (
        f"The division that came with the collection was kept ({sizes}), without "
        f"{plural(len(splits.left_out), 'photo')} that belonged together with photos of a later part; a missing part "
        "was drawn from the training photos."
        if splits.given
        else f"Photos were divided {results.config.division.split} per cent into {sizes}, stratified by {by}; groups "
        f"were assigned by a hash of their content and the seed ({seed})."
    )
    return " ".join([how, _together(results), *_earlier(splits), where_people_are(results)])


def _together(results: StudyResults) -> str:
    if results.splits.method == "naive":
        return "Nothing was kept together, so near duplicates may be in several parts."
    groups = " and the groups given" if keeps_groups(results) else ""
    series = ", and photos of one series," if results.splits.method == "series" else ""
    return f"Near duplicates{groups}{series} were kept together."


def _earlier(splits: Splits) -> list[str]:
    if splits.moved is None:
        return []
    return [f"Photos of an earlier study kept their parts, except {count(splits.moved)}."]


def _label_check(results: StudyResults) -> list[str]:
    found = results.data.doubtful_labels
    if found.reason:
        return []
    return [
        "Labels were ranked by confident learning (Northcutt et al., 2021) on out-of-fold probabilities of a logistic "
        f"regression on frozen features ({found.folds} folds, near duplicates together; accuracy "
        f"{percent(found.accuracy)}): {count(found.found)} of {plural(found.judged, 'label')} were "
        "doubtful. No label was changed."
    ]


def _leakage(results: StudyResults) -> list[str]:
    found = results.data.leakage
    if found is None or found.reason:
        return []
    told = ", ".join(f"{method} {score(value, 3)}" for method, value in found.macro_f1.items())
    return [
        "The effect of leaks was measured by scoring one logistic regression on frozen features out of fold under a "
        f"naive division{''.join(_TOGETHER[method] for method in found.premium)} "
        f"({found.folds} folds, {found.repeats} times; macro-F1 {told}). Intervals are paired, by a jackknife over "
        f"{counted(found.over) if found.over else 'series'}."
    ]


def _recipes(results: StudyResults) -> list[str]:
    together = kept_together(results)
    told = [_recipe(run, together) for run in results.runs.values()]
    kept = (
        f"{fold_sentences(results.folds)[-1]} {final_sentence(results)}"
        if results.folds
        else "The test photos were read once, after the selection."
    )
    several = "of each fold was selected in it, and of all folds for the model to use"
    where = several if results.folds else "was selected"
    return [
        "Recipes. " + " ".join(told),
        f"The recipe with the highest macro-F1 on the validation photos {where}: "
        f"{results.selected}. Recipes were compared by the difference of macro-F1 on the validation "
        f"photos with a paired jackknife over {_units(results.run.val, together)}; one "
        f"training seed each, so the comparison says nothing about other seeds. {kept}",
    ]


def _votes(results: StudyResults) -> list[str]:
    """How raters' votes were used."""
    voted = results.data.voted
    if not voted:
        return []
    learnt = (
        "the model was trained on the share of each class in them (Barsoum et al., 2016), which is what its "
        "probabilities are of"
        if (results.votes or results.runs[results.selected].config.votes) == "soft"
        else "the model was trained on the class with most votes"
    )
    return [
        f"{plural(voted, 'photo')} had votes of several raters: {learnt}, and the class with most votes was scored; "
        "ties were left out."
    ]


def _recipe(run: TestedRun, together: str) -> str:
    match run.config:
        case HeadRun(head=head):
            return _head(run, head, together)
        case NetworkRun(train=train):
            return _network(run, train)


def _head(run: TestedRun, head: HeadSettings, together: str) -> str:
    name = run.config.name
    strengths = ", ".join(f"{c:g}" for c in head.strengths)
    mirrored = ", of the training photos and their mirror images" if head.mirrored else ""
    drawn = _drawn(head)
    second = (
        " A second head, fitted to the face alone, answers for pictures that are face crops."
        if head.context == "scene"
        else ""
    )
    return (
        f"{name}: logistic regression on standardised frozen features of the whole photo ({head.photo_size} px, "
        f"{head.photo_backbone}) and of the face ({head.face_size} px, {head.face_backbone}), joined{mirrored}"
        f"; inverse L2 penalty C = {head.strength:g}, chosen from {strengths} by {head.folds}-fold "
        f"cross-validation over {together} within the training photos, which gave the temperature as well."
        + drawn
        + second
        + _weights(run)
    )


def _drawn(head: HeadSettings) -> str:
    """What a prior was used for."""
    if not head.prior:
        return ""
    towards = f"Weights of classes that {head.prior} knows were regularised towards its own"
    if head.is_drawn is not False:
        return f" {towards}."
    own = ", ".join(f"{c:g}" for c in head.own_strengths)
    return f" {towards} as well, but a head of its own (C from {own}) did no worse, and was taken."


def _weights(run: TestedRun) -> str:
    """Where a run's pretrained weights come from."""
    return "".join(f" Weights of {w.name}: {w.licence}, SHA-256 {w.sha256}." for w in run.backbones)


def _augmentation(text: str) -> str:
    parts = ", ".join(_AUGMENT[part] for part in augmentation_parts(text))
    tight = " made like those of other places" if text.startswith("elsewhere") else ""
    return f"with augmented training photos{tight} ({parts})" if parts else "without augmentation"


def _network(run: TestedRun, train: TrainSettings) -> str:
    name, history = run.config.name, run.history
    settings = [
        f"{train.size} px input",
        f"batches of {train.batch_size}",
        f"Adam with learning rate {train.learning_rate:g} and weight decay {train.weight_decay:g}",
        f"label smoothing {train.label_smoothing:g}" if train.label_smoothing else "",
        f"gradient norm at most {train.clip_norm:g}" if train.clip_norm else "",
        _schedule(train),
        _BALANCE[train.balance],
        f"moving average of the weights with decay {train.ema_decay:g}" if train.ema_decay else "",
        f"stopped after {train.stop_patience} such epochs" if train.stop_patience else "",
        _augmentation(train.augment),
        f"precision {train.precision}",
    ]
    if history:
        kept = kept_epoch(history, train.monitor)
        settings.append(f"{plural(len(history), 'epoch')} run{_limit(train.budget)}, epoch {kept} kept")
    told = ", ".join(setting for setting in settings if setting)
    seed, members = run.config.seed, train.members
    which = (
        f"{members} such networks from different seeds, their logits averaged; epochs and curves are the first's, "
        if members > 1
        else ""
    )
    return f"{name}: {_start(train)}, {told} ({which}seed {seed})." + _weights(run)


def _start(train: TrainSettings) -> str:
    """What training starts from."""
    if not train.backbone:
        return "EmotionCNN trained from scratch"
    frozen = f"{plural(train.frozen_stages, 'stage')} frozen" if train.frozen_stages else "nothing frozen"
    return (
        f"pretrained {train.backbone} with a new linear layer, trained further on the {train.view} ({frozen}, "
        f"the rest at {train.backbone_rate:g} of the new layer's learning rate)"
    )


def _schedule(train: TrainSettings) -> str:
    """How the learning rate goes."""
    if train.schedule == "cosine":
        return f"learning rate rising for {percent(train.warm_up)} of the budget, then falling as a cosine"
    return (
        f"learning rate times {train.plateau_factor:g} after {train.plateau_patience} epochs without a higher "
        f"validation {_spoken(train.monitor)}"
    )


def _limit(budget: Budget) -> str:
    limits = [f"{value:g} {name}" for name, value in dataclasses.asdict(budget).items() if value]
    return f" of at most {' or '.join(limits)}" if limits else ""


def _spoken(monitor: str) -> str:
    return {"macro_f1": "macro-F1"}.get(monitor, monitor)


def _scores(results: StudyResults) -> str:
    test = results.test
    elsewhere = f", of photos from elsewhere over {_units(results.target.shared, 'groups')}" if results.target else ""
    least = f" (from {test.over.least} on)" if test.over else ""
    return (
        "The primary score is macro-F1, the mean of the F1 scores of the classes with at least one true photo. "
        f"Intervals are 95 %, over {_units(test, kept_together(results))}{least}{elsewhere}. Those of macro-F1 and "
        "accuracy are by a jackknife that leaves out one of them at a time, on the scale of log-odds, with Student's t "
        "(Tukey, 1958; for clusters, Cameron, Gelbach and Miller, 2008); those of recall and of error rates are "
        "Wilson's (1927) for the effective number of photos (Korn and Graubard, 1998). Chance is the expected macro-F1 "
        "of answers drawn by the class shares, majority the accuracy of always answering the most frequent class."
    )


def _units(scores: Scores, otherwise: str) -> str:
    """What a set's intervals are over."""
    return counted(scores.over) if scores.over else otherwise


def _target(results: StudyResults) -> list[str]:
    target = results.target
    if target is None:
        return []
    shared = [label for label, n in target.shared.support.items() if n]
    by = "by decision, name" if results.config.classes.class_map else "by name"
    return [
        f"The models were also tested on {plural(target.all.images, 'photo')} of the collection "
        f"{target.data.name}, which took no part in training or selection. Classes were matched "
        f"{by} and synonym; shared: {_listed(shared)}{_besides(target.labels)}. Scores over the shared "
        "classes let the model answer any of its classes unless stated."
    ]


def _besides(labels: LabelMatching) -> str:
    told = "; only in the collection: " + _listed(labels.extra) if labels.extra else ""
    told += "; left out by decision: " + _listed(labels.dropped) if labels.dropped else ""
    return told + ("; only in the model: " + _listed(labels.missing) if labels.missing else "")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _software(results: StudyResults) -> str:
    return (
        f"All steps were done with mien {results.mien} (seed {results.config.randomness.seed}). Scores refer to "
        "expressions shown, not to emotions felt."
    )


def sources(results: StudyResults) -> list[str]:
    """The publications that the paragraphs name."""
    judged = not results.data.doubtful_labels.reason
    voted = results.data.voted
    return [
        *(["Barsoum, Zhang, Canton Ferrer and Zhang (2016), Training deep networks, ICMI."] if voted else []),
        "Cameron, Gelbach and Miller (2008), Bootstrap-based improvements for inference with clustered errors, Review "
        "of Economics and Statistics 90.",
        "Korn and Graubard (1998), Confidence intervals for proportions with small expected number of positive counts "
        "estimated from survey data, Survey Methodology 24.",
        "Lucas and Kanade (1981), An iterative image registration technique, IJCAI.",
        *(["Northcutt, Jiang and Chuang (2021), Confident learning, JAIR 70."] if judged else []),
        "Tukey (1958), Bias and confidence in not-quite large samples, Annals of Mathematical Statistics 29.",
        "Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22.",
        "Xu, Yan, Sun and Yang (2019), CenterFace, arXiv:1911.03599.",
    ]
