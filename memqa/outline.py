"""The outline of a media: its tree of summaries as memories, and back.

A video's events are passages with a time for a place, so one tree builder serves both; the leaf
``p7`` of the tree is the passage ``p7`` of a document and the event ``e7`` of a video.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from memqa.embedding import encode_texts, text_batch
from memqa.listening import Listener
from memqa.store.schema import Commit, Memory, memory_id
from memqa.values import Level, Media
from models.errors import InputError
from models.ports import TextEncoder
from models.values import Features

if TYPE_CHECKING:
    from docmem.tree import SummaryNode, Tree
    from memqa.store.read import Reader

LEAVES: tuple[Level, ...] = ("event", "passage")


def outline_commit(
    media: Media,
    leaves: Sequence[Memory],
    *,
    segment: int,
    encoder: TextEncoder,
    listener: Listener,
) -> Commit:
    """Build the tree over a media's events or passages, as the commit of a segment of its own."""
    from docmem.passages import Passage
    from docmem.tree import build

    passages = [
        Passage(place, leaf.locator, leaf.text, leaf.heading) for place, leaf in enumerate(leaves)
    ]
    tree = build(passages, encode=_encode(encoder, listener))
    nodes = [
        Memory(
            id=memory_id(media.id, node.id),
            media_id=media.id,
            segment=segment,
            level="summary",
            modality="summary",
            locator=node.locator,
            text=node.text,
            order=order,
            parent_id=memory_id(media.id, node.parent) if node.parent else None,
        )
        for order, node in enumerate(tree.nodes)
    ]
    names = {f"p{place}": leaf.id for place, leaf in enumerate(leaves)}
    parents = {
        names[child]: memory_id(media.id, node.id)
        for node in tree.nodes
        for child in node.children
        if child in names
    }
    vectors = text_batch(encoder, nodes, listener)
    return Commit(segment, media, memories=nodes, vectors=[vectors], parents=parents)


def load_outline(reader: Reader, media: Media) -> Tree:
    """Put a media's tree together again.

    Raises:
        InputError: it has none yet.
    """
    from docmem.tree import Tree

    summaries = reader.memories(media.id, levels=["summary"])
    if not summaries:
        raise InputError(f"{media.name} has no outline yet; it is made when indexing ends")
    children: dict[str, list[str]] = {summary.id: [] for summary in summaries}
    first: dict[str, list[int]] = {summary.id: [] for summary in summaries}
    for place, leaf in enumerate(reader.memories(media.id, levels=LEAVES)):
        if leaf.parent_id in children:
            children[leaf.parent_id].append(f"p{place}")
            first[leaf.parent_id].append(place)
    # Level by level from the leaves up, as they are stored.
    for summary in summaries:
        if summary.parent_id is not None:
            children[summary.parent_id].append(_local(summary.id))
            first[summary.parent_id] += first[summary.id]
    nodes = [_node(one, tuple(children[one.id]), first[one.id]) for one in summaries]
    return Tree.from_nodes(nodes)


def _node(summary: Memory, children: tuple[str, ...], places: Sequence[int]) -> SummaryNode:
    from docmem.tree import SummaryNode

    level, order = (int(part) for part in _local(summary.id)[1:].split("-"))
    return SummaryNode(
        id=_local(summary.id),
        level=level,
        order=order,
        children=children,
        parent=_local(summary.parent_id) if summary.parent_id else None,
        locator=summary.locator,
        text=summary.text,
        first_passage=min(places),
        last_passage=max(places),
    )


def _local(memory: str) -> str:
    return memory.partition(".")[2]


def _encode(encoder: TextEncoder, listener: Listener) -> Callable[[Sequence[str]], Features]:
    return lambda texts: encode_texts(encoder, texts, listener, stage="Making the outline")
