"""Terms that explain themselves: on hover, on a tap, and when they are reached with the keyboard. No script."""

from __future__ import annotations

import re
from collections.abc import Mapping

from markupsafe import Markup, escape

__all__ = ["Terms"]


GIVEN = r"--[a-z-]+(?: [a-z]+\.csv| [a-z0-9]+(?= --|[.,:]|$))?"
TYPED = rf"mien [a-z]+(?: (?:[A-Z_]{{4,}}|{GIVEN}|[a-z]+\.csv)\b)*|{GIVEN}"
"""What is typed, in a sentence: a command with its arguments, or an option."""


class Terms:
    """Marks each term where it is met first in a section of the page."""

    def __init__(self, definitions: Mapping[str, str], spellings: Mapping[str, str]) -> None:
        """Terms that are not yet met.

        Args:
            definitions: term → its explanation.
            spellings: another spelling → the term.
        """
        self._definitions = definitions
        self._terms = {term: term for term in definitions} | dict(spellings)
        longest_first = sorted(self._terms, key=len, reverse=True)
        self._any = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))}|{TYPED})(?![\w-])")
        self._met: set[str] = set()
        self._marked = 0

    def new_section(self) -> str:
        """Begin a section, in which every term is explained anew; gives nothing to show."""
        self._met.clear()
        return ""

    def term(self, term: str, shown: str | None = None) -> Markup:
        """A term with its explanation, or as it is where the section explained it already."""
        shown = shown or term
        if term in self._met:
            return Markup('<span class="nb">{}</span>').format(shown)
        self._met.add(term)
        self._marked += 1
        name = f"term-{self._marked}"
        return Markup(
            '<dfn class="term" tabindex="0" aria-describedby="{}"><span class="nb">{}</span>'
            '<span class="tip" role="tooltip" id="{}">{}</span></dfn>'
        ).format(name, shown, name, self._definitions[term])

    def explained(self, text: str) -> Markup:
        """A sentence in which terms explain themselves and commands look like what is typed."""
        parts, place = [], 0
        for found in self._any.finditer(text):
            parts += [escape(text[place : found.start()]), self._marked_up(found[0])]
            place = found.end()
        return Markup("").join([*parts, escape(text[place:])])

    def _marked_up(self, words: str) -> Markup:
        """A term, or what is typed, of which no word is broken at the end of a line."""
        if words in self._terms:
            return self.term(self._terms[words], words)
        return Markup("<code>{}</code>").format(
            Markup(" ").join(Markup('<span class="nb">{}</span>').format(word) for word in words.split(" "))
        )
