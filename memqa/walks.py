"""How a question goes down a media's tree of summaries: the walk of its tier, told as steps.

In tiers A and B the passages that the model chose come first as evidence; in tier C retrieval's own
order stands, and the walk shows the way to it. A branch picked by hand is walked in every tier, and
then only what lies below it counts.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memqa.capabilities import tier_of
from memqa.cues import asks_many
from memqa.fuse import Found, Parts
from memqa.outline import LEAVES, load_outline
from memqa.question import Question, understand
from memqa.rank import Pool
from memqa.store.schema import Memory
from memqa.values import Look, Media, Option, Step
from models.errors import ChatModelUnavailable, InputError
from models.values import Locator, TimeSpan, clock

if TYPE_CHECKING:
    from docmem.steps import Guide, Query, Tier, WalkStep
    from docmem.tree import Tree
    from memqa.library import Library
    from memqa.retrieve import Finder

_SHOWN_CHARACTERS = 90
_SCORED = 200  # passages that retrieval scores where a model, or a person, goes beyond the best
_DEEP = 12  # passages read where one is not enough, and reading them takes no model
_OVERVIEW_TOKENS = 1200


@dataclass(frozen=True, slots=True)
class Way:
    """What the walk made of what was found: the places in their order now, and its tier."""

    found: list[Found]
    tier: Tier


def down_the_tree(
    library: Library,
    finder: Finder,
    asked: Question,
    found: Sequence[Found],
    *,
    media: Sequence[Media],
    options: Sequence[str] = (),
    resume: str | None = None,
) -> Generator[Step, None, Way]:
    """Walk the tree of the best place's media; yield each step, the tier and why among them.

    Nothing is walked while a media's tree is not made yet. ``options`` are possible answers that a
    model may go by, ``resume`` names a node of the tree.

    Raises:
        InputError: there is no node ``resume``.
        SetupError: the tier set by hand does not go with the model.
    """
    tier, why = tier_of(library)
    yield Step(f"tier {tier}", why)
    best = found[0].media if found else media[0] if resume and len(media) == 1 else None
    tree = _tree(finder, best, resume)
    if tree is None or best is None:
        return Way(list(found), tier)
    is_deep = bool(resume) or tier in "AB" or asked.wants == "summary"
    places = _Places(library, finder, asked, found, best, tree, is_deep=is_deep)
    query, guide = places.query(options), places.guide(tier)
    if asked.wants == "summary" and not resume:
        yield from _whole(places, query, guide)
        return Way(list(found), tier)
    try:
        reached = yield from _walked(places, query, guide, resume)
    except ChatModelUnavailable as exc:
        yield Step("walk goes on without the model", str(exc))
        reached = yield from _walked(places, query, places.guide("C"), resume)
        tier = "C"
    if resume:
        return Way(_alone(asked, reached), tier)
    if tier in "AB" and asked.wants == "what" and asked.at_s is None:
        first = {item.memory.id for item in reached}
        reached += [item for item in found if item.memory.id not in first]
        return Way(reached, tier)
    return Way(list(found), tier)


def leaves_of(finder: Finder, found: Sequence[Found], question: str) -> list[int]:
    """Give the order numbers of the passages that a walk by retrieval reaches, best first."""
    from docmem.steps import Guide, Query
    from docmem.walk import walk

    tree = _tree(finder, found[0].media if found else None, None)
    if tree is None:
        return []
    scores = _scores(found, found[0].media)
    texts = {_leaf(item.memory): item.memory.text for item in found}
    way = walk(tree, Query(question), Guide(lambda _: scores, texts.__getitem__))
    return [int(leaf.removeprefix("p")) for leaf in way.leaves]


class _Places:
    """The media that is walked: its tree, its passages by their names in it, their scores."""

    def __init__(
        self,
        library: Library,
        finder: Finder,
        asked: Question,
        found: Sequence[Found],
        media: Media,
        tree: Tree,
        *,
        is_deep: bool,
    ) -> None:
        self.asked, self.media, self.tree = asked, media, tree
        self._library, self._finder, self._is_deep = library, finder, is_deep
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
            return _scores(list(self._found.values()), self.media)
        asked = self.asked if question == self.asked.text else understand(question)
        more = self._finder.find(asked, [self.media], limit=_SCORED)
        found = {_leaf(item.memory): item for item in more if _is_leaf(item.memory)}
        self._found = found | self._found
        return _scores(list(found.values()), self.media)

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
            node=step.node,
            path=path,
            place=in_words(self._locator(step.node)),
            text=self._gist(step.node),
            options=tuple(
                Option(
                    one, in_words(self._locator(one)), self._gist(one), score, one in step.chosen
                )
                for one, score in step.options
            ),
            chosen=step.chosen,
            reason=step.reason,
            tokens=step.tokens,
            ms=step.ms,
        )
        name = f"walk {step.node}" if is_node else f"read {step.node}"
        return Step(name, f"{step.reason} {look.text}", dict(step.options), look=look)

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
        from docmem.passages import HEADING_JOIN

        if not self.tree.is_node(place):
            return _short(nearest(self.asked.text, self.read(place), most=1))
        node = self.tree.node(place)
        heading, line, said = node.text.partition("\n")
        if not line:
            return _short(node.text)
        above = self.tree.node(node.parent).text if node.parent else ""
        own = heading.split(HEADING_JOIN)
        for known in above.partition("\n")[0].split(HEADING_JOIN):
            if len(own) > 1 and own[0] == known:
                own = own[1:]
        return _short(f"{HEADING_JOIN.join(own)}: {said}")


def _walked(
    places: _Places, query: Query, guide: Guide, resume: str | None
) -> Generator[Step, None, list[Found]]:
    """Walk, and give the places that the walk kept, best first; without any, those it reached."""
    from docmem.steps import WalkParams
    from docmem.walk import walking

    params = WalkParams(leaves=_DEEP) if query.many and guide.tier in "CD" else WalkParams()
    steps = walking(places.tree, query, guide, params=params, start=resume)
    while True:
        try:
            yield places.told(next(steps))
        except StopIteration as end:
            way = end.value
            break
    kept = {one.passage for one in way.kept}
    reached = [leaf for leaf in way.leaves if leaf in kept] if kept else list(way.leaves)
    return [places.place(leaf) for leaf in reached]


def _alone(asked: Question, reached: Sequence[Found]) -> list[Found]:
    """Judge passages as if there were no others: below a picked branch nothing else is known."""
    pool = Pool.of([item.memory for item in reached])
    support = pool.support(asked.text, range(len(reached)))
    return [replace(item, parts=replace(item.parts, support=support)) for item in reached]


def _whole(places: _Places, query: Query, guide: Guide) -> Generator[Step, None, None]:
    """Tell how a whole media is read from the top."""
    from docmem.overview import overview

    for step in overview(places.tree, query, guide, budget_tokens=_OVERVIEW_TOKENS):
        yield places.told(step)


def _tree(finder: Finder, media: Media | None, resume: str | None) -> Tree | None:
    """Load a media's tree, if it is made; a node to resume from must be in it."""
    if media is None:
        if resume:
            raise InputError(f"nothing was found, so there is no branch {resume} to go on from")
        return None
    try:
        tree = load_outline(finder.reader, media)
    except InputError:
        if resume:
            raise
        return None
    if resume and not tree.is_node(resume):
        raise InputError(
            f"{media.name} has no branch {resume!r}; take one that `--walk` prints, such as"
            f" {tree.node(tree.root).children[0]}"
        )
    return tree


def _scores(found: Sequence[Found], media: Media) -> dict[str, float]:
    """Score the leaves that were found; a summary, found as such, leads to none of them."""
    return {
        _leaf(item.memory): item.score
        for item in found
        if item.media.id == media.id and _is_leaf(item.memory)
    }


def _is_leaf(memory: Memory) -> bool:
    return memory.level != "summary"


def _leaf(memory: Memory) -> str:
    return f"p{memory.order}"


def in_words(locator: Locator) -> str:
    """Write a place in words: ``0:15–0:26``, ``p. 4``, ``pp. 4–6``."""
    if isinstance(locator, TimeSpan):
        return f"{clock(locator.start_s)}–{clock(locator.end_s)}"
    first, last = locator.page, locator.page_end
    return f"p. {first}" if first == last else f"pp. {first}–{last}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS].rstrip()}…"
