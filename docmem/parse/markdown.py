"""Markdown: which of its lines are headings; the source itself is kept as the text.

Keeping the source means that character spans are exact offsets into the file, and that a quote
shown to a person is what stands in their file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from docmem.pages import DocumentInfo, Page
from docmem.parse.kind import read_text
from docmem.parse.text import describe, paginate

_ATX = re.compile(r" {0,3}(#{1,6})(?:\s+\S|$)")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)\s*$")


def open_markdown(path: Path) -> DocumentInfo:
    """Open Markdown; its title is its highest heading.

    Raises:
        EmptyMedia: there are no words in it.
    """
    text, notes = read_text(path)
    return describe(path, text, notes, form="markdown", levels=heading_levels)


def read_markdown_pages(info: DocumentInfo) -> Iterator[Page]:
    """Yield the virtual pages of Markdown."""
    text, _ = read_text(info.path)
    yield from paginate(text, levels=heading_levels)


def heading_levels(lines: Sequence[str]) -> list[int]:
    """Give the level of each line: ATX and setext headings outside fenced code, else 0."""
    levels = [0] * len(lines)
    fence = ""
    for index, line in enumerate(lines):
        if mark := _FENCE.match(line):
            if not fence:
                fence = mark.group(1)
            elif mark.group(1).startswith(fence):
                fence = ""
        elif not fence:
            levels[index] = _level(lines, index)
    return levels


def _level(lines: Sequence[str], index: int) -> int:
    if mark := _ATX.match(lines[index]):
        return len(mark.group(1))
    below = lines[index + 1] if index + 1 < len(lines) else ""
    is_paragraph = bool(re.match(r" {0,3}[^\s>#|*+-]", lines[index]))
    above = lines[index - 1].strip() if index else ""
    if is_paragraph and not above and (mark := _UNDERLINE.match(below)):
        return 1 if mark.group(1)[0] == "=" else 2
    return 0
