"""The tree over a document's (or video's) passages: contiguous groups, each with a summary.

Knows nothing of stores or questions; ``walk.py`` goes down it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from docmem.passages import HEADING_JOIN, Passage
from docmem.summarise import headline, representative, telling_sentences
from models.values import Features, Locator, PageSpan, TimeSpan

Encode = Callable[[Sequence[str]], Features]


@dataclass(frozen=True, slots=True)
class TreeParams:
    """How wide the tree is, and how long its summaries are in words.

    MemWalker's fan-out is 5 to 8. On the development PDFs, a gold page among six passages: with a
    beam of 3, 0.81 (FinanceBench, n 16) and 0.70 (MMLongBench text, n 46) at 8, 0.75 and 0.70 at 4;
    flat retrieval 0.69 and 0.76. ``structure`` weighs keeping headings together against filling the
    groups.
    """

    fan_out: int = 8
    leaf_words: int = 60
    inner_words: int = 45
    structure: float = 0.5

    def __post_init__(self) -> None:
        if self.fan_out < 2 or min(self.leaf_words, self.inner_words) < 1 or self.structure < 0:
            raise ValueError(f"not a shape of a tree: {self}")


@dataclass(frozen=True, slots=True)
class SummaryNode:
    """A stretch of passages ``[first_passage, last_passage]`` (both included) and what it holds.

    ``id`` is ``n{level}-{order}``, level 1 just above the passages; ``children`` are ids of nodes,
    or ``p{order}`` for passages.
    """

    id: str
    level: int
    order: int
    children: tuple[str, ...]
    parent: str | None
    locator: Locator
    text: str
    first_passage: int
    last_passage: int


@dataclass(frozen=True, slots=True)
class Tree:
    """All nodes, level by level from the passages up, and the id of the root."""

    nodes: tuple[SummaryNode, ...]
    root: str
    _by_id: Mapping[str, SummaryNode] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id = MappingProxyType({node.id: node for node in self.nodes})
        if self.root not in by_id:
            raise ValueError(f"the root {self.root!r} is not among {len(self.nodes)} nodes")
        object.__setattr__(self, "_by_id", by_id)

    @classmethod
    def from_nodes(cls, nodes: Iterable[SummaryNode]) -> Tree:
        """Put stored nodes together again, in any order.

        Raises:
            ValueError: there is not exactly one root.
        """
        found = tuple(sorted(nodes, key=lambda node: (node.level, node.order)))
        roots = [node.id for node in found if node.parent is None]
        if len(roots) != 1:
            raise ValueError(f"a tree has one root, not {len(roots)}")
        return cls(found, roots[0])

    def node(self, node_id: str) -> SummaryNode:
        """Give a node by its id."""
        return self._by_id[node_id]

    def is_node(self, child_id: str) -> bool:
        """Tell a node's id from a passage's."""
        return child_id in self._by_id

    def path(self, node_id: str) -> tuple[str, ...]:
        """Give the ids from the root down to this node."""
        ids: list[str] = []
        at: str | None = node_id
        while at is not None:
            ids.append(at)
            at = self._by_id[at].parent
        return tuple(reversed(ids))


@dataclass(frozen=True, slots=True)
class _Item:
    """What is being grouped: a passage or a node, its headings, and its quotable sentences."""

    id: str
    locator: Locator
    headings: tuple[str, ...]
    sentences: tuple[int, ...]
    first: int
    last: int


def build(
    passages: Sequence[Passage], *, encode: Encode, params: TreeParams = TreeParams()
) -> Tree:
    """Build a tree of extractive summaries over passages in order.

    MemWalker (Chen et al. 2023, arXiv 2310.05029, §3.1): contiguous groups of at most ``fan_out``,
    level by level to one root. Changed: groups end where headings change, as far as that fills them
    (structure first), and a summary is a choice of sentences, not a model's words; an inner summary
    chooses among its children's sentences. ``encode`` is called once.

    Raises:
        ValueError: there are no passages.
    """
    if not passages:
        raise ValueError("a tree needs at least one passage")
    chosen = telling_sentences([passage.text for passage in passages])
    sentences = [sentence for found in chosen for sentence in found]
    features = encode(sentences) if sentences else np.zeros((0, 1), np.float32)
    items = _leaves(passages, chosen)
    nodes: list[SummaryNode] = []
    level = 0
    while level == 0 or len(items) > 1:
        level += 1
        words = params.leaf_words if level == 1 else params.inner_words
        groups = _grouped(items, params)
        items = []
        for order, group in enumerate(groups):
            item, node = _summarised(group, (sentences, features), words, f"n{level}-{order}")
            items.append(item)
            nodes.append(replace(node, level=level, order=order))
    return Tree(_with_parents(nodes), nodes[-1].id)


def _leaves(passages: Sequence[Passage], chosen: Sequence[tuple[str, ...]]) -> list[_Item]:
    items, at = [], 0
    for index, (passage, found) in enumerate(zip(passages, chosen, strict=True)):
        numbers = tuple(range(at, at + len(found)))
        at += len(found)
        headings = (passage.heading,)
        items.append(_Item(f"p{passage.order}", passage.locator, headings, numbers, index, index))
    return items


def _summarised(
    group: Sequence[_Item], pool: tuple[list[str], Features], words: int, node_id: str
) -> tuple[_Item, SummaryNode]:
    sentences, features = pool
    numbers = [number for item in group for number in item.sentences]
    texts = [sentences[number] for number in numbers]
    kept = [numbers[at] for at in representative(texts, features[numbers], max_words=words)]
    headings = tuple(dict.fromkeys(heading for item in group for heading in item.headings))
    lines = [headline(headings, join=HEADING_JOIN), " ".join(sentences[at] for at in kept)]
    locator = _joined(group[0].locator, group[-1].locator)
    first, last = group[0].first, group[-1].last
    node = SummaryNode(
        node_id,
        0,
        0,
        tuple(item.id for item in group),
        None,
        locator,
        "\n".join(filter(None, lines)),
        first,
        last,
    )
    return _Item(node_id, locator, headings, tuple(kept), first, last), node


def _grouped(items: Sequence[_Item], params: TreeParams) -> list[list[_Item]]:
    """Part items into contiguous groups of at most ``fan_out``: full ones, cut where heads change.

    The cheapest parting by dynamic programming: a group costs how far it is from full, squared; a
    cut costs what the headings on both sides share.
    """
    most = params.fan_out
    if len(items) <= most:
        return [list(items)]
    shared = [0.0, *(_shared(one, two) for one, two in pairwise(items))]
    cost = [0.0] + [float("inf")] * len(items)
    begins = [0] * (len(items) + 1)
    for end in range(1, len(items) + 1):
        for start in range(max(0, end - most), end):
            gap = ((most - (end - start)) / most) ** 2
            total = cost[start] + gap + params.structure * shared[start]
            if total < cost[end]:
                cost[end], begins[end] = total, start
    groups: list[list[_Item]] = []
    end = len(items)
    while end > 0:
        groups.append(list(items[begins[end] : end]))
        end = begins[end]
    return groups[::-1]


def _shared(one: _Item, two: _Item) -> float:
    """Give the share of the heading path that stays the same from one item to the next."""
    left, right = one.headings[-1].split(HEADING_JOIN), two.headings[0].split(HEADING_JOIN)
    same = 0
    while same < min(len(left), len(right)) and left[same] == right[same]:
        same += 1
    return same / max(len(left), len(right))


def _joined(first: Locator, last: Locator) -> Locator:
    if isinstance(first, TimeSpan) and isinstance(last, TimeSpan):
        return TimeSpan(min(first.start_s, last.start_s), max(first.end_s, last.end_s))
    if isinstance(first, PageSpan) and isinstance(last, PageSpan):
        return PageSpan(first.page, last.page_end, first.char_start, last.char_end)
    raise ValueError("a tree is over times or over pages, not over both")


def _with_parents(nodes: Sequence[SummaryNode]) -> tuple[SummaryNode, ...]:
    parents = {child: node.id for node in nodes for child in node.children}
    return tuple(replace(node, parent=parents.get(node.id)) for node in nodes)
