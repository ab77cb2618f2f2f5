"""What must hold of a library whatever happened to it: told as a list of what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from memqa.library import Library
from memqa.stale import FINISHED
from memqa.store.schema import MediaRow
from memqa.store.tables import KEY

Row: TypeAlias = dict[str, Any]
_ALL = 100_000


@dataclass(frozen=True, slots=True)
class Held:
    """All rows of a library, whoever may see them; of vectors and states, whose they are."""

    media: dict[str, MediaRow]
    memories: dict[str, Row]
    vectors: dict[tuple[str, str], Row]
    states: dict[str, Row]
    turns: dict[str, Row]
    collections: dict[str, Row]
    doubled: tuple[str, ...]

    def of(self, media_id: str) -> dict[str, Any]:
        """Give what belongs to one media."""
        return {
            "media": self.media.get(media_id),
            "memories": _its(self.memories, media_id),
            "vectors": _its(self.vectors, media_id),
            "states": _its(self.states, media_id),
        }


def held(library: Library) -> Held:
    """Read a library to the last row."""
    tables = library.store.read._tables
    doubled: list[str] = []

    def rows(table: Any, name: str) -> dict[str, Row]:
        found = table.search().limit(_ALL).to_list()
        counts = Counter(row["id"] for row in found)
        doubled.extend(f"{name} {id_} is there {n} times" for id_, n in counts.items() if n > 1)
        return {row["id"]: row for row in found}

    vectors = {
        (tables.signature_of(table), id_): {**row, "vector": tuple(row["vector"])}
        for table in tables.all_vectors()
        for id_, row in rows(table, tables.signature_of(table)).items()
    }
    rows(tables.media, "media")
    for table in (tables.media, tables.memories, tables.states, *tables.all_vectors()):
        if KEY not in (table.schema.field("id").metadata or {}):
            doubled.append(f"the table {table.name} has no key: two processes may double its rows")
    return Held(
        media={row.media.id: row for row in library.store.read.media_rows()},
        memories=rows(tables.memories, "memory"),
        vectors=vectors,
        states=rows(tables.states, "state"),
        turns=rows(tables.chats, "turn"),
        collections=rows(tables.collections, "collection"),
        doubled=tuple(doubled),
    )


def lost(library: Library, before: Held, now: Held, spared: Collection[str]) -> list[str]:
    """Say what is not as it was of the media ``spared``, which nothing was done to."""
    faults = []
    for id_ in spared:
        was, is_ = before.of(id_), now.of(id_)
        faults += [
            f"{part} of {_name(before, id_)} changed" for part in was if was[part] != is_[part]
        ]
        faults += _unanswered(library, now, id_)
    return faults


def _unanswered(library: Library, now: Held, media_id: str) -> Iterator[str]:
    """Ask a media for a memory of each of its segments, by words and by vector."""
    read, row, name = library.store.read, now.media[media_id], _name(now, media_id)
    seen = read.memories(media_id)
    for segment in sorted({memory.segment for memory in seen}):
        one = next(memory for memory in seen if memory.segment == segment)
        text = next((m for m in seen if m.segment == segment and m.text.strip()), None)
        if text is not None:
            hits = read.search_text(text.text, media_ids=[media_id], limit=_ALL)
            if text.id not in {hit.memory.id for hit in hits}:
                yield f"segment {segment} of {name} is not found by its words"
        for signature in set(row.signatures.values()):
            vector = now.vectors.get((signature, one.id))
            if vector is None:
                continue
            table = library.store.read._tables.vectors(signature)
            metric = (table.schema.metadata or {})[b"memqa.metric"].decode() if table else ""
            features = np.asarray(vector["vector"], np.float32)
            found = read.search_vectors(
                signature, features, metric=metric, media_ids=[media_id], limit=_ALL
            )
            if one.id not in {hit.memory.id for hit in found}:
                yield f"segment {segment} of {name} is not found by its vector"
    for memory in seen:
        if now.memories[memory.id]["thumbnail"] and not read.thumbnail(memory.id):
            yield f"{memory.id} lost its thumbnail"


def untrue(library: Library, now: Held) -> list[str]:
    """Say what is doubled, belongs to nothing, or is promised and not there."""
    faults = list(now.doubled)
    rows = (*now.memories.values(), *now.vectors.values(), *now.states.values())
    strangers = {row["media_id"] for row in rows} - set(now.media)
    faults += [f"rows of {id_[:12]}, which is not there" for id_ in strangers]
    for id_, row in now.media.items():
        if row.forgetting:
            faults.append(f"{row.media.name} is still being forgotten")
        if row.media.status not in FINISHED:
            faults += _uncommitted(library, row)
            continue
        beyond = [one for one in _its(now.memories, id_) if one["segment"] > row.committed_segment]
        faults += [f"{one['id']} lies beyond the last commit" for one in beyond if row.settled]
        faults += _without_vector(now, row)
    uploads = library.home / "uploads"
    half = [one for one in uploads.rglob("*.md") if not one.read_text("utf-8").endswith("there.")]
    faults += [f"the upload {one.name} is not whole" for one in half]
    for (signature, id_), vector in now.vectors.items():
        if id_ not in now.memories and now.media[vector["media_id"]].settled:
            faults.append(f"the {signature} vector of {id_} belongs to no memory")
    return faults


def _uncommitted(library: Library, row: MediaRow) -> Iterator[str]:
    seen = library.store.read.memories(row.media.id)
    if len(seen) != row.media.memories:
        yield f"{row.media.name} says {row.media.memories} memories, {len(seen)} are seen"
    if any(memory.segment > row.committed_segment for memory in seen):
        yield f"{row.media.name} shows what is not committed"


def _without_vector(now: Held, row: MediaRow) -> Iterator[str]:
    for one in _its(now.memories, row.media.id):
        sense = "image" if one["level"] == "long" else "text"
        is_told = sense == "image" or one["text"].strip()
        if is_told and (row.signatures[sense], one["id"]) not in now.vectors:
            yield f"{one['id']} has no {sense} vector"


def same(now: Held, undisturbed: Held, *, is_renewed: bool = False) -> list[str]:
    """Say in what a library differs from one that was left in peace.

    What was made anew has other segments and other ids of picture elements, which say nothing.
    """
    one, two = _told(now, is_renewed), _told(undisturbed, is_renewed)
    return [
        f"{part} are not those of an undisturbed run: {_first_other(one[part], two[part])}"
        for part in one
        if one[part] != two[part]
    ]


def _first_other(rows: Sequence[str], others: Sequence[str]) -> str:
    """Show the rows that only one of two has, cut short."""
    only = [[row[:300] for row in set(a) - set(b)][:1] for a, b in ((rows, others), (others, rows))]
    return f"{only[0]} and not {only[1]}"


def _told(all_: Held, is_renewed: bool) -> dict[str, list[str]]:
    long = {id_ for id_, row in all_.memories.items() if row["level"] == "long"}

    def plain(row: Row) -> Row:
        drop = {"segment"} if is_renewed else set()
        if is_renewed and row["id"] in long:
            drop |= {"id"}
        return {key: value for key, value in row.items() if key not in drop}

    def texts(rows: Any) -> list[str]:
        return sorted(str(one) for one in rows)

    return {
        "media": texts(_said(row) for row in all_.media.values()),
        "memories": texts(plain(row) for row in all_.memories.values()),
        "vectors": texts((key[0], plain(row)) for key, row in all_.vectors.items()),
        "states": texts((r["media_id"], r["name"], r["blob"]) for r in all_.states.values()),
        "turns": texts((r["chat"], r["media_ids"]) for r in all_.turns.values()),
        "collections": texts(all_.collections.values()),
    }


def _said(row: MediaRow) -> tuple[Any, ...]:
    media = row.media
    parts = Path(media.path).parts
    path = ("uploads", media.name) if "uploads" in parts else parts
    said = (media.status, media.memories, media.bytes, media.notes, media.error, media.pages)
    return (media.id, path, said, sorted(row.signatures.items()), row.settled, row.forgetting)


def _its(rows: dict[Any, Row], media_id: str) -> list[Row]:
    return sorted((row for row in rows.values() if row["media_id"] == media_id), key=str)


def _name(all_: Held, media_id: str) -> str:
    return all_.media[media_id].media.name
