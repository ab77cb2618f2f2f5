"""Office documents made for tests, and what the tests of all formats ask of their pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import pptx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from docmem.pages import Page
from docmem.parse import open_document, read_pages

SENTENCE = "The harbour was quiet that morning, and nobody had yet opened the gate. "
Document = Any  # python-docx's and python-pptx's own values, as their functions make them


def word(path: Path, *fill: Callable[[Document], object]) -> Path:
    document = docx.Document()
    for step in fill:
        step(document)
    document.save(str(path))
    return path


def slides(path: Path, *fill: Callable[[Document], object]) -> Path:
    show = pptx.Presentation()
    for step in fill:
        step(show)
    show.save(str(path))
    return path


def slide(
    title: str, *points: str, layout: int = 1, notes: str = ""
) -> Callable[[Document], object]:
    def add(show: Document) -> None:
        made = show.slides.add_slide(show.slide_layouts[layout])
        made.shapes.title.text = title
        if points:
            made.placeholders[1].text = "\n".join(points)
        if notes:
            made.notes_slide.notes_text_frame.text = notes

    return add


def table(*rows: tuple[str, ...]) -> Callable[[Document], object]:
    def add(document: Document) -> None:
        made = document.add_table(len(rows), len(rows[0]))
        for at, texts in zip(made.rows, rows, strict=True):
            for cell, text in zip(at.cells, texts, strict=True):
                cell.text = text

    return add


def raw(body: str) -> Callable[[Document], object]:
    """Put a paragraph of written XML before the end of the document."""
    xml = f"<w:p {nsdecls('w')}>{body}</w:p>"
    return lambda document: document.element.body[-1].addprevious(parse_xml(xml))


def pages_of(path: Path) -> list[Page]:
    return list(read_pages(open_document(path), reader=None))


def heads(page: Page) -> list[tuple[int, str]]:
    return [(line.heading_level, page.line_text(line)) for line in page.lines if line.heading_level]


def assert_offsets(pages: list[Page]) -> None:
    whole = "\n".join(page.text for page in pages)
    for page in pages:
        assert whole[page.char_start : page.char_end] == page.text
        for line in page.lines:
            assert whole[line.char_start : line.char_end] == page.line_text(line)
            assert "\n" not in page.line_text(line)
