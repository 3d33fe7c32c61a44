"""mien's recipes on frozen features as a classifier of scikit-learn."""

from __future__ import annotations

import atexit
import hashlib
from collections.abc import Iterable, Sequence, Sized
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from mien.data.measuring.faces import FaceDetector
from mien.data.measuring.fingerprints import SIDE
from mien.data.reading.given import Photo, given
from mien.data.reading.pixels import PixelWriter
from mien.data.reading.preprocess import UnreadableImageError, View, render
from mien.errors import ConfigError, PhotoError, said_in_python
from mien.extras import extra
from mien.jobs.labelled import label_column
from mien.progress import Silent
from mien.settings.recipes import RECIPES
from mien.settings.run import HeadRun
from mien.settings.training import HeadSettings
from mien.system.paths import user_path
from mien.system.scratch import work_folder

with extra("train", "mien.ExpressionClassifier"):
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.validation import check_is_fitted

    from mien.training.recipes import views_of
    from mien.training.run import FittedHead, LabelledPhotos, Streams, export_for, fit_head, run_streams

__all__ = ["ExpressionClassifier"]

ON_FROZEN_FEATURES = tuple(name for name, recipe in RECIPES.items() if isinstance(recipe, HeadSettings))


class ExpressionClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A recipe on frozen features: the face and the whole photo go through pretrained networks, a head learns.

    It is fitted and answers as the recipe of this name does in a study, and goes wherever scikit-learn takes a
    classifier, as in ``cross_val_predict(ExpressionClassifier(), paths, labels, groups=persons,
    cv=LeaveOneGroupOut())``. Photos are those that ``Recognizer.predict`` takes; one that cannot be read is refused.

    Args:
        recipe: ``two-stream``, ``probe`` or ``from-default``.
        strength: inverse L2 penalty C of the head; None chooses by answers out of fold within the training photos.
        random_state: seed of these folds.
        memory: folder that keeps features for later, by the content of photos; None keeps them while the process runs,
            in the temporary folder.

    Attributes:
        classes_: (K,) the classes in the order of the probabilities.
    """

    def __init__(
        self,
        recipe: str = "two-stream",
        *,
        strength: float | None = None,
        random_state: int = 0,
        memory: str | Path | None = None,
    ) -> None:
        """Keep the settings, which ``fit`` checks."""
        self.recipe, self.strength, self.random_state, self.memory = recipe, strength, random_state, memory

    @said_in_python()
    def fit(self, photos: Iterable[Photo], y: ArrayLike, groups: ArrayLike | None = None) -> Any:  # type: ignore[explicit-any]  # Self of a class without types
        """Learn from photos.

        Args:
            photos: N of them.
            y: (N,) their classes.
            groups: (N,) what each depends on, such as a person: none is on both sides of the folds that choose the
                penalty and the temperature. None takes each photo for itself.

        Raises:
            ConfigError: for a setting out of range, or fewer than two classes.
            PhotoError: if a photo cannot be read.
        """
        self._settings()  # refused before photos are read
        labels = np.asarray(y)
        if labels.ndim != 1 or any(each is None for each in label_column("y", labels)):
            raise ConfigError("y: give one class per photo, none of them missing")
        classes, numbers = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ConfigError(f"y: {len(classes)} different classes; a classifier needs two or more")
        names = tuple(map(str, classes))
        run = self._run(names)
        set_ = self._photos(run, photos, [names[k] for k in numbers], groups)
        streams = self._streams(run, set_)
        self.fitted_: FittedHead = fit_head(run, set_, streams)
        self.classes_: NDArray[Any] = classes  # type: ignore[explicit-any]  # of any kind of label
        return self

    @said_in_python()
    def predict_proba(self, photos: Iterable[Photo]) -> NDArray[np.float64]:
        """Probabilities (N, K), at the temperature that was chosen within the training photos."""
        check_is_fitted(self)
        if isinstance(photos, Sized) and not len(photos):
            return np.zeros((0, len(self.classes_)))
        run = self.fitted_.run
        set_ = self._photos(run, photos, None, None)
        streams = self._streams(run, set_)
        scenes = set_.pixels.read(views_of(run)[0], set_.manifest["row"].to_numpy())
        is_blank = np.asarray(~scenes.any(axis=(1, 2, 3)))
        return self.fitted_.probabilities(streams.features, is_blank)

    def predict(self, photos: Iterable[Photo]) -> NDArray[Any]:
        """The likeliest class of each photo, (N,)."""
        best = self.predict_proba(photos).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def features(self, photos: Iterable[Photo]) -> NDArray[np.float32]:
        """Features (N, D + D') of photos, those of the whole photo before those of the face."""
        run = self._run(())
        return self._streams(run, self._photos(run, photos, None, None)).features

    def _run(self, labels: tuple[str, ...]) -> HeadRun:
        """The settings as a study has them."""
        head = self._settings()
        return HeadRun(
            name=self.recipe, recipe=self.recipe, seed=self.random_state, device="cpu", labels=labels, head=head
        )

    def _settings(self) -> HeadSettings:
        recipe = RECIPES.get(self.recipe)
        if not isinstance(recipe, HeadSettings):
            raise ConfigError(f"recipe={self.recipe!r}: choose from {', '.join(ON_FROZEN_FEATURES)}")
        if self.strength is not None and not 0 < float(self.strength) < float("inf"):
            raise ConfigError(f"strength={self.strength}: give a number above 0, or None to have it chosen")
        if not 0 <= self.random_state < 2**32:
            raise ConfigError(f"random_state={self.random_state}: give a whole number from 0 to 4,294,967,295")
        return replace(recipe, strength=self.strength)

    def _photos(
        self, run: HeadRun, photos: Iterable[Photo], labels: Sequence[str] | None, groups: ArrayLike | None
    ) -> LabelledPhotos:
        """Photos read and rendered as a study does."""
        taken = given(photos)
        if taken.is_one:
            raise PhotoError("photos: one photo; give a list of photos, or a column of paths", {})
        pictures = taken.pictures
        persons = None if groups is None else label_column("groups", groups)
        for name, column in (("y", labels), ("groups", persons)):
            if column is not None and len(column) != len(pictures):
                raise ConfigError(f"{name}: {len(column)} for {len(pictures)} photos; give one for each")
        detector, contents, refused = FaceDetector(), [], {}
        with PixelWriter(None, views_of(run), len(pictures)) as writer:
            for row, picture in enumerate(pictures):
                try:
                    views = _rendered(picture.load(), views_of(run), detector)
                except (UnreadableImageError, OSError, ValueError) as error:
                    refused[row] = str(error)
                    continue
                writer.put(row, views, np.zeros((SIDE, SIDE), np.uint8))
                contents.append(hashlib.sha256(b"".join(view.tobytes() for view in views.values())).hexdigest())
            if refused:
                told = "; ".join(f"photos[{row}]: {why}" for row, why in list(refused.items())[:3])
                raise PhotoError(f"{len(refused)} of {len(pictures)} photos cannot be read: {told}", refused)
            pixels = writer.pixels
        return LabelledPhotos(("given",), _manifest(contents, labels, persons), pixels, run.labels, self._memory())

    def _streams(self, run: HeadRun, photos: LabelledPhotos) -> Streams:
        export_for([run], photos, Silent())
        # In memory, however many they are: the photos themselves, which take more, are there too.
        return run_streams(run, photos, photos.manifest, lambda n: None)

    def _memory(self) -> Path:
        if self.memory is not None:
            return user_path(self.memory, "memory")
        return _process_memory()


@cache
def _process_memory() -> Path:
    """A folder for features that goes with the process; clones in one process share it."""
    kept = ExitStack()
    atexit.register(kept.close)
    return kept.enter_context(work_folder())


def _rendered(image: object, views: Iterable[View], detector: FaceDetector) -> dict[str, NDArray[np.uint8]]:
    if not isinstance(image, Image.Image):
        raise UnreadableImageError("a video or animation; give its frames")
    faces = detector.find(image).faces
    return {view.key: render(image, view, faces[0].box if faces else None) for view in views}


def _manifest(
    contents: Sequence[str], labels: Sequence[str] | None, groups: Sequence[str | None] | None
) -> pl.DataFrame:
    """What a study knows of photos, as far as a head needs it."""
    n = len(contents)
    return pl.DataFrame(
        {
            "row": np.arange(n),
            "sha256": list(contents),
            "label": list(labels) if labels is not None else [None] * n,
            "given_label": [None] * n,
            "source": ["given"] * n,
            "group": list(groups) if groups is not None else [None] * n,
            "group_kind": ["groups"] * n,
            "near_group": np.unique(contents, return_inverse=True)[1],
            "split": ["train"] * n,
        },
        schema_overrides={"label": pl.String, "group": pl.String, "given_label": pl.String, "row": pl.Int64},
    )
