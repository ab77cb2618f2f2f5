"""Paragraphs, headings and tables of a format that knows them, and how they fill pages.

Leaves to the readers of each format where blocks come from. A block is never parted over two pages,
but one longer than a page; a long table goes on overleaf under its head.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from docmem.pages import Page, PageLine
from docmem.parse.text import PAGE_CHARS, page_spans

BlockKind: TypeAlias = Literal["paragraph", "item", "table"]
_CELLS = " | "
_LONGEST_HEAD = 600


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, an item of a list, or a table, whose lines are its rows, the head first.

    ``level`` is 0 for body text, 1 for the highest headings. ``opens_page`` means that the file
    itself has a page break here.
    """

    lines: tuple[str, ...]
    kind: BlockKind = "paragraph"
    level: int = 0
    opens_page: bool = False

    def __post_init__(self) -> None:
        if not self.lines or any("\n" in line for line in self.lines):
            raise ValueError(f"not lines of a block: {self.lines!r:.80}")

    @property
    def length(self) -> int:
        """The number of characters with those that part the lines."""
        return sum(len(line) + 1 for line in self.lines)


def table_row(cells: Sequence[str]) -> str:
    """Write cells as a line, as ``docmem/tables.py`` knows rows; empty where no cell has words."""
    plain = [" ".join(cell.split()) for cell in cells]
    return _CELLS.join(plain).strip() if any(plain) else ""


def lay_out(sheets: Iterable[Sequence[Block]]) -> Iterator[Page]:
    """Make a page of each run of blocks; paragraphs have a blank line between them."""
    char_start = 0
    for number, blocks in enumerate(sheets, 1):
        lines: list[tuple[str, int]] = []
        before: Block | None = None
        for block in blocks:
            if before is not None and not before.kind == block.kind == "item":
                lines.append(("", 0))
            lines += [(line, block.level) for line in block.lines]
            before = block
        page = page_of(lines, number=number, char_start=char_start)
        yield page
        char_start = page.char_end + 1


def page_of(lines: Sequence[tuple[str, int]], *, number: int, char_start: int) -> Page:
    """Make a page of lines with their heading levels."""
    placed: list[PageLine] = []
    at = char_start
    for line, level in lines:
        if line:
            placed.append(PageLine(at, at + len(line), None, level))
        at += len(line) + 1
    return Page(number, "\n".join(line for line, _ in lines), char_start, tuple(placed))


def fill_pages(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Part blocks at the file's own page breaks, else at top headings, and where a page is full."""
    has_breaks = any(block.opens_page for block in blocks[1:])
    top = 0 if has_breaks else _top_level(blocks)
    # A page between breaks of the file's own may be a closely set one: it is not parted lightly.
    most = PAGE_CHARS * 2 if has_breaks else PAGE_CHARS
    sheet: list[Block] = []
    length = 0
    for block in _short_enough(blocks, most):
        is_full = length + block.length > most
        is_section = bool(top) and block.level == top and length >= PAGE_CHARS // 3
        if block.opens_page or is_full or is_section:
            opening = [] if block.opens_page else _ending_headings(sheet)
            if len(opening) < len(sheet):
                yield sheet[: len(sheet) - len(opening)]
                sheet, length = opening, sum(one.length for one in opening)
        sheet.append(block)
        length += block.length
    if sheet:
        yield sheet


def _top_level(blocks: Sequence[Block]) -> int:
    """Give the highest level that parts the document: with more than one heading, else 0."""
    counts = Counter(block.level for block in blocks if block.level)
    return min((level for level, count in counts.items() if count > 1), default=0)


def _ending_headings(sheet: Sequence[Block]) -> list[Block]:
    """Give the headings at the end, whose text stands overleaf."""
    at = len(sheet)
    while at and sheet[at - 1].level:
        at -= 1
    return list(sheet[at:])


def _short_enough(blocks: Iterable[Block], most: int) -> Iterator[Block]:
    for block in blocks:
        if block.length <= most:
            yield block
        elif block.kind == "table":
            yield from _parted_table(block)
        else:
            yield from _parted_text(block)


def _parted_text(block: Block) -> Iterator[Block]:
    text = "\n".join(block.lines)
    for index, (start, end) in enumerate(page_spans(text)):
        lines = tuple(line for line in text[start:end].split("\n") if line.strip())
        if lines:
            yield Block(lines, block.kind, block.level, block.opens_page and not index)


def _parted_table(table: Block) -> Iterator[Block]:
    head, *rows = table.lines
    above = [head] if len(head) <= _LONGEST_HEAD else []
    part, length, opens = [head], len(head), table.opens_page
    for row in rows:
        if length + len(row) > PAGE_CHARS and len(part) > len(above):
            yield Block(tuple(part), "table", opens_page=opens)
            part, length, opens = [*above], len(head), False
        part.append(row)
        length += len(row) + 1
    yield Block(tuple(part), "table", opens_page=opens)
