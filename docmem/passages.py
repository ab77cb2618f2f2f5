"""How pages are cut into passages: at sentence ends, rows and turns, never across a page.

Knows pages and lines, not formats. A passage's text is the document's text of its span, with line
breaks inside prose as blanks (so offsets still match); only a piece of a table or of a long turn
that begins in the middle has its table head or speaker written before it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from math import ceil
from typing import Literal, TypeAlias

from docmem.captions import caption_label, is_figure
from docmem.pages import LineRole, Page, PageLine
from docmem.sentences import count_words, sentence_spans
from docmem.tables import find_tables, row_prefixes
from docmem.turns import is_stamp, turn_head
from models.values import Box, Locator, PageSpan

HEADING_JOIN = " › "

_Kind: TypeAlias = Literal["heading", "text", "table", "row", "turn", "figure", "footnote"]

_Run: TypeAlias = tuple[int, LineRole, list[PageLine]]

_FIGURE_WORDS = 8  # a line with more words is prose, not a label in a figure
_CAPTION_WORDS = 40


@dataclass(frozen=True, slots=True)
class PassageParams:
    """How long passages are, in words.

    A section of up to ``max_words`` stays whole, a longer one is parted evenly into pieces of about
    ``target_words``; one shorter than ``min_words`` joins its neighbour on the page. Transcripts
    are cut to ``turn_words``, all three lengths in proportion. Measured on the development split,
    fused: MMLongBench pages are found best at 220 (recall@10 0.87, at 160 0.80, at 110 0.77), turns
    of LoCoMo at 160 (recall in 750 words 0.83, at 220 0.63).
    """

    target_words: int = 220
    max_words: int = 300
    min_words: int = 80
    turn_words: int = 160

    def __post_init__(self) -> None:
        if not 0 < self.min_words <= self.target_words <= self.max_words or self.turn_words < 1:
            raise ValueError(f"not a range of lengths: {self}")

    def for_turns(self) -> PassageParams:
        """Give the lengths for a page of turns, never longer than those for prose."""
        share = min(1.0, self.turn_words / self.target_words)
        target, most, least = (
            max(1, round(words * share))
            for words in (self.target_words, self.max_words, self.min_words)
        )
        return PassageParams(target, most, least, self.turn_words)


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of text inside a page (or a video's event): where it is, what it says, under what head.

    ``order`` counts from 0 through the document; ``heading`` is the path ``A › B`` or empty. Search
    and encode both together: on the development PDFs page recall@5 of fused retrieval is 6 to 7
    points better than over the text alone.
    """

    order: int
    locator: Locator
    text: str
    heading: str = ""
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is never parted: a heading, a sentence, a row, a small table, a turn, a figure."""

    start: int
    end: int
    kind: _Kind
    words: int
    path: tuple[str, ...]
    prefix: str = ""  # what a passage that begins here needs to be understood


def cut(pages: Iterable[Page], params: PassageParams = PassageParams()) -> Iterator[Passage]:
    """Cut pages into passages in document order; headings carry over from page to page."""
    order = 0
    headings = _Headings()
    for page in pages:
        lengths = params.for_turns() if _is_transcript(page) else params
        units = _units(page, headings, lengths)
        for group in _packed(units, lengths):
            yield _passage(order, page, group)
            order += 1


class _Headings:
    """The headings that are open at this point of the document."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(title for _, title in self._open)

    def enter(self, level: int, title: str) -> None:
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, title))


def _units(page: Page, headings: _Headings, params: PassageParams) -> list[_Unit]:
    units: list[_Unit] = []
    turns = _is_transcript(page)
    runs = _runs(page)
    for index, (level, role, run) in enumerate(runs):
        if level:
            units += _heading_units(page, run, headings)
        elif role == "caption":
            units += _caption_units(page, run, headings.path, params)
        elif role == "footnote":
            units += _whole_units(page, run, "footnote", headings.path, params)
        elif turns:
            units += _turn_units(page, run, headings.path, params)
        else:
            above = _table_caption(page, runs[index - 1 : index]) if index else ""
            below = _table_caption(page, runs[index + 1 : index + 2])
            units += _body_units(page, run, headings.path, params, (above, below))
    return units


