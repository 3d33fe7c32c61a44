"""mien as people install it, made from nothing: its two packages, and the base installation, which needs no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from mien.demo import draw_face
from mien.version import __version__
from support.checkout import ROOT

MOST_BYTES = 0.8e9
MOST_PACKED = 30e6
"""Of the wheel and of the source, most of which are weights."""
HEAVY = {"torch", "torchvision", "lightning", "timm", "sklearn", "kornia", "matplotlib", "gradio"}
UNREACHABLE = (
    "No matching distribution",
    "NewConnectionError",
    "Failed to fetch",
    "error sending request",
    "dns error",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="the environment's layout is that of Linux and macOS"),
]


def done(command: Sequence[str | Path], folder: Path) -> str:
    """What a command prints, which must succeed; a machine without a package index skips the test."""
    own = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    found = subprocess.run([*map(str, command)], cwd=folder, env=own, capture_output=True, text=True, check=False)
    if any(said in found.stderr for said in UNREACHABLE):
        pytest.skip("no package index can be reached")
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source package, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("packed")
    done([sys.executable, "-m", "uv", "build", "--quiet", "--out-dir", folder, ROOT], folder)
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return source, wheel


@pytest.fixture(scope="module")
def bare(packed: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with mien's wheel and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "env", with_pip=True)
    done([folder / "env/bin/pip", "--disable-pip-version-check", "install", "-q", packed[1]], folder)
    return folder / "env"


def test_the_wheel_holds_the_package_and_nothing_else(packed: tuple[Path, Path]) -> None:
    source, wheel = packed
    own = [path.relative_to(ROOT / "src") for path in (ROOT / "src/mien").rglob("*") if path.is_file()]
    files = sorted(path.as_posix() for path in own if "__pycache__" not in path.parts)
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        about = Parser().parsestr(archive.read(f"mien-{__version__}.dist-info/METADATA").decode())
    assert sorted(names) == files
    with tarfile.open(source) as unpacked:
        held = {name.partition("/")[2] for name in unpacked.getnames()}
    assert {*(f"src/{name}" for name in files), "pyproject.toml", "README.md", "LICENSE"} <= held
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text("utf-8").split() if "*" not in line]
    assert "weights" in ignored
    assert not {name.partition("/")[0] for name in held} & {*ignored}, "nothing that lay about in the checkout"
    assert max(source.stat().st_size, wheel.stat().st_size) <= MOST_PACKED
    assert (about["Version"], about["License-Expression"]) == (__version__, "Apache-2.0")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(about.get_all("Provides-Extra") or []) == set(project["optional-dependencies"])


def named_pythons() -> list[str]:
    """Those of the classifiers, as in ``3.11``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = [each.rpartition(" ")[2] for each in project["classifiers"] if each.startswith("Programming Language")]
    named = [name for name in names if "." in name]
    wanted = SpecifierSet(project["requires-python"])
    assert named
    assert all(f"{name}.0" in wanted for name in named)
    lowest = min(int(name.partition(".")[2]) for name in named)
    assert f"3.{lowest - 1}.99" not in wanted, "the oldest Python that installs mien is one that is named"
    assert f"{sys.version_info[0]}.{sys.version_info[1]}" in named
    return named


@pytest.mark.parametrize("python", named_pythons())
def test_every_python_that_is_named_has_wheels_of_all_that_mien_needs(python: str, tmp_path: Path) -> None:
    options = ["--extra", "train", "--extra", "app", "--only-binary", ":all:", "--python-version", python]
    done(
        [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "pyproject.toml", *options, "-o", tmp_path / "x"],
        ROOT,
    )
    assert "torch==" in (tmp_path / "x").read_text("utf-8")


def test_base_installation_recognises_audits_and_evaluates(bare: Path, tmp_path: Path) -> None:
    draw_face("fear", 0).save(tmp_path / "drawn.png")
    mien = bare / "bin/mien"
    assert json.loads(done([mien, "predict", "drawn.png", "--jsonl"], tmp_path))["label"] == "fear"
    audited = json.loads(done([mien, "audit", "demo", "--json"], tmp_path))
    assert audited["data"]["copies"]["near"]["groups"] >= 1
    evaluated = json.loads(done([mien, "evaluate", "default", "demo", "--json"], tmp_path))
    assert evaluated["target"]["shared"]["images"] > 500
    assert evaluated["target"]["shared"]["interval"]
    code = "import mien; print(mien.evaluate('default', 'demo::target', progress=False).scores.images)"
    assert int(done([bare / "bin/python", "-c", code], tmp_path)) > 100


def test_base_installation_is_small_and_says_what_it_lacks(bare: Path, tmp_path: Path) -> None:
    (packages,) = (bare / "lib").glob("python*/site-packages")
    installed = {path.name.split("-")[0].lower() for path in packages.iterdir()}
    assert not installed & HEAVY
    assert sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) <= MOST_BYTES
    for name, extra in {
        "mien.study('demo', progress=False)": "train",
        "mien.FaceDataset": "train",
        "mien.ExpressionClassifier": "train",
        "mien.evaluate('default', 'demo', out='x', progress=False)": "report",
    }.items():
        code = f"import mien\ntry:\n    {name}\nexcept mien.errors.MissingExtraError as error:\n    print(error)"
        assert f"pip install 'mien[{extra}]'" in done([bare / "bin/python", "-c", code], tmp_path)
        assert not (tmp_path / "x").exists()
