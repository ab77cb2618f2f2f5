"""A media's tree of summaries as folded lists, with the way that the last walk took through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memqa.ui import words
from memqa.ui.leads import drawing, label, lead
from memqa.ui.markup import Safe, el, icon
from memqa.ui.reading import Walked
from memqa.values import Media
from models.values import Locator, PageSpan

if TYPE_CHECKING:
    from docmem.tree import SummaryNode, Tree

OUTLINE_CHARS = 150
_UNFOLDED = 12  # nodes; larger trees begin folded
_NOWHERE = Walked()
_HEADS = " › "  # between the headings that a gist begins with


def outline_html(tree: Tree, media: Media, walk: Walked = _NOWHERE) -> Safe:
    """Write the tree of summaries, each entry leading to its place; what was walked is marked."""
    return _Outline(tree, media, walk).html()


class _Outline:
    def __init__(self, tree: Tree, media: Media, walk: Walked) -> None:
        self._nodes = {node.id: node for node in tree.nodes}
        self._root = self._nodes.get(tree.root)
        self._media, self._walk = media, walk
        self._common = _common_heads([node.text for node in tree.nodes])

    def html(self) -> Safe:
        if self._root is None:
            return el("p", "There is no outline yet.", class_="quiet")
        top = self._below(self._root) or [self._root]
        key = None
        if self._walk.opened & self._nodes.keys():
            key = el("p", el("span", class_="led"), "the way to the answer", class_="quiet legend")
        return el("div", key, el("ul", [self._entry(node, 0) for node in top], class_="outline"))

    def _below(self, node: SummaryNode) -> list[SummaryNode]:
        return [self._nodes[child] for child in node.children if child in self._nodes]

    def _entry(self, node: SummaryNode, depth: int) -> Safe:
        children = self._below(node)
        gist = _gist(node.text.removeprefix(self._common))
        line = (self._link(node), el("span", gist, class_="gist"))
        walked = self._walked(node)
        entry = el("div", *line, class_="entry")
        if not children:
            return el("li", entry, class_=walked, **_extent(node))
        # Not everyone can reach a link inside a summary, so the fold is a line of its own.
        fold = el("summary", words.counted(len(children), "part", "parts"))
        inside = el("ul", [self._entry(child, depth + 1) for child in children])
        is_open = node.id in self._walk.led or (depth == 0 and len(self._nodes) < _UNFOLDED)
        parts = el("details", fold, inside, data_key=node.id, open=is_open)
        return el("li", entry, parts, class_=walked, **_extent(node))

    def _walked(self, node: SummaryNode) -> str | None:
        if node.id in self._walk.led:
            return "led"
        return "opened" if node.id in self._walk.opened else None

    def _link(self, node: SummaryNode) -> Safe:
        where = node.locator
        told = {"led": "on the way to the answer", "opened": "opened by the walk"}
        attributes = lead(self._media.id, where)
        title = told.get(self._walked(node) or "")
        return el("a", icon(drawing(where)), label(where), class_="chip", title=title, **attributes)


def _extent(node: SummaryNode) -> dict[str, int | float]:
    where: Locator = node.locator
    if isinstance(where, PageSpan):
        chars = {"data_char": where.char_start, "data_char_end": where.char_end}
        return {"data_from": where.page, "data_to": where.page_end, **chars}
    return {"data_from": where.start_s, "data_to": where.end_s}


def _common_heads(texts: Sequence[str]) -> str:
    """Give the headings that every gist begins with: they tell no entry from another."""
    heads = [text.split(_HEADS)[:-1] for text in texts] if len(texts) > 1 else []
    common: list[str] = []
    for level in zip(*heads, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0] + _HEADS)
    return "".join(common)


def _gist(text: str) -> str:
    flat = " ".join(text.split())
    if not flat:
        return "nothing was recognised"
    return flat if len(flat) <= OUTLINE_CHARS else f"{flat[: OUTLINE_CHARS - 1].rstrip()}…"
