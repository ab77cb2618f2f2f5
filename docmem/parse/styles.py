"""What a document's type looks like, and which lines it makes headings or running heads and feet.

Learned from a sample of pages, so that a page reads the same whichever pages are read before it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from docmem.parse.layout import Line, at_edge

_NUMBER = re.compile(r"^[\s$€£(–—-]*\d[\d.,]*[)%]*$")
_NUMBERING = re.compile(
    r"^(?:(?:chapter|section|part|item)\s+)?(?:\d+|[ivxlc]+|[a-z])(?:[.-]\d+)*[.):]?\s+"
)
_LABEL = re.compile(r"^(?:page\s+)?[-–—|]*\s*(\d{1,5})\s*[-–—|]*$", re.I)
_HEADING_CHARS = 120
_HEADING_WORDS = 16
_HEADING_PIECES = 2  # a number and a title
_HEADING_LINES = 3  # more lines in the same large or bold type are a passage set so
_BODY_SHARE = 0.2
_TITLE_LINES = 3


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of a PDF's outline; ``level`` counts from 1, ``page`` is 0 where none is told."""

    title: str
    level: int
    page: int


@dataclass(frozen=True, slots=True)
class Styles:
    """What a document's body looks like and what its running lines say, from a sample of pages.

    ``is_read`` means that the lines were read off a picture: sizes are rough and no type is bold.
    ``label_offset`` is a printed page number less the page's own, if pages have one at their edge.
    """

    body_size: float = 0.0
    body_is_bold: bool = False
    running: frozenset[str] = frozenset()
    outline: tuple[Bookmark, ...] = ()
    label_offset: int | None = None
    is_read: bool = False


def learn_styles(pages: Mapping[int, Sequence[Line]], outline: Iterable[Bookmark] = ()) -> Styles:
    """Learn from a sample of pages by number.

    The body is set in the largest type that holds a fifth of the words: tables and notes are set
    smaller and may hold more of them. A running line stands at the edge of at least three sampled
    pages and a third of them, digits not counted.
    """
    sizes: Counter[float] = Counter()
    bold: Counter[bool] = Counter()
    edges: Counter[str] = Counter()
    offsets: Counter[int] = Counter()
    for number, lines in pages.items():
        for line in lines:
            sizes[round(line.size * 2) / 2] += len(line.text)
            bold[line.is_bold] += len(line.text)
        edges.update({_digitless(line.text) for line in lines if at_edge(line)})
        offsets.update({label - number for label in _labels(lines)})
    often = max(3, len(pages) / 3)
    common = [size for size, chars in sizes.items() if chars >= _BODY_SHARE * sizes.total()]
    offset, count = next(iter(offsets.most_common(1)), (0, 0))
    return Styles(
        body_size=max(common or [size for size, _ in sizes.most_common(1)], default=0.0),
        body_is_bold=bold[True] > bold[False],
        running=frozenset(text for text, pages_with in edges.items() if pages_with >= often),
        outline=tuple(mark for mark in outline if _plain(mark.title)),
        label_offset=offset if count >= often else None,
    )


def running_lines(lines: Sequence[Line], styles: Styles, page: int) -> list[bool]:
    """Tell the running heads and feet among a page's lines, its printed number among them."""
    outer = _outermost(lines)
    return [
        (at_edge(line) and _digitless(line.text) in styles.running)
        or (
            styles.label_offset is not None
            and line in outer
            and _label(line) == page + styles.label_offset
        )
        for line in lines
    ]


def heading_levels(
    lines: Sequence[Line], styles: Styles, page: int, running: Sequence[bool]
) -> list[int]:
    """Give each line's heading level: by the outline, else by type larger or bolder; 0 is body.

    A heading that the outline does not name stands below those that it names, but for a title.
    """
    levels = [
        0 if is_running else _level_by_type(line, styles)
        for line, is_running in zip(lines, running, strict=True)
    ]
    _drop_passages(lines, levels)
    if styles.is_read:
        _name_centred(lines, levels, running)
    if styles.outline:
        deepest = max(mark.level for mark in styles.outline)
        levels = [level if level <= 1 else max(level, deepest + 1) for level in levels]
        _name_by_outline(lines, levels, styles, page)
    return levels


