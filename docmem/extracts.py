"""What of a passage is kept: the sentences nearest to a question, in the passage's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from docmem.sentences import sentence_spans
from docmem.steps import Extract
from docmem.tree import Tree

_WORD = re.compile(r"[^\W_]+(?:[.,'’\-][^\W_]+)*")
_SMALL = frozenset(
    "a an the of in on at to for from by with about as into and or but not no if than then that "
    "this these those it its is are was were be been being do does did has have had can could will "
    "would shall should may might must there here what which who whom whose when where why how "
    "many much i you we they he she him her his them my your our their me us tell show give find "
    "list name please say said document text page passage".split()
)


def keywords(text: str) -> str:
    """Give the words of a question that say what it is about, in order, each once."""
    words = (word for word in _WORD.findall(text) if word.lower() not in _SMALL)
    return " ".join(dict.fromkeys(words))


def nearest(question: str, text: str, *, most: int = 2) -> str:
    """Quote the sentences that share most words with a question, in the text's order.

    A word's beginning counts, so that endings do not matter. Ties go to the earlier sentence.
    """
    wanted = _beginnings(question)
    found = [" ".join(text[start:end].split()) for start, end in sentence_spans(text)]
    order = sorted(range(len(found)), key=lambda at: (-len(wanted & _beginnings(found[at])), at))
    return " ".join(found[at] for at in sorted(order[:most]))


def extract(tree: Tree, passage: str, question: str, text: str) -> Extract:
    """Keep what a passage says on a question, with the node above it and that node's headings."""
    node = next(node for node in tree.nodes if passage in node.children)
    first, more, _ = node.text.partition("\n")
    return Extract(passage, node.id, first if more else "", nearest(question, text))


def in_order(tree: Tree, kept: Sequence[Extract]) -> tuple[Extract, ...]:
    """Put extracts in document order, each passage once."""
    place = {leaf: at for at, leaf in enumerate(_leaves(tree))}
    unique = {one.passage: one for one in kept}
    return tuple(sorted(unique.values(), key=lambda one: place[one.passage]))


def _leaves(tree: Tree) -> list[str]:
    return [child for node in tree.nodes if node.level == 1 for child in node.children]


def _beginnings(text: str) -> set[str]:
    return {word.lower()[:5] for word in keywords(text).split()}
