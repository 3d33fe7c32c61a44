"""What the tests of adapting share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.drawn_sets import draw_set
from support.studies import made_once


@pytest.fixture(scope="session")
def elsewhere(of_all_workers: Path) -> Path:
    """Face crops in three classes of the study, under other names."""
    folders = {"Angry": "anger", "happiness": "happy", "sad": "sad"}
    return (
        made_once(
            of_all_workers / "to-adapt-to",
            lambda root: draw_set(root / "elsewhere", folders, 40, style="grey", first=400),
        )
        / "elsewhere"
    )
