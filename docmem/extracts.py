"""What of a passage is kept: the sentences nearest to a question, in the passage's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from docmem.sentences import count_words, sentence_spans
from docmem.steps import Extract
from docmem.tree import Tree

# Fitted on the development split, gold places within 1,500 tokens: 120 words find more than whole
# passages on each source; 80 more pages still, but fewer turns of a conversation.
EXCERPT_WORDS = 120
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


def excerpt(question: str, text: str, *, most_words: int = EXCERPT_WORDS) -> tuple[int, int]:
    """Find the run of sentences, or of table rows, that holds most of the question's words.

    Gives half-open characters. The run is the shortest that holds them, then widened while it fits
    into ``most_words``; a single sentence longer than that stays whole.
    """
    units = [part for span in sentence_spans(text) for part in _rows(text, span, most_words)]
    if not units:
        return 0, len(text)
    lengths = [count_words(text[start:end]) for start, end in units]
    wanted = _beginnings(question)
    held = [wanted & _beginnings(text[start:end]) for start, end in units]
    best, first, last = -1, 0, 0
    for start in range(len(units)):
        words, known = 0, set[str]()
        for end in range(start, len(units)):
            words += lengths[end]
            if words > most_words and end > start:
                break
            known |= held[end]
            if len(known) > best:
                best, first, last = len(known), start, end
    room = most_words - sum(lengths[first : last + 1])
    while True:
        if last + 1 < len(units) and lengths[last + 1] <= room:
            last += 1
            room -= lengths[last]
        elif first > 0 and lengths[first - 1] <= room:
            first -= 1
            room -= lengths[first]
        else:
            return units[first][0], units[last][1]


def extract(tree: Tree, passage: str, question: str, text: str) -> Extract:
    """Keep what a passage says on a question, with the node above it and that node's headings."""
    node = next(node for node in tree.nodes if passage in node.children)
    heading, more, _ = node.text.partition("\n")
    start, end = excerpt(question, text)
    quote = " ".join(text[start:end].split())
    return Extract(passage, node.id, heading if more else "", quote, start, end)


def in_order(tree: Tree, kept: Sequence[Extract]) -> tuple[Extract, ...]:
    """Put extracts in document order, each passage once."""
    place = {leaf: at for at, leaf in enumerate(_leaves(tree))}
    unique = {one.passage: one for one in kept}
    return tuple(sorted(unique.values(), key=lambda one: place[one.passage]))


def _rows(text: str, span: tuple[int, int], most_words: int) -> list[tuple[int, int]]:
    """Part what is too long for one sentence, such as a table, at its line ends."""
    start, end = span
    if count_words(text[start:end]) <= most_words:
        return [span]
    bounds = [start, *(start + mark.end() for mark in re.finditer(r"\n", text[start:end])), end]
    return [part for part in pairwise(bounds) if part[0] < part[1]]


def _leaves(tree: Tree) -> list[str]:
    return [child for node in tree.nodes if node.level == 1 for child in node.children]


def _beginnings(text: str) -> set[str]:
    return {word.lower()[:5] for word in keywords(text).split()}
