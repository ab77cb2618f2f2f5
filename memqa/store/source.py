"""The rows of a library that are carried to another one: only read, and each of them proved.

A folder from elsewhere is data. A Lance table may name files outside its folder; one that does is
refused before it is opened. Every row is read once as what it claims to be, so that what cannot be
read never gets into a library.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
from lancedb.expr import Expr, col, lit
from lancedb.table import Table

from memqa.store import schema
from memqa.store.again import AGAIN_AFTER_S
from memqa.store.ground import Folder, ground_of, names_in
from memqa.store.rows import Row, media_from, memory_from
from memqa.store.schema import NOTHING_COMMITTED, MediaRow
from memqa.values import Kind, Level, MediaStatus, Modality
from models.errors import InputError, StoreConflict, StoreMismatch
from models.ports import Metric

_MOST_ROWS = 10_000_000
_AT_ONCE = 512  # rows with their pictures in memory
_MOST_MANIFEST_BYTES = 64 * 2**20
_FOOTER = struct.Struct("<QHH4s")  # where the manifest begins, two versions, the magic word
_BASE_PATHS = 18  # the field of Lance's manifest that names folders outside the table's own
# What reading rows that are not what they claim raises; RecursionError is a RuntimeError.
_VALUES = (ValueError, KeyError, TypeError, AttributeError)
_UNREADABLE = (OSError, RuntimeError, pa.ArrowException, *_VALUES)


@dataclass(frozen=True, slots=True)
class Space:
    """The vectors of one encoder: its signature, how they compare, and how long each is."""

    signature: str
    metric: Metric
    dim: int


class Source:
    """The tables of the library under ``home``, opened without writing a byte there.

    ``is_own`` is a library that is trusted, and that other processes may write to meanwhile: its
    write permission is held while it is opened. Only such a one may lie on object storage.

    Raises:
        InputError: there are no tables, they are damaged, or they lead out of the folder.
        StoreMismatch: they were written with another schema.
    """

    def __init__(self, home: Path, *, is_own: bool = False) -> None:
        self._is_own = is_own
        self._ground = ground_of(home) if is_own else Folder(home)
        if not self._ground.is_shared and not (home / "tables").is_dir():
            raise InputError(f"{home} holds no library; name a folder that `memqa export` made")
        if not is_own:
            for table in sorted((home / "tables").iterdir()):
                _stays_inside(table, home)
        with self._whole():
            db = self._ground.connect(0.0)
            opened = {
                name: self._checked(db.open_table(name))
                for name in sorted(names_in(db))
                if self._ground.is_shared or _is_made(home / "tables", name)
            }
            self._media = opened["media"]
            self._memories = opened["memories"]
            self._states = opened["states"]
            self._chats = opened["chats"]
            self._collections = opened["collections"]
        self._vectors = {
            _space(table): table for name, table in opened.items() if name.startswith("vectors_")
        }

    def media(self) -> list[MediaRow]:
        """Give every media of which something is committed."""
        with self._whole():
            rows = self._media.search().limit(_MOST_ROWS).to_list()
            found = [_proved_media(row) for row in rows]
        if len({row.media.id for row in found}) != len(found):
            raise InputError(
                f"{self._ground.told} is damaged: it holds a media twice; export it again"
            )
        return [
            row for row in found if row.committed_segment > NOTHING_COMMITTED and not row.forgetting
        ]

    def memories(self, row: MediaRow) -> Iterator[pa.Table]:
        """Yield the committed memories of a media, with their pictures, some at a time."""
        seen: set[str] = set()
        for batch in self._batches(self._memories, schema.MEMORIES, _committed(row)):
            with self._whole():
                ids = _proved_ids(batch, row, seen)
                for memory in batch.drop_columns(["thumbnail"]).to_pylist():
                    _prove_memory(memory)
            seen |= ids
            yield batch

    def vectors(self, row: MediaRow) -> Iterator[tuple[Space, pa.Table]]:
        """Yield the vectors of a media, whichever encoder made them, some at a time."""
        for space, table in self._vectors.items():
            declared = schema.vectors_schema(space.signature, space.metric, space.dim)
            seen: set[str] = set()
            for batch in self._batches(table, declared, _committed(row)):
                with self._whole():
                    seen |= _proved_ids(batch, row, seen)
                    flat = batch["vector"].combine_chunks().flatten()
                    if not np.isfinite(flat.to_numpy(zero_copy_only=False)).all():
                        raise ValueError("a vector that is none")
                yield space, batch

    def spaces(self, row: MediaRow) -> list[Space]:
        """Name the encoders of which there are vectors of a media."""
        with self._whole():
            mine = _committed(row).to_sql()
            return [space for space, table in self._vectors.items() if table.count_rows(mine)]

    def states(self, row: MediaRow) -> Iterator[pa.Table]:
        """Yield the states that belong to a media's last commit, one by one."""
        where = (col("media_id") == lit(row.media.id)) & (
            col("segment") <= lit(row.committed_segment)
        )
        for batch in self._batches(self._states, schema.STATES, where):
            for at in range(batch.num_rows):
                state = batch.slice(at, 1).to_pylist()[0]
                # The id is written anew: it must be this media's and no other's.
                state["id"] = f"{row.media.id}:{state['name']}:{state['segment']}"
                yield pa.Table.from_pylist([state], schema=schema.STATES)

    def collections(self) -> list[tuple[str, list[str]]]:
        """Give the collections: a name and the ids of its media."""
        with self._whole():
            rows = self._collections.search().limit(_MOST_ROWS).to_list()
            return [
                (str(row["name"]), [str(one) for one in row["media_ids"] or ()]) for row in rows
            ]

    def turns(self) -> list[Row]:
        """Give the turns of the chats, in the order they were asked."""
        with self._whole():
            rows = self._chats.search().limit(_MOST_ROWS).to_list()
            return sorted(rows, key=lambda row: str(row["at"]))

    def _batches(self, table: Table, declared: pa.Schema, where: Expr) -> Iterator[pa.Table]:
        if self._is_own:
            yield from self._parts(table, declared, where)
            return
        with self._whole():
            query = table.search().where(where).select(declared.names).limit(_MOST_ROWS)
            reader = query.to_batches(_AT_ONCE)
        while True:
            with self._whole():
                batch = next(reader, None)
                if batch is None:
                    return
                columns = pa.Table.from_batches([batch]).select(declared.names)
                rows = columns.cast(declared.with_metadata(columns.schema.metadata))
            if rows.num_rows:
                yield rows.replace_schema_metadata(declared.metadata)

    def _parts(self, table: Table, declared: pa.Schema, where: Expr) -> Iterator[pa.Table]:
        """Ask for rows part by part: tidying up may take a version away while it is read."""
        with self._whole():
            ids = self._rows(table, where, ["id"])["id"].to_pylist()
        # Each part looks through the ids of the whole table, so of small rows many are taken.
        size = _AT_ONCE if "thumbnail" in declared.names else _AT_ONCE * 8
        for at in range(0, len(ids), size):
            part = ids[at : at + size]
            with self._whole():
                rows = self._rows(table, where & col("id").isin(part), declared.names)
                if rows.num_rows != len(part):
                    raise StoreConflict("a media was changed while it was exported; export again")
                rows = rows.cast(declared)
            yield rows

    def _rows(self, table: Table, where: Expr, names: list[str]) -> pa.Table:
        query = table.search().where(where).select(names).limit(_MOST_ROWS)
        for wait_s in AGAIN_AFTER_S:
            try:
                return query.to_arrow()
            except (OSError, RuntimeError) as exc:  # the version was tidied away meanwhile
                if self._ground.is_at_fault(exc):
                    raise
                time.sleep(wait_s)
                table.checkout_latest()  # type: ignore[no-untyped-call]
        return query.to_arrow()

    def _checked(self, table: Table) -> Table:
        written = (table.schema.metadata or {}).get(schema.VERSION_KEY, b"?").decode("utf-8", "?")
        if written != str(schema.SCHEMA_VERSION):
            raise StoreMismatch(
                f"{self._ground.told} has schema {written}, this memqa reads schema "
                f"{schema.SCHEMA_VERSION}; export it anew with the version of memqa used here"
            )
        return table

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Say that the folder is damaged, whatever it is that cannot be read of it."""
        try:
            with self._ground.plainly():
                yield
        except _UNREADABLE as exc:
            then = "see `memqa doctor`" if self._is_own else "export it again"
            raise InputError(
                f"{self._ground.told} is damaged and cannot be read ({_short(exc)}); {then}"
            ) from exc


def _committed(row: MediaRow) -> Expr:
    """Say which rows of a media count; of ``long`` ones only those that were written last."""
    mine = col("media_id") == lit(row.media.id)
    replaced = (col("level") == lit("long")) & (col("segment") < lit(row.long_segment))
    return mine & (col("segment") <= lit(row.committed_segment)) & ~replaced


def _is_made(folder: Path, name: str) -> bool:
    """Tell a table from the bare folder that a kill leaves while one is made."""
    return any((folder / f"{name}.lance" / "_versions").glob("*.manifest"))


def _space(table: Table) -> Space:
    metadata = table.schema.metadata or {}
    metric = metadata.get(schema.METRIC_KEY, b"").decode("utf-8", "replace")
    kind = table.schema.field("vector").type
    if metric not in get_args(Metric) or not pa.types.is_fixed_size_list(kind):
        raise InputError(f"the table {table.name} holds no vectors; export it again")
    signature = metadata.get(schema.SIGNATURE_KEY, b"").decode("utf-8", "replace")
    if table.name != schema.vectors_table(signature):
        raise InputError(f"the table {table.name} is not the one of its encoder; export it again")
    return Space(signature, metric, int(kind.list_size))


def _proved_media(row: Row) -> MediaRow:
    found = media_from(row)
    media = found.media
    whole = len(media.id) == 64 and set(media.id) <= set("0123456789abcdef")
    texts = [media.path, media.method, media.added_at, *media.notes, *found.signatures.values()]
    numbers = [media.duration_s, media.pages, media.remembered_s, media.remembered_pages]
    if not (
        whole
        and media.kind in get_args(Kind)
        and media.status in get_args(MediaStatus)
        and all(isinstance(text, str) for text in (*texts, *found.signatures))
        and all(one is None or 0 <= one < math.inf for one in (*numbers, found.size_bytes))
        and found.long_segment <= found.committed_segment
    ):
        raise ValueError(f"media {media.id[:16]!r} is none")
    return found


def _prove_memory(row: Row) -> None:
    memory = memory_from(row)
    texts = (memory.text, memory.heading, memory.method)
    if not (
        memory.level in get_args(Level)
        and memory.modality in get_args(Modality)
        and all(isinstance(text, str) for text in texts)
        and isinstance(memory.count, int)
    ):
        raise ValueError(f"memory {memory.id[:32]!r} is none")


def _proved_ids(batch: pa.Table, row: MediaRow, seen: set[str]) -> set[str]:
    """Give the ids of rows, each this media's own: another's could else be overwritten."""
    ids = batch["id"].to_pylist()
    own = schema.memory_id(row.media.id, "")
    if not all(id_.startswith(own) for id_ in ids) or len(set(ids) - seen) != len(ids):
        raise ValueError(f"rows of media {row.media.id[:16]} that are not its own")
    return set(ids)


def _stays_inside(table: Path, home: Path) -> None:
    """Refuse a table that is a link, holds one, or names files outside its folder."""
    for path in (table, *table.rglob("*")):
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise InputError(f"{path} is a link or no file; {home} is no export of memqa")
        if path.suffix == ".manifest":
            with _readable(path, home):
                if _BASE_PATHS in _manifest_fields(path):
                    raise InputError(
                        f"{path} leads to files outside {home}; it is no export of memqa"
                    )


@contextmanager
def _readable(path: Path, home: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, IndexError, struct.error) as exc:
        raise InputError(f"{home} is damaged: {path.name} cannot be read; export it again") from exc


def _manifest_fields(path: Path) -> set[int]:
    """Give the numbers of the fields in a Lance manifest, a protobuf message before a footer."""
    if path.stat().st_size > _MOST_MANIFEST_BYTES:
        raise ValueError("too long")
    data = path.read_bytes()
    start, _, _, magic = _FOOTER.unpack(data[-_FOOTER.size :])
    (length,) = struct.unpack_from("<I", data, start)
    if magic != b"LANC" or start + 4 + length > len(data):
        raise ValueError("no manifest")
    return set(_fields(data[start + 4 : start + 4 + length]))


def _fields(message: bytes) -> Iterator[int]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        yield key >> 3
        match key & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 2:
                length, at = _varint(message, at)
                at += length
            case 5:
                at += 4
            case _:
                raise ValueError("no protobuf")
    if at != len(message):
        raise ValueError("cut short")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("too long a number")


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]
