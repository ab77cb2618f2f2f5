"""The tree over a document's (or video's) passages: contiguous groups, each with a summary.

A node depends on its children alone and groups are cut by what stands at the cut, so an edit makes
anew the nodes around it and above it and leaves the others as they were. Knows nothing of stores or
questions; ``walk.py`` goes down it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from types import MappingProxyType
from typing import TypeAlias
from zlib import crc32

import numpy as np

from docmem.passages import HEADING_JOIN, Passage
from docmem.summarise import headline, representative, telling_sentences
from models.values import Features, Locator, PageSpan, TimeSpan

Encode = Callable[[Sequence[str]], Features]

_MANNER = "extract/1"  # raise it when summaries come to be made otherwise: gists are kept by it
_AT_ONCE = 8
_BEGINNING = 80


@dataclass(frozen=True, slots=True)
class TreeParams:
    """How wide the tree is, and how long its summaries are in words.

    MemWalker's fan-out is 5 to 8. On the development PDFs, a gold page among six passages: with a
    beam of 3, 0.81 (FinanceBench, n 16) and 0.70 (MMLongBench text, n 46) at 8, 0.75 and 0.70 at 4;
    flat retrieval 0.69 and 0.76. ``structure`` weighs keeping headings together against filling the
    groups; ``anchoring`` weighs cutting at the same places whatever lies before them, at the price
    of groups that are not full.
    """

    fan_out: int = 8
    leaf_words: int = 60
    inner_words: int = 45
    structure: float = 1.0
    anchoring: float = 0.3

    def __post_init__(self) -> None:
        weights = (self.structure, self.anchoring)
        if self.fan_out < 2 or min(self.leaf_words, self.inner_words) < 1 or min(weights) < 0:
            raise ValueError(f"not a shape of a tree: {self}")


@dataclass(frozen=True, slots=True)
class SummaryNode:
    """A stretch of passages ``[first_passage, last_passage]`` (both included) and what it holds.

    ``id`` is ``n{level}-{order}``, level 1 just above the passages; ``children`` are ids of nodes,
    or ``p{order}`` for passages. ``written_by`` is the language model whose words ``text``
    is, empty for an extract.
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
    written_by: str = ""


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
class Gist:
    """What a summary says and what it was made of, so that the same inputs need no second look.

    ``inputs`` is the SHA-256 of the children and of how they are summarised. ``sentences`` are the
    quotes that an inner node chooses from, ``features`` [N, D] theirs, in half precision as they
    are kept: a node made of remembered gists is the one that would be made afresh.
    """

    inputs: str
    text: str
    sentences: tuple[str, ...]
    features: Features

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or len(self.features) != len(self.sentences):
            raise ValueError(
                f"{len(self.sentences)} sentences, features of shape {self.features.shape}"
            )


@dataclass(frozen=True, slots=True)
class Grown:
    """A node as the tree grows, its parent still unknown, and whether its gist was known before."""

    node: SummaryNode
    gist: Gist
    is_known: bool


@dataclass(frozen=True, slots=True)
class _Item:
    """What is being grouped: a passage or a node, its first and last headings, what it is known by.

    ``seed`` stays the same while the beginning of the item does.
    """

    id: str
    locator: Locator
    headings: tuple[str, ...]
    digest: str
    seed: int
    first: int
    last: int


def build(
    passages: Sequence[Passage],
    *,
    encode: Encode,
    params: TreeParams = TreeParams(),
    known: Mapping[str, Gist] = MappingProxyType({}),
) -> Tree:
    """Build a tree of extractive summaries over passages in order.

    MemWalker (Chen et al. 2023, arXiv 2310.05029, §3.1): contiguous groups of at most ``fan_out``,
    level by level to one root. Changed: groups end where headings change (structure first), and a
    summary is a choice of sentences, not a model's words; an inner summary chooses among its
    children's sentences. ``known`` are gists by their inputs.

    Raises:
        ValueError: there are no passages.
    """
    nodes = [grown.node for grown in grow(passages, encode=encode, params=params, known=known)]
    return Tree(_with_parents(nodes), nodes[-1].id)


