"""What ten raters say of FER2013's faces (FER+), with FER2013's own label and mien beside them: docs/RATERS.md.

    python bench/raters.py DATA WORK       measures, and stores bench/raters.json; some minutes for mien's answers
    python bench/raters.py                 writes the tables of docs/RATERS.md

DATA holds ``fer2013.zip`` and ``fer2013-votes.csv``; WORK gets the faces of ``PrivateTest`` and mien's answers.
"""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
import time
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.agreement import Estimate, cohen, fleiss, krippendorff, one_against_others, share_difference
from mien.metrics import score, share_interval

__all__ = ["page"]

PAGE = Path(__file__).parents[1] / "docs/RATERS.md"
STORED = Path(__file__).with_suffix(".json")
CLASSES = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "contempt")
REFUSED = ("unknown", "not_a_face")
SHOWN = ("rater", "model", "difference", "interval", "verdict", "unanimous", "split", "log_loss", "least_log_loss")
Ints = NDArray[np.int64]


def measured(paths: list[str], counts: Ints, groups: Ints) -> dict[str, Any]:
    """Agreement of the raters, and FER2013's label as one more."""
    every = (*CLASSES, *REFUSED)
    own = np.array([CLASSES.index(path.split("/")[1]) for path in paths])
    begun = time.perf_counter()
    measures = {"fleiss": fleiss(counts, groups), "krippendorff": krippendorff(counts, groups)}
    ratings = one_against_others(counts)
    kept = ratings.truth < len(CLASSES)
    photo, said, truth = ratings.photo[kept], ratings.said[kept], ratings.truth[kept]
    rater = score(truth, said, every, groups=groups[photo])
    seconds = time.perf_counter() - begun
    first = counts.argmax(1)
    single = (counts == counts.max(1)[:, None]).sum(1) == 1
    decided = single & (first < len(CLASSES))
    label = score(truth, own[photo], every, groups=groups[photo])
    eleven = counts.copy()
    eleven[np.arange(len(own)), own] += 1
    hits = (own == first)[decided]
    return {
        "faces": len(counts),
        "votes": int(counts.sum()),
        "unanimous": int((counts.max(1) == counts.sum(1)).sum()),
        "ties": int((~single).sum()),
        "seconds": round(seconds, 1),
        **{name: _stored(each) for name, each in measures.items()},
        "rater": _scores(rater),
        "label": _scores(label),
        "difference": _stored(share_difference((own[photo] == truth) * 1.0, (said == truth) * 1.0, groups[photo])),
        "with_label": {
            "fleiss": _stored(fleiss(eleven, groups)),
            "krippendorff": _stored(krippendorff(eleven, groups)),
        },
        "label_against_majority": {
            "faces": int(decided.sum()),
            "share": float(hits.mean()),
            "interval": share_interval(hits, groups[decided]),
            "kappa": _stored(cohen(own[decided], first[decided], len(every), groups[decided])),
            "classes": {
                name: float((own == first)[decided & (first == k)].mean()) for k, name in enumerate(CLASSES[:-1])
            },
            "given": {name: float((own == first)[decided & (own == k)].mean()) for k, name in enumerate(CLASSES[:-1])},
        },
    }


def _stored(each: Estimate) -> dict[str, Any]:
    return {name: value for name, value in asdict(each).items() if name in ("value", "interval", "verdict", "groups")}


def _scores(found: Any) -> dict[str, Any]:
    recalls = {each.label: each.recall for each in found.per_class if each.support}
    return {"votes": found.n, "share": found.accuracy, "interval": found.accuracy_interval, "recall": recalls}