def _runs(page: Page) -> list[_Run]:
    """Part a page's lines where level or role change; a figure's labels go with its caption."""
    runs: list[_Run] = []
    for (level, role), group in groupby(
        _read_lines(page), key=lambda line: (line.heading_level, line.role)
    ):
        run = list(group)
        if role == "caption" and is_figure(page.line_text(run[0])) and runs:
            before_level, before_role, before = runs[-1]
            count = _label_lines(page, before) if (before_level, before_role) == (0, "body") else 0
            if count:
                runs[-1:] = [(0, "body", before[:-count])] if count < len(before) else []
                run = before[-count:] + run
        runs.append((level, role, run))
    return runs


def _label_lines(page: Page, run: list[PageLine]) -> int:
    """Count the lines at the end of a run that are labels drawn in a figure."""
    count = 0
    while count < len(run) and count_words(page.line_text(run[-1 - count])) <= _FIGURE_WORDS:
        count += 1
    # Two short lines may as well end a paragraph and stand over the figure by chance.
    return count if count >= 3 else 0


def _caption_units(
    page: Page, run: list[PageLine], path: tuple[str, ...], params: PassageParams
) -> Iterator[_Unit]:
    """Make a unit of each figure with its labels, and of each table's caption."""
    labels = [(at, label) for at, line in enumerate(run) if (label := _label(page, line))]
    starts = [0, *[at for at, _ in labels[1:]], len(run)]
    for (first, last), (_, label) in zip(pairwise(starts), labels, strict=True):
        if is_figure(label):
            yield from _whole_units(page, run[first:last], "figure", (*path, label), params)
        else:
            yield from _whole_units(page, run[first:last], "text", path, params)


def _label(page: Page, line: PageLine) -> str:
    return caption_label(page.line_text(line)) if line.role == "caption" else ""


def _whole_units(
    page: Page, run: list[PageLine], kind: _Kind, path: tuple[str, ...], params: PassageParams
) -> Iterator[_Unit]:
    """Make one unit of lines, or its sentences where that is too long."""
    whole = _unit(page, run[0].char_start, run[-1].char_end, kind, path)
    if whole.words <= params.max_words:
        yield whole
    else:
        yield from _sentence_units(page, whole.start, whole.end, path, params)


def _table_caption(page: Page, runs: Sequence[_Run]) -> str:
    """Give the caption of a table that a run is, short enough to be written before its rows."""
    if not runs:
        return ""
    _, role, run = runs[0]
    text = " ".join(" ".join(page.line_text(line) for line in run).split())
    is_caption = role == "caption" and not is_figure(text)
    return " ".join(text.split()[:_CAPTION_WORDS]) if is_caption else ""


def _heading_units(page: Page, run: list[PageLine], headings: _Headings) -> Iterator[_Unit]:
    title = " ".join(page.line_text(line).strip(" #\t*_") for line in run)
    # Lines of one heading follow each other; many of them are a list set in bold, taken one by one.
    groups = [run] if len(title) <= 150 else [[line] for line in run]
    for lines in groups:
        words = " ".join(" ".join(page.line_text(line).strip(" #\t*_") for line in lines).split())
        headings.enter(lines[0].heading_level, words)
        yield _unit(page, lines[0].char_start, lines[-1].char_end, "heading", headings.path)


def _turn_units(
    page: Page, run: list[PageLine], path: tuple[str, ...], params: PassageParams
) -> Iterator[_Unit]:
    """Make a unit of each turn; a very long turn is parted with its speaker before each part."""
    starts = [line.char_start for line in run if turn_head(page.line_text(line))]
    bounds = [run[0].char_start, *[at for at in starts if at > run[0].char_start], run[-1].char_end]
    for start, end in pairwise(bounds):
        unit = _unit(page, start, end, "turn", path)
        if unit.words <= params.max_words:
            yield unit
            continue
        speaker = turn_head(_slice(page, start, end))
        for index, part in enumerate(_sentence_units(page, start, end, path, params)):
            prefix = speaker if index else ""
            yield _Unit(part.start, part.end, "text", part.words, path, prefix)


