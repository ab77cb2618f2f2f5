"""A document's pages and outline as the stage shows them: a picture with boxes, or marked text.

Pure functions; drawing the page and reading the file is left to the caller.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memqa.ui.leads import drawing, label, lead
from memqa.ui.markup import Safe, el, icon
from memqa.values import Media
from models.values import Box

if TYPE_CHECKING:
    from docmem.tree import SummaryNode, Tree

OUTLINE_CHARS = 150


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page to show: a PNG ``picture``, or its ``text`` where the format has no picture.

    ``boxes`` mark the picture; ``marks`` are character ranges ``[start, end)`` of ``text``.
    """

    media: Media
    page: int
    picture: bytes | None = None
    text: str = ""
    boxes: tuple[Box, ...] = ()
    marks: tuple[tuple[int, int], ...] = ()


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
        return el("div", marked(leaf.text, leaf.marks), class_="sheet text")
    picture = el(
        "img",
        src=f"data:image/png;base64,{base64.b64encode(leaf.picture).decode('ascii')}",
        alt=f"Page {leaf.page} of {leaf.media.name}",
    )
    return el(
        "div",
        picture,
        [_box(box) for box in leaf.boxes if box.page == leaf.page],
        class_="sheet picture",
    )


def _box(box: Box) -> Safe:
    width, height = box.x1 - box.x0, box.y1 - box.y0
    style = (
        f"left:{100 * box.x0:.3f}%;top:{100 * box.y0:.3f}%;"
        f"width:{100 * width:.3f}%;height:{100 * height:.3f}%"
    )
    return el("span", class_="box", style=style)


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


def marked(text: str, marks: Iterable[tuple[int, int]]) -> list[Safe | str]:
    """Cut text so that the given ranges stand in ``<mark>``; overlapping ranges become one."""
    pieces: list[Safe | str] = []
    done = 0
    for start, end in sorted(marks):
        start, end = max(start, done), min(end, len(text))
        if start >= end:
            continue
        pieces += [text[done:start], el("mark", text[start:end])]
        done = end
    return [*pieces, text[done:]]


def outline_html(tree: Tree, media: Media) -> Safe:
    """Write the tree of summaries as folded lists, each entry leading to its place."""
    nodes = {node.id: node for node in tree.nodes}
    root = nodes.get(tree.root)
    if root is None:
        return el("p", "There is no outline yet.", class_="quiet")
    below = [nodes[child] for child in root.children if child in nodes]
    top = below or [root]
    return el("ul", [_entry(node, nodes, media, 0) for node in top], class_="outline")


def _entry(node: SummaryNode, nodes: dict[str, SummaryNode], media: Media, depth: int) -> Safe:
    children = [nodes[child] for child in node.children if child in nodes]
    line = (_link(node, media), el("span", _gist(node.text), class_="gist"))
    if not children:
        return el("li", el("div", *line, class_="entry"))
    inside = el("ul", [_entry(child, nodes, media, depth + 1) for child in children])
    return el(
        "li",
        el(
            "details",
            el("summary", *line, class_="entry"),
            inside,
            data_key=node.id,
            open=depth == 0 and len(nodes) < 12,
        ),
    )


def _link(node: SummaryNode, media: Media) -> Safe:
    where = node.locator
    return el("a", icon(drawing(where)), label(where), class_="chip", **lead(media.id, where))


def _gist(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= OUTLINE_CHARS else f"{flat[: OUTLINE_CHARS - 1].rstrip()}…"


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