def read(data: Path) -> tuple[list[str], Ints, Ints]:
    """Paths, votes (N, 10), and groups of byte-equal files."""
    with (data / "fer2013-votes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counts = np.array([[int(row[name]) for name in (*CLASSES, *REFUSED)] for row in rows])
    with zipfile.ZipFile(data / "fer2013.zip") as archive:
        sums = [hashlib.sha256(archive.read(row["path"])).hexdigest() for row in rows]
    return [row["path"] for row in rows], counts, np.unique(sums, return_inverse=True)[1].astype(np.int64)


def beside(data: Path, work: Path) -> dict[str, Any]:
    """The shipped recogniser beside the raters of ``PrivateTest``, which it did not learn from."""
    lines = (data / "fer2013-votes.csv").read_text(encoding="utf-8").splitlines()
    kept = [lines[0], *(line for line in lines if "PrivateTest" in line)]
    (work / "votes.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    with zipfile.ZipFile(data / "fer2013.zip") as archive:
        for line in kept[1:]:
            archive.extract(line.partition(",")[0], work)
    answers = work / "answers.csv"
    if not answers.exists():
        with answers.open("wb") as file:
            run = [sys.executable, "-m", "mien", "predict", "votes.csv", "--csv"]
            subprocess.run(run, cwd=work, check=True, stdout=file)
    run = [sys.executable, "-m", "mien", "score", "answers.csv", "votes.csv", "--json"]
    target = json.loads(subprocess.run(run, cwd=work, check=True, capture_output=True).stdout)["target"]
    shared = {name: target["shared"][name] for name in ("images", "accuracy", "macro_f1", "interval")}
    return {name: target["raters"]["model"][name] for name in SHOWN} | {"shared": shared}


def page(text: str, stored: dict[str, Any]) -> str:
    """The page with its figures written anew."""
    for name, lines in (("agreement", _agreement(stored)), ("classes", _classes(stored)), ("mien", _mien(stored))):
        head, rest = text.split(f"<!-- {name} -->\n")
        text = (
            f"{head}<!-- {name} -->\n"
            + "\n".join(lines)
            + f"\n<!-- end {name} -->"
            + rest.split(f"<!-- end {name} -->")[1]
        )
    return text


def _agreement(stored: dict[str, Any]) -> list[str]:
    faces = stored["fer2013"]
    against, eleven = faces["label_against_majority"], faces["with_label"]
    return [
        "| of FER2013's faces | ten raters | with FER2013's label as an eleventh |",
        "|---|---|---|",
        f"| Fleiss' kappa | {_ends(faces['fleiss'])} | {_ends(eleven['fleiss'])} |",
        f"| Krippendorff's alpha | {_ends(faces['krippendorff'])} | {_ends(eleven['krippendorff'])} |",
        f"| one of them against the majority of (nine) others | {_share(faces['rater'])} | FER2013's label: "
        f"{_share(faces['label'])} |",
        f"| Cohen's kappa of FER2013's label and the majority of ten | | {_ends(against['kappa'])} |",
        "",
        f"{faces['faces']:,} faces, {faces['votes']:,} votes; on {faces['unanimous']:,} faces all raters agree, and "
        f"{faces['ties']:,} are ties.",
        f"Agreement and ceiling took {faces['seconds']:.0f} s on one core.",
        "",
        f"FER2013's label is what most raters say for {_share(against)} of {against['faces']:,} faces with a majority.",
    ]


def _classes(stored: dict[str, Any]) -> list[str]:
    faces = stored["fer2013"]
    against = faces["label_against_majority"]
    lines = [
        "| class | one rater says it where the others do | FER2013's label is it where they do | they say it where "
        "FER2013's label does |",
        "|---|---|---|---|",
    ]
    for name in CLASSES:
        given = f"{against['given'][name]:.2f}" if name in against["given"] else "—"
        label = f"{faces['label']['recall'][name]:.2f}" if name in against["given"] else "—"
        lines.append(f"| {name} | {faces['rater']['recall'][name]:.2f} | {label} | {given} |")
    return lines


def _mien(stored: dict[str, Any]) -> list[str]:
    found = stored["mien"]
    low, high = found["interval"]
    return [
        "| `PrivateTest`, seven shared classes | share |",
        "|---|---|",
        f"| one rater against most of the others | {_share(found['rater'])} |",
        f"| mien's `default` against the same majorities | {_share(found['model'])} |",
        f"| difference | {found['difference']:.3f} [{low:.3f}, {high:.3f}]: {found['verdict']} |",
        f"| mien where all raters agree ({found['unanimous']['images']:,} faces) | {_share(found['unanimous'])} |",
        f"| mien where they do not ({found['split']['images']:,} faces) | {_share(found['split'])} |",
        "",
        f"Log loss against the raters' shares: {found['log_loss']:.2f}, where their own shares would have "
        f"{found['least_log_loss']:.2f}.",
    ]


def _ends(each: dict[str, Any]) -> str:
    low, high = each["interval"]
    return f"{each['value']:.3f} [{low:.3f}, {high:.3f}]"


def _share(each: dict[str, Any]) -> str:
    low, high = each["interval"]
    return f"{each['share']:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        found = {"fer2013": measured(*read(Path(sys.argv[1]))), "mien": beside(Path(sys.argv[1]), Path(sys.argv[2]))}
        STORED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), json.loads(STORED.read_text())), encoding="utf-8")
