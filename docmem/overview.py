"""Questions about a whole document: from the root down, never by its best-matching passages."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

from docmem.extracts import extract, in_order
from docmem.sentences import count_words
from docmem.steps import Extract, Guide, Query, WalkStep
from docmem.tree import Tree
from docmem.worth import Worth, leaves_under


@dataclass(frozen=True, slots=True)
class Overview:
    """What was read of a whole document: nodes and passages, each in document order."""

    steps: tuple[WalkStep, ...]
    nodes: tuple[str, ...]
    extracts: tuple[Extract, ...]


def overview(
    tree: Tree, query: Query, guide: Guide, *, budget_tokens: int
) -> Generator[WalkStep, None, Overview]:
    """Read the root, every node just above the passages, then as many passages as the budget lets.

    The global walk of the document-memory design, §6.4: themes, summaries and counts need all
    parts, so the summaries come first and passages fill what is left, those first that retrieval
    names best; all is given in document order. The summaries are read even where they alone exceed
    the budget, in order, as far as it goes, but the root always.
    """
    root = tree.root
    count: Callable[[str], int] = guide.model.count_tokens if guide.model else count_words
    leaves = leaves_under(tree, root)
    lowest = [node.id for node in tree.nodes if node.level == 1]
    began, left, nodes = time.perf_counter(), budget_tokens - count(tree.node(root).text), [root]
    for node in lowest:
        cost = count(tree.node(node).text)
        if node != root and cost <= left:
            nodes.append(node)
            left -= cost
    worth = Worth.of(tree, guide.scores(query.text))
    read = budget_tokens - left
    steps = [
        WalkStep(
            root,
            tuple((node, worth.share(node)) for node in lowest if node != root),
            tuple(nodes[1:]),
            f"The whole is asked about: read its summary and {len(nodes) - 1} of {len(lowest)}"
            " parts below.",
            read,
            1000 * (time.perf_counter() - began),
        )
    ]
    yield steps[0]
    kept: list[Extract] = []
    for leaf in worth.highest(leaves, len(leaves)):
        text = guide.read(leaf)
        found = extract(tree, leaf, query.text, text)
        cost = count(found.quote)
        if cost > left:
            break
        left -= cost
        kept.append(found)
        steps.append(WalkStep(leaf, (), (leaf,), "Its part of the whole.", cost))
        yield steps[-1]
    return Overview(tuple(steps), tuple(nodes), in_order(tree, kept))
