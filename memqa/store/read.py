"""What a library remembers, read: media, memories, thumbnails, and the two searches over them.

Only what is committed is seen. A media that is being written or deleted gets a filter of its own;
of ``long`` memories only those that were written last count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from lancedb.expr import Expr, col, lit
from lancedb.query import LanceVectorQueryBuilder, MatchQuery

from memqa.store.again import again_if_purged
from memqa.store.indexes import IndexPolicy
from memqa.store.reach import Wanted, all_of, hidden, looks
from memqa.store.rows import Row, media_from, memory_from
from memqa.store.schema import MEMORY_COLUMNS, Hit, MediaRow, Memory, Near, Sizes
from memqa.store.tables import Tables
from memqa.values import Level, Media, Modality
from models.ports import Metric
from models.values import Features

_MOST_ROWS = 10_000_000  # A plain query without limit may be cut; this asks for all.


class Reader:
    """Reads what is committed, from this process or any other."""

    def __init__(self, tables: Tables, policy: IndexPolicy | None = None) -> None:
        self._tables = tables
        self._policy = policy or IndexPolicy()
        self._media: tuple[int, list[MediaRow]] = (-1, [])  # as of a version of their table
        self._unsettled: tuple[int, list[MediaRow]] = (-1, [])

    # Media

    def media(self) -> list[Media]:
        """Give every media, the newest first."""
        rows = [row.media for row in self.media_rows() if not row.forgetting]
        return sorted(rows, key=lambda media: media.added_at, reverse=True)

    @again_if_purged
    def media_rows(self) -> list[MediaRow]:
        """Give every media as stored, those included that are being forgotten."""
        version = self._tables.media.version
        known = self._media  # one pair from here on: another thread may put an older one there
        if version != known[0]:
            rows = self._tables.media.search().limit(_MOST_ROWS).to_list()
            known = self._media = version, [media_from(row) for row in rows]
        return list(known[1])

    @again_if_purged
    def rows_at(self, path: str) -> list[MediaRow]:
        """Give the media whose file lies at a path, as stored."""
        query = self._tables.media.search().where(col("path") == lit(path))
        return [media_from(row) for row in query.limit(_MOST_ROWS).to_list()]

    @again_if_purged
    def media_row(self, media_id: str) -> MediaRow | None:
        """Give one media as stored."""
        query = self._tables.media.search().where(col("id") == lit(media_id))
        rows = query.limit(1).to_list()
        return media_from(rows[0]) if rows else None

    def mark(self, media_id: str) -> str:
        """Give what changes whenever the states of a media do; empty where it is unknown."""
        return "".join(repr(row) for row in self.media_rows() if row.media.id == media_id)

    def find_media(self, wanted: str) -> Media | None:
        """Find a media by id, by the beginning of its id, or by a path or file name of its bytes.

        Where a beginning or a file name fits several media, none is meant. Where a file was changed
        and its path fits two, the later one is what lies there.
        """
        known = {row.media.id: row for row in self.media_rows() if not row.forgetting}
        if wanted in known:
            return known[wanted].media
        path = wanted if "://" in wanted else _as_path(wanted)
        there = [row.media for row in known.values() if path in (row.media.path, *row.aliases)]
        if there:
            return max(there, key=lambda media: media.added_at)
        tests: list[Callable[[MediaRow], bool]] = [
            lambda row: len(wanted) >= 4 and row.media.id.startswith(wanted.lower()),
            lambda row: row.media.name == wanted,
            lambda row: wanted in (PurePath(alias).name for alias in row.aliases),
        ]
        for test in tests:
            fitting = [row.media for row in known.values() if test(row)]
            if len(fitting) == 1:
                return fitting[0]
        return None

    # Memories

    @again_if_purged
    def memories(self, media_id: str, *, levels: Sequence[Level] | None = None) -> list[Memory]:
        """Give the committed memories of a media, level by level as asked, each in its order."""
        where = all_of(col("media_id") == lit(media_id), *self._hidden())
        if levels is not None:
            where = where & col("level").isin(list(levels))
        query = self._tables.memories.search().where(where).select(MEMORY_COLUMNS)
        found = [memory_from(row) for row in query.limit(_MOST_ROWS).to_list()]
        rank = {level: i for i, level in enumerate(levels or ())}
        return sorted(found, key=lambda memory: (rank.get(memory.level, 0), memory.order))

    @again_if_purged
    def memories_of(self, media_ids: Sequence[str], *, level: Level) -> dict[str, list[Memory]]:
        """Give the committed memories of one level of several media, each in its order."""
        if not media_ids:
            return {}
        where = col("media_id").isin(list(media_ids)) & (col("level") == lit(level))
        query = self._tables.memories.search().where(all_of(where, *self._hidden()))
        rows = query.select(MEMORY_COLUMNS).limit(_MOST_ROWS).to_list()
        found: dict[str, list[Memory]] = {media_id: [] for media_id in media_ids}
        for memory in sorted(map(memory_from, rows), key=lambda memory: memory.order):
            found[memory.media_id].append(memory)
        return found

    @again_if_purged
    def memories_by_id(self, ids: Iterable[str]) -> dict[str, Memory]:
        """Give those of the memories that exist and are committed, by id."""
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return {}
        where = all_of(col("id").isin(wanted), *self._hidden())
        query = self._tables.memories.search().where(where).select(MEMORY_COLUMNS)
        found = [memory_from(row) for row in query.limit(len(wanted)).to_list()]
        return {memory.id: memory for memory in found}

    @again_if_purged
    def thumbnail(self, memory_id: str) -> bytes | None:
        """Give the JPEG of a memory, if it has one."""
        where = all_of(col("id") == lit(memory_id), *self._hidden())
        rows = self._tables.memories.search().where(where).select(["thumbnail"]).limit(1).to_list()
        return rows[0]["thumbnail"] if rows else None

    @again_if_purged
    def states(self, media_id: str) -> dict[str, bytes]:
        """Give the states that belong to a media's last commit, by name."""
        return self._states(media_id, None)

    @again_if_purged
    def state(self, media_id: str, name: str) -> bytes | None:
        """Give one state that belongs to a media's last commit."""
        return self._states(media_id, name).get(name)

    def _states(self, media_id: str, name: str | None) -> dict[str, bytes]:
        row = self.media_row(media_id)
        if row is None:
            return {}
        where = (col("media_id") == lit(media_id)) & (col("segment") <= lit(row.committed_segment))
        if name is not None:
            where = where & (col("name") == lit(name))
        query = self._tables.states.search().where(where).limit(_MOST_ROWS)
        rows = sorted(query.to_list(), key=lambda state: int(state["segment"]))
        return {state["name"]: state["blob"] for state in rows}

    @again_if_purged
    def sizes(self, media_id: str) -> Sizes:
        """Measure what a media takes, all of its rows."""
        mine = col("media_id") == lit(media_id)
        rows = self._tables.memories.search().where(mine).select(["text", "heading", "thumbnail"])
        memories = rows.limit(_MOST_ROWS).to_arrow()
        states = self._tables.states.search().where(mine).select(["blob"]).limit(_MOST_ROWS)
        vectors = sum(
            int(table.count_rows(mine.to_sql())) * 2 * table.schema.field("vector").type.list_size
            for table in self._tables.all_vectors()
        )
        return Sizes(
            texts=_bytes_of(memories["text"]) + _bytes_of(memories["heading"]),
            thumbnails=_bytes_of(memories["thumbnail"]),
            vectors=vectors,
            states=_bytes_of(states.to_arrow()["blob"]),
        )

    @again_if_purged
    def roots(self, media_ids: Sequence[str]) -> dict[str, Memory]:
        """Give the highest summary of each of the media whose outline is whole, by the media's id.

        One that is being made has several nodes without a parent.
        """
        if not media_ids:
            return {}
        where = col("media_id").isin(list(media_ids)) & (col("level") == lit("summary"))
        query = self._tables.memories.search().where(all_of(where, *self._hidden()))
        rows = query.select(MEMORY_COLUMNS).limit(_MOST_ROWS).to_list()
        found = [memory_from(row) for row in rows if row["parent_id"] is None]
        many = Counter(memory.media_id for memory in found)
        return {memory.media_id: memory for memory in found if many[memory.media_id] == 1}

    # Chats

    @again_if_purged
    def turns(self, chat: str | None = None) -> list[Row]:
        """Give the turns of one chat, or of all, in the order they were asked."""
        query = self._tables.chats.search()
        if chat is not None:
            query = query.where(col("chat") == lit(chat))
        rows = query.limit(_MOST_ROWS).to_list()
        return sorted(rows, key=lambda row: str(row["at"]))

    # Searches

    @again_if_purged
    def search_text(
        self,
        query: str,
        *,
        media_ids: Sequence[str] | None = None,
        limit: int = 10,
        levels: Sequence[Level] | None = None,
        modalities: Sequence[Modality] | None = None,
    ) -> list[Hit]:
        """Find the memories that share words with the query (BM25), best first.

        The query is plain words, any of which may match; nothing in it is an operator.
        """
        words = query.replace("\0", " ").strip()
        wanted = Wanted(media_ids, levels, modalities)
        if not words or limit < 1 or wanted.is_nothing:
            return []
        rows: list[Row] = []
        for look in looks(self.media_rows(), wanted, self._policy):
            # pydantic fills the other arguments; its field declarations hide that from mypy.
            matching = MatchQuery(words, "words")  # type: ignore[call-arg]
            search = self._tables.memories.search(matching, query_type="fts")
            if look.where is not None:
                search = search.where(look.where)
            rows += search.select([*MEMORY_COLUMNS, "_score"]).limit(limit).to_list()
        hits = [Hit(memory_from(row), float(row["_score"])) for row in _of(rows, media_ids)]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]

    def search_vectors(
        self,
        signature: str,
        vector: Features,
        *,
        metric: Metric,
        media_ids: Sequence[str] | None = None,
        limit: int = 10,
        levels: Sequence[Level] | None = None,
        modalities: Sequence[Modality] | None = None,
    ) -> list[Hit]:
        """Find the memories whose vectors lie nearest to the vector [D], best first.

        The score is the cosine or the dot product, as ``metric`` says.
        """
        near = self.nearest(
            signature,
            vector,
            metric=metric,
            media_ids=media_ids,
            limit=limit,
            levels=levels,
            modalities=modalities,
        )
        memories = self.memories_by_id(one.id for one in near)
        return [Hit(memories[one.id], one.score) for one in near if one.id in memories]

    @again_if_purged
    def nearest(
        self,
        signature: str,
        vector: Features,
        *,
        metric: Metric,
        media_ids: Sequence[str] | None = None,
        limit: int = 10,
        levels: Sequence[Level] | None = None,
        modalities: Sequence[Modality] | None = None,
    ) -> list[Near]:
        """Find the same as ``search_vectors``, and leave the memories themselves where they are."""
        table, wanted = self._tables.vectors(signature), Wanted(media_ids, levels, modalities)
        # A zero vector has no direction; NaN would be refused by the store.
        usable = np.isfinite(vector).all() and bool(np.any(vector))
        if table is None or not usable or limit < 1 or wanted.is_nothing:
            return []
        rows: list[Row] = []
        for look in looks(self.media_rows(), wanted, self._policy):
            search = table.search(vector.astype(np.float32), vector_column_name="vector")
            assert isinstance(search, LanceVectorQueryBuilder)
            search = look.reach.within(search.distance_type(metric), limit, self._policy)
            if look.where is not None:
                search = search.where(look.where)
            rows += search.select(["id", "media_id", "_distance"]).limit(limit).to_list()
        near = [
            Near(row["id"], row["media_id"], 1.0 - float(row["_distance"]))
            for row in _of(rows, media_ids)
        ]
        return sorted(near, key=lambda one: -one.score)[:limit]

    @again_if_purged
    def vectors(self, signature: str, ids: Iterable[str]) -> dict[str, Features]:
        """Give the vectors [D] that one encoder made of these memories, by id."""
        table, wanted = self._tables.vectors(signature), list(dict.fromkeys(ids))
        if table is None or not wanted:
            return {}
        query = table.search().where(col("id").isin(wanted)).select(["id", "vector"])
        return _vectors(query.limit(len(wanted)).to_arrow())

    @again_if_purged
    def vector_ids(self, signature: str, media_id: str) -> set[str]:
        """Give the ids of a media's memories of which one encoder made vectors."""
        table = self._tables.vectors(signature)
        if table is None:
            return set()
        query = table.search().where(col("media_id") == lit(media_id)).select(["id"])
        return set(query.limit(_MOST_ROWS).to_arrow()["id"].to_pylist())

    @again_if_purged
    def has_foreign_vectors(self, row: MediaRow) -> bool:
        """Say whether a media has vectors of encoders that are not the ones it was made with."""
        own, mine = set(row.signatures.values()), (col("media_id") == lit(row.media.id)).to_sql()
        return any(
            self._tables.signature_of(table) not in own and table.count_rows(mine)
            for table in self._tables.all_vectors()
        )

    @again_if_purged
    def media_vectors(self, signature: str, media_id: str) -> dict[str, Features]:
        """Give all vectors [D] that one encoder made of a media's memories, by id."""
        table = self._tables.vectors(signature)
        if table is None:
            return {}
        query = table.search().where(col("media_id") == lit(media_id)).select(["id", "vector"])
        return _vectors(query.limit(_MOST_ROWS).to_arrow())

    def _hidden(self) -> list[Expr]:
        """Say what must not be seen, for the few media that are being written or deleted."""
        return hidden(self._being_written())

    def _being_written(self) -> list[MediaRow]:
        """Give the media that are not settled; of a large library too, these are few."""
        version = self._tables.media.version
        known = self._unsettled  # one pair from here on, see ``media_rows``
        if version != known[0]:
            where = (col("settled") == lit(False)) | (col("forgetting") == lit(True))
            rows = self._tables.media.search().where(where).limit(_MOST_ROWS).to_list()
            known = self._unsettled = version, [media_from(row) for row in rows]
        return known[1]


def _as_path(wanted: str) -> str:
    """Read a name as a path from here; empty where it can be none."""
    try:
        return str(Path(wanted).expanduser().resolve()) if wanted else ""
    except (OSError, RuntimeError, ValueError):  # a NUL in it, or ~ and a person unknown here
        return ""


def _vectors(rows: pa.Table) -> dict[str, Features]:
    flat = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors = flat.astype(np.float32).reshape(len(rows), -1) if len(rows) else []
    return dict(zip(rows["id"].to_pylist(), vectors, strict=True))


def _of(rows: Sequence[Row], media_ids: Sequence[str] | None) -> Sequence[Row]:
    """Keep what belongs to the named media: where all are named, the search looks at every row."""
    named = None if media_ids is None else frozenset(media_ids)
    return rows if named is None else [row for row in rows if row["media_id"] in named]


def _bytes_of(column: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.binary_length(column)).as_py() or 0)
