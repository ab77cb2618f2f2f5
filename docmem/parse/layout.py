"""How glyphs on a page become lines of text: order, hyphens, headings, running lines.

Knows no PDF library: it is handed glyphs with boxes in fractions of the page as shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from docmem.pages import PageLine
from models.values import Box

_HYPHEN_WORD = re.compile(r"[^\W\d_]+$")
_WORD_START = re.compile(r"[^\W\d_]+")
_WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_NUMBER = re.compile(r"^[\s$€£(–—-]*\d[\d.,]*[)%]*$")
_HEADING_CHARS = 120
_HEADING_WORDS = 16
_EDGE = 0.085  # running heads and feet stand in the outermost inch of a page, body text does not


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

    ``goes_on`` marks a line whose last word was hyphenated and ends at the start of the next line.
    """

    text: str
    rect: Rect
    size: float = 0.0
    is_bold: bool = False
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Styles:
    """What a document's body looks like and what its running lines say, from a sample of pages."""

    body_size: float = 0.0
    body_is_bold: bool = False
    running: frozenset[str] = frozenset()
    outline: tuple[tuple[str, int], ...] = ()


def learn_styles(
    pages: Sequence[Sequence[Line]], outline: Iterable[tuple[str, int]] = ()
) -> Styles:
    """Learn body size and running lines from a sample of pages, the same whichever page is read.

    A running line stands at the edge of at least three sampled pages and a third of them, digits
    not counted.
    """
    sizes: Counter[float] = Counter()
    bold: Counter[bool] = Counter()
    edges: Counter[str] = Counter()
    for lines in pages:
        for line in lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
            bold[line.is_bold] += len(line.text)
        edges.update({_digitless(line.text) for line in lines if _at_edge(line)})
    often = max(3, len(pages) / 3)
    return Styles(
        body_size=sizes.most_common(1)[0][0] if sizes else 0.0,
        body_is_bold=bold[True] > bold[False],
        running=frozenset(text for text, pages_with in edges.items() if pages_with >= often),
        outline=tuple((_plain(title), level) for title, level in outline if _plain(title)),
    )


def compose(
    lines: Sequence[Line], styles: Styles, *, page: int, char_start: int
) -> tuple[str, tuple[PageLine, ...]]:
    """Join lines to a page's text and give each line's span, box and heading level."""
    vocabulary = _vocabulary(lines)
    text = ""
    composed: list[PageLine] = []
    for index, line in enumerate(lines):
        start = len(text)
        text += line.text
        follower = lines[index + 1] if index + 1 < len(lines) else None
        keeps = not line.goes_on or follower is None
        if line.goes_on and _keeps_hyphen(line.text, follower, vocabulary):
            text += "-"
        composed.append(
            PageLine(
                char_start + start,
                char_start + len(text),
                line.rect.box(page),
                heading_level(line, styles),
                _is_running(line, styles),
            )
        )
        if keeps and follower is not None:
            text += "\n"
    return text, tuple(composed)


def heading_level(line: Line, styles: Styles) -> int:
    """Tell a heading by the outline, else by type larger or bolder than the body's; 0 is body."""
    if not _may_be_heading(line) or _is_running(line, styles):
        return 0
    plain = _plain(line.text)
    for title, level in styles.outline:
        if plain == title:
            return level
    ratio = line.size / styles.body_size if styles.body_size > 0 else 1.0
    for level, least in ((1, 1.7), (2, 1.35), (3, 1.12)):
        if ratio >= least:
            return level
    stands_out = line.is_bold and not styles.body_is_bold
    is_capitals = plain.isupper() and len(plain) >= 8
    return 4 if ratio >= 0.95 and (stands_out or is_capitals) else 0


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
    return _join_rows(lines)


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
        if last is not None and not last.goes_on and _same_row(last.rect, line.rect):
            text = f"{last.text.rstrip()} {line.text.lstrip()}"
            rect = last.rect.joined(line.rect)
            bold = last.is_bold and line.is_bold
            joined[-1] = replace(last, text=text, rect=rect, is_bold=bold, goes_on=line.goes_on)
        else:
            joined.append(line)
    return joined


def _same_row(left: Rect, right: Rect) -> bool:
    low = min(left.y1 - left.y0, right.y1 - right.y0)
    shared = min(left.y1, right.y1) - max(left.y0, right.y0)
    return shared > 0.6 * low and right.x0 >= left.x1 - 0.002


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


def _may_be_heading(line: Line) -> bool:
    text = line.text.strip()
    parts = text.split()
    if not 2 <= len(text) <= _HEADING_CHARS or len(parts) > _HEADING_WORDS or line.goes_on:
        return False
    letters = sum(map(str.isalpha, text))
    numbers = sum(1 for part in parts if _NUMBER.match(part))
    return letters >= 2 and letters >= len(text) / 2 and numbers < 2 and text[-1] not in ".,;"


def _is_running(line: Line, styles: Styles) -> bool:
    return _at_edge(line) and _digitless(line.text) in styles.running


def _at_edge(line: Line) -> bool:
    return line.rect.y1 < _EDGE or line.rect.y0 > 1 - _EDGE


def _digitless(text: str) -> str:
    return re.sub(r"\d+", "#", " ".join(text.split())).lower()


def _plain(text: str) -> str:
    return " ".join(text.split())


def typical(values: Sequence[float]) -> float:
    """Give the median, 0 for nothing."""
    return float(median(values)) if values else 0.0
