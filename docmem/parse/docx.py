"""Word: which of its paragraphs are headings, where its pages end, and what stands in its tables.

Reads the text as it would be printed: insertions, text boxes and footnotes are in it, what was
deleted or hidden, field codes, comments, heads and feet of pages are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docmem.pages import DocumentInfo, Page
from docmem.parse.archive import told_damage
from docmem.parse.blocks import Block, BlockKind, fill_pages, lay_out, table_row
from docmem.parse.office import read_package
from docmem.parse.word_lists import ListNumbers
from models.errors import EmptyMedia

if TYPE_CHECKING:
    from docx.document import Document

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_BOX = f"{_W}txbxContent"
# What stands in place of the text and is no text itself, or was deleted, or is read on its own.
_SILENT = frozenset(
    f"{_W}{name}" for name in "pPr rPr del moveFrom drawing pict object instrText".split()
) | {"{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"}
# What only wraps the paragraphs, rows or cells inside: forms, insertions, tags.
_WRAPPERS = frozenset(f"{_W}{name}" for name in "sdt sdtContent ins moveTo customXml".split())
_MARKS = {
    f"{_W}tab": " ",
    f"{_W}cr": "\n",
    f"{_W}noBreakHyphen": "-",
}
_OFF = ("0", "false", "off")
_PAGE_BREAK = "\f"
_SPACE = re.compile(r"[ \t\u00a0]+")
_HEADING_NAME = re.compile(r"heading ([1-9])$", re.I)
_MAX_LEVEL = 9
_TITLE = 10  # a level that only stands until it is known whether there are headings above all


def open_docx(path: Path) -> DocumentInfo:
    """Open a Word document; its title is what its properties say, else its title paragraph.

    Raises:
        LockedDocument: encrypted.
        UnreadableMedia: damaged, or too much in it.
        EmptyMedia: there are no words in it.
    """
    blocks, title, notes = _read(path)
    if not any(re.search(r"\w", line) for block in blocks for line in block.lines):
        raise EmptyMedia(f"{path.name} holds no words.")
    pages = sum(1 for _ in fill_pages(blocks))
    return DocumentInfo(path, "docx", title or path.stem, pages, notes)


def read_docx_pages(info: DocumentInfo) -> Iterator[Page]:
    """Yield the pages between the file's own page breaks, else sections or stretches of text."""
    blocks, _, _ = _read(info.path)
    yield from lay_out(fill_pages(blocks))


def _read(path: Path) -> tuple[list[Block], str, tuple[str, ...]]:
    from docx import Document
    from docx.exceptions import PythonDocxError
    from docx.opc.exceptions import OpcError

    package, notes = read_package(path)
    with told_damage(path, PythonDocxError, OpcError):
        document = Document(package)
        blocks = list(_Body(document).blocks())
        title = " ".join(document.core_properties.title.split())
    written = next((block.lines[0] for block in blocks if block.level == _TITLE), "")
    return _with_title_settled(blocks), title or written, notes


def _with_title_settled(blocks: list[Block]) -> list[Block]:
    """Make a title paragraph a heading only where no other heading stands so high.

    Else it would be a section beside those that it is the title of.
    """
    level = 0 if any(block.level == 1 for block in blocks) else 1
    return [replace(one, level=level) if one.level == _TITLE else one for one in blocks]


class _Body:
    """Goes through the body of a document once, in reading order."""

    def __init__(self, document: Document) -> None:
        self._body: Any = document.element.body  # lxml has no types
        self._levels, self._lists = _styles(document)
        self._footnotes = _footnotes(document)
        self._numbers = ListNumbers(document)
        # Each section's own end says how it began: on a new page, or going on.
        self._sections = [_value(end, "type") for end in self._body.iter(f"{_W}sectPr")]
        self._section = 0
        self._opens_page = False

    def blocks(self) -> Iterator[Block]:
        """Give paragraphs and tables."""
        yield from self._inside(self._body)

    def _inside(self, parent: Any) -> Iterator[Block]:
        for child in _unwrapped(parent):
            if child.tag == f"{_W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{_W}tbl":
                yield from self._table(child)

    def _paragraph(self, paragraph: Any) -> Iterator[Block]:
        style = _value(paragraph, "pPr", "pStyle")
        if (mark := _child(paragraph, "pPr", "pageBreakBefore")) is not None:
            self._opens_page |= mark.get(f"{_W}val") not in _OFF
        own = _outline_level(_value(paragraph, "pPr", "outlineLvl"))
        level = self._levels.get(style, 0) if own is None else own
        own_list = _value(paragraph, "pPr", "numPr", "numId")
        is_item = style in self._lists or _child(paragraph, "pPr", "numPr") is not None
        depth = _value(paragraph, "pPr", "numPr", "ilvl")
        for index, part in enumerate(_text(paragraph).split(_PAGE_BREAK)):
            self._opens_page |= index > 0
            lines = tuple(filter(None, (_SPACE.sub(" ", one).strip() for one in part.split("\n"))))
            if lines and level:
                yield self._placed((" ".join(lines),), level=level)
            elif lines and is_item:
                in_list = own_list or self._lists.get(style, "")
                label = self._numbers.label(in_list, int(depth) if depth.isdigit() else 0)
                yield self._placed((f"{label} {lines[0]}", *lines[1:]), "item")
            elif lines:
                yield self._placed(lines)
        yield from self._beside(paragraph)
        if _child(paragraph, "pPr", "sectPr") is not None:
            self._section += 1
            begins = self._sections[self._section : self._section + 1]
            self._opens_page |= begins != ["continuous"]

    def _beside(self, paragraph: Any) -> Iterator[Block]:
        """Give the text boxes that hang on a paragraph, and its footnotes."""
        for box in paragraph.iter(_BOX):
            above = {one.tag for one in box.iterancestors()}
            if _FALLBACK not in above and _nearest(box, f"{_W}p") is paragraph:
                yield from self._inside(box)
        for mark in paragraph.iter(f"{_W}footnoteReference"):
            number = mark.get(f"{_W}id", "")
            if (note := self._footnotes.get(number)) and _nearest(mark, f"{_W}p") is paragraph:
                yield self._placed((f"[{number}] {note}",))

    def _table(self, table: Any) -> Iterator[Block]:
        rows = [
            [cell for cell in _unwrapped(row) if cell.tag == f"{_W}tc"]
            for row in _unwrapped(table)
            if row.tag == f"{_W}tr"
        ]
        if max(map(len, rows), default=0) <= 1:  # a frame around text, not a table
            for row in rows:
                for cell in row:
                    yield from self._inside(cell)
            return
        above: dict[int, str] = {}
        lines = tuple(filter(None, (table_row(_cells(row, above)) for row in rows)))
        if lines:
            yield self._placed(lines, "table")

    def _placed(
        self, lines: tuple[str, ...], kind: BlockKind = "paragraph", *, level: int = 0
    ) -> Block:
        opens, self._opens_page = self._opens_page, False
        return Block(lines, kind, level, opens)


