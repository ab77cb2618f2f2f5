"""Knows how long a crowded library's own searches and writes take, as the product does them."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks import crowd
from memqa.library import Library
from memqa.store import schema
from memqa.store.schema import Commit, MediaRow, Memory, VectorBatch
from memqa.store.store import Store
from memqa.values import Level, Media
from models.values import PageSpan

_TEXT: tuple[Level, ...] = ("observation", "event", "passage")
_TIMES, _WARM = 40, 20
_NEW_ROWS = 1000
_WAITING = 4  # segments that are added before anything is indexed again


def measured(home: Path, real: crowd.Real, data: Path) -> dict[str, Any]:
    """Bring the indexes up to date, then time every query and write of the product."""
    with Library(home) as library:
        started = time.perf_counter()
        library.store.upkeep.compact()
        found: dict[str, Any] = {"tended_s": round(time.perf_counter() - started, 1)}
        found["stats"] = asdict(library.stats())
        found["queries_ms"] = _queries(library.store, real, data)
        found["writes_s"] = _writes(library.store, real, data)
        found["queries_with_waiting_ms"] = _queries(library.store, real, data)
        found["search_ms"] = _searches(library, data)
        started = time.perf_counter()
        library.store.upkeep.compact()
        found["tended_again_s"] = round(time.perf_counter() - started, 1)
        library.store.upkeep.forget(_new_media(0).id)
        found["rss_bytes"] = psutil.Process().memory_info().rss
    return found


def _queries(store: Store, real: crowd.Real, data: Path) -> dict[str, Any]:
    asked, things = crowd.questions(data, _WARM + _TIMES), crowd.things(data, _WARM + _TIMES)
    media = [row.media for row in store.read.media_rows()]
    every, some = [one.id for one in media], [one.id for one in media[::50]]
    videos = [one.id for one in media if one.kind == "video"]
    words = ["kettle smoke harbour", "revenue quarter stores", "transfer meeting remote"]
    read = store.read

    def nearest(i: int, ids: Sequence[str] | None, limit: int) -> Any:
        return read.search_vectors(
            real.text_signature,
            asked[i % len(asked)],
            metric="cosine",
            media_ids=ids,
            limit=limit,
            levels=_TEXT,
        )

    def shown(i: int, limit: int) -> Any:
        return read.search_vectors(
            real.image_signature,
            things[i % len(things)],
            metric="dot",
            media_ids=videos,
            limit=limit,
            levels=("long",),
        )

    def worded(i: int, ids: Sequence[str] | None) -> Any:
        return read.search_text(words[i % 3], media_ids=ids, limit=200, levels=_TEXT)

    ids = [hit.memory.id for hit in nearest(0, None, 200)]
    timed: dict[str, Callable[[int], Any]] = {
        "vectors_10": lambda i: nearest(i, None, 10),
        "vectors_10_all_named": lambda i: nearest(i, every, 10),
        "vectors_10_of_some": lambda i: nearest(i, some, 10),
        "vectors_10_of_one": lambda i: nearest(i, every[i : i + 1], 10),
        "vectors_200": lambda i: nearest(i, every, 200),
        "pictures_200": lambda i: shown(i, 200),
        "pictures_12000": lambda i: shown(i, 12_000),
        "text_200": lambda i: worded(i, every),
        "text_200_of_some": lambda i: worded(i, some),
        "memories_by_id_200": lambda _: read.memories_by_id(ids),
        "memories_of_media": lambda i: read.memories(every[i]),
        "media_rows": lambda _: read.media_rows(),
        "sizes": lambda i: read.sizes(every[i]),
    }
    return {name: _spread(name, call) for name, call in timed.items()}


def _meanwhile(store: Store, real: crowd.Real, data: Path) -> list[float]:
    asked = crowd.questions(data, _WARM + _TIMES)

    def nearest(i: int) -> Any:
        vector = asked[i % len(asked)]
        return store.read.search_vectors(
            real.text_signature, vector, metric="cosine", limit=10, levels=_TEXT
        )

    return _spread("vectors_10 while writing", nearest)


def _searches(library: Library, data: Path) -> Any:
    texts = crowd.question_texts(data, _WARM + _TIMES)
    return _spread("library.search", lambda i: library.search(texts[i % len(texts)]))


def _spread(name: str, call: Callable[[int], Any]) -> list[float]:
    """Milliseconds at the median and at 95 %, once all is warm."""
    for i in range(_WARM):
        call(i)
    spent = []
    for i in range(_WARM, _WARM + _TIMES):
        started = time.perf_counter()
        call(i)
        spent.append(1000 * (time.perf_counter() - started))
    told = [round(float(np.percentile(spent, at)), 1) for at in (50, 95)]
    print(f"{name}: {told} ms", file=sys.stderr, flush=True)
    return told


def _writes(store: Store, real: crowd.Real, data: Path) -> dict[str, list[float]]:
    """Add segments of a thousand memories, as indexing a document does; seconds each."""
    media, random = _new_media(0), np.random.default_rng(3)
    took: dict[str, list[float]] = {"begin": [], "commit": [], "settle": []}
    took["begin"].append(_timed(lambda: store.write.begin(MediaRow(media))))
    for segment in range(_WAITING):
        commit = _segment(media, segment, real, random)
        took["commit"].append(_timed(lambda one=commit: store.write.commit(one)))  # type: ignore[misc]
        store.upkeep.after_commit()
    # The media is still being written: what is asked meanwhile must not wait for that.
    took["vectors_10_meanwhile_ms"] = _meanwhile(store, real, data)
    done = replace(media, status="indexed")
    took["settle"].append(_timed(lambda: store.write.settle(done)))
    print(f"writes: {took} s", file=sys.stderr, flush=True)
    return took


def growing(real: crowd.Real, many: int = 200) -> list[dict[str, float]]:
    """Add small documents one after another, and tell what the tables take, live and in all."""
    told, random = [], np.random.default_rng(5)
    with tempfile.TemporaryDirectory(prefix="memqa-large-") as home:
        store = Store(Path(home))
        for number in range(many):
            media, started = _new_media(number), time.perf_counter()
            store.write.begin(MediaRow(media))
            store.write.commit(_segment(media, 0, real, random, rows=60))
            store.write.settle(replace(media, status="indexed"))
            store.upkeep.compact()
            spent_s = time.perf_counter() - started
            if (number + 1) % 20 == 0:
                disk = store.upkeep.disk()
                live = disk.tables_bytes - disk.spare_bytes
                told.append({"media": number + 1, "s": round(spent_s, 2), "live_bytes": live})
                told[-1] |= {"spare_bytes": disk.spare_bytes}
                print(told[-1], file=sys.stderr, flush=True)
    return told


def _timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return round(time.perf_counter() - started, 3)


def _new_media(number: int) -> Media:
    return Media(f"ffff{number:012x}" + 48 * "0", f"/crowd/new{number}.txt", "document", "indexing")


def _segment(
    media: Media,
    segment: int,
    real: crowd.Real,
    random: np.random.Generator,
    *,
    rows: int = _NEW_ROWS,
) -> Commit:
    picked = random.integers(0, len(real.texts), rows)
    memories = [
        Memory(
            id=schema.memory_id(media.id, f"p{segment * _NEW_ROWS + i}"),
            media_id=media.id,
            segment=segment,
            level="passage",
            modality="text",
            locator=PageSpan(segment + 1, segment + 1, i * 150, i * 150 + 150),
            text=" ".join(real.words[at * crowd.WINDOW_WORDS : (at + 1) * crowd.WINDOW_WORDS]),
            order=segment * _NEW_ROWS + i,
        )
        for i, at in enumerate(picked)
    ]
    ids = tuple(memory.id for memory in memories)
    vectors = crowd.noisy_texts(real.texts[picked], random)
    batch = VectorBatch(real.text_signature, "cosine", ids, vectors)
    return Commit(segment, media, memories=memories, vectors=[batch])
