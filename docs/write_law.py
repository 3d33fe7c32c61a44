"""Write LAW.md from the words that the page, the service and every model card say: ``python docs/write_law.py``."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from mien.telling.words.notice import BARRED, INTENDED, plain_notice

__all__ = ["page"]

WIDTH = 118
LICENCES = """The text lies beside the weights, as `NOTICE.md`.

```{include} ../src/mien/models/weights/NOTICE.md
:start-line: 1
```
"""


def page() -> str:
    """The page."""
    parts = {
        "Before use": textwrap.fill(plain_notice(), WIDTH),
        "Intended uses": _list(INTENDED),
        "Uses that are barred": _list(BARRED),
        "Licences of the shipped weights": LICENCES,
    }
    told = "What the law asks of those who use a recogniser, and what may be done with the shipped weights."
    head = f"# Law and licences\n\n{told}\n"
    return head + "".join(f"\n## {title}\n\n{text.rstrip()}\n" for title, text in parts.items())


def _list(sentences: Sequence[str]) -> str:
    return "\n".join(textwrap.fill(f"- {each}", WIDTH, subsequent_indent="  ") for each in sentences)


if __name__ == "__main__":
    Path(__file__).with_name("LAW.md").write_text(page(), encoding="utf-8")
