"""The page of layouts names the test of each row, and every name on it is known to the code."""

from __future__ import annotations

import re
from pathlib import Path

from mien.data.sources.presets import PRESETS
from mien.settings.columns import Columns

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "LAYOUTS.md").read_text(encoding="utf-8")
HERE = Path(__file__).parent


def test_every_row_names_a_test_that_there_is() -> None:
    tests = {
        letter: set(re.findall(r"^def (test_\w+)", (HERE / name).read_text(encoding="utf-8"), re.MULTILINE))
        for letter, name in (("L", "test_layout.py"), ("T", "test_table_kinds.py"))
    }
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.endswith("| test |")]
    assert len(rows) > 40
    for row in rows:
        cell = row.rstrip("| ").rpartition(" | ")[2]
        named = re.findall(r"(?:\b([LT]) )?`(test_\w+)`", cell)
        assert named, row
        letter = ""
        for given, name in named:
            letter = given or letter
            assert name in tests[letter], name


def test_every_option_and_preset_on_the_page_is_one() -> None:
    fields = {f"--{name.replace('_', '-')}" for name in Columns.__dataclass_fields__} | {"--dry-run"}
    assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", PAGE)) <= fields
    assert all(f"`{name}`" in PAGE for name in PRESETS)
