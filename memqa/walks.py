"""How a question goes down the trees of summaries: the walk of its tier, told as steps.

In tiers A and B the passages that the model chose come first as evidence; in tier C retrieval's own
order stands, and the walk shows the way to it. A branch picked by hand is walked in every tier, and
then only what lies below it counts. Where several media are asked their roots are leaves of a
collection's node, and the walk begins there (``memqa.several``).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memqa.capabilities import tier_of
from memqa.fuse import Found
from memqa.outline import load_outline
from memqa.places import Places, scores_of, texts_of
from memqa.question import Question
from memqa.rank import Pool
from memqa.several import LIBRARY, MOST_LED, Several, picked
from memqa.values import SET_BY_HAND, Media, Step
from models.errors import ChatModelUnavailable, InputError

if TYPE_CHECKING:
    from docmem.steps import Guide, Query, Tier, Walk
    from docmem.tree import Tree
    from memqa.opened import Opened
    from memqa.retrieve import Finder

_DEEP = 12  # passages read where one is not enough, and reading them takes no model
_OVERVIEW_TOKENS = 1200


@dataclass(frozen=True, slots=True)
class Way:
    """What the walk made of what was found: the places in their order now, and its tier."""

    found: list[Found]
    tier: Tier


@dataclass(frozen=True, slots=True)
class _Reached:
    """The places that a walk kept, best first, and all that it read; whether it then was sure."""

    kept: tuple[Found, ...] = ()
    read: tuple[Found, ...] = ()
    is_sure: bool = False

    @property
    def best(self) -> list[Found]:
        return list(self.kept or self.read)

    def and_then(self, other: _Reached) -> _Reached:
        return _Reached((*self.kept, *other.kept), (*self.read, *other.read), other.is_sure)


def down_the_tree(
    library: Opened,
    finder: Finder,
    asked: Question,
    found: Sequence[Found],
    *,
    media: Sequence[Media],
    options: Sequence[str] = (),
    collection: str = "",
    resume: str | None = None,
    each: int = 0,
) -> Generator[Step, None, Way]:
    """Walk the trees of the media asked; yield each step, the tier and why among them.

    Of several media the best are opened, below the node of their ``collection``. Nothing is walked
    while a media's tree is not made yet. ``options`` are possible answers that a model may go by,
    ``resume`` names a node that an earlier walk showed; ``each`` is of how many media one has to
    know, where one place is no answer.

    Raises:
        InputError: there is no node ``resume``.
        SetupError: the tier set by hand does not go with the model.
    """
    tier, why = tier_of(library)
    yield Step(f"tier {tier}", why, fallback=tier == "D" and why != SET_BY_HAND)
    walker = _Walker(library, finder, asked, found, tier, options=options, each=each)
    if resume:
        reached = yield from walker.go_on(media, resume)
        return Way(_alone(asked, reached.best), walker.tier)
    if len(media) > 1:
        reached = yield from walker.go_over(media, collection)
    elif found:
        reached = yield from walker.go_down(found[0].media)
    else:
        return Way([], tier)
    if walker.tier in "AB" and asked.wants == "what" and asked.at_s is None:
        # What the model turned down comes where retrieval has it.
        first = {item.memory.id for item in reached.kept}
        rest = [item for item in found if item.memory.id not in first]
        return Way([*reached.kept, *rest], walker.tier)
    return Way(list(found), walker.tier)


def leaves_of(finder: Finder, found: Sequence[Found], question: str) -> list[int]:
    """Give the order numbers of the passages that a walk by retrieval reaches, best first."""
    from docmem.steps import Guide, Query
    from docmem.walk import walk

    tree = _tree(finder, found[0].media) if found else None
    if tree is None:
        return []
    scores = scores_of(found, found[0].media)
    texts = texts_of(found)
    way = walk(tree, Query(question), Guide(lambda _: scores, texts.__getitem__))
    return [int(leaf.removeprefix("p")) for leaf in way.leaves]


class _Walker:
    """Walks one tree after another; a model that fails on the way is asked no more."""

    def __init__(
        self,
        library: Opened,
        finder: Finder,
        asked: Question,
        found: Sequence[Found],
        tier: Tier,
        *,
        options: Sequence[str],
        each: int,
    ) -> None:
        self.tier, self._options, self._each = tier, options, each
        self._library, self._finder, self._asked, self._found = library, finder, asked, found

    def go_on(self, media: Sequence[Media], resume: str) -> Generator[Step, None, _Reached]:
        """Walk on from a branch that a person picked."""
        one, node, handle = picked(media, resume)
        tree = load_outline(self._finder.reader, one)
        if not tree.is_node(node):
            known = tree.node(tree.root).children[0]
            raise InputError(
                f"{one.name} has no branch {node!r}; take one that `--walk` prints, such as"
                f" {f'{handle}:{known}' if handle else known}"
            )
        places = self._places(one, tree, is_deep=True, handle=handle)
        return (yield from self._walk(places, start=node))

    def go_down(self, media: Media) -> Generator[Step, None, _Reached]:
        """Walk the tree of one media."""
        tree = _tree(self._finder, media)
        if tree is None:
            return _Reached()
        is_deep = self.tier in "AB" or self._asked.wants == "summary"
        places = self._places(media, tree, is_deep=is_deep)
        return (yield from self._walk(places))

    def go_over(self, media: Sequence[Media], collection: str) -> Generator[Step, None, _Reached]:
        """Open the best of several media, and walk their trees, the best first.

        A model looks at no more than two of them, and at no other once it is sure.
        """
        several = Several.of(self._finder, self._asked, self._found, media, least=self._each)
        name = collection or LIBRARY
        yield several.told(name)
        reached, is_led = _Reached(), self.tier in "AB"
        for number, one in enumerate(several.opened):
            tree = _tree(self._finder, one)
            if tree is None:  # it is made anew just now
                continue
            is_led = is_led and self.tier in "AB" and number < MOST_LED
            places = self._places(
                one,
                tree,
                is_deep=is_led,
                handle=several.handles[one.id],
                above=name,
                found=several.found,
            )
            further = yield from self._walk(places, is_led=is_led)
            if is_led:
                reached = reached.and_then(further)
                is_led = not further.is_sure
        return reached

    def _places(
        self,
        media: Media,
        tree: Tree,
        *,
        is_deep: bool,
        handle: str = "",
        above: str = "",
        found: Sequence[Found] = (),
    ) -> Places:
        return Places(
            self._library,
            self._finder,
            self._asked,
            found or self._found,
            media,
            tree,
            is_deep=is_deep,
            handle=handle,
            above=above,
        )

    def _walk(
        self, places: Places, *, start: str | None = None, is_led: bool = True
    ) -> Generator[Step, None, _Reached]:
        tier = self.tier if is_led else "C"
        query, guide = places.query(self._options), places.guide(tier)
        query = replace(query, many=query.many or self._each > 1)
        if self._asked.wants == "summary" and start is None:
            yield from _whole(places, query, guide)
            return _Reached()
        try:
            return (yield from self._walked(places, query, guide, start))
        except ChatModelUnavailable as exc:
            self.tier = "C"
            yield Step("walk goes on without the model", str(exc), fallback=True)
            return (yield from self._walked(places, query, places.guide("C"), start))

    def _walked(
        self, places: Places, query: Query, guide: Guide, start: str | None
    ) -> Generator[Step, None, _Reached]:
        """Walk, and give the places that the walk kept and those that it read, best first."""
        from docmem.steps import WalkParams
        from docmem.walk import walking

        params = WalkParams(leaves=_DEEP) if query.many and guide.tier in "CD" else WalkParams()
        steps = walking(places.tree, query, guide, params=params, start=start)
        while True:
            try:
                yield places.told(next(steps))
            except StopIteration as end:
                way: Walk = end.value
                break
        kept = {one.passage for one in way.kept}
        return _Reached(
            kept=tuple(places.place(leaf) for leaf in way.leaves if leaf in kept),
            read=tuple(places.place(leaf) for leaf in way.leaves),
            is_sure=way.stop == "sure",
        )


def _alone(asked: Question, reached: Sequence[Found]) -> list[Found]:
    """Judge passages as if there were no others: below a picked branch nothing else is known."""
    pool = Pool.of([item.memory for item in reached])
    support = pool.support(asked.text, range(len(reached)))
    return [replace(item, parts=replace(item.parts, support=support)) for item in reached]


def _whole(places: Places, query: Query, guide: Guide) -> Generator[Step, None, None]:
    """Tell how a whole media is read from the top."""
    from docmem.overview import overview

    for step in overview(places.tree, query, guide, budget_tokens=_OVERVIEW_TOKENS):
        yield places.told(step)


def _tree(finder: Finder, media: Media) -> Tree | None:
    """Load a media's tree, if it is made."""
    try:
        return load_outline(finder.reader, media)
    except InputError:
        return None
