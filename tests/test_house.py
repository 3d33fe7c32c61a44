"""The rules of the house: sizes, names, imports that run one way, and a start that touches nothing."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mien
from support.checkout import MODULES, ROOT, SRC, parsed, tree

MAX_FUNCTION = 60
VAGUE = {"utils", "util", "common", "helpers", "helper", "misc", "core", "base", "manager"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def definitions(name: str) -> Iterator[Definition]:
    """Top-level functions and classes."""
    return (node for node in tree(name).body if isinstance(node, Definition))


def public_names(name: str) -> list[str]:
    """What ``__all__`` lists; nothing where there is none."""
    for node in tree(name).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return []


def bound_names(body: list[ast.stmt]) -> set[str]:
    """Names that statements bind, those under ``if`` included."""
    names: set[str] = set()
    for node in body:
        if isinstance(node, Definition):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.If):
            names |= bound_names(node.body + node.orelse)
    return names


def loaded_after(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter loads while it runs some code."""
    script = (
        "import json, sys\nbefore = set(sys.modules)\n"
        f"{code}\n"
        "sys.stderr.write('\\n' + json.dumps(sorted({m.split('.')[0] for m in set(sys.modules) - before})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="/")
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_tests_see_the_whole_package() -> None:
    assert len(MODULES) > 30
    assert "mien/data/sources/layout.py" in MODULES


def test_functions_can_be_grasped() -> None:
    """At most 60 lines, or with a reason here."""
    functions = (
        (name, node)
        for name in MODULES
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    long = {f"{name}:{node.name}": lines for name, node in functions if (lines := length(node)) > MAX_FUNCTION}
    assert not long


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_vague_names() -> None:
    parts = {part.removesuffix(".py").strip("_") for name in MODULES for part in name.split("/")}
    assert not parts & VAGUE


def test_what_modules_promise_exists() -> None:
    missing = {name: set(public_names(name)) - bound_names(tree(name).body) for name in MODULES}
    assert not {name: names for name, names in missing.items() if names and name != "mien/__init__.py"}
    assert all(hasattr(mien, promised) for promised in mien.__all__)


def test_modules_and_public_names_are_explained_and_listed() -> None:
    silent = [name for name in MODULES if not ast.get_docstring(tree(name))]
    for name in MODULES:
        listed = set(public_names(name))
        silent += [f"{name}:{n.name}" for n in definitions(name) if n.name in listed and not ast.get_docstring(n)]
        has_public_parts = any(not node.name.startswith("_") for node in definitions(name))
        if has_public_parts and not listed and not name.startswith("mien/demo/"):
            silent.append(f"{name}: lists nothing in __all__")
    assert not silent


def test_nobody_but_the_command_line_prints_or_exits() -> None:
    ends = ("print", "exit", "sys.exit", "quit", "os._exit")
    calls = ((name, node) for name in MODULES for node in ast.walk(tree(name)) if isinstance(node, ast.Call))
    told = [f"{name}:{node.lineno}" for name, node in calls if ast.unparse(node.func) in ends]
    assert not [place for place in told if not place.startswith(("mien/cli/", "mien/system/signals.py"))]


def test_imports_run_one_way() -> None:
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if command is None or not (ROOT / "pyproject.toml").exists():
        pytest.skip("import-linter is not installed beside this Python, or this is no checkout")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_importing_mien_loads_the_standard_library_at_most() -> None:
    foreign = loaded_after("import mien; mien.__version__") - set(sys.stdlib_module_names) - {"mien"}
    assert not foreign


def test_importing_mien_opens_no_file_and_no_connection() -> None:
    code = (
        "import sys, importlib.util\n"
        "opened = []\n"
        "kinds = ('open', 'socket.connect', 'subprocess.Popen', 'os.putenv', 'os.mkdir')\n"
        "sys.addaudithook(lambda event, args: opened.append((event, str(args[0]))) if event in kinds else None)\n"
        "import mien\n"
        "print([o for o in opened if not o[1].endswith(('.py', '.pyc')) and '.pyc.' not in o[1]])"
    )
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_attribute_of_mien_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="recogniser"):
        mien.recogniser  # noqa: B018


def test_recognising_needs_no_training_library() -> None:
    loaded = loaded_after("from mien.recognizer import Recognizer")
    assert {"numpy", "PIL", "onnxruntime"} <= loaded
    assert not loaded & {"torch", "torchvision", "sklearn", "lightning", "cv2", "timm", "kornia", "matplotlib"}


def test_reading_photos_needs_no_parser_of_options() -> None:
    """Sources take a group of options, whose class must not load what makes options of it."""
    loaded = loaded_after("import mien.recognizer, mien.evaluation.evaluate")
    assert not loaded & {"cyclopts", "attrs"}


def test_recognising_leaves_nothing_behind(tmp_path: Path) -> None:
    """ONNX Runtime would: notes for its maker, in the home folder, which it sends when it can."""
    code = (
        "from mien import Recognizer\n"
        "from mien.demo import draw_face\n"
        "assert Recognizer.default().predict(draw_face('happy', 0)).label"
    )
    home = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    python_path = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
    environment = os.environ | home | {"PYTHONPATH": python_path}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-B", "-c", code], cwd=tmp_path, env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_onnx_runtime_is_imported_in_one_place() -> None:
    """There it is kept from reporting to its maker, which must happen before it is first imported."""
    importing = re.compile(r"^\s*(import|from) onnxruntime", re.M)
    places = [name for name, path in MODULES.items() if importing.search(path.read_text("utf-8"))]
    assert places == ["mien/data/measuring/runtime.py"]


def test_evaluating_and_auditing_need_no_training_library() -> None:
    loaded = loaded_after("import mien.evaluation.evaluate, mien.auditing.run, mien.telling.terminal.summaries")
    assert not loaded & {"torch", "torchvision", "sklearn", "lightning", "cv2", "timm", "kornia", "matplotlib"}


@pytest.mark.heavy
def test_judging_labels_loads_no_torch() -> None:
    """It would take most of the memory of an audit, whose backbone is exported once for all."""
    loaded = loaded_after("import mien.auditing.doubts, mien.auditing.features, mien.training.features")
    assert "sklearn" in loaded
    assert not loaded & {"torch", "timm", "lightning"}


def test_a_process_that_inspects_files_carries_neither_tables_nor_networks() -> None:
    loaded = loaded_after("import mien.data.measuring.inspection")
    assert not loaded & {"polars", "onnxruntime", "torch", "sklearn", "scipy"}


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["study", "--help"]])
def test_help_starts_without_heavy_libraries(words: list[str]) -> None:
    code = (
        f"sys.argv = ['mien', *{words}]\n"
        "from mien.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code"
    )
    loaded = loaded_after(code)
    assert "cyclopts" in loaded
    assert not loaded & {"torch", "sklearn", "polars", "onnxruntime", "numpy", "lightning", "PIL"}


