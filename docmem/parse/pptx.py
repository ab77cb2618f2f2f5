"""PowerPoint: one page for each slide, with its title as heading, its tables, charts and notes.

Text comes in the order in which a screen reader gives it. Dates, feet and numbers of slides are
left out; words in pictures are not read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docmem.pages import DocumentInfo, Page
from docmem.parse.archive import DAMAGE, told_damage
from docmem.parse.blocks import Block, lay_out, table_row
from docmem.parse.office import read_package
from models.errors import EmptyMedia

if TYPE_CHECKING:
    from pptx.presentation import Presentation
    from pptx.shapes.base import BaseShape
    from pptx.slide import Slide

_log = logging.getLogger(__name__)
_LINE_BREAK = "\v"
_OPENING_LAYOUTS = ("title", "secHead")  # slides that open the show or a part of it
_NOTES = "Speaker notes: "


def open_pptx(path: Path) -> DocumentInfo:
    """Open a presentation; its title is what its properties say, else that of the first slide.

    Raises:
        LockedDocument: encrypted.
        UnreadableMedia: damaged, or too much in it.
        EmptyMedia: there are no words in it.
    """
    slides, title, notes = _read(path)
    lines = [line for blocks in slides for block in blocks for line in block.lines]
    if not any(re.search(r"\w", line) for line in lines):
        raise EmptyMedia(f"{path.name} holds no words (words in pictures of slides are not read).")
    if silent := sum(1 for blocks in slides if not blocks):
        has = "1 slide has" if silent == 1 else f"{silent} slides have"
        notes += (f"{has} no text; words in pictures of slides are not read.",)
    first = next((block.lines[0] for block in slides[0] if block.level), path.stem)
    return DocumentInfo(path, "pptx", title or first, len(slides), notes)


def read_pptx_pages(info: DocumentInfo) -> Iterator[Page]:
    """Yield a page for each slide, numbered as the slides are."""
    slides, _, _ = _read(info.path)
    yield from lay_out(slides)


def _read(path: Path) -> tuple[list[list[Block]], str, tuple[str, ...]]:
    from pptx import Presentation
    from pptx.exc import PythonPptxError

    package, notes = read_package(path)
    with told_damage(path, PythonPptxError):
        show = Presentation(package)
        slides = [list(_slide(slide, level)) for slide, level in _levels(show)]
        return slides, " ".join(show.core_properties.title.split()), notes


def _levels(show: Presentation) -> Iterator[tuple[Slide, int]]:
    """Give the slides with their titles' levels: 2 where other slides open the parts."""
    slides = list(show.slides)
    opens = [_layout(slide) in _OPENING_LAYOUTS for slide in slides]
    has_parts = any(_layout(slide) == "secHead" for slide in slides)
    for slide, is_opening in zip(slides, opens, strict=True):
        yield slide, 2 if has_parts and not is_opening else 1


def _layout(slide: Slide) -> str:
    return str(slide.slide_layout._element.get("type", ""))


def _slide(slide: Slide, level: int) -> Iterator[Block]:
    title = slide.shapes.title
    words = " ".join(title.text_frame.text.split()) if title is not None else ""
    if words:
        yield Block((words,), level=level)
    for shape in _flat(slide.shapes):
        if title is None or shape._element is not title._element:
            yield from _shape(shape)
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
        lines = _lines(frame.text.split("\n"))
        if lines:
            yield Block((_NOTES + lines[0], *lines[1:]))


def _flat(shapes: Iterable[BaseShape]) -> Iterator[BaseShape]:
    """Give shapes, and instead of groups what is in them."""
    from pptx.shapes.group import GroupShape

    for shape in shapes:
        if isinstance(shape, GroupShape):
            yield from _flat(shape.shapes)
        else:
            yield shape


def _shape(shape: BaseShape) -> Iterator[Block]:
    from pptx.shapes.autoshape import Shape
    from pptx.shapes.graphfrm import GraphicFrame

    if isinstance(shape, GraphicFrame):
        if shape.has_table:
            yield from _table([cell.text for cell in row.cells] for row in shape.table.rows)
        elif shape.has_chart:
            yield from _readable_chart(shape)
    elif isinstance(shape, Shape) and not _is_running(shape):
        lines = _lines(paragraph.text for paragraph in shape.text_frame.paragraphs)
        if shape.is_placeholder and len(lines) > 1:
            lines = tuple(f"• {line}" for line in lines)
        if lines:
            yield Block(lines)


def _is_running(shape: BaseShape) -> bool:
    from pptx.enum.shapes import PP_PLACEHOLDER

    running = (PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.SLIDE_NUMBER)
    return shape.is_placeholder and shape.placeholder_format.type in running


def _readable_chart(frame: Any) -> list[Block]:
    """Give a chart, or words in its place: the library does not know every kind."""
    from pptx.exc import PythonPptxError

    unreadable: tuple[type[Exception], ...] = (*DAMAGE, PythonPptxError)
    try:
        return list(_chart(frame.chart))
    except unreadable as exc:
        _log.warning("chart: %s", exc)
        return [Block(("(Here stands a chart that could not be read.)",))]


def _chart(chart: Any) -> Iterator[Block]:
    """Give a chart's title and its numbers as a table: a row for each category."""
    if chart.has_title and chart.chart_title.has_text_frame:
        title = " ".join(chart.chart_title.text_frame.text.split())
        if title:
            yield Block((title,))
    for plot in chart.plots:
        series = list(plot.series)
        values = [list(one.values) for one in series]
        rows = [
            [str(category), *(_number(column, row) for column in values)]
            for row, category in enumerate(plot.categories)
        ]
        if rows:
            yield from _table([["", *(one.name for one in series)], *rows])


def _number(column: list[Any], row: int) -> str:
    value = column[row] if row < len(column) else None
    return "" if value is None else f"{value:.15g}"


def _table(rows: Iterable[list[str]]) -> Iterator[Block]:
    lines = tuple(filter(None, map(table_row, rows)))
    if lines:
        yield Block(lines, "table")


def _lines(texts: Iterable[str]) -> tuple[str, ...]:
    plain = (" ".join(text.replace(_LINE_BREAK, " ").split()) for text in texts)
    return tuple(filter(None, plain))
