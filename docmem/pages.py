"""What a parsed document is made of: pages, their lines, and what is known of the file.

Leaves to others how each format is read (``docmem/parse/``) and how text is cut (``passages.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from models.values import Box

Format: TypeAlias = Literal["pdf", "docx", "pptx", "epub", "subtitles", "text", "markdown", "html"]
LineRole: TypeAlias = Literal["body", "caption", "footnote"]


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A document that could be opened; ``pages`` are virtual ones where the format has none.

    It is not whole where pages beyond the ``pages`` are left out; a note says so.
    """

    path: Path
    format: Format
    title: str
    pages: int
    notes: tuple[str, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class PageLine:
    """One line of a page: characters ``[char_start, char_end)`` of the document's text.

    ``heading_level`` is 0 for body text, 1 for the highest headings. A running line is a head or
    foot that many pages repeat. Captions and footnotes are no part of the text around them. Lines
    touch without a newline between them where a word was hyphenated across the line end: the hyphen
    is gone, the spans still meet.
    """

    char_start: int
    char_end: int
    box: Box | None = None
    heading_level: int = 0
    is_running: bool = False
    role: LineRole = "body"

    def __post_init__(self) -> None:
        if not 0 <= self.char_start <= self.char_end:
            raise ValueError(f"not a line: characters {self.char_start} to {self.char_end}")


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its text, where that starts in the document's text, and its lines in order.

    The document's text is its pages' texts joined by one newline. ``ocr_reason`` says why a page
    was read off its picture.
    """

    number: int
    text: str
    char_start: int
    lines: tuple[PageLine, ...]
    by_ocr: bool = False
    notes: tuple[str, ...] = ()
    ocr_reason: str = ""

    @property
    def char_end(self) -> int:
        """The end of this page in the document's text."""
        return self.char_start + len(self.text)

    def line_text(self, line: PageLine) -> str:
        """Give the characters of one of this page's lines."""
        return self.text[line.char_start - self.char_start : line.char_end - self.char_start]
