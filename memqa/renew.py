"""One media in the space of other encoders: from what is stored, and of its file only the pictures.

Texts are encoded as they are stored; speech and what was read stay. What is new lies beside the old
until all of it is made, so that a stopped run goes on where it was and the media can be asked
meanwhile. The outline's extracts are chosen by the text encoder, so they are chosen anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from memqa.embedding import text_batch
from memqa.ingest_video import VideoIngest, manner, picture_rows, seen_line
from memqa.kept import Kept, load_gists, load_rewrites
from memqa.listening import Listener
from memqa.outline import LEAVES, OutlineTools, outline_commits
from memqa.store.schema import (
    ENRICHED,
    MEMORY,
    OUTLINE,
    RENEWING,
    TIMELINE,
    Commit,
    MediaRow,
    Memory,
    Switch,
    VectorBatch,
    memory_id,
)
from memqa.values import Level, Sense
from models.errors import StoreMismatch

if TYPE_CHECKING:
    from memqa.engines import Engines
    from memqa.settings import VideoSettings
    from memqa.store.store import Store
    from models.ports import TextEncoder
    from vidmem.values import MediaInfo

_TEXTS: tuple[Level, ...] = ("observation", "event", "passage")
_AT_ONCE = 256  # texts whose vectors are written together: so many a killed process loses at most


@dataclass(frozen=True, slots=True)
class _Pictures:
    """What another picture encoder saw in a video: elements, their vectors, states, labels."""

    rows: Sequence[Memory] = ()
    vectors: Sequence[VectorBatch] = ()
    states: Mapping[str, bytes] = field(default_factory=dict)
    seen: Mapping[str, str] = field(default_factory=dict)
    signatures: Mapping[str, str] = field(default_factory=dict)


class Renewal:
    """Makes anew what other encoders made of one finished media; the lease on it is held."""

    def __init__(
        self, store: Store, engines: Engines, settings: VideoSettings, listener: Listener
    ) -> None:
        self._store = store
        self._engines = engines
        self._settings = settings
        self._listener = listener

    def run(self, row: MediaRow, stale: Sequence[Sense], film: MediaInfo | None) -> MediaRow:
        """Encode the texts anew where they are stale, the pictures of ``film`` where one is given.

        Raises:
            IngestCancelled: the listener wished it; what is made so far is kept for the next run.
            StoreConflict: the media was forgotten meanwhile.
            StoreMismatch: its texts are not called stale, and yet another encoder made them.
        """
        encoder = self._engines.text_encoder()
        if "text" not in stale and row.signatures.get("text") != encoder.signature:
            raise StoreMismatch(
                f"the texts of {row.media.name} were indexed with another text encoder than the "
                "one in use; run `memqa reindex` again"
            )
        pictures = _Pictures() if film is None else self._watch(row, film)
        row = self._row(row)
        leaves = self._store.read.memories(row.media.id, levels=_TEXTS)
        texts = _new_texts(leaves, pictures.seen)
        if "text" in stale:
            self._encode(leaves, texts, encoder)
        changed = [replace(one, text=texts[one.id]) for one in leaves if one.id in texts]
        vectors = [text_batch(encoder, changed, self._listener), *pictures.vectors]
        texts_by = {"text": encoder.signature} if "text" in stale else {}
        switch = Switch(
            row.media,
            {**row.signatures, **pictures.signatures, **texts_by},
            memories=pictures.rows,
            texts=texts,
            owners=changed,
            vectors=vectors,
            states=pictures.states,
        )
        if changed or "text" in stale:
            leaves = [replace(one, text=texts.get(one.id, one.text)) for one in leaves]
            switch = self._with_outline(switch, row, leaves, is_new="text" in stale)
        return self._store.write.switch(switch)

    def _row(self, row: MediaRow) -> MediaRow:
        """Give the row as the last commit left it."""
        return self._store.read.media_row(row.media.id) or row

    # Pictures

    def _watch(self, row: MediaRow, film: MediaInfo) -> _Pictures:
        """Watch a video once more, its pictures alone, and go on where an earlier run stopped."""
        eyes = self._engines.image_encoder()
        settings = manner(self._settings, row.media.method)
        ours = f"{RENEWING}:{_short(f'{eyes.signature} {settings}')}"
        names = {name: f"{ours}:{name}" for name in ("watch", "seen", MEMORY, TIMELINE)}
        stored = self._store.read.states(row.media.id)
        begun = {name: stored[kept] for name, kept in names.items() if kept in stored}
        seen: dict[str, str] = json.loads(begun.get("seen", b"{}"))
        segment, media = row.committed_segment, row.media
        ingest = VideoIngest(self._store, self._engines, self._settings)
        held, parts = ingest.watch_again(film, media.method, begun, self._listener)
        for part in parts:
            for event in part.events:
                seen[memory_id(media.id, f"e{event.index}")] = seen_line(event.labels)
            segment += 1
            states = {"watch": part.state, "seen": json.dumps(seen).encode(), **held.dump()}
            kept = {names[name]: blob for name, blob in states.items()}
            media = self._store.write.commit(Commit(segment, media, states=kept)).media
            self._store.upkeep.after_commit()
        rows, vectors = picture_rows(media, segment + 1, held.chosen, eyes)
        signatures = {"image": eyes.signature, "settings": settings}
        return _Pictures(rows, [vectors], held.dump(), seen, signatures)

    # Texts

    def _encode(
        self, leaves: Sequence[Memory], changed: Mapping[str, str], encoder: TextEncoder
    ) -> None:
        """Put the vectors of the stored texts beside the old ones, those that are not there yet.

        Of a text that changes with the switch, the vector is written with it.
        """
        media_id = leaves[0].media_id if leaves else ""
        telling = [one for one in leaves if one.text.strip() and one.id not in changed]
        there = self._store.read.vector_ids(encoder.signature, media_id)
        missing = [one for one in telling if one.id not in there]
        done = len(telling) - len(missing)
        for start in range(0, len(missing), _AT_ONCE):
            self._listener.progress("Encoding texts", done + start, len(telling), "texts")
            part = missing[start : start + _AT_ONCE]
            self._store.write.add_vectors(text_batch(encoder, part, self._listener), part)
            self._store.upkeep.after_commit()
        self._listener.progress("Encoding texts", len(telling), len(telling), "texts")

    def _with_outline(
        self, switch: Switch, row: MediaRow, leaves: Sequence[Memory], *, is_new: bool
    ) -> Switch:
        """Add the outline over texts that changed, or whose extracts another encoder chooses."""
        read, media = self._store.read, switch.media
        passages = [leaf for leaf in leaves if leaf.level in LEAVES]
        before = read.memories(media.id, levels=["summary"])
        states = read.states(media.id)
        begun = f"{RENEWING}:{_short(self._engines.text_encoder().signature)}:{OUTLINE}"
        gists = {} if is_new else load_gists(states.get(OUTLINE))
        gists |= load_gists(states.get(begun))
        rewrites = load_rewrites(states.get(ENRICHED)) if media.kind == "document" else {}
        tools = OutlineTools(
            self._engines.text_encoder(), self._listener, Kept(gists=gists, rewrites=rewrites)
        )
        nodes: dict[str, Memory] = {}
        parents: dict[str, str] = {}
        vectors: list[VectorBatch] = []
        segment, outline = row.committed_segment, b""
        for commit in outline_commits(media, passages, first_segment=0, done=(), tools=tools):
            nodes |= {node.id: node for node in commit.memories}
            parents |= commit.parents
            vectors += commit.vectors
            outline = commit.states[OUTLINE]
            segment += 1
            self._store.write.commit(Commit(segment, media, states={begun: outline}))
        summaries = [
            replace(node, segment=segment, parent_id=node.parent_id or parents.get(node.id))
            for node in nodes.values()
        ]
        moved = {
            leaf.id: parents[leaf.id]
            for leaf in passages
            if leaf.id in parents and leaf.parent_id != parents[leaf.id]
        }
        is_document = media.kind == "document"
        # A picture memory's elements belong to the segment of the switch, which is later now.
        elements = [replace(one, segment=segment + 1) for one in switch.memories]
        return replace(
            switch,
            memories=[*elements, *summaries],
            parents=moved,
            vectors=[*switch.vectors, *vectors],
            gone=[one.id for one in before if one.id not in nodes],
            states={**switch.states, **({OUTLINE: outline} if is_document else {})},
            # A video's words are known by their nodes, whose extracts are others now.
            ended=() if is_document else (ENRICHED,),
        )


def _new_texts(leaves: Sequence[Memory], seen: Mapping[str, str]) -> dict[str, str]:
    """Give the texts of the events in which other things are seen than before, by id."""
    texts = {}
    for leaf in leaves:
        if leaf.level == "event" and leaf.id in seen:
            first, _, rest = leaf.text.partition("\n")
            told = rest if first.startswith("Seen: ") else leaf.text
            text = "\n".join(part for part in (seen[leaf.id], told) if part)
            if text != leaf.text:
                texts[leaf.id] = text
    return texts


def _short(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