def _body_units(
    page: Page,
    run: list[PageLine],
    path: tuple[str, ...],
    params: PassageParams,
    captions: tuple[str, str] = ("", ""),
) -> Iterator[_Unit]:
    """Make sentences of prose and rows of tables; a caption belongs to the table next to it."""
    at = 0
    for first, last in find_tables([page.line_text(line) for line in run]):
        if at < first:
            yield from _prose_units(page, run[at:first], path, params)
        caption = (captions[0] if not first else "") or (captions[1] if last == len(run) else "")
        for table in _parted_tables(page, run[first:last]):
            yield from _table_units(page, table, path, params, caption)
        at = last
    if at < len(run):
        yield from _prose_units(page, run[at:], path, params)


def _prose_units(
    page: Page, run: list[PageLine], path: tuple[str, ...], params: PassageParams
) -> Iterator[_Unit]:
    yield from _sentence_units(page, run[0].char_start, run[-1].char_end, path, params)


def _sentence_units(
    page: Page, start: int, end: int, path: tuple[str, ...], params: PassageParams
) -> Iterator[_Unit]:
    for low, high in sentence_spans(_slice(page, start, end)):
        for first, last in _short_enough(_slice(page, start + low, start + high), params.max_words):
            yield _unit(page, start + low + first, start + low + last, "text", path)


def _short_enough(text: str, max_words: int) -> Iterator[tuple[int, int]]:
    """Part what has no sentence end for too long: at line ends, else between words, else anywhere.

    Tables of words, lists and code come so.
    """
    if count_words(text) <= max_words or len(text) < 2:
        yield 0, len(text)
        return
    middle = len(text) // 2
    blanks = [mark.start() for mark in re.finditer(r"\n", text)] or [
        mark.start() for mark in re.finditer(r"\s", text)
    ]
    inner = [at for at in blanks if 0 < at < len(text) - 1]
    parted = min(inner, key=lambda at: abs(at - middle)) if inner else middle
    yield from _short_enough(text[:parted], max_words)
    for first, last in _short_enough(text[parted:], max_words):
        yield parted + first, parted + last


def _parted_tables(page: Page, run: list[PageLine]) -> Iterator[list[PageLine]]:
    """Part tables with bars that follow each other: a blank line ends such a table."""
    starts = [
        at
        for at in range(1, len(run))
        if run[at].char_start - run[at - 1].char_end > 1 and " | " in page.line_text(run[at - 1])
    ]
    for first, last in pairwise([0, *starts, len(run)]):
        yield run[first:last]


def _table_units(
    page: Page, run: list[PageLine], path: tuple[str, ...], params: PassageParams, caption: str
) -> Iterator[_Unit]:
    """Keep a small table whole; part a large one by rows, its head written before each part."""
    whole = _unit(page, run[0].char_start, run[-1].char_end, "table", path)
    if whole.words <= params.max_words:
        yield whole
        return
    texts = [" ".join(page.line_text(line).split()) for line in run]
    for line, head in zip(run, row_prefixes(texts), strict=True):
        prefix = "\n".join(filter(None, (caption, head)))
        yield _unit(page, line.char_start, line.char_end, "row", path, prefix=prefix)


def _packed(units: list[_Unit], params: PassageParams) -> Iterator[list[_Unit]]:
    for section in _sections(units, params):
        words = [unit.words for unit in section]
        total = sum(words)
        if total <= params.max_words:
            yield section
            continue
        pieces = ceil(total / params.target_words)
        reached = list(accumulate(words))
        near = (_nearest(reached, total * k / pieces) for k in range(1, pieces))
        cuts = sorted({_before_heading(section, at) for at in near})
        bounds = [0, *[at for at in cuts if 0 < at < len(section)], len(section)]
        for first, last in pairwise(bounds):
            yield section[first:last]


