"""How a question goes down the tree: one hybrid walk for every tier, with a model or without.

Retrieval says where to begin and what places are worth; in tier B a model's probabilities join in,
in tier A a model leads (``memwalker.py``). Knows no retrieval itself: the scores of nodes and
passages are handed in, and so is a passage's text.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from docmem import prompts
from docmem.extracts import extract, in_order, keywords, nearest
from docmem.memwalker import MemWalker
from docmem.sentences import count_words
from docmem.steps import PARAMS, RETRIEVAL, Extract, Guide, Query, Stop, Walk, WalkParams, WalkStep
from docmem.tree import Tree
from docmem.voice import Voice
from docmem.worth import MOST_MASS, SEEDS, Worth, leaves_under


def walk(
    tree: Tree,
    query: Query,
    guide: Guide,
    *,
    params: WalkParams = PARAMS,
    start: str | None = None,
) -> Walk:
    """Walk to the end at once; see ``walking``."""
    steps = walking(tree, query, guide, params=params, start=start)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Walk = end.value
            return found


def walking(
    tree: Tree,
    query: Query,
    guide: Guide,
    *,
    params: WalkParams = PARAMS,
    start: str | None = None,
) -> Generator[WalkStep, None, Walk]:
    """Go down the tree, yielding each step as it is taken; the walk as a whole is returned.

    The hybrid walk of the document-memory design, §6.4: the best places that retrieval finds say at
    which nodes to begin (the path to them is told from the root on), then branches are opened and
    passages read best first, at most ``params.leaves``. A question for one fact ends at the first
    passage that a model is sure of. Where no passage helps, retrieval is asked once more in other
    words. ``start`` walks below that node only: the branch that a person picked.

    Raises:
        KeyError: ``start`` is no node of the tree.
        ChatModelUnavailable: the model of tier A or B failed.
    """
    under = tree.node(start).id if start is not None else tree.root
    task = _Task(tree, query, guide, params, under, is_picked=start is not None)
    first = yield from _try(task, query.text)
    if first.kept:
        return first
    rewritten = yield from _rewritten(task, first)
    if not rewritten:
        return first
    second = yield from _try(task, rewritten, before=first)
    return replace(
        second,
        steps=(*first.steps, *second.steps),
        leaves=(*first.leaves, *second.leaves),
        rewritten=rewritten,
    )


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be walked: below ``under``, which a person picked or which is the root."""

    tree: Tree
    query: Query
    guide: Guide
    params: WalkParams
    under: str
    is_picked: bool


@dataclass(slots=True)
class _Course:
    """What piles up on one try."""

    steps: list[WalkStep] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)
    kept: list[Extract] = field(default_factory=list)
    stop: Stop = "nothing left"
    answer: str = ""


def _try(task: _Task, asked: str, *, before: Walk | None = None) -> Generator[WalkStep, None, Walk]:
    """Walk once by what retrieval says to ``asked``, leaving out what was read before."""
    tree, params = task.tree, task.params
    seen = frozenset(before.leaves if before else ())
    worth, course = Worth.of(tree, task.guide.scores(asked)), _Course()
    below = [leaf for leaf in leaves_under(tree, task.under) if leaf not in seen]
    if task.guide.tier == "A":
        walker = _walker(task, worth, seen)
        picked = walker.pick(task.under)
        seeds = worth.highest(below, SEEDS)
        starts = worth.starts(task.under, seeds, most=1, share=MOST_MASS)
        starts = [task.under] if picked else starts
        steps = _led(walker, picked or walker.walk(starts[0], task.under), course)
    else:
        # In tier C every passage that will be read must lie below the starts.
        most, share = (SEEDS, MOST_MASS) if task.guide.tier == "B" else (params.leaves, 1.0)
        seeds = worth.highest(below, most)
        starts = worth.starts(task.under, seeds, most=params.beam, share=share)
        steps = _BestFirst(task, worth, seen, course).walk(starts)
    for step in chain(() if before else _path(task, worth, starts), steps):
        course.steps.append(step)
        yield step
    return Walk(
        tuple(course.steps),
        tuple(course.leaves),
        in_order(tree, course.kept),
        course.stop,
        answer=course.answer,
    )