def _cells(row: list[Any], above: dict[int, str]) -> list[str]:
    """Give the texts of a row's cells; a cell that was merged with the one above repeats it.

    ``above`` holds the texts of the last row by column, and is brought up to date.
    """
    texts: list[str] = []
    column = 0
    for cell in row:
        merge = _child(cell, "tcPr", "vMerge")
        goes_on = merge is not None and merge.get(f"{_W}val", "continue") == "continue"
        text = " ".join(_text(paragraph) for paragraph in cell.iter(f"{_W}p"))
        if goes_on and not text.strip():
            text = above.get(column, "")
        above[column] = text
        texts.append(text)
        span = _value(cell, "tcPr", "gridSpan")
        column += int(span) if span.isdecimal() and len(span) < 4 else 1
    return texts


def _text(element: Any) -> str:
    """Give the words of a paragraph, with marks for its line and page breaks."""
    found: list[str] = []
    for child in element.iterchildren():
        if child.tag in _SILENT or _is_hidden(child):
            continue
        if child.tag in (f"{_W}t", _MATH_TEXT):
            found.append(child.text or "")
        elif child.tag == f"{_W}br":
            found.append(_PAGE_BREAK if child.get(f"{_W}type") == "page" else "\n")
        elif child.tag == f"{_W}footnoteReference":
            found.append(f"[{child.get(f'{_W}id', '')}]")
        elif child.tag in _MARKS:
            found.append(_MARKS[child.tag])
        else:
            found.append(_text(child))
    return "".join(found)


def _is_hidden(run: Any) -> bool:
    mark = _child(run, "rPr", "vanish")
    return mark is not None and mark.get(f"{_W}val") not in _OFF


def _styles(document: Document) -> tuple[dict[str, int], dict[str, str]]:
    """Give the heading level of each paragraph style that has one, and the list of those of lists.

    A list is told by its id, empty where the style does not name one.
    """
    styles: Any = document.styles.element
    known = {style.get(f"{_W}styleId", ""): style for style in styles.iter(f"{_W}style")}
    levels = {name: _style_level(name, known) for name in known}
    lists = {
        name: _value(style, "pPr", "numPr", "numId")
        for name, style in known.items()
        if _value(style, "name").startswith("List ")
    }
    return {name: level for name, level in levels.items() if level}, lists


def _style_level(name: str, known: dict[str, Any]) -> int:
    """Follow a style to those it is based on, until one says what it is."""
    seen: set[str] = set()
    while name in known and name not in seen:
        seen.add(name)
        style = known[name]
        called = _value(style, "name")
        if match := _HEADING_NAME.match(called):
            return int(match.group(1))
        if called.lower() == "title":
            return _TITLE
        level = _outline_level(_value(style, "pPr", "outlineLvl"))
        if level is not None:
            return level
        name = _value(style, "basedOn")
    return 0


def _outline_level(value: str) -> int | None:
    """Give the heading level that an outline level (from 0, 9 for body text) stands for."""
    if not value.isdecimal():
        return None
    return int(value) + 1 if len(value) == 1 and int(value) < _MAX_LEVEL else 0


def _footnotes(document: Document) -> dict[str, str]:
    """Give the texts of the footnotes by their ids."""
    from docx.oxml import parse_xml

    for link in document.part.rels.values():
        if link.reltype.endswith("/footnotes") and not link.is_external:
            notes: Any = parse_xml(link.target_part.blob)
            return {
                note.get(f"{_W}id", ""): " ".join(_text(note).split())
                for note in notes.iter(f"{_W}footnote")
            }
    return {}


def _unwrapped(parent: Any) -> Iterator[Any]:
    """Give the children of an element, and instead of those that only wrap, theirs."""
    for child in parent.iterchildren():
        if child.tag in _WRAPPERS:
            yield from _unwrapped(child)
        else:
            yield child


def _child(element: Any, *names: str) -> Any:
    """Go down by names without the namespace; None where the way ends."""
    for name in names:
        element = element.find(f"{_W}{name}")
        if element is None:
            return None
    return element


def _value(element: Any, *names: str) -> str:
    found = _child(element, *names)
    return "" if found is None else str(found.get(f"{_W}val", ""))


def _nearest(element: Any, tag: str) -> Any:
    return next(element.iterancestors(tag), None)
