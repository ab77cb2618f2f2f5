"""Plain text: where its virtual pages end, and which lines are headings.

The text is kept as it stands, so character spans are exact offsets into the decoded text. Virtual
pages are about 3,000 characters long and end with a paragraph, else a line, sentence or word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from docmem.pages import DocumentInfo, Format, Page, PageLine
from docmem.parse.kind import read_text
from models.errors import EmptyMedia

PAGE_CHARS = 3_000
_PAGE_SLACK = 600  # how far a page may run over to end at a paragraph
_HEADING_CHARS = 80
_BLANK = re.compile(r"\s")
_CHAPTER = re.compile(
    r"(?:chapter|part|book|section|session|act|scene|appendix|day|meeting|agenda|topic)\b"
    r"|(?:[IVXLC]+|\d{1,2})\.?$|\d+(?:\.\d+)*\.?\s+[A-Z]|\[?\d{4}-\d{2}-\d{2}\b",
    re.I,
)

HeadingLevels = Callable[[Sequence[str]], list[int]]


def open_text(path: Path) -> DocumentInfo:
    """Open plain text; its title is its first heading or first short line.

    Raises:
        EmptyMedia: there are no words in it.
    """
    text, notes = read_text(path)
    return describe(path, text, notes, form="text", levels=heading_levels)


def read_text_pages(info: DocumentInfo) -> Iterator[Page]:
    """Yield the virtual pages of plain text."""
    text, _ = read_text(info.path)
    yield from paginate(text, levels=heading_levels)


def describe(
    path: Path, text: str, notes: tuple[str, ...], *, form: Format, levels: HeadingLevels
) -> DocumentInfo:
    """Say what a text is: its title and how many virtual pages it makes.

    Raises:
        EmptyMedia: there are no words in it.
    """
    if not re.search(r"\w", text):
        raise EmptyMedia(f"{path.name} holds no words.")
    pages = page_spans(text)
    lines = text.split("\n")
    return DocumentInfo(path, form, _title(lines, levels(lines)) or path.stem, len(pages), notes)


def paginate(text: str, *, levels: HeadingLevels) -> Iterator[Page]:
    """Cut a text into virtual pages whose texts, joined by one character, give it back exactly."""
    all_lines = text.split("\n")
    all_levels = levels(all_lines)
    starts = _line_starts(all_lines)
    at = 0
    for number, (start, end) in enumerate(page_spans(text), 1):
        lines: list[PageLine] = []
        while at < len(all_lines) and starts[at] < end:
            line_start = max(starts[at], start)
            line_end = starts[at] + len(all_lines[at])
            if min(line_end, end) > line_start:
                lines.append(PageLine(line_start, min(line_end, end), None, all_levels[at]))
            if line_end > end:  # the line goes on overleaf
                break
            at += 1
        yield Page(number, text[start:end], start, tuple(lines))


def page_spans(text: str) -> list[tuple[int, int]]:
    """Give the character spans of the virtual pages; one character between pages is skipped.

    That character is the newline (or form feed, or blank) at which the text was parted.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = _page_end(text, start)
        spans.append((start, end))
        start = end + 1
    return spans or [(0, 0)]


def heading_levels(lines: Sequence[str]) -> list[int]:
    """Tell headings of plain text: short lines standing alone, in capitals or named as parts."""
    levels = [0] * len(lines)
    for index, line in enumerate(lines):
        bare = line.strip()
        if not bare or len(bare) > _HEADING_CHARS or bare[-1] in ".,;:!?":
            continue
        stands_alone = (index == 0 or not lines[index - 1].strip()) and (
            index + 1 == len(lines) or not lines[index + 1].strip()
        )
        if stands_alone and any(map(str.isalnum, bare)):
            levels[index] = _alone_level(bare)
    return levels


def _alone_level(bare: str) -> int:
    if _CHAPTER.match(bare):
        return 1
    letters = [char for char in bare if char.isalpha()]
    return 2 if len(letters) >= 3 and all(map(str.isupper, letters)) else 0


def _page_end(text: str, start: int) -> int:
    wanted, limit = start + PAGE_CHARS, start + PAGE_CHARS + _PAGE_SLACK
    feed = text.find("\f", start, limit)
    if feed >= 0:
        return feed
    if len(text) <= limit:
        return len(text)
    for mark in ("\n\n", "\n", ". ", " "):
        before = text.rfind(mark, start + PAGE_CHARS // 2, wanted)
        after = text.find(mark, wanted, limit)
        ends = [at for at in (before, after) if at >= 0]
        if ends:
            # The page keeps the full stop and is parted at the blank behind it.
            return min(ends, key=lambda at: abs(at - wanted)) + mark.startswith(".")
    # Nothing to part at: a page must not swallow a character, so it runs on to the next blank.
    blank = _BLANK.search(text, limit)
    return blank.start() if blank else len(text)


def _line_starts(lines: Sequence[str]) -> list[int]:
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 1
    return starts


def _title(lines: Sequence[str], levels: Sequence[int]) -> str:
    highest = min(filter(None, levels), default=0)
    marked = [line for line, level in zip(lines, levels, strict=True) if level and level == highest]
    if len(marked) == 1:  # several of one rank are chapters, not the title
        return marked[0].strip(" #\t")
    first = next((line.strip() for line in lines if line.strip()), "")
    alone = len(first.split()) >= 2 and len(first) <= _HEADING_CHARS and first[-1:] not in ".,;?!"
    return "" if (highest and len(marked) > 1) or not alone or ": " in first else first
