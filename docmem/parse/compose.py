"""How lines become a page's text: words joined at line ends, notes moved, each line's part told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from docmem.pages import LineRole, PageLine
from docmem.parse.layout import Line, in_reading_order
from docmem.parse.roles import line_roles
from docmem.parse.styles import Styles, heading_levels, running_lines

_HYPHEN_WORD = re.compile(r"[^\W\d_]+$")
_WORD_START = re.compile(r"[^\W\d_]+")
_WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def compose(
    lines: Sequence[Line], styles: Styles, *, page: int, char_start: int
) -> tuple[str, tuple[PageLine, ...]]:
    """Join a page's lines, in whatever order, to its text; give each line's span, box and part.

    Footnotes leave the sentence that they interrupt and stand at the end of the page.
    """
    parts = _in_parts(in_reading_order(lines), styles, page)
    ordered = [line for line, _, _, _ in parts]
    vocabulary = _vocabulary(ordered)
    text = ""
    composed: list[PageLine] = []
    for index, (line, level, is_running, role) in enumerate(parts):
        start = len(text)
        text += line.text
        follower = ordered[index + 1] if index + 1 < len(ordered) else None
        keeps = not line.goes_on or follower is None
        if line.goes_on and _keeps_hyphen(line.text, follower, vocabulary):
            text += "-"
        span = char_start + start, char_start + len(text)
        composed.append(PageLine(*span, line.rect.box(page), level, is_running, role))
        if keeps and follower is not None:
            text += "\n"
    return text, tuple(composed)


def _in_parts(
    lines: Sequence[Line], styles: Styles, page: int
) -> list[tuple[Line, int, bool, LineRole]]:
    """Give each line with its level and role, in the order in which they are read."""
    running = running_lines(lines, styles, page)
    roles = line_roles(lines, running, styles.body_size)
    levels = heading_levels(lines, styles, page, running)
    parts = [
        (line, 0 if role != "body" else level, is_running, role)
        for line, level, is_running, role in zip(lines, levels, running, roles, strict=True)
    ]
    return sorted(parts, key=lambda part: part[3] == "footnote")


def _keeps_hyphen(text: str, follower: Line | None, vocabulary: Counter[str]) -> bool:
    """Tell a hyphen that belongs to the word from one that only parts it at the line's end."""
    left = _HYPHEN_WORD.search(text)
    right = _WORD_START.match(follower.text) if follower else None
    if left is None or right is None:
        return True
    one, two = left.group(), right.group()
    if one[-1].islower() != two[0].islower():
        return True
    if vocabulary[f"{one}-{two}".lower()]:
        return True
    if vocabulary[f"{one}{two}".lower()]:
        return False
    both_are_words = bool(vocabulary[one.lower()] and vocabulary[two.lower()])
    return both_are_words and min(len(one), len(two)) >= 3


def _vocabulary(lines: Sequence[Line]) -> Counter[str]:
    """Count the words of a page that no line end cut in two."""
    words: Counter[str] = Counter()
    cut_before = False
    for line in lines:
        found = [word.group().lower() for word in _WORDS.finditer(line.text)]
        words.update(found[int(cut_before) : len(found) - int(line.goes_on)])
        cut_before = line.goes_on
    return words
