"""Memory and media values to Arrow rows and back; opens nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from memqa.store import schema
from memqa.store.schema import MediaRow, Memory, VectorBatch
from memqa.values import Media
from models.values import Box, Locator, PageSpan, TimeSpan

# A row as Arrow hands it over; its values have the types that the schema declares.
Row = Mapping[str, Any]


def memory_from(row: Row) -> Memory:
    """Read a memory from its row."""
    return Memory(
        id=row["id"],
        media_id=row["media_id"],
        segment=row["segment"],
        level=row["level"],
        modality=row["modality"],
        locator=_locator(row),
        text=row["text"],
        order=row["order"],
        parent_id=row["parent_id"],
        method=row["method"],
        count=row["count"],
        heading=row["heading"],
        boxes=tuple(_box(box) for box in row["boxes"] or ()),
        has_thumbnail=row["has_thumbnail"],
        moves=row["moves"],
    )


def memory_table(memories: Iterable[Memory], thumbnails: Mapping[str, bytes]) -> pa.Table:
    """Write memories as rows; an id that comes twice is written once, as it came last."""
    rows = {
        memory.id: {
            "id": memory.id,
            "media_id": memory.media_id,
            "segment": memory.segment,
            "level": memory.level,
            "modality": memory.modality,
            "method": memory.method,
            "parent_id": memory.parent_id,
            "order": memory.order,
            "count": memory.count,
            "moves": memory.moves,
            "text": memory.text,
            "heading": memory.heading,
            "words": searched_text(memory),
            "boxes": [_told(box) for box in memory.boxes],
            "has_thumbnail": memory.id in thumbnails,
            "thumbnail": thumbnails.get(memory.id),
            **_located(memory.locator),
        }
        for memory in memories
    }
    return pa.Table.from_pylist(list(rows.values()), schema=schema.MEMORIES)


def searched_text(memory: Memory) -> str:
    """Give the words a memory is found by: its text, and its heading unless that is in it."""
    last = memory.heading.rsplit(" › ", 1)[-1]
    if last in memory.text:
        return memory.text
    return f"{memory.heading}\n{memory.text}"


def vector_table(batch: VectorBatch, memories: Mapping[str, Memory]) -> pa.Table:
    """Write the vectors of memories as rows of their encoder's table."""
    dim = batch.vectors.shape[1]
    owners = [memories[id_] for id_ in batch.ids]
    vectors = pa.FixedSizeListArray.from_arrays(
        pa.array(batch.vectors.astype("float16").reshape(-1)), dim
    )
    columns = [
        pa.array(batch.ids, pa.string()),
        pa.array([owner.media_id for owner in owners], pa.string()),
        pa.array([owner.segment for owner in owners], pa.int32()),
        pa.array([owner.level for owner in owners], pa.string()),
        pa.array([owner.modality for owner in owners], pa.string()),
        vectors,
    ]
    declared = schema.vectors_schema(batch.signature, batch.metric, dim)
    return pa.Table.from_arrays(columns, schema=declared)


def media_from(row: Row) -> MediaRow:
    """Read a media from its row."""
    names = ("id", "path", "kind", "status", "duration_s", "pages", "remembered_s")
    more = ("remembered_pages", "memories", "bytes", "method", "added_at", "error")
    shown = {name: row[name] for name in (*names, *more)}
    return MediaRow(
        media=Media(**shown, notes=tuple(row["notes"] or ())),
        committed_segment=row["committed_segment"],
        long_segment=row["long_segment"],
        settled=row["settled"],
        forgetting=row["forgetting"],
        aliases=tuple(row["aliases"] or ()),
        size_bytes=row["size_bytes"],
        mtime_ns=row["mtime_ns"],
        signatures=json.loads(row["signatures"] or "{}"),
        replaceable_bytes=row["replaceable_bytes"],
    )


def media_table(row: MediaRow) -> pa.Table:
    """Write a media as its row."""
    values = {
        **asdict(row.media),
        "committed_segment": row.committed_segment,
        "long_segment": row.long_segment,
        "settled": row.settled,
        "forgetting": row.forgetting,
        "aliases": list(row.aliases),
        "size_bytes": row.size_bytes,
        "mtime_ns": row.mtime_ns,
        "signatures": json.dumps(dict(row.signatures)),
        "replaceable_bytes": row.replaceable_bytes,
    }
    return pa.Table.from_pylist([values], schema=schema.MEDIA)


def _locator(row: Row) -> Locator:
    if row["page"] is None:
        return TimeSpan(row["start_s"], row["end_s"])
    return PageSpan(row["page"], row["page_end"], row["char_start"], row["char_end"])


def _located(locator: Locator) -> dict[str, float | int]:
    return asdict(locator)


def _told(box: Box) -> dict[str, float]:
    # dataclasses.asdict copies deeply: a tenth of the time of re-indexing a document.
    return {"page": box.page, "x0": box.x0, "y0": box.y0, "x1": box.x1, "y1": box.y1}


def _box(box: Row) -> Box:
    # Stored as float32, a side at 1.0 - 1e-9 stays within the page, an ordered pair stays ordered.
    return Box(**box)