def _walker(task: _Task, worth: Worth, seen: frozenset[str]) -> MemWalker:
    assert task.guide.model is not None, "checked by Guide"
    return MemWalker(
        task.tree,
        task.query,
        voice=Voice(task.guide.model),
        read=task.guide.read,
        worth=worth,
        params=task.params,
        seen=seen,
    )


def _led(walker: MemWalker, steps: Iterator[WalkStep], course: _Course) -> Iterator[WalkStep]:
    """Let the model of tier A lead, and note what it came to."""
    yield from steps
    course.leaves, course.kept = walker.leaves, walker.kept
    course.stop, course.answer = walker.stop, walker.answer


class _BestFirst:
    """Tiers B and C: open what is worth most, read passages in the order of their worth.

    In tier B a place is worth w·retrieval + (1−w)·model, the model's share its probability among
    its siblings, and only the best ``beam`` branches below a node stay open. In tier C nothing is
    closed that leads to one of the best passages, since opening costs nothing: they are read in
    retrieval's own order.
    """

    def __init__(self, task: _Task, worth: Worth, seen: frozenset[str], course: _Course) -> None:
        self.tree, self.query, self.guide, self.params = (
            task.tree,
            task.query,
            task.guide,
            task.params,
        )
        self.worth, self.course, self._seen = worth, course, seen
        model = self.guide.model if self.guide.tier == "B" else None
        self.voice = Voice(model) if model else None
        self._open: list[tuple[float, int, str]] = []
        self._wanted: frozenset[str] = frozenset()

    def walk(self, starts: Sequence[str]) -> Iterator[WalkStep]:
        below = [leaf for start in starts for leaf in leaves_under(self.tree, start)]
        fresh = [leaf for leaf in below if leaf not in self._seen]
        self._wanted = frozenset(self.worth.highest(fresh, self.params.leaves))
        for start in starts:
            self._put(start, self.worth.share(start) if self.voice else self.worth.best[start])
        while self._open and self.course.stop == "nothing left":
            _, _, place = heapq.heappop(self._open)
            yield self._look(place) if self.tree.is_node(place) else self._visit(place)

    def _put(self, place: str, value: float) -> None:
        heapq.heappush(self._open, (-value, self._order(place), place))

    def _order(self, place: str) -> int:
        """Ties: what comes first in the document."""
        if self.tree.is_node(place):
            return self.tree.node(place).first_passage
        return int(place.removeprefix("p"))

    def _look(self, node: str) -> WalkStep:
        """Open a node: value its children and keep those worth following."""
        began = time.perf_counter()
        tokens = self.voice.tokens if self.voice else 0
        children = [one for one in self.tree.node(node).children if one not in self._seen]
        values, reason = self._values(children)
        named = [child for child in children if child in values]
        chosen = self._chosen(named, values)
        for child in chosen:
            self._put(child, values[child])
        options = tuple((child, values[child]) for child in named)
        read = self.voice.tokens - tokens if self.voice else 0
        reason = reason or _told(options, chosen, len(children))
        return WalkStep(node, options, tuple(chosen), reason, read, _ms(began))

    def _values(self, children: Sequence[str]) -> tuple[dict[str, float], str]:
        best = self.worth.best
        if self.voice is None:
            return {one: best[one] for one in self.worth.highest(children, len(children))}, ""
        most = len(prompts.LABELS)
        shown = children if len(children) <= most else self.worth.highest(children, most)
        if not shown:
            return {}, ""
        liked, agreed = self.voice.choose(self.query.text, [self._text(one) for one in shown])
        weight = RETRIEVAL["B"] if agreed else 1.0
        values = {
            one: weight * self.worth.share(one) + (1 - weight) * probability
            for one, probability in zip(shown, liked, strict=True)
        }
        if not agreed:
            return values, "The model abstains, its choice hangs on the order; retrieval decides."
        favourite = max(zip(liked, shown, strict=True), key=lambda pair: pair[0])
        return values, f"The model prefers {favourite[1]} ({favourite[0]:.2f})."

    def _chosen(self, named: Sequence[str], values: dict[str, float]) -> list[str]:
        if self.voice is None:
            return [
                child
                for child in named
                if self._wanted.intersection(leaves_under(self.tree, child))
            ]
        ranked = sorted(named, key=lambda child: (-values[child], self._order(child)))
        inner = [child for child in ranked if self.tree.is_node(child)]
        return inner[: self.params.beam] or ranked[: self.params.leaves]

    def _visit(self, passage: str) -> WalkStep:
        """Read a passage; in tier B it is kept on a yes, in tier C there is no one to say no."""
        began = time.perf_counter()
        text = self.guide.read(passage)
        self.course.leaves.append(passage)
        found = extract(self.tree, passage, self.query.text, text)
        tokens, is_yes, reason = count_words(found.quote), True, "Read."
        if self.voice:
            before = self.voice.tokens
            odds = self.voice.yes(self.query.text, text)
            tokens, is_yes = self.voice.tokens - before, odds > self.params.sure
            reason = f"{'Answers' if is_yes else 'Does not answer'}: log-odds {odds:+.2f}."
        if is_yes:
            self.course.kept.append(found)
        if is_yes and self.voice and not self.query.many:
            self.course.stop = "sure"
        elif len(self.course.leaves) >= self.params.leaves:
            self.course.stop = "enough"
        return WalkStep(passage, (), (passage,) if is_yes else (), reason, tokens, _ms(began))

    def _text(self, place: str) -> str:
        """Give a node's summary, or what of a passage is nearest to the question."""
        if self.tree.is_node(place):
            return self.tree.node(place).text
        return nearest(self.query.text, self.guide.read(place))


