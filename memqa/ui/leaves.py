"""A document's pages as the stage shows them: a picture with boxes, or marked text.

Pure functions; drawing the page and reading the file is left to the caller.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from memqa.ui.markup import Safe, el, icon, join
from memqa.values import Media
from models.values import Box


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page to show: a PNG ``picture``, or its ``text`` where the format has no picture.

    ``boxes`` mark the passage on the picture, ``others`` what else was found there; ``marks`` are
    character ranges ``[start, end)`` of ``text``, of which ``strong`` stand out.
    """

    media: Media
    page: int
    picture: bytes | None = None
    text: str = ""
    boxes: tuple[Box, ...] = ()
    others: tuple[Box, ...] = ()
    marks: tuple[tuple[int, int], ...] = ()
    strong: tuple[tuple[int, int], ...] = ()


def leaf_html(leaf: Leaf) -> Safe:
    """Write one page with its bar for turning pages."""
    return el(
        "div",
        _bar(leaf),
        el(
            "div",
            _sheet(leaf),
            class_="sheet-frame",
            role="region",
            tabindex=0,
            aria_label=f"Page {leaf.page}",
        ),
        class_="leaf",
        data_media=leaf.media.id,
        data_page=leaf.page,
    )


def _sheet(leaf: Leaf) -> Safe:
    if leaf.picture is None:
        return el("div", marked(leaf.text, leaf.marks, leaf.strong), class_="sheet text")
    picture = el(
        "img",
        src=f"data:image/png;base64,{base64.b64encode(leaf.picture).decode('ascii')}",
        alt=f"Page {leaf.page} of {leaf.media.name}",
    )
    return el(
        "div",
        picture,
        [_box(box, "box other") for box in leaf.others if box.page == leaf.page],
        [_box(box, "box") for box in leaf.boxes if box.page == leaf.page],
        class_="sheet picture",
    )


def quoted_html(boxes: Iterable[Box]) -> Safe:
    """Mark what an answer quotes, over the passage that it stands in."""
    return join([_box(box, "box quoted") for box in boxes])


def _box(box: Box, kind: str) -> Safe:
    width, height = box.x1 - box.x0, box.y1 - box.y0
    style = (
        f"left:{100 * box.x0:.3f}%;top:{100 * box.y0:.3f}%;"
        f"width:{100 * width:.3f}%;height:{100 * height:.3f}%"
    )
    return el("span", class_=kind, style=style)


def _bar(leaf: Leaf) -> Safe:
    total = leaf.media.pages
    return el(
        "div",
        _turn("left", "Previous page", leaf.page - 1, leaf.page > 1),
        el(
            "label",
            "page ",
            el(
                "input",
                type="number",
                min=1,
                max=total,
                value=leaf.page,
                data_page_input=True,
                aria_label="Page number",
            ),
            f" of {total}" if total else None,
        ),
        _turn("right", "Next page", leaf.page + 1, total is None or leaf.page < total),
        class_="page-bar",
    )


def _turn(drawing: str, label: str, page: int, possible: bool) -> Safe:
    return el(
        "button",
        icon(drawing),
        type="button",
        aria_label=label,
        title=label,
        data_turn=page,
        disabled=not possible,
    )


def marked(
    text: str, marks: Iterable[tuple[int, int]], strong: Iterable[tuple[int, int]] = ()
) -> list[Safe | str]:
    """Cut text so that the given ranges stand in ``<mark>``; overlapping ranges become one.

    What is ``strong`` stands in a mark of its own, which cuts the others.
    """
    kinds = [0] * len(text)
    for kind, ranges in ((1, marks), (2, strong)):
        for start, end in ranges:
            kinds[start:end] = [kind] * max(0, min(end, len(text)) - start)
    pieces: list[Safe | str] = []
    done = 0
    for kind, run in groupby(kinds):
        piece = text[done : done + len(list(run))]
        done += len(piece)
        pieces.append(el("mark", piece, class_="quoted" if kind == 2 else None) if kind else piece)
    return pieces


def boxes_from(raw: object) -> tuple[Box, ...]:
    """Read boxes as an anchor of the page carries them; what is no box is passed over."""
    if not isinstance(raw, Sequence) or isinstance(raw, str):
        return ()
    found = []
    for one in raw[:500]:
        try:
            found.append(
                Box(int(one["page"]), *(float(one[key]) for key in ("x0", "y0", "x1", "y1")))
            )
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(found)
