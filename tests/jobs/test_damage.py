"""A study folder that was damaged: caches are made again, what cannot be is refused in one true line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mien.errors import ConfigError, MienError, OutputError, SourceError
from mien.jobs.study import run_study
from mien.progress import Silent
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml
from mien.system.files import SUMS
from mien.system.in_use import in_use
from mien.version import NUMBERS, __version__
from support.outcomes import numbers, strict_json
from support.studies import Study

Harm = Callable[[Path], object]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)


def untyped(path: Path) -> None:
    """As a person's own program would write it."""
    pl.read_parquet(path).with_columns(pl.col("row").cast(pl.String)).write_parquet(path)


def again(folder: Path, config: StudySettings) -> None:
    run_study(config, folder, resume=True, progress=Silent())


OPENED_AGAIN = {
    "runs/scratch/checkpoints/last.ckpt": "runs/scratch/model.*",
    "runs/scratch/checkpoints/best.ckpt": "runs/scratch/model.*",
}
"""File → what has to go for it to be opened."""


@pytest.mark.parametrize("with_sums", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("study.toml", cut),
        ("manifest.parquet", cut),
        ("manifest.parquet", empty),
        ("manifest.parquet", untyped),
        ("runs/scratch/checkpoints/last.ckpt", cut),
        ("runs/scratch/checkpoints/best.ckpt", empty),
        ("runs/scratch/history.csv", cut),
        ("runs/scratch/predictions.parquet", empty),
        ("runs/probe/model.onnx", change),
        ("runs/scratch/config.toml", cut),
    ],
)
def test_what_cannot_be_made_again_is_refused(
    name: str, harm: Harm, with_sums: bool, small_study: Study, study_copy: Path
) -> None:
    """With and without the sums beside it, as in a folder of an earlier version."""
    config = read_toml(StudySettings, small_study.folder / "study.toml")
    for path in study_copy.glob(OPENED_AGAIN.get(name, "nothing")):
        path.unlink()
    if name.startswith("runs/probe"):
        (study_copy / "runs/probe/predictions.parquet").unlink()
    path = study_copy / name
    if not with_sums:
        (path.parent / SUMS).unlink(missing_ok=True)
    harm(path)
    with pytest.raises(MienError) as refused:
        again(study_copy, config)
    said = str(refused.value)
    assert "\n" not in said
    assert name in said


@pytest.mark.parametrize("harm", [change, Path.unlink])
def test_caches_are_made_again_with_the_same_numbers(harm: Harm, small_study: Study, study_copy: Path) -> None:
    harmed = [*study_copy.glob("pixels/*.npy"), *study_copy.glob("features/*.npy"), *study_copy.glob("features/*.onnx")]
    assert len(harmed) > 3
    for path in harmed:
        harm(path)
    for path in study_copy.glob("runs/probe/*"):
        path.unlink() if path.is_file() else None
    again(study_copy, read_toml(StudySettings, small_study.folder / "study.toml"))
    found = strict_json((study_copy / "results.json").read_text(encoding="utf-8"))
    assert numbers(found) == numbers(small_study.results)


@pytest.mark.parametrize(
    ("was", "other", "said"),
    [
        (f'mien = "{__version__}"', 'mien = "99.8.7"', r"99\.8\.7"),
        (f"numbers = {NUMBERS}\n", f"numbers = {NUMBERS - 1}\n", "before its numbers changed"),
        (f"numbers = {NUMBERS}\n", "", "before its numbers changed"),
    ],
)
def test_a_study_of_another_version_is_refused_by_its_number(
    small_study: Study, study_copy: Path, was: str, other: str, said: str
) -> None:
    config = read_toml(StudySettings, small_study.folder / "study.toml")
    stored = study_copy / "study.toml"
    text = stored.read_text(encoding="utf-8")
    (study_copy / SUMS).unlink()
    assert was in text
    stored.write_text(text.replace(was, other), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        again(study_copy, config)


def test_two_at_once(small_study: Study, study_copy: Path) -> None:
    config = read_toml(StudySettings, small_study.folder / "study.toml")
    with in_use(study_copy, print, resume=True), pytest.raises(OutputError, match="in use by process"):
        again(study_copy, config)


def test_photos_that_changed_are_named(small_study: Study, study_copy: Path) -> None:
    """Here all of them, since the sets of a study of other photos have other names."""
    config = read_toml(StudySettings, small_study.folder / "study.toml")
    manifest = pl.read_parquet(study_copy / "manifest.parquet")
    first = manifest["id"][0]
    manifest.with_columns(
        pl.when(pl.col("id") == first).then(pl.lit("0" * 64)).otherwise("sha256").alias("sha256")
    ).write_parquet(study_copy / "manifest.parquet")
    (study_copy / SUMS).unlink()
    with pytest.raises(SourceError, match="changed") as refused:
        again(study_copy, dataclasses.replace(config))
    assert first in str(refused.value)


def test_photos_that_are_labelled_otherwise_now_are_named(small_study: Study, study_copy: Path) -> None:
    """As after an edit of the table that a study was made of."""
    config = read_toml(StudySettings, small_study.folder / "study.toml")
    manifest = pl.read_parquet(study_copy / "manifest.parquet")
    first, label = manifest.filter(pl.col("status") == "ok").select("id", "label").row(0)
    other = next(each for each in small_study.results["labels"] if each != label)
    manifest.with_columns(
        pl.when(pl.col("id") == first).then(pl.lit(other)).otherwise("label").alias("label")
    ).write_parquet(study_copy / "manifest.parquet")
    (study_copy / SUMS).unlink()
    with pytest.raises(SourceError, match="labelled otherwise") as refused:
        again(study_copy, dataclasses.replace(config))
    assert first in str(refused.value)