def grow(
    passages: Sequence[Passage],
    *,
    encode: Encode,
    params: TreeParams = TreeParams(),
    known: Mapping[str, Gist] = MappingProxyType({}),
) -> Iterator[Grown]:
    """Yield the nodes of the tree as they are made, level by level from the passages up.

    Whoever keeps the gists can stop at any node and go on later: known ones cost no encoding.
    ``encode`` is called for the new nodes of eight groups at once.

    Raises:
        ValueError: there are no passages.
    """
    if not passages:
        raise ValueError("a tree needs at least one passage")
    items = [_leaf(index, passage) for index, passage in enumerate(passages)]
    below: dict[str, Gist] = {}
    level = 0
    while level == 0 or len(items) > 1:
        level += 1
        gists: dict[str, Gist] = {}
        groups = _grouped(items, params, level)
        items = []
        for start in range(0, len(groups), _AT_ONCE):
            batch = groups[start : start + _AT_ONCE]
            words = params.leaf_words if level == 1 else params.inner_words
            digests = [_digest([item.digest for item in group], level, words) for group in batch]
            new = [i for i, digest in enumerate(digests) if digest not in known]
            quotes = [
                _leaf_quotes(passages, batch[i]) if level == 1 else _quotes(below, batch[i])
                for i in new
            ]
            made = dict(zip(new, _encoded(quotes, encode), strict=True))
            for i, group in enumerate(batch):
                node_id, digest = f"n{level}-{start + i}", digests[i]
                gist = _gist(group, digest, made[i], words) if i in made else known[digest]
                gists[node_id] = gist
                node = _node(group, node_id, gist.text)
                yield Grown(replace(node, level=level, order=start + i), gist, i not in made)
                items.append(
                    _Item(
                        node_id,
                        node.locator,
                        _headings(group),
                        digest,
                        group[0].seed,
                        node.first_passage,
                        node.last_passage,
                    )
                )
        below = gists


_Quotes: TypeAlias = "tuple[Sequence[str], Features | None]"


def _leaf(index: int, passage: Passage) -> _Item:
    words = f"{passage.heading}\n{passage.text}"
    return _Item(
        f"p{passage.order}",
        passage.locator,
        (passage.heading,),
        sha256(words.encode()).hexdigest(),
        crc32(words[:_BEGINNING].encode()),
        index,
        index,
    )


def _digest(children: Sequence[str], level: int, words: int) -> str:
    manner = f"{_MANNER} {min(level, 2)} {words}"
    return sha256("\n".join([manner, *children]).encode()).hexdigest()


def _leaf_quotes(passages: Sequence[Passage], group: Sequence[_Item]) -> _Quotes:
    texts = [passages[item.first].text for item in group]
    return [sentence for found in telling_sentences(texts) for sentence in found], None


def _quotes(below: Mapping[str, Gist], group: Sequence[_Item]) -> _Quotes:
    gists = [below[item.id] for item in group]
    features = [gist.features for gist in gists if gist.sentences]
    sentences = [sentence for gist in gists for sentence in gist.sentences]
    return sentences, np.concatenate(features) if features else np.zeros((0, 1), np.float16)


def _encoded(quotes: Sequence[_Quotes], encode: Encode) -> list[tuple[Sequence[str], Features]]:
    """Give the quotes with their features, those encoded now that have none yet."""
    missing = [sentence for found, features in quotes if features is None for sentence in found]
    new = encode(missing) if missing else np.zeros((0, 1), np.float32)
    full, at = [], 0
    for found, features in quotes:
        if features is None:
            features = new[at : at + len(found)].astype(np.float16)
            at += len(found)
        full.append((found, features))
    return full


def _gist(
    group: Sequence[_Item], inputs: str, quotes: tuple[Sequence[str], Features], words: int
) -> Gist:
    sentences, features = quotes
    kept = representative(sentences, features.astype(np.float32), max_words=words)
    chosen = tuple(sentences[at] for at in kept)
    lines = [headline(_headings(group), join=HEADING_JOIN), " ".join(chosen)]
    return Gist(inputs, "\n".join(filter(None, lines)), chosen, features[kept])


def _headings(group: Sequence[_Item]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(heading for item in group for heading in item.headings))


def _node(group: Sequence[_Item], node_id: str, text: str) -> SummaryNode:
    return SummaryNode(
        node_id,
        0,
        0,
        tuple(item.id for item in group),
        None,
        _joined(group[0].locator, group[-1].locator),
        text,
        group[0].first,
        group[-1].last,
    )


def _grouped(items: Sequence[_Item], params: TreeParams, level: int) -> list[list[_Item]]:
    """Part items into contiguous groups of at most ``fan_out``, cut where headings change.

    Each cut is the cheapest of those that the group may end at: it costs what the headings on both
    sides share, how far the group is from full, squared, and a chance of its own. That chance hangs
    on the item after the cut (content-defined chunking, as in LBFS, Muthitacharoen et al. 2001), so
    that after an insertion the cuts fall into their old places within a few groups.
    """
    most = params.fan_out
    shared = [_shared(one, two) for one, two in pairwise(items)]
    groups: list[list[_Item]] = []
    start = 0
    while len(items) - start > most:

        def cost(end: int, start: int = start) -> float:
            gap = ((most - (end - start)) / most) ** 2
            own = crc32(b"%d %d" % (level, items[end].seed)) / 2**32
            return params.structure * shared[end - 1] + gap + params.anchoring * own

        end = min(range(start + 1, start + most + 1), key=cost)
        groups.append(list(items[start:end]))
        start = end
    return [*groups, list(items[start:])]


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
