"""One media as a walk sees it: its tree, its passages by their names in it, and their scores.

Tells every step of the walk in words. In a walk over several media the names say the media before
the node, ``report.pdf:n2-1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from memqa.cues import asks_many
from memqa.fuse import Found, Parts
from memqa.outline import LEAVES
from memqa.question import Question, understand
from memqa.store.schema import Memory, memory_id
from memqa.values import Look, Media, Option, Step
from models.values import Locator, TimeSpan, clock

if TYPE_CHECKING:
    from docmem.steps import Guide, Query, Tier, WalkStep
    from docmem.tree import Tree
    from memqa.opened import Opened
    from memqa.retrieve import Finder

SCORED = 200  # passages that retrieval scores where a model, or a person, goes beyond the best
_SHOWN_CHARACTERS = 90


class Places:
    """The media that is walked; ``handle`` is what it goes by among several, empty where alone.

    ``above`` names the node of the collection whose leaf its root then is.
    """

    def __init__(
        self,
        library: Opened,
        finder: Finder,
        asked: Question,
        found: Sequence[Found],
        media: Media,
        tree: Tree,
        *,
        is_deep: bool,
        handle: str = "",
        above: str = "",
    ) -> None:
        self.asked, self.media, self.tree = asked, media, tree
        self._library, self._finder, self._is_deep = library, finder, is_deep
        self._handle, self._above = handle, (above,) if above else ()
        mine = [item for item in found if item.media.id == media.id]
        self._found = {_leaf(item.memory): item for item in mine if _is_leaf(item.memory)}

    def guide(self, tier: Tier) -> Guide:
        """Give what leads the walk in a tier."""
        from docmem.steps import Guide

        model = self._library.engines.language_model() if tier in "AB" else None
        return Guide(self.scores, self.read, model, tier)

    def query(self, options: Sequence[str]) -> Query:
        """Give the question as a walk takes it."""
        from docmem.steps import Query

        many = self.asked.wants not in ("what", "now") or asks_many(self.asked.text)
        return Query(self.asked.text, many, tuple(options))

    def scores(self, question: str) -> Mapping[str, float]:
        """Score the passages: by what was found, and beyond where more than the best is needed."""
        if question == self.asked.text and not self._is_deep:
            return scores_of(list(self._found.values()), self.media)
        asked = self.asked if question == self.asked.text else understand(question)
        more = self._finder.find(asked, [self.media], limit=SCORED)
        found = {_leaf(item.memory): item for item in more if _is_leaf(item.memory)}
        self._found = found | self._found
        return scores_of(list(found.values()), self.media)

    def read(self, leaf: str) -> str:
        """Give a passage's full text."""
        return self.place(leaf).memory.text

    def place(self, leaf: str) -> Found:
        """Give a passage as a place found; one that retrieval did not name is worth nothing."""
        if leaf not in self._found:
            for memory in self._finder.reader.memories(self.media.id, levels=LEAVES):
                found = Found(memory, self.media, 0.0, Parts())
                self._found.setdefault(_leaf(memory), found)
        return self._found[leaf]

    def told(self, step: WalkStep) -> Step:
        """Tell a step of the walk."""
        is_node = self.tree.is_node(step.node)
        path = self.tree.path(step.node) if is_node else self._path_to(step.node)
        look = Look(
            node=self._named(step.node),
            path=(*self._above, *map(self._named, path)),
            place=in_words(self._locator(step.node)),
            text=self._gist(step.node),
            options=tuple(
                Option(
                    self._named(one),
                    in_words(self._locator(one)),
                    self._gist(one),
                    score,
                    one in step.chosen,
                    self.media.id,
                )
                for one, score in step.options
            ),
            chosen=tuple(map(self._named, step.chosen)),
            reason=step.reason,
            tokens=step.tokens,
            ms=step.ms,
            media=self.media.id,
        )
        name = f"walk {look.node}" if is_node else f"read {look.node}"
        return Step(name, f"{step.reason} {look.text}", self._scored(step), look=look)

    def _named(self, place: str) -> str:
        return f"{self._handle}:{place}" if self._handle else place

    def _scored(self, step: WalkStep) -> dict[str, float]:
        """Give the scores of a step; among several media by ids, which tell whose they are."""
        if not self._handle:
            return dict(step.options)
        return {
            memory_id(self.media.id, one)
            if self.tree.is_node(one)
            else self.place(one).memory.id: score
            for one, score in step.options
        }

    def _path_to(self, leaf: str) -> tuple[str, ...]:
        above = next(node.id for node in self.tree.nodes if leaf in node.children)
        return (*self.tree.path(above), leaf)

    def _locator(self, place: str) -> Locator:
        if self.tree.is_node(place):
            return self.tree.node(place).locator
        return self.place(place).memory.locator

    def _gist(self, place: str) -> str:
        """Say what a node is about, without the headings above it; of a passage what is asked."""
        from docmem.extracts import nearest

        if not self.tree.is_node(place):
            return short(nearest(self.asked.text, self.read(place), most=1))
        node = self.tree.node(place)
        return gist(node.text, self.tree.node(node.parent).text if node.parent else "")


def gist(text: str, above: str = "") -> str:
    """Say in a line what a summary is about, without the headings of the one above it."""
    from docmem.passages import HEADING_JOIN

    heading, line, said = text.partition("\n")
    if not line:
        return short(text)
    own = heading.split(HEADING_JOIN)
    for known in above.partition("\n")[0].split(HEADING_JOIN):
        if len(own) > 1 and own[0] == known:
            own = own[1:]
    return short(f"{HEADING_JOIN.join(own)}: {said}")


def scores_of(found: Iterable[Found], media: Media) -> dict[str, float]:
    """Score the leaves that were found; a summary, found as such, leads to none of them."""
    return {
        _leaf(item.memory): item.score
        for item in found
        if item.media.id == media.id and _is_leaf(item.memory)
    }


def texts_of(found: Iterable[Found]) -> dict[str, str]:
    """Give the texts of the leaves that were found."""
    return {_leaf(item.memory): item.memory.text for item in found}


def in_words(locator: Locator) -> str:
    """Write a place in words: ``0:15–0:26``, ``p. 4``, ``pp. 4–6``."""
    if isinstance(locator, TimeSpan):
        return f"{clock(locator.start_s)}–{clock(locator.end_s)}"
    first, last = locator.page, locator.page_end
    return f"p. {first}" if first == last else f"pp. {first}–{last}"


def short(text: str) -> str:
    """Cut a text to what fits a line."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS].rstrip()}…"


def _is_leaf(memory: Memory) -> bool:
    return memory.level != "summary"


def _leaf(memory: Memory) -> str:
    return f"p{memory.order}"