def test_every_stored_text_is_held_by_a_test() -> None:
    """Tests name what they hold, and a family by the words before its comma."""
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    stored = [path.stem for path in (ROOT / "tests/snapshots").iterdir()]
    assert len(stored) > 10
    assert not [
        name
        for name in stored
        if f'as_stored(f"{name.partition(", ")[0]}, {{' not in tests and f'"{name}"' not in tests
    ]
    families = [name.partition(", ")[2] for name in stored if ", " in name]
    assert not [name for name in families if f'"{name}": ' not in tests]


def test_no_test_takes_anything_from_another_test() -> None:
    """What several tests use lies in tests/support, so that each file of tests can be read, moved and run alone."""
    offenders = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            if any(name.split(".")[-1].startswith(("test_", "conftest")) for name in names):
                offenders.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not offenders


def test_tests_lie_where_what_they_test_lies() -> None:
    """Each folder of tests is a room of the package, or holds what tests share."""
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("*.py")}
    rooms = {path.parent.relative_to(SRC) for path in SRC.rglob("*.py")}
    assert folders - rooms == {Path("support")}


def tracked_files() -> list[Path]:
    """Files of the checkout that git follows or would follow; the tests themselves are left out."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no checkout")
    names = [name for name in done.stdout.split("\0") if name and not name.startswith("tests/")]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_no_file_names_a_place_on_one_machine() -> None:
    pattern = re.compile(r"(?<![\w.])/(?:home|work|root|Users)/\w")
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found = pattern.search(text)
        assert found is None, f"{path.relative_to(ROOT)}: {text[found.start() : found.start() + 40] if found else ''}"


def test_no_large_file_is_followed() -> None:
    sizes = {path.relative_to(ROOT): path.stat().st_size for path in tracked_files()}
    weights = Path("src/mien/models/weights")
    assert not {str(path): size for path, size in sizes.items() if size > 2**20 and path.parent != weights}
    assert sum(size for path, size in sizes.items() if path.parent == weights) <= 30 * 10**6
