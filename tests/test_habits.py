"""What a checkout promises besides its code: declared requirements, a lock that fits them, and files that agree."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import mien
from support.checkout import ROOT, parsed

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LOCK = ROOT / "requirements.lock"
# Where a module is not called like the distribution that brings it.
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}


@dataclass(frozen=True)
class Pin:
    """A distribution in the lock: its requirement (``name==version ; marker``), hashes, and who asked for it."""

    requirement: Requirement
    hashes: tuple[str, ...]
    asked_by: tuple[str, ...]

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        (specifier,) = self.requirement.specifier
        assert specifier.operator == "==", self.requirement
        return specifier.version


def read_lock(text: str) -> list[Pin]:
    """The pins of a lock file in pip's format.

    Raises:
        AssertionError: if a line is neither a pin, nor a hash, nor a comment.
    """
    pins: list[Pin] = []
    for line in text.splitlines():
        body = line.strip().removesuffix("\\").strip()
        if re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", body):
            pins[-1] = Pin(pins[-1].requirement, (*pins[-1].hashes, body), pins[-1].asked_by)
        elif line.startswith("    #") and pins:
            names = tuple(name for name in [body.lstrip("# ").removeprefix("via").strip()] if name)
            pins[-1] = Pin(pins[-1].requirement, pins[-1].hashes, (*pins[-1].asked_by, *names))
        elif body and not line.startswith("#"):
            assert re.match(r"[\w.-]+==", line), f"not a pin: {line}"
            pins.append(Pin(Requirement(body), (), ()))
    return pins


def own_requirements() -> list[Requirement]:
    """All that pyproject.toml asks for, with every extra; what an extra says of mien itself left out."""
    texts = [*PROJECT["dependencies"], *(text for extra in PROJECT["optional-dependencies"].values() for text in extra)]
    return [each for each in map(Requirement, texts) if canonicalize_name(each.name) != PROJECT["name"]]


def unmet(requirements: Iterable[Requirement], pins: Iterable[Pin]) -> list[str]:
    """Requirements that no pin satisfies, each with what is pinned instead."""
    versions: dict[str, list[str]] = {}
    for pin in pins:
        versions.setdefault(pin.name, []).append(pin.version)
    return [
        f"{each}: {', '.join(pinned) or 'not in the lock'}"
        for each in requirements
        if not (pinned := versions.get(canonicalize_name(each.name), []))
        or not all(each.specifier.contains(version, prereleases=True) for version in pinned)
    ]


def required_names(*extras: str) -> set[str]:
    """Distributions that mien with these extras asks for itself, extras that bring others included."""
    names: set[str] = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    for extra in extras:
        for each in map(Requirement, PROJECT["optional-dependencies"][extra]):
            is_own = canonicalize_name(each.name) == PROJECT["name"]
            names |= required_names(*each.extras) if is_own else {canonicalize_name(each.name)}
    return names


def imports(tree: ast.AST, *, at_start: bool) -> Iterator[str]:
    """Dotted names that a module imports; with ``at_start`` only those that importing it runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and at_start and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports(ast.Module(node.orelse, []), at_start=True)
        elif not (at_start and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            yield from imports(node, at_start=at_start)


def distribution(module: str) -> str | None:
    """The distribution that brings a module; None for the standard library's and mien's own."""
    top = module.split(".")[0]
    if top in sys.stdlib_module_names or top == "mien":
        return None
    return canonicalize_name(DISTRIBUTIONS.get(top, top))


def modules(folder: Path) -> dict[str, ast.Module]:
    """The parsed modules below a folder, by dotted name."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = parsed(path)
    return found


MODULES = modules(ROOT / "src/mien")


def loaded_with(*starts: str) -> dict[str, str]:
    """Distributions that importing these modules of mien imports, each with a module that does.

    Imports inside functions do not count.
    """
    assert set(starts) <= set(MODULES)
    waiting, seen, found = list(starts), set(), {}
    while waiting:
        module = waiting.pop()
        if module in seen or module not in MODULES:
            continue
        seen.add(module)
        waiting.extend(module.rsplit(".", n)[0] for n in range(1, module.count(".") + 1))
        for name in imports(MODULES[module], at_start=True):
            waiting.append(name)
            if brought_by := distribution(name):
                found[brought_by] = module
    return found


def test_the_lock_satisfies_what_is_asked_for() -> None:
    assert not unmet(own_requirements(), read_lock(LOCK.read_text("utf-8"))), "renew it: make lock"


def test_the_lock_pins_nothing_for_mien_that_mien_no_longer_asks_for() -> None:
    names = {canonicalize_name(each.name) for each in own_requirements()}
    locked = {pin.name for pin in read_lock(LOCK.read_text("utf-8")) if any("pyproject" in by for by in pin.asked_by)}
    assert locked == names, "renew it: make lock"


@pytest.mark.parametrize(
    ("asked", "pinned", "is_met"),
    [
        ("numpy>=2.0", "numpy==2.1.0", True),
        ("numpy>=2.2", "numpy==2.1.0", False),
        ("numpy>=2.0", "pillow==11.3.0", False),
        ("scikit_learn>=1.5", "Scikit.Learn==1.6", True),
        ("numpy<2", "numpy==2.1.0 ; python_full_version < '3.12'", False),
    ],
)
def test_a_lock_that_does_not_fit_is_noticed(asked: str, pinned: str, is_met: bool) -> None:
    assert (not unmet([Requirement(asked)], read_lock(f"{pinned} \\\n    --hash=sha256:{'0' * 64}\n"))) is is_met


def test_the_lock_holds_versions_and_hashes_alone() -> None:
    text = LOCK.read_text("utf-8")
    assert len(text) < 1_000_000
    assert not re.search(r"://|--(?:extra-)?index-url|--find-links|(?:^|\s)-[cefir]\s|\s@\s|\w/\w", text)
    pins = read_lock(text)
    assert len(pins) > 100
    for pin in pins:
        assert pin.hashes, f"{pin.name} has no hash"
        assert not Version(pin.version).local, f"{pin.name} is a build of one machine: {pin.version}"


def test_torch_and_torchvision_are_locked_as_a_pair() -> None:
    """torchvision 0.N goes with torch 2.M, N = M + 15, since torch 2.0."""
    versions = {pin.name: Version(pin.version) for pin in read_lock(LOCK.read_text("utf-8"))}
    lowest = {each.name: Version(next(iter(each.specifier)).version) for each in own_requirements()}
    for of in (versions, lowest):
        assert of["torchvision"].minor - of["torch"].minor == 15


def test_every_library_that_mien_imports_is_declared() -> None:
    declared = required_names(*(extra for extra in PROJECT["optional-dependencies"] if extra != "dev"))
    missing = {
        (brought_by, module)
        for module, tree in MODULES.items()
        for name in imports(tree, at_start=False)
        if (brought_by := distribution(name)) and brought_by not in declared
    }
    assert not missing


def test_every_library_that_tests_and_benchmarks_import_is_declared() -> None:
    declared = required_names(*PROJECT["optional-dependencies"])
    for folder in ("tests", "bench", "pretraining"):
        found = modules(ROOT / folder)
        own = {name.split(".")[-1] for place in ("tests", "bench", "pretraining") for name in modules(ROOT / place)}
        for module, tree in found.items():
            names = {name for name in imports(tree, at_start=False) if name.split(".")[0] not in own}
            assert not {by for name in names if (by := distribution(name))} - declared, module


@pytest.mark.parametrize(
    ("extras", "starts"),
    [
        ((), ("mien", "mien.cli", "mien.recognizer", "mien.evaluation.evaluate", "mien.auditing.run")),
        (
            ("report",),
            ("mien.telling.report.page", *(name for name in MODULES if name.startswith("mien.telling.report."))),
        ),
        (("app",), ("mien.app", *(name for name in MODULES if name.startswith("mien.app.")))),
        (
            ("train",),
            ("mien.stages", "mien.jobs.study", *(name for name in MODULES if name.startswith("mien.training."))),
        ),
    ],
)
def test_an_installation_brings_what_its_modules_import(extras: tuple[str, ...], starts: tuple[str, ...]) -> None:
    loaded = loaded_with(*starts)
    assert not {by: where for by, where in loaded.items() if by not in required_names(*extras)}


def test_imports_in_functions_and_for_type_checkers_do_not_count_at_start() -> None:
    source = (
        "import a\nif TYPE_CHECKING:\n    import b\nelse:\n    import c\ndef f():\n    import d\nclass G:\n    import e"
    )
    assert set(imports(ast.parse(source), at_start=True)) == {"a", "c", "e"}
    assert set(imports(ast.parse(source), at_start=False)) == set("abcde")


def test_the_citation_is_of_this_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == mien.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert {"message", "title", "type"} <= set(citation)


def change_sections(text: str) -> list[tuple[str, list[str]]]:
    """The heading of each version in the changelog, with its sections."""
    versions = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return [(each.splitlines()[0], re.findall(r"^### (.+)$", each, re.MULTILINE)) for each in versions]


def test_the_changelog_keeps_its_form() -> None:
    """That of Keep a Changelog 1.1.0: what is unreleased first, then versions with dates, newest first."""
    sections = change_sections((ROOT / "CHANGELOG.md").read_text("utf-8"))
    kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    headings = [heading for heading, _ in sections]
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])
    released = [Version(heading.split("]")[0][1:]) for heading in headings[1:]]
    assert released == sorted(released, reverse=True)
    for _, names in sections:
        assert names == [kind for kind in kinds if kind in names]


def test_hooks_run_what_the_check_runs_and_download_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    assert [source["repo"] for source in config["repos"]] == ["local"]
    hooks = [hook for source in config["repos"] for hook in source["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert recipe is not None
    steps = {re.sub(r"\$\(BIN\)/| \.(?=\s|$)", "", line).strip() for line in recipe[1].splitlines()}
    assert {hook["entry"].removeprefix(".venv/bin/").replace(" --force-exclude", "") for hook in hooks} == steps


def make_selections() -> dict[str, str]:
    """The marker expression of each target of the Makefile that runs the tests."""
    recipes = re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    chosen = {name: re.search(r"pytest -m '?([\w ()]+)'?", recipe) for name, recipe in recipes}
    return {name: match[1].strip() for name, match in chosen.items() if match}


def test_each_test_is_run_by_a_target_that_ci_calls() -> None:
    """Whatever its markers are, and by ``make test`` unless it is slow or needs the real photos."""
    chosen = make_selections()
    called = re.findall(r"^(?:if .*then )?make ([a-z-]+)", (ROOT / ".ci/run").read_text("utf-8"), re.MULTILINE)
    assert {"test", "test-slow", "test-data", "check"} <= set(called)
    for bits in range(8):
        marks = {name: bool(bits >> i & 1) for i, name in enumerate(("heavy", "slow", "data"))}
        runs = {target: eval(rule, {}, marks) for target, rule in chosen.items()}
        assert any(runs[target] for target in called if target in runs), marks
        assert runs["test"] is not (marks["slow"] or marks["data"])
        assert not runs["quick"] or runs["test"]
