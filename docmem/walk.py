"""How a question goes down the tree when the model is too small to choose: scores guide the walk.

Tier C of the document memory: retrieval decides, nothing is read by a model. Knows no retrieval
itself: the scores of nodes and passages are handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from docmem.tree import Tree

Scores = Callable[[str], Mapping[str, float]]
_NOTHING = float("-inf")


@dataclass(frozen=True, slots=True)
class WalkParams:
    """How many branches stay open at each level, and how many passages are read at most."""

    beam: int = 3
    leaves: int = 6

    def __post_init__(self) -> None:
        if self.beam < 1 or self.leaves < 1:
            raise ValueError(f"not a walk: {self}")


@dataclass(frozen=True, slots=True)
class WalkStep:
    """One look at a node: its children with their scores, which of them were opened, and why."""

    node: str
    options: tuple[tuple[str, float], ...]
    chosen: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Walk:
    """The way from the root down, and the passages it reached, best first."""

    steps: tuple[WalkStep, ...]
    leaves: tuple[str, ...]


def walk(tree: Tree, scores: Scores, question: str, *, params: WalkParams = WalkParams()) -> Walk:
    """Go down the tree with a beam; a branch is worth the best score anywhere below it.

    After MemWalker (Chen et al. 2023, arXiv 2310.05029, §3.2), with scores in the model's place: a
    summary alone hides what lies under it, the best of all descendants does not. Nodes and passages
    that ``scores`` does not name are worth nothing, and only named passages are reached.
    """
    own = scores(question)
    best = _best_below(tree, own)
    steps: list[WalkStep] = []
    reached: list[str] = []
    open_nodes = [tree.root]
    while open_nodes:
        offered = [child for node in open_nodes for child in tree.node(node).children]
        inner = [child for child in offered if tree.is_node(child)]
        reached += [child for child in offered if child not in inner and child in own]
        kept = _highest(inner, best, params.beam)
        shown = _highest(reached, best, params.leaves)
        steps += [_step(tree, node, best, (*kept, *shown)) for node in open_nodes]
        open_nodes = kept
    return Walk(tuple(steps), tuple(_highest(reached, best, params.leaves)))


def _best_below(tree: Tree, own: Mapping[str, float]) -> dict[str, float]:
    """Give each node the best score of itself and all its descendants, each passage its own."""
    best: dict[str, float] = {}

    def value(child: str) -> float:
        if child not in best:
            scores = [own.get(child, _NOTHING)]
            if tree.is_node(child):
                scores += map(value, tree.node(child).children)
            best[child] = max(scores)
        return best[child]

    value(tree.root)
    return best


def _highest(ids: list[str], best: Mapping[str, float], most: int) -> list[str]:
    """Give the best ids, best first; what is worth nothing is left out; ties keep their order."""
    named = [each for each in ids if best[each] > _NOTHING]
    return sorted(named, key=lambda each: -best[each])[:most]


def _step(tree: Tree, node: str, best: Mapping[str, float], kept: tuple[str, ...]) -> WalkStep:
    children = tree.node(node).children
    options = tuple((child, best[child]) for child in children if best[child] > _NOTHING)
    chosen = tuple(child for child in kept if child in children)
    return WalkStep(node, options, chosen, _reason(options, chosen, len(children)))


def _reason(options: tuple[tuple[str, float], ...], chosen: tuple[str, ...], children: int) -> str:
    if not options:
        return f"None of its {children} parts says anything on this."
    if not chosen:
        return "Other branches score higher."
    values = dict(options)
    top = max(values.values())
    if values[chosen[0]] < top:
        return f"Opened {len(chosen)} of {children} parts."
    return f"Opened {len(chosen)} of {children} parts: the best below scores {top:.2f}."
