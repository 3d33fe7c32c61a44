"""What ``mien predict`` tells and writes of videos, beside the answers to their frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mien.errors import OutputError
from mien.results.face_times import FaceTimes
from mien.results.prediction import Prediction
from mien.system.files import not_written, write_text
from mien.system.leftovers import is_free
from mien.system.paths import user_path
from mien.system.streams import escaped

__all__ = ["Films", "answer_place"]


def answer_place(given: str, *, resume: bool) -> Path:
    """A folder that can be made, or gone on with.

    Raises:
        ConfigError: if there can be no such folder.
        OutputError: if it exists and is not resumed, or if there is no folder to make it in.
    """
    folder = user_path(given, "--out")
    if not (resume and folder.is_dir()) and not is_free(folder):
        raise OutputError(f"{folder}: exists already; give another --out, or --resume to go on with it")
    if not folder.absolute().parent.is_dir():
        raise OutputError(f"{folder}: there is no folder {folder.parent} to make it in; give another --out")
    return folder


class Films:
    """Answers to the frames of videos, added up as they come; all are kept only where plots are wanted."""

    def __init__(self, *, keeps: bool = False) -> None:
        """Begin.

        Args:
            keeps: whether ``write`` is to plot them.
        """
        self._keeps, self._times = keeps, FaceTimes()
        self._answers: dict[str, list[Prediction]] = {}

    def add(self, answer: Prediction) -> None:
        """Take an answer; one to a still picture counts for nothing."""
        self._times.add(answer)
        if self._keeps and answer.frame is not None and answer.probabilities:
            self._answers.setdefault(answer.path, []).append(answer)

    def told(self) -> Iterator[str]:
        """Lines for the terminal."""
        from mien.telling.terminal.films import face_lines

        yield from face_lines(self._times.faces())

    def write(self, folder: Path, labels: Sequence[str]) -> Iterator[str]:
        """Write a table of faces and a plot of each video, where there are any, and say what was written.

        Raises:
            OutputError: if the folder cannot be written.
        """
        from mien.telling.terminal.films import face_table

        faces = self._times.faces()
        if not faces:
            return
        try:
            write_text(face_table(faces, labels), folder / "faces.csv")
            yield f"mien: wrote {escaped(str(folder / 'faces.csv'))}"
            yield from self._plots(folder, _plot_names(list(self._answers)), labels)
        except OSError as error:
            raise not_written(folder, error) from error

    def _plots(self, folder: Path, names: Mapping[str, str], labels: Sequence[str]) -> Iterator[str]:
        try:
            from mien.telling.report.film_plot import film_plot
        except ModuleNotFoundError as error:
            if error.name and error.name.split(".")[0] == "mien":
                raise
            yield f"mien: plots need {error.name}, which is not installed; run: pip install 'mien[report]'"
            return
        for path, name in names.items():
            write_text(film_plot(self._answers[path], labels), folder / name)
            yield f"mien: wrote {escaped(str(folder / name))}"


def _plot_names(paths: Sequence[str]) -> dict[str, str]:
    """Path of a video → name of its plot; of two videos of one name the second is numbered."""
    names: dict[str, str] = {}
    for path in paths:
        stem = Path(path.rpartition("::")[2]).stem
        tried = (f"{stem}.svg" if i == 1 else f"{stem}-{i}.svg" for i in range(1, len(names) + 2))
        names[path] = next(name for name in tried if name not in names.values())
    return names
