"""Where lines stand on a page, and in what order they are read.

Knows no PDF library: it is handed lines with boxes in fractions of the page as shown. Leaves to
``styles.py`` what is a heading, to ``compose.py`` how lines become a page's text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from models.values import Box

_LATE_LINES = 8
_LABEL = re.compile(r"[\[(]?(?:\d+(?:\.\d+)*|[A-Za-z]|[ivxIVX]+)[.)\]]+$|[•▪●–—-]$")
_LABEL_CHARS = 7
_LABEL_GAP = 0.08
EDGE = 0.085  # running heads and feet stand in the outermost inch of a page, body text does not


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in fractions of the page as shown, origin top left; may reach outside of it."""

    x0: float
    y0: float
    x1: float
    y1: float

    def joined(self, other: Rect) -> Rect:
        """Give the smallest rectangle around both."""
        return Rect(
            min(self.x0, other.x0),
            min(self.y0, other.y0),
            max(self.x1, other.x1),
            max(self.y1, other.y1),
        )

    def overlap(self, other: Rect) -> float:
        """Give the share of this rectangle that lies in the other one."""
        wide = min(self.x1, other.x1) - max(self.x0, other.x0)
        high = min(self.y1, other.y1) - max(self.y0, other.y0)
        area = (self.x1 - self.x0) * (self.y1 - self.y0)
        return max(0.0, wide) * max(0.0, high) / area if area > 0 else 0.0

    def box(self, page: int) -> Box:
        """Give the part of it that lies on the page."""
        x0, x1 = sorted((min(max(self.x0, 0.0), 1.0), min(max(self.x1, 0.0), 1.0)))
        y0, y1 = sorted((min(max(self.y0, 0.0), 1.0), min(max(self.y1, 0.0), 1.0)))
        return Box(page, x0, y0, x1, y1)


@dataclass(frozen=True, slots=True)
class Line:
    """One line as drawn; ``size`` is the height of its type in points, 0 where unknown.

    ``goes_on`` marks a line whose last word was hyphenated and ends at the start of the next line;
    ``is_row`` the row of a ruled table, whose cells are parted by bars already. ``pieces`` counts
    what stands apart on it, as cells do.
    """

    text: str
    rect: Rect
    size: float = 0.0
    is_bold: bool = False
    goes_on: bool = False
    is_row: bool = False
    pieces: int = 1


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """Join the pieces of table rows and mend an order that jumps about the page.

    Most writers draw text in reading order, also in columns and table cells, so their order stands
    unless more than an eighth of its steps go back: up without going right, or left on one line.
    Then the page is cut recursively at its widest gaps (XY-cut: Nagy, Seth 1984).
    """
    steps = list(pairwise(lines))
    back = sum(1 for one, two in steps if _goes_back(one, two))
    if back > max(2, len(steps) / 8):
        lines = _cut(list(lines), depth=0)
    return _join_rows(_lifted(list(lines)))


def with_labels(lines: Sequence[Line]) -> list[Line]:
    """Join numbers and bullets to the lines they stand before: a reader of pictures parts them."""
    labels = [line for line in lines if len(line.text) <= _LABEL_CHARS and _LABEL.match(line.text)]
    joined: dict[int, list[Line]] = {}
    for label in labels:
        beside = [
            (line.rect.x0, at)
            for at, line in enumerate(lines)
            if line is not label
            and _same_row(label.rect, line.rect)
            and line.rect.x0 - label.rect.x1 < _LABEL_GAP
        ]
        if beside:
            joined.setdefault(min(beside)[1], []).append(label)
    gone = {id(label) for found in joined.values() for label in found}
    kept: list[Line] = []
    for at, line in enumerate(lines):
        for label in joined.get(at, ()):
            text, rect = f"{label.text} {line.text}", label.rect.joined(line.rect)
            line = replace(line, text=text, rect=rect)
        if id(lines[at]) not in gone:
            kept.append(line)
    return kept


def _lifted(lines: list[Line]) -> list[Line]:
    """Put what was drawn last but stands above all else first: banners are often drawn late."""
    for count in range(min(_LATE_LINES, len(lines) - 1), 0, -1):
        rest = [line for line in lines[:-count] if not at_edge(line)]
        late = lines[-count:]
        if rest and max(line.rect.y1 for line in late) <= min(line.rect.y0 for line in rest):
            return late + lines[:-count]
    return lines


def at_edge(line: Line) -> bool:
    """Tell a line where running heads and feet stand."""
    return line.rect.y1 < EDGE or line.rect.y0 > 1 - EDGE


def _goes_back(one: Line, two: Line) -> bool:
    height = one.rect.y1 - one.rect.y0
    if two.rect.y1 < one.rect.y0 + height * 0.3:
        return two.rect.x0 < one.rect.x1 - 0.01
    return _same_row(two.rect, one.rect)


def _cut(lines: list[Line], *, depth: int) -> list[Line]:
    """Order lines by the widest empty band across (first) or down the region."""
    if len(lines) < 2 or depth > 40:
        return lines
    down = _widest_gap([(line.rect.x0, line.rect.x1) for line in lines])
    across = _widest_gap([(line.rect.y0, line.rect.y1) for line in lines])
    if down[0] > 0.015 and down[0] >= across[0]:
        first = [line for line in lines if line.rect.x1 <= down[1]]
        rest = [line for line in lines if line.rect.x1 > down[1]]
    elif across[0] > 0:
        first = [line for line in lines if line.rect.y1 <= across[1]]
        rest = [line for line in lines if line.rect.y1 > across[1]]
    else:
        return sorted(lines, key=lambda line: (line.rect.y0, line.rect.x0))
    return _cut(first, depth=depth + 1) + _cut(rest, depth=depth + 1)


def _widest_gap(spans: list[tuple[float, float]]) -> tuple[float, float]:
    """Give the width of the widest empty band between spans, and where it begins."""
    best, begins, reached = 0.0, 0.0, None
    for low, high in sorted(spans):
        if reached is not None and low - reached > best:
            best, begins = low - reached, reached
        reached = high if reached is None else max(reached, high)
    return best, begins


def _join_rows(lines: Sequence[Line]) -> list[Line]:
    """Join neighbours that stand on one base line, left to right: cells of a table row."""
    joined: list[Line] = []
    for line in lines:
        last = joined[-1] if joined else None
        if last is not None and _may_join(last, line) and _same_row(last.rect, line.rect):
            text = f"{last.text.rstrip()} {line.text.lstrip()}"
            rect = last.rect.joined(line.rect)
            bold = last.is_bold and line.is_bold
            both = replace(last, text=text, rect=rect, is_bold=bold, goes_on=line.goes_on)
            joined[-1] = replace(both, pieces=last.pieces + line.pieces)
        else:
            joined.append(line)
    return joined


def _may_join(last: Line, line: Line) -> bool:
    """Tell pieces of one row from a page number that stands beside the last line of the text."""
    is_label = line.text.isdigit() and line.rect.y0 > last.rect.y0 + 0.002 and at_edge(line)
    return not (last.goes_on or last.is_row or line.is_row or is_label)


def _same_row(left: Rect, right: Rect) -> bool:
    low = min(left.y1 - left.y0, right.y1 - right.y0)
    shared = min(left.y1, right.y1) - max(left.y0, right.y0)
    return shared > 0.6 * low and right.x0 >= left.x1 - 0.002


def typical(values: Sequence[float]) -> float:
    """Give the median, 0 for nothing."""
    return float(median(values)) if values else 0.0