def _sections(units: list[_Unit], params: PassageParams) -> list[list[_Unit]]:
    """Part at headings and figures; what is too short to stand alone joins what follows."""
    parts: list[list[_Unit]] = []
    for unit in units:
        opens = parts and (
            "figure" in (unit.kind, parts[-1][-1].kind)
            or (unit.kind == "heading" and parts[-1][-1].kind != "heading")
        )
        if opens or not parts:
            parts.append([])
        parts[-1].append(unit)
    joined: list[list[_Unit]] = []
    for part in parts:
        words = _words(part)
        if joined and min(words, _words(joined[-1])) < params.min_words:
            joined[-1] = joined[-1] + part
        else:
            joined.append(part)
    return joined


def _nearest(reached: Sequence[int], wanted: float) -> int:
    """Give the number of units whose words come nearest to the wanted count."""
    at = bisect_left(reached, wanted)
    if at + 1 > len(reached):
        return len(reached)
    before = reached[at - 1] if at else 0
    return at if wanted - before < reached[at] - wanted else at + 1


def _before_heading(section: Sequence[_Unit], at: int) -> int:
    """Move a cut so that no piece ends with the heading of the next."""
    while at > 0 and section[at - 1].kind == "heading":
        at -= 1
    return at


def _passage(order: int, page: Page, units: Sequence[_Unit]) -> Passage:
    start, end = units[0].start, units[-1].end
    text = units[0].prefix + "\n" if units[0].prefix else ""
    before: _Unit | None = None
    for unit in units:
        said = _slice(page, unit.start, unit.end)
        gap = _slice(page, before.end, unit.start) if before else ""
        if unit.kind == "text":
            said = said.replace("\n", " ")
            gap = " " if gap == "\n" and before and before.kind == "text" else gap
        text += gap + said
        before = unit
    return Passage(
        order,
        PageSpan(page.number, page.number, start, end),
        text.rstrip(),
        HEADING_JOIN.join(_main_path(units)),
        _boxes(page, start, end),
    )


def _main_path(units: Sequence[_Unit]) -> tuple[str, ...]:
    """Give the heading path under which most of the words stand."""
    words: Counter[tuple[str, ...]] = Counter()
    for unit in units:
        words[unit.path] += unit.words
    return words.most_common(1)[0][0]


def _boxes(page: Page, start: int, end: int) -> tuple[Box, ...]:
    """Give the boxes of the lines in a span; a line that is cut gives its share of the width."""
    boxes = []
    for line in page.lines:
        low, high = max(start, line.char_start), min(end, line.char_end)
        if line.box is None or low >= high or line.is_running:
            continue
        length, wide = line.char_end - line.char_start, line.box.x1 - line.box.x0
        x0 = line.box.x0 + wide * (low - line.char_start) / length
        x1 = line.box.x0 + wide * (high - line.char_start) / length
        boxes.append(Box(page.number, x0, line.box.y0, min(x1, line.box.x1), line.box.y1))
    return tuple(boxes)


def _read_lines(page: Page) -> list[PageLine]:
    """Give the lines that say something: no blank ones, no running heads and feet."""
    return [line for line in page.lines if not line.is_running and page.line_text(line).strip()]


def _is_transcript(page: Page) -> bool:
    """Tell a page of turns: most of its lines begin with a speaker."""
    body = [page.line_text(line) for line in _read_lines(page) if not line.heading_level]
    # A line with speaker and time alone speaks for the words below it too.
    turns = sum(1 + is_stamp(text) if turn_head(text) else 0 for text in body)
    return len(body) >= 2 and turns >= len(body) * 0.6


def _unit(
    page: Page, start: int, end: int, kind: _Kind, path: tuple[str, ...], *, prefix: str = ""
) -> _Unit:
    return _Unit(start, end, kind, count_words(_slice(page, start, end)), path, prefix)


def _slice(page: Page, start: int, end: int) -> str:
    return page.text[start - page.char_start : end - page.char_start]


def _words(units: Iterable[_Unit]) -> int:
    return sum(unit.words for unit in units)
