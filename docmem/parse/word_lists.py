"""Word's numbered lists: the number that a paragraph is printed with, which its text leaves out."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docx.document import Document

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_NUMBERED = ("decimal", "lowerLetter", "upperLetter", "lowerRoman", "upperRoman")
_ROMAN = ((100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"))
_BULLET = "•"
_MOST_LEVELS = 9


@dataclass(frozen=True, slots=True)
class _Level:
    form: str
    pattern: str
    start: int


class ListNumbers:
    """Counts the lists of one document as its paragraphs come by, in order."""

    def __init__(self, document: Document) -> None:
        self._levels = _levels(document)
        self._counts: dict[str, list[int]] = defaultdict(list)

    def label(self, list_id: str, level: int) -> str:
        """Count one item of a list on a level from 0, and give its number or a bullet."""
        levels = self._levels.get(list_id, ())
        if not 0 <= level < len(levels):
            return _BULLET
        counts = self._counts[list_id]
        while len(counts) <= level:
            counts.append(levels[len(counts)].start - 1)
        del counts[level + 1 :]
        counts[level] += 1
        if levels[level].form not in _NUMBERED:
            return _BULLET
        shown = [max(count, 1) if at < level else count for at, count in enumerate(counts)]

        def number(found: re.Match[str]) -> str:
            at = int(found[1]) - 1
            return _written(shown[at], levels[at].form) if at < len(shown) else ""

        return re.sub(r"%([1-9])", number, levels[level].pattern).strip() or _BULLET


def _levels(document: Document) -> dict[str, tuple[_Level, ...]]:
    """Give the levels of each list by its id; nothing where the document has no lists."""
    try:
        root: Any = document.part.numbering_part.element
    except (KeyError, NotImplementedError):
        return {}
    kinds = {
        one.get(f"{_W}abstractNumId"): tuple(map(_level, one.findall(f"{_W}lvl")[:_MOST_LEVELS]))
        for one in root.findall(f"{_W}abstractNum")
    }
    found: dict[str, tuple[_Level, ...]] = {}
    for one in root.findall(f"{_W}num"):
        kind = one.find(f"{_W}abstractNumId")
        if kind is not None:
            found[one.get(f"{_W}numId", "")] = kinds.get(kind.get(f"{_W}val"), ())
    return found


def _level(element: Any) -> _Level:
    def value(name: str, default: str) -> str:
        child = element.find(f"{_W}{name}")
        return str(child.get(f"{_W}val", default)) if child is not None else default

    start = value("start", "1")
    first = int(start) if start.isdigit() and len(start) < 6 else 1
    return _Level(value("numFmt", "bullet"), value("lvlText", ""), first)


def _written(count: int, form: str) -> str:
    if form == "decimal" or count < 1:
        return str(count)
    text = _letters(count) if form.endswith("Letter") else _roman(count)
    return text.upper() if form.startswith("upper") else text


def _letters(count: int) -> str:
    """Write 1 as a, 27 as aa, 53 as aaa, as Word does."""
    return chr(ord("a") + (count - 1) % 26) * min((count - 1) // 26 + 1, 20)


def _roman(count: int) -> str:
    text = "m" * min(count // 1000, 20)
    count %= 1000
    for value, sign in ((900, "cm"), (500, "d"), (400, "cd"), *_ROMAN, (1, "i")):
        text += sign * (count // value)
        count %= value
    return text
