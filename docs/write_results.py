"""Write RESULTS.md, the documentation of results as JSON, from the types: ``python docs/write_results.py``."""

from __future__ import annotations

from pathlib import Path

from mien.results.reference import reference

if __name__ == "__main__":
    Path(__file__).with_name("RESULTS.md").write_text(reference(), encoding="utf-8")
