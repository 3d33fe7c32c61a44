"""What else the card of ``default`` says: ``python pretraining/check_default.py DATA FOLDER``.

How often its answer changes when a face is cropped otherwise, as detectors and people crop (``protocol.py`` has the
limits), and how well its features tell the two collections apart within one class. Both are measured on ``PublicTest``
and on six-emotions; nothing is chosen by them. The figures are stored beside this file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from fit_answers import as_in_fer
from fit_six import open_photos
from numpy.typing import NDArray
from protocol import BATCH, DEGREES, SCALE, SHARED, SHIFT, VIEW, cropped_otherwise, enlarged, features_of
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from votes import CLASSES, Faces, consensus, read_faces

from mien.metrics import wilson
from mien.models.backbones import Backbone, load_backbone
from mien.recognizer import Recognizer
from mien.training.features import FeatureCache

STORED = Path(__file__).with_name("default-checks.json")
VERSIONS = ("default@1", "default@2")
FOLDS, SEED = 5, 0


def changed_by_cropping(name: str, faces: Faces) -> dict[str, Any]:
    """Share of the answers of a recogniser that change, of faces as they are against the same cropped otherwise."""
    recognizer = Recognizer(name)
    scene = next((view for view in recognizer.contract.views if view.name == "scene"), None)

    def answered(grey: NDArray[np.uint8]) -> NDArray[np.int64]:
        answers = list[NDArray[np.int64]]()
        for some in np.array_split(grey, len(grey) // BATCH + 1):
            views = {VIEW.key: enlarged(some)}
            if scene is not None:  # of a face crop there is none, and it is black
                views[scene.key] = np.zeros((len(some), scene.size, scene.size, 3), np.uint8)
            answers.append(recognizer.logits(views).argmax(1))
        return np.concatenate(answers)

    changed = int((answered(faces.grey) != answered(cropped_otherwise(faces.grey))).sum())
    return {"share": changed / len(faces.grey), "interval": wilson(changed, len(faces.grey)), "faces": len(faces.grey)}


def told_apart(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Area under the curve of a linear probe that tells two sets of features apart, out of fold."""
    features, is_ours = np.concatenate([ours, theirs]), np.repeat([1, 0], [len(ours), len(theirs)])
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=500, class_weight="balanced"))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    found = cross_val_predict(probe, features, is_ours, cv=folds, method="decision_function")
    return float(roc_auc_score(is_ours, found))


def collections_apart(data: Path, folder: Path, backbone: Backbone, public: Faces) -> dict[str, dict[str, float]]:
    """For each class that both have, how well the collections are told apart, as they are and both grey and 48 px."""
    _, photos = open_photos(str(data / "six-emotions.zip"), folder / "six-emotions")
    rows = photos.manifest
    whole = FeatureCache(folder / "six-emotions/features", photos.pixels).of(backbone, VIEW, rows)
    pixels = photos.pixels.read(VIEW, rows["row"].to_numpy())
    coarse = features_of(backbone, as_in_fer(pixels), folder / "six-emotions", "coarse")
    theirs, seen = features_of(backbone, public.grey, folder, "public"), consensus(public.votes)
    labels, told = rows["label"].to_numpy(), dict[str, dict[str, float]]()
    for label in SHARED:
        of_fer = theirs[seen == CLASSES.index(label)]
        told[label] = {"as they are": told_apart(whole[labels == label], of_fer)}
        told[label]["grey, 48 px"] = told_apart(coarse[labels == label], of_fer)
    return told


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path, help="where fit_answers.py worked")
    asked = parser.parse_args()
    public = read_faces(asked.data, asked.folder)["public"]
    told = {
        "limits": {"degrees": DEGREES, "scale": SCALE, "shift": SHIFT},
        "collections": collections_apart(asked.data, asked.folder, load_backbone("expression"), public),
        "crops": {name: changed_by_cropping(name, public) for name in VERSIONS},
    }
    STORED.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
