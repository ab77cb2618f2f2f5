"""HTML: the text a reader would see, with its headings and table rows as lines.

Character spans count in that text, since the markup between the words is not read. Nothing in the
page is run or fetched: scripts, styles and pictures are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from docmem.pages import DocumentInfo, Page
from docmem.parse.kind import read_text
from docmem.parse.text import describe, paginate


def _tags(names: str) -> frozenset[str]:
    return frozenset(names.split())


_HIDDEN = _tags("script style noscript template svg math iframe object canvas select textarea")
_BLOCKS = _tags(
    "address article aside blockquote body br caption center dd details div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html legend li main nav ol p pre "
    "section summary table tbody tfoot thead tr ul"
)
_PARAGRAPHS = _tags("p h1 h2 h3 h4 h5 h6 table ul ol blockquote pre section article")
_HEADING = re.compile(r"h([1-6])$")
_SPACE = re.compile(r"[ \t\r\n\f\u00a0]+")


def open_html(path: Path) -> DocumentInfo:
    """Open HTML; its title is what the page calls itself.

    Raises:
        EmptyMedia: a reader would see no words.
    """
    source, notes = read_text(path)
    text, levels, title = render(source)
    info = describe(path, text, notes, form="html", levels=lambda lines: levels[: len(lines)])
    return DocumentInfo(path, "html", title or info.title, info.pages, notes)


def read_html_pages(info: DocumentInfo) -> Iterator[Page]:
    """Yield the virtual pages of the text that a reader of the HTML would see."""
    source, _ = read_text(info.path)
    text, levels, _ = render(source)
    yield from paginate(text, levels=lambda lines: levels)


def render(source: str) -> tuple[str, list[int], str]:
    """Give the visible text, the heading level of each of its lines, and the title."""
    parser = _Visible()
    parser.feed(source)
    parser.close()
    parser.end_line()
    while parser.lines and not parser.lines[-1]:
        parser.lines.pop()
        parser.levels.pop()
    return "\n".join(parser.lines), parser.levels, _SPACE.sub(" ", parser.title).strip()


class _Visible(HTMLParser):
    """Collects visible lines; a hidden element counts its depth until it closes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.levels: list[int] = []
        self.title = ""
        self._line = ""
        self._level = 0
        self._hidden: list[str] = []
        self._in_title = self._in_pre = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":  # an element that never closed in the head must not hide the page
            self._hidden.clear()
        elif self._hidden:
            if tag == self._hidden[-1]:
                self._hidden.append(tag)
        elif tag == "title":
            self._in_title = not self.title
        elif tag in _HIDDEN or (tag in _BLOCKS and any(name == "hidden" for name, _ in attrs)):
            self._hidden.append(tag)
        elif tag in ("td", "th") and self._line.strip():
            self._line += " | "
        elif tag in _BLOCKS:
            self.end_line()
            if tag in _PARAGRAPHS:
                self._blank_line()
            self._in_pre = self._in_pre or tag == "pre"
            heading = _HEADING.match(tag)
            self._level = int(heading.group(1)) if heading else self._level

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
        elif tag in _BLOCKS:
            self.end_line()
            if tag in _PARAGRAPHS:
                self._blank_line()
            self._in_pre = self._in_pre and tag != "pre"
            self._level = 0 if _HEADING.match(tag) else self._level

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._hidden:
            return
        elif self._in_pre:
            *ended, self._line = (self._line + data).split("\n")
            for line in ended:
                self._add(line.rstrip())
        else:
            self._line += _SPACE.sub(" ", data)

    def end_line(self) -> None:
        """Close the line being written."""
        line = self._line.rstrip() if self._in_pre else _SPACE.sub(" ", self._line).strip(" |")
        self._line = ""
        if line:
            self._add(line)

    def _add(self, line: str) -> None:
        self.lines.append(line)
        self.levels.append(self._level)

    def _blank_line(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")
            self.levels.append(0)