def _level_by_type(line: Line, styles: Styles) -> int:
    if not _may_be_heading(line):
        return 0
    ratio = line.size / styles.body_size if styles.body_size > 0 else 1.0
    if styles.is_read:
        return 1 if ratio >= 2.0 else 2 if ratio >= 1.5 else 0
    for level, least in ((1, 1.7), (2, 1.35), (3, 1.12)):
        if ratio >= least:
            return level
    stands_out = line.is_bold and not styles.body_is_bold
    plain = _plain(line.text)
    is_capitals = plain.isupper() and len(plain) >= 8
    return 4 if ratio >= 0.95 and (stands_out or is_capitals) else 0


def _drop_passages(lines: Sequence[Line], levels: list[int]) -> None:
    """Take back the levels of text that is only set like headings: it runs on, line by line."""
    at = 0
    for level, run in groupby(list(levels)):
        end = at + len(list(run))
        follows = lines[end].text[:1] if end < len(lines) else ""
        runs_on = level >= 3 and follows.islower() and not levels[min(end, len(levels) - 1)]
        if level and (runs_on or _is_passage(lines[at:end])):
            levels[at:end] = [0] * (end - at)
        at = end


def _is_passage(lines: Sequence[Line]) -> bool:
    """Tell lines of running text: many, and most as wide as the widest."""
    if len(lines) <= _HEADING_LINES:
        return False
    widest = max(line.rect.x1 - line.rect.x0 for line in lines)
    wide = sum(line.rect.x1 - line.rect.x0 > 0.8 * widest for line in lines)
    return widest > 0.25 and wide >= len(lines) / 2


def _name_centred(lines: Sequence[Line], levels: list[int], running: Sequence[bool]) -> None:
    """Make headings of short lines that stand in the middle between wide ones."""
    body = [line.rect for line, is_running in zip(lines, running, strict=True) if not is_running]
    if len(body) < 5:
        return
    left, right = min(rect.x0 for rect in body), max(rect.x1 for rect in body)
    for at, line in enumerate(lines):
        before, after = line.rect.x0 - left, right - line.rect.x1
        is_centred = abs(before - after) < 0.1 * (right - left)
        is_short = min(before, after) > 0.12 * (right - left)
        if not running[at] and is_centred and is_short and _may_be_heading(line):
            levels[at] = levels[at] or 4


def _name_by_outline(lines: Sequence[Line], levels: list[int], styles: Styles, page: int) -> None:
    named = {_title(m.title): m.level for m in styles.outline if m.page in (0, page)}
    if not named:
        return
    at = 0
    while at < len(lines):
        for count in range(min(_TITLE_LINES, len(lines) - at), 0, -1):
            title = _title(" ".join(line.text for line in lines[at : at + count]))
            if level := named.get(title, 0):
                levels[at : at + count] = [level] * count
                at += count - 1
                break
        at += 1


def _may_be_heading(line: Line) -> bool:
    text = line.text.strip()
    parts = text.split()
    if line.is_row or line.goes_on or line.pieces > _HEADING_PIECES:
        return False
    if not 2 <= len(text) <= _HEADING_CHARS or len(parts) > _HEADING_WORDS:
        return False
    letters = sum(map(str.isalpha, text))
    numbers = sum(1 for part in parts if _NUMBER.match(part))
    return letters >= 2 and letters >= len(text) / 2 and numbers < 2 and text[-1] not in ".,;"


def _labels(lines: Sequence[Line]) -> list[int]:
    return [label for line in _outermost(lines) if (label := _label(line)) is not None]


def _label(line: Line) -> int | None:
    found = _LABEL.match(line.text)
    return int(found[1]) if found else None


def _outermost(lines: Sequence[Line]) -> list[Line]:
    """Give the lines at the very top and bottom of what is on a page."""
    if not lines:
        return []
    top, bottom = min(line.rect.y0 for line in lines), max(line.rect.y1 for line in lines)
    return [line for line in lines if line.rect.y0 < top + 0.01 or line.rect.y1 > bottom - 0.01]


def _digitless(text: str) -> str:
    return re.sub(r"\d+", "#", " ".join(text.split())).lower()


def _title(text: str) -> str:
    """Give a title to be compared: without its number, capitals and marks."""
    plain = _NUMBERING.sub("", _plain(text).casefold())
    return re.sub(r"\W+", "", plain)


def _plain(text: str) -> str:
    return " ".join(text.split())
