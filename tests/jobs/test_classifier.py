"""The classifier of scikit-learn is the recipe of this name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold, cross_val_predict

from mien import ExpressionClassifier
from mien.demo import draw_face
from mien.errors import ConfigError, PhotoError
from mien.settings.recipes import RECIPES
from mien.settings.training import HeadSettings
from mien.training.head import cross_validate

pytestmark = pytest.mark.heavy
LABELS = ("anger", "happy", "sad")
Drawn = tuple[list[Image.Image], NDArray[np.str_], NDArray[np.int64]]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    """36 faces of six persons."""
    images = [draw_face(label, i).resize((96, 96)) for label in LABELS for i in range(12)]
    return images, np.repeat(LABELS, 12), np.tile(np.arange(12) % 6, 3)


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features that all tests share."""
    return tmp_path_factory.mktemp("features")


def test_its_answers_are_those_of_mien_over_the_same_folds(drawn: Drawn, memory: Path) -> None:
    images, y, groups = drawn
    model = ExpressionClassifier("probe", strength=0.01, random_state=3, memory=memory)
    settings = RECIPES["probe"]
    assert isinstance(settings, HeadSettings)
    folds = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=3)
    order = np.random.default_rng(3).permutation(len(y))  # in which mien deals the photos out
    shuffled = [images[i] for i in order]
    answers = cross_val_predict(model, shuffled, y[order], groups=groups[order], cv=folds)

    features = model.features(images)
    numbers = np.searchsorted(LABELS, y)
    model_settings = HeadSettings(**(vars(settings) | {"strength": 0.01}))
    own = cross_validate(model_settings, features, numbers, groups, 3)
    assert own is not None
    assert answers.tolist() == np.array(LABELS)[own.logits.argmax(1)].tolist()


def test_each_person_is_left_out_once(drawn: Drawn, memory: Path) -> None:
    images, y, groups = drawn
    model = ExpressionClassifier(strength=0.01, memory=memory)
    answers = cross_val_predict(model, images, y, groups=groups, cv=LeaveOneGroupOut(), method="predict_proba")
    assert answers.shape == (36, 3)
    assert np.allclose(answers.sum(1), 1)
    assert np.mean(np.array(LABELS)[answers.argmax(1)] == y) > 0.6


def test_labels_of_any_kind_come_back(drawn: Drawn, memory: Path) -> None:
    images, y, _ = drawn
    numbers = np.searchsorted(LABELS, y) * 10
    model = ExpressionClassifier("probe", strength=0.01, memory=memory).fit(images, numbers)
    assert set(model.predict(images[:6])) <= {0, 10, 20}
    assert model.classes_.tolist() == [0, 10, 20]
    assert model.score(images, numbers) > 0.9


def test_it_is_cloned_with_its_settings(memory: Path) -> None:
    model = ExpressionClassifier("probe", strength=0.5, random_state=7, memory=memory)
    copy = clone(model)
    assert copy.get_params() == model.get_params() == {
        "recipe": "probe", "strength": 0.5, "random_state": 7, "memory": memory
    }  # fmt: skip
    assert not hasattr(copy, "classes_")


def test_what_cannot_be_learnt_is_refused(drawn: Drawn, tmp_path: Path) -> None:
    images, y, _ = drawn
    (tmp_path / "no.png").write_bytes(b"no image")
    with pytest.raises(PhotoError, match=r"photos\[1\]"):
        ExpressionClassifier().fit([images[0], tmp_path / "no.png"], ["anger", "sad"])
    with pytest.raises(ConfigError, match="recipe"):
        ExpressionClassifier("finetune").fit(images, y)
    with pytest.raises(ConfigError, match="two or more"):
        ExpressionClassifier().fit(images[:2], ["sad", "sad"])
    with pytest.raises(ConfigError, match="2 for 3"):
        ExpressionClassifier().fit(images[:3], ["sad", "happy"])
