"""Knows what one process writes a second when many machines index for it, and what an hour takes.

``python -m benchmarks.cluster --home DIR [--copies N]``. DIR is a library with finished media, only
read. Each media is delivered N times under other ids into a new library, as the rows that a
cluster's workers send are. Progress goes to stderr; last on stdout is one JSON object: seconds for
each media, at the beginning and at the end, megabytes a second, and what an hour of video holds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from memqa.delivered import Delivery
from memqa.facts import FileFacts
from memqa.library import Library
from memqa.stale import FINISHED
from memqa.store.parcel import Parcel
from memqa.store.source import Source

_ID_COLUMNS = ("id", "media_id", "parent_id")
_PART = 20  # so many deliveries make a beginning and an end


@dataclass(frozen=True, slots=True)
class Written:
    """One delivery: how long it took, and how much it was."""

    seconds: float
    n_bytes: int


def parcels_of(home: Path) -> list[Parcel]:
    """Read every finished media of a library."""
    with Library(home) as library:
        rows = [row for row in library.store.read.media_rows() if row.media.status in FINISHED]
        with library.store.writing():
            source = Source(home, is_own=True)
        return [Parcel.of(source, row) for row in rows]


def renamed(parcel: Parcel, number: int) -> Parcel:
    """Give the same rows as another media's."""
    before = parcel.row.media.id
    after = hashlib.sha256(f"{before} {number}".encode()).hexdigest()

    def moved(table: pa.Table) -> pa.Table:
        for name in _ID_COLUMNS:
            if name in table.column_names:
                column = table[name]
                for old, new in ((before, after), (before[:16], after[:16])):
                    column = pc.replace_substring(column, old, new)
                at = table.schema.get_field_index(name)
                table = table.set_column(at, table.schema.field(name), column)
        return table

    media = replace(parcel.row.media, id=after, path=f"/nowhere/{number}/{parcel.row.media.name}")
    return Parcel(
        replace(parcel.row, media=media),
        tuple(map(moved, parcel.memory_tables)),
        tuple((space, moved(table)) for space, table in parcel.vector_tables),
        tuple(map(moved, parcel.state_tables)),
    )


def deliver(parcels: Sequence[Parcel], copies: int, home: Path) -> tuple[list[Written], int]:
    """Deliver each parcel so many times; give what each took, and the library's bytes."""
    written = []
    with Library(home) as library:
        delivery = Delivery(library.store, library.engines, library.settings)
        for number in range(copies):
            for parcel in parcels:
                other = renamed(parcel, number)
                facts = FileFacts(Path(other.row.media.path), other.row.size_bytes, number)
                started = time.perf_counter()
                delivery.deliver(other, facts, "auto")
                written.append(Written(time.perf_counter() - started, other.n_bytes))
            if number % 10 == 9:
                print(f"{len(written)} media, {written[-1].seconds:.3f} s", file=sys.stderr)
        return written, library.stats().tables_bytes


def per_hour(home: Path, parcels: Sequence[Parcel]) -> dict[str, float]:
    """Say what the videos of a library hold, for an hour of them."""
    videos = [one.row.media for one in parcels if one.row.media.duration_s]
    hours = sum(media.duration_s or 0 for media in videos) / 3600
    with Library(home) as library:
        sizes = [library.store.read.sizes(media.id) for media in videos]
    parts = ("texts", "thumbnails", "vectors", "states")
    found: dict[str, float] = {
        f"{name}_bytes": round(sum(getattr(one, name) for one in sizes) / hours) for name in parts
    }
    found["memories"] = round(sum(media.memories for media in videos) / hours)
    rows = sum(len(table) for one in parcels for _, table in one.vector_tables)
    found["vectors"] = round(rows / hours)
    return found


def main() -> None:
    """Measure, and print one JSON object last."""
    parser = argparse.ArgumentParser(prog="benchmarks.cluster", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=100)
    given = parser.parse_args()
    parcels = parcels_of(given.home.resolve())
    with tempfile.TemporaryDirectory() as folder:
        written, disk_bytes = deliver(parcels, given.copies, Path(folder) / "home")
    seconds = [one.seconds for one in written]
    sent = sum(one.n_bytes for one in written)
    told: dict[str, Any] = {
        "media": len(written),
        "seconds": round(sum(seconds), 2),
        "seconds_each": {
            "median": round(statistics.median(seconds), 4),
            "first": round(statistics.fmean(seconds[:_PART]), 4),
            "last": round(statistics.fmean(seconds[-_PART:]), 4),
            "worst": round(max(seconds), 4),
        },
        "mb_per_s": round(sent / 1e6 / sum(seconds), 2),
        "sent_bytes_each": round(sent / len(written)),
        "disk_bytes_each": round(disk_bytes / len(written)),
        "per_video_hour": per_hour(given.home.resolve(), parcels),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
