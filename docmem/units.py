"""What passages never part: headings, sentences, rows, turns, figures with captions, footnotes.

Knows pages and lines; leaves to ``passages.py`` how many of these make a passage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

from docmem.captions import caption_label, is_figure
from docmem.pages import LineRole, Page, PageLine
from docmem.sentences import count_words, sentence_spans
from docmem.tables import find_tables, row_prefixes
from docmem.turns import is_stamp, turn_head

if TYPE_CHECKING:
    from docmem.passages import PassageParams

_Kind: TypeAlias = Literal["heading", "text", "table", "row", "turn", "figure", "footnote"]

_Run: TypeAlias = tuple[int, LineRole, list[PageLine]]

_FIGURE_WORDS = 8  # a line with more words is prose, not a label in a figure
_CAPTION_WORDS = 40


@dataclass(frozen=True, slots=True)
class Unit:
    """What is never parted: a heading, a sentence, a row, a small table, a turn, a figure."""

    start: int
    end: int
    kind: _Kind
    words: int
    path: tuple[str, ...]
    prefix: str = ""  # what a passage that begins here needs to be understood


class Headings:
    """The headings that are open at this point of the document."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    @property
    def path(self) -> tuple[str, ...]:
        """Their titles, from the highest on."""
        return tuple(title for _, title in self._open)

    def enter(self, level: int, title: str) -> None:
        """Open a heading, which closes those on its level and below."""
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, title))


def units_of(page: Page, headings: Headings, params: PassageParams) -> list[Unit]:
    """Give what a page is made of, in order; headings open and close as they come by."""
    units: list[Unit] = []
    turns = is_transcript(page)
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
        read_lines(page), key=lambda line: (line.heading_level, line.role)
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
) -> Iterator[Unit]:
    """Make a unit of each figure with its labels, and of each table's caption."""
    labels = [(at, label) for at, line in enumerate(run) if (label := _label(page, line))]
    if not labels:  # joined to the next line, the words may be no caption any more
        yield from _whole_units(page, run, "text", path, params)
        return
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
) -> Iterator[Unit]:
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


def _heading_units(page: Page, run: list[PageLine], headings: Headings) -> Iterator[Unit]:
    title = " ".join(page.line_text(line).strip(" #\t*_") for line in run)
    # Lines of one heading follow each other; many of them are a list set in bold, taken one by one.
    groups = [run] if len(title) <= 150 else [[line] for line in run]
    for lines in groups:
        words = " ".join(" ".join(page.line_text(line).strip(" #\t*_") for line in lines).split())
        headings.enter(lines[0].heading_level, words)
        yield _unit(page, lines[0].char_start, lines[-1].char_end, "heading", headings.path)


def _turn_units(
    page: Page, run: list[PageLine], path: tuple[str, ...], params: PassageParams
) -> Iterator[Unit]:
    """Make a unit of each turn; a very long turn is parted with its speaker before each part."""
    starts = [line.char_start for line in run if turn_head(page.line_text(line))]
    bounds = [run[0].char_start, *[at for at in starts if at > run[0].char_start], run[-1].char_end]
    for start, end in pairwise(bounds):
        unit = _unit(page, start, end, "turn", path)
        if unit.words <= params.max_words:
            yield unit
            continue
        speaker = turn_head(text_between(page, start, end))
        for index, part in enumerate(_sentence_units(page, start, end, path, params)):
            prefix = speaker if index else ""
            yield Unit(part.start, part.end, "text", part.words, path, prefix)


def _body_units(
    page: Page,
    run: list[PageLine],
    path: tuple[str, ...],
    params: PassageParams,
    captions: tuple[str, str] = ("", ""),
) -> Iterator[Unit]:
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
) -> Iterator[Unit]:
    yield from _sentence_units(page, run[0].char_start, run[-1].char_end, path, params)


def _sentence_units(
    page: Page, start: int, end: int, path: tuple[str, ...], params: PassageParams
) -> Iterator[Unit]:
    for low, high in sentence_spans(text_between(page, start, end)):
        for first, last in _short_enough(
            text_between(page, start + low, start + high), params.max_words
        ):
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
) -> Iterator[Unit]:
    """Keep a small table whole; part a large one by rows, its head written before each part."""
    whole = _unit(page, run[0].char_start, run[-1].char_end, "table", path)
    if whole.words <= params.max_words:
        yield whole
        return
    texts = [" ".join(page.line_text(line).split()) for line in run]
    for line, head in zip(run, row_prefixes(texts), strict=True):
        prefix = "\n".join(filter(None, (caption, head)))
        yield _unit(page, line.char_start, line.char_end, "row", path, prefix=prefix)


def read_lines(page: Page) -> list[PageLine]:
    """Give the lines that say something: no blank ones, no running heads and feet."""
    return [line for line in page.lines if not line.is_running and page.line_text(line).strip()]


def is_transcript(page: Page) -> bool:
    """Tell a page of turns: most of its lines begin with a speaker."""
    body = [page.line_text(line) for line in read_lines(page) if not line.heading_level]
    # A line with speaker and time alone speaks for the words below it too.
    turns = sum(1 + is_stamp(text) if turn_head(text) else 0 for text in body)
    return len(body) >= 2 and turns >= len(body) * 0.6


def _unit(
    page: Page, start: int, end: int, kind: _Kind, path: tuple[str, ...], *, prefix: str = ""
) -> Unit:
    return Unit(start, end, kind, count_words(text_between(page, start, end)), path, prefix)


def text_between(page: Page, start: int, end: int) -> str:
    """Give the characters ``[start, end)`` of the document, which lie on this page."""
    return page.text[start - page.char_start : end - page.char_start]
