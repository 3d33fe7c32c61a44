"""Measure what each extra installs, in this environment: ``python docs/install_sizes.py`` writes install-sizes.json.

The table in PYTHON.md is made from it; a test compares the two.
"""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["EXTRAS", "measured", "table"]

PLACE = Path(__file__).with_name("install-sizes.json")
EXTRAS = {
    "": "predicts, audits, evaluates, exports, wraps",
    "report": "pages and figures",
    "train": "studies, comparisons, adapting, `ExpressionClassifier`, `FaceDataset`",
    "app": "the page and the service",
    "stores": "photos by address; `s3://` also needs `s3fs`, `gs://` `gcsfs`, `https://` `aiohttp`",
    "cluster": "`--cluster`: several machines",
}
"""Extra → what it is for."""
OF_GPUS = ("nvidia-", "cuda-", "triton")
"""How the names of packages begin that PyTorch needs for GPUs alone."""


def measured() -> dict[str, dict[str, int]]:
    """Extra → packages beside mien, their bytes, and how many of these are for GPUs alone."""
    found = {}
    for extra in EXTRAS:
        sizes = _needed(extra)
        gpu = sum(size for name, size in sizes.items() if name.startswith(OF_GPUS))
        found[extra] = {"packages": len(sizes), "bytes": sum(sizes.values()), "gpu_bytes": gpu}
    return found


def _needed(extra: str) -> dict[str, int]:
    """Name of each distribution that an extra needs → its bytes."""
    sizes: dict[str, int] = {}
    done: set[tuple[str, str]] = set()
    todo = [("mien", ""), ("mien", extra)]
    while todo:
        name, asked = todo.pop()
        key = name.lower().replace("_", "-")
        if (key, asked) in done:
            continue
        done.add((key, asked))
        distribution = importlib.metadata.distribution(name)
        if key != "mien":
            sizes[key] = _size(distribution)
        for line in distribution.requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": asked}):
                todo += [(needed.name, each) for each in ("", *needed.extras)]
    return sizes


def _size(distribution: importlib.metadata.Distribution) -> int:
    paths = [Path(str(distribution.locate_file(file))) for file in distribution.files or []]
    return sum(path.stat().st_size for path in paths if path.is_file())


def table(found: dict[str, dict[str, int]]) -> str:
    """The rows of the table."""
    rows = []
    for extra, what in EXTRAS.items():
        each = found[extra]
        size = _told(each["bytes"])
        if each["gpu_bytes"]:
            size += f", {_told(each['gpu_bytes'])} of it for GPUs"
        name = f"pip install 'mien[{extra}]'" if extra else "pip install mien"
        rows.append(f"| `{name}` | {what} | {each['packages']} | {size} |")
    return "\n".join(rows)


def _told(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


if __name__ == "__main__":
    PLACE.write_text(json.dumps(measured(), indent=1) + "\n", encoding="utf-8")
    print(table(measured()))
