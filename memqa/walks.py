"""How the search went down a media's tree of summaries, told as steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from docmem.tree import Tree
from docmem.walk import Walk, WalkStep, walk
from memqa.fuse import Found
from memqa.outline import load_outline
from memqa.values import Step
from models.errors import InputError

if TYPE_CHECKING:
    from memqa.store.read import Reader

_SHOWN_CHARACTERS = 90


def down_the_tree(reader: Reader, found: Sequence[Found], question: str) -> Iterator[Step]:
    """Tell the walk down the tree of the best place's media, guided by what was found.

    Yields nothing while a media's tree is not made yet, or where its own summary was asked for.
    """
    scores = _scores(found)
    walked = _walk(reader, found, question)
    if walked:
        tree, way = walked
        yield from (_told(tree, step, scores) for step in way.steps)


def leaves_of(reader: Reader, found: Sequence[Found], question: str) -> list[int]:
    """Give the order numbers of the passages that the walk reached, best first."""
    walked = _walk(reader, found, question)
    return [int(leaf.removeprefix("p")) for leaf in walked[1].leaves] if walked else []


def _walk(reader: Reader, found: Sequence[Found], question: str) -> tuple[Tree, Walk] | None:
    if not found:
        return None
    try:
        tree = load_outline(reader, found[0].media)
    except InputError:
        return None
    scores = _scores(found)
    return (tree, walk(tree, lambda _: scores, question)) if scores else None


def _scores(found: Sequence[Found]) -> dict[str, float]:
    """Score the leaves that were found; a summary, found as such, leads to none of them."""
    mine = [item for item in found if item.media.id == found[0].media.id]
    leaves = [item for item in mine if item.memory.level != "summary"]
    return {f"p{item.memory.order}": item.score for item in leaves}


def _told(tree: Tree, step: WalkStep, scores: Mapping[str, float]) -> Step:
    text = " ".join(tree.node(step.node).text.split())
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS].rstrip()}…"
    return Step(f"walk {step.node}", f"{step.reason} {shown}", dict(step.options))