def _path(task: _Task, worth: Worth, starts: Sequence[str]) -> Iterator[WalkStep]:
    """Tell the way from the root to where a walk begins; it costs nothing."""
    tree = task.tree
    paths = [tree.path(start) for start in starts]
    on_the_way = {node for path in paths for node in path}
    above = dict.fromkeys(node for path in paths for node in path[:-1])
    for node in sorted(above, key=lambda one: (-tree.node(one).level, tree.node(one).order)):
        children = tree.node(node).children
        named = worth.highest(children, len(children))
        options = tuple((child, worth.best[child]) for child in children if child in named)
        chosen = tuple(child for child in children if child in on_the_way)
        if task.is_picked and node in tree.path(task.under)[:-1]:
            reason = f"The branch {task.under} was picked by hand."
        else:
            reason = f"The best places lie below {', '.join(chosen)}."
        yield WalkStep(node, options, chosen, reason)


def _rewritten(task: _Task, first: Walk) -> Generator[WalkStep, None, str]:
    """Put a question in other words: its keywords, in tier A with a thought on what is missing."""
    query, guide = task.query, task.guide
    asked, said = keywords(query.text), ""
    tokens, began = 0, time.perf_counter()
    if guide.tier == "A" and guide.model is not None:
        voice = Voice(guide.model)
        seen = "\n".join(
            prompts.quoted(f"{leaf}: {nearest(query.text, guide.read(leaf))}")
            for leaf in first.leaves
        )
        said = voice.say(prompts.thought(query, voice.fit(seen, voice.room(query.text))))
        asked, tokens = f"{query.text} {said}".strip(), voice.tokens
    if not asked or asked == query.text:
        return ""
    reason = f"No passage answers. Searched once more: {said or asked}"
    yield WalkStep(task.tree.root, (), (), reason, tokens, _ms(began))
    return asked


def _told(options: Sequence[tuple[str, float]], chosen: Sequence[str], parts: int) -> str:
    if not options:
        return f"None of its {parts} parts says anything on this."
    if not chosen:
        return "Other branches score higher."
    top = max(value for _, value in options)
    return f"Opened {len(chosen)} of {parts} parts: the best below scores {top:.2f}."


def _ms(began: float) -> float:
    return 1000 * (time.perf_counter() - began)
