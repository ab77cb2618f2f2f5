"""The outline of a media: its tree of summaries as memories, and back.

A video's events are passages with a time for a place, so one tree builder serves both; the leaf
``p7`` of the tree is the passage ``p7`` of a document and the event ``e7`` of a video.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memqa.embedding import encode_texts, text_batch
from memqa.kept import NOTHING_KEPT, Kept, dump_gists
from memqa.listening import Listener
from memqa.store.schema import OUTLINE, Commit, Memory, memory_id
from memqa.values import Level, Media
from models.errors import IngestCancelled, InputError
from models.ports import TextEncoder
from models.values import Features

if TYPE_CHECKING:
    from docmem.tree import Gist, SummaryNode, Tree
    from memqa.store.read import Reader

LEAVES: tuple[Level, ...] = ("event", "passage")
_COMMIT_WORK = 64
_KNOWN_WORK = 1 / 16  # what a node costs whose gist is known, against a new one


@dataclass(frozen=True, slots=True)
class OutlineTools:
    """What an outline is made with: who encodes, who listens, and what is known already."""

    encoder: TextEncoder
    listener: Listener
    kept: Kept = NOTHING_KEPT

    def encode(self, texts: Sequence[str]) -> Features:
        """Encode sentences as vectors [N, D]."""
        return encode_texts(self.encoder, texts, self.listener)


def outline_commits(
    media: Media,
    leaves: Sequence[Memory],
    *,
    first_segment: int,
    done: Collection[str],
    tools: OutlineTools,
) -> Iterator[Commit]:
    """Build the tree over a media's events or passages, a segment for every 64 new nodes.

    ``done`` are the ids of the nodes that are stored already; they and their parents are passed
    over. Stopped anywhere, it goes on with the gists that the last commit kept. A node that a
    language model rewrote, and below which nothing changed since, keeps the model's words.

    Raises:
        IngestCancelled: the listener wished it.
    """
    from docmem.passages import Passage
    from docmem.tree import grow

    passages = [
        Passage(place, leaf.locator, leaf.text, leaf.heading) for place, leaf in enumerate(leaves)
    ]
    names = {f"p{place}": leaf.id for place, leaf in enumerate(leaves)}
    gists: list[Gist] = []
    batch: list[tuple[int, SummaryNode]] = []
    work = 0.0
    segment = first_segment
    for order, grown in enumerate(grow(passages, encode=tools.encode, known=tools.kept.gists)):
        if tools.listener.stops():
            raise IngestCancelled(f"stopped while making the outline of {media.name}")
        node = grown.node
        gists.append(grown.gist)
        names[node.id] = memory_id(media.id, node.id)
        if node.level == 1:
            done_passages = node.last_passage + 1
            tools.listener.progress("Making the outline", done_passages, len(leaves), "passages")
        if names[node.id] in done:
            continue
        if (said := tools.kept.rewrites.get(grown.gist.inputs)) is not None:
            node = replace(node, text=said.text, written_by=said.model)
        batch.append((order, node))
        work += _KNOWN_WORK if grown.is_known else 1.0
        if work >= _COMMIT_WORK:
            yield _commit(media, segment, batch, (names, gists), tools)
            segment, batch, work = segment + 1, [], 0.0
    if batch:
        yield _commit(media, segment, batch, (names, gists), tools)


def _commit(
    media: Media,
    segment: int,
    batch: Sequence[tuple[int, SummaryNode]],
    so_far: tuple[Mapping[str, str], Sequence[Gist]],
    tools: OutlineTools,
) -> Commit:
    names, gists = so_far
    parents = {names[child]: names[node.id] for _, node in batch for child in node.children}
    nodes = [
        Memory(
            id=names[node.id],
            media_id=media.id,
            segment=segment,
            level="summary",
            modality="summary",
            locator=node.locator,
            text=node.text,
            order=order,
            parent_id=parents.get(names[node.id]),
            method=node.written_by,
        )
        for order, node in batch
    ]
    new = {node.id for node in nodes}
    return Commit(
        segment,
        media,
        memories=nodes,
        vectors=[text_batch(tools.encoder, nodes, tools.listener, kept=tools.kept)],
        parents={child: parent for child, parent in parents.items() if child not in new},
        states={OUTLINE: dump_gists(gists)},
    )


def load_outline(reader: Reader, media: Media) -> Tree:
    """Put a media's tree together again.

    Raises:
        InputError: it has none yet, or only a part of it.
    """
    from docmem.tree import Tree

    summaries = reader.memories(media.id, levels=["summary"])
    if sum(summary.parent_id is None for summary in summaries) != 1:
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
        written_by=summary.method,
    )


def _local(memory: str) -> str:
    return memory.partition(".")[2]
