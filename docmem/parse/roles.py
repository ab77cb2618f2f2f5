"""Which lines of a page are captions of figures and tables, and which are footnotes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from docmem.captions import caption_label
from docmem.pages import LineRole
from docmem.parse.layout import Line, Rect

_NOTE = re.compile(r"(?:\(?\d{1,2}[).]?|[*†‡§¶]{1,3}|\([a-z]\))\s*[^\W\d_]")
_ENDS = (".", "!", "?", ":", ")", "”")
_MOST_LINES = 12
_SMALL = 0.93


def line_roles(lines: Sequence[Line], running: Sequence[bool], body_size: float) -> list[LineRole]:
    """Give each line's role; lines come in reading order.

    A caption begins a paragraph with its label (``Figure 3:``). A footnote begins with its mark, in
    the lower half and in type smaller than the body's, with no body text below it in its column.
    """
    roles: list[LineRole] = ["body"] * len(lines)
    at = 0
    while at < len(lines):
        role: LineRole = "body"
        if not running[at] and not lines[at].is_row:
            if _begins_caption(lines, at) and lines[at].size <= 1.1 * body_size:
                role = "caption"
            elif body_size > 0 and _begins_note(lines, running, at, body_size):
                role = "footnote"
        end = at + 1
        if role != "body":
            while end < min(at + _MOST_LINES, len(lines)) and _goes_on(lines, at, end, running):
                end += 1
            roles[at:end] = [role] * (end - at)
        at = end
    return roles


def _begins_caption(lines: Sequence[Line], at: int) -> bool:
    line = lines[at]
    if not caption_label(line.text):
        return False
    before = lines[at - 1] if at else None
    return (
        before is None
        or before.text.rstrip().endswith(_ENDS)
        or not _is_below(before, line)
        or abs(before.size - line.size) > 0.04 * line.size
        or before.is_bold != line.is_bold
    )


def _begins_note(lines: Sequence[Line], running: Sequence[bool], at: int, body_size: float) -> bool:
    line = lines[at]
    is_small = line.size <= _SMALL * body_size and line.rect.y0 > 0.45
    if not is_small or not _NOTE.match(line.text) or len(line.text) < 12:
        return False
    below = (
        other
        for other, is_running in zip(lines, running, strict=True)
        if not is_running and other.rect.y0 >= line.rect.y1 and _share_column(other.rect, line.rect)
    )
    return all(other.size <= _SMALL * body_size and not other.is_row for other in below)


def _goes_on(lines: Sequence[Line], first: int, at: int, running: Sequence[bool]) -> bool:
    """Tell that a line belongs to the paragraph that the one before it is of."""
    line, before = lines[at], lines[at - 1]
    return not (
        running[at]
        or line.is_row
        or caption_label(line.text)
        or _NOTE.match(line.text)
        or abs(line.size - lines[first].size) > 0.1 * lines[first].size
        or not _is_below(before, line)
    )


def _is_below(before: Line, line: Line) -> bool:
    """Tell that a line stands right below another, in its column."""
    height = before.rect.y1 - before.rect.y0
    gap = line.rect.y0 - before.rect.y1
    return -0.5 * height < gap < 0.75 * height and _share_column(before.rect, line.rect)


def _share_column(one: Rect, two: Rect) -> bool:
    shared = min(one.x1, two.x1) - max(one.x0, two.x0)
    return shared > 0.3 * min(one.x1 - one.x0, two.x1 - two.x0)
