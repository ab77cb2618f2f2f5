"""Indexes are made when a library grows, find what is nearest, and hide nothing and nobody."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lancedb.table import LanceTable

from memqa import repair
from memqa.library import Library
from memqa.store.ground import Folder
from memqa.store.indexes import Indexes, IndexPolicy
from memqa.store.reach import reach_of
from memqa.store.schema import Commit, MediaRow, Memory, VectorBatch, memory_id
from memqa.store.store import Store
from memqa.values import Media
from models.errors import StoreConflict
from models.values import PageSpan
from tests.memqa.parts import FakeEngines

DIM, ROWS = 32, 500
POLICY = IndexPolicy(from_rows=1500, cell_rows=128, probes=8)
CENTRES = np.random.default_rng(5).standard_normal((60, DIM)).astype(np.float32)


def vectors_of(many: int, seed: int) -> np.ndarray:
    """Vectors like an encoder's: in heaps, not spread evenly."""
    random = np.random.default_rng(seed)
    rows = CENTRES[random.integers(0, len(CENTRES), many)]
    rows = rows + 0.4 * random.standard_normal((many, DIM)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def a_media_id(number: int) -> str:
    return f"{number:016x}{0:048x}"


def add_document(store: Store, number: int, *, rows: int = ROWS, settled: bool = True) -> Media:
    media = Media(a_media_id(number), f"/notes/{number}.txt", "document", "indexing")
    store.write.begin(MediaRow(media))
    store.write.commit(a_segment(media, 0, rows, seed=number))
    if settled:
        return store.write.settle(replace(media, status="indexed")).media
    return media


def a_segment(media: Media, segment: int, rows: int, *, seed: int) -> Commit:
    memories = [
        Memory(
            memory_id(media.id, f"p{segment * 10_000 + i}"),
            media.id,
            segment,
            "passage",
            "text",
            PageSpan(1, 1, i, i + 1),
            f"note {i} of {media.name}",
            i,
        )
        for i in range(rows)
    ]
    ids = tuple(memory.id for memory in memories)
    batch = VectorBatch("words/1", "cosine", ids, vectors_of(rows, seed))
    return Commit(segment, media, memories=memories, vectors=[batch])


def nearest(
    store: Store, vector: np.ndarray, media_ids: Sequence[str] | None = None, limit: int = 10
) -> list[str]:
    found = store.read.search_vectors(
        "words/1", vector, metric="cosine", media_ids=media_ids, limit=limit
    )
    return [hit.memory.id for hit in found]


def recall(indexed: Store, exact: Store, media_ids: Sequence[str] | None = None) -> float:
    asked = vectors_of(12, seed=99)
    pairs = [(nearest(indexed, one, media_ids), nearest(exact, one, media_ids)) for one in asked]
    return float(np.mean([len(set(found) & set(right)) / len(right) for found, right in pairs]))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of five documents whose vectors are indexed."""
    home = tmp_path_factory.mktemp("large") / "home"
    store = Store(home, policy=POLICY)
    for number in range(5):
        add_document(store, number)
    store.upkeep.compact()
    return home


@pytest.fixture
def indexed(home: Path) -> Store:
    return Store(home, policy=POLICY)


@pytest.fixture
def exact(home: Path) -> Store:
    """The same library, whose searches look into every cell."""
    return Store(home, policy=replace(POLICY, probes=1000))


def test_nothing_is_taken_for_abandoned_while_another_machine_makes_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path, policy=POLICY)

    def refused(self: Folder, name: str, *, timeout_s: float = 0.0) -> AbstractContextManager[None]:
        if name == "indexing":
            raise StoreConflict("another machine makes one")
        return nullcontext()

    with store.indexes.holding() as free:
        assert free
    monkeypatch.setattr(Folder, "leased", refused)
    with store.indexes.holding() as free:
        assert not free
    assert store.indexes.tend() == []


def test_a_large_library_is_indexed_and_a_small_one_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path / "home", policy=POLICY)
    add_document(store, 1)
    store.upkeep.compact()
    (state,) = store.indexes.states()
    assert (state.rows, state.waiting, state.is_there) == (ROWS, ROWS, False)
    assert store.indexes.missing() == []
    for number in (2, 3):
        add_document(store, number)
    assert store.indexes.missing()
    store.upkeep.compact()
    (state,) = store.indexes.states()
    assert (state.rows, state.waiting, state.is_there) == (3 * ROWS, 0, True)
    assert state.recall is not None
    assert state.recall >= 0.95
    assert store.indexes.missing() == []


def test_an_indexed_search_finds_what_is_nearest(indexed: Store, exact: Store) -> None:
    assert recall(indexed, exact) >= 0.95
    media = [media.id for media in indexed.read.media()]
    assert recall(indexed, exact, media) >= 0.95
    assert recall(indexed, exact, media[:4]) >= 0.95


def test_a_search_of_one_media_among_many_is_exact(indexed: Store, exact: Store) -> None:
    for media in indexed.read.media():
        assert recall(indexed, exact, [media.id]) == 1.0


def test_new_rows_are_found_before_they_are_indexed(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    store = Store(tmp_path / "home", policy=POLICY)
    media = add_document(store, 9, rows=1_200)
    assert store.indexes.states()[0].waiting == 1_200
    for place, vector in enumerate(vectors_of(1_200, seed=9)[:10]):
        assert nearest(store, vector, limit=1) == [memory_id(media.id, f"p{place}")]
    store.upkeep.compact()
    assert store.indexes.states()[0].waiting == 0
    for place, vector in enumerate(vectors_of(1_200, seed=9)[:10]):
        assert nearest(store, vector, limit=1) == [memory_id(media.id, f"p{place}")]


def test_what_is_hidden_stays_hidden_when_all_media_are_named(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    store = Store(tmp_path / "home", policy=POLICY)
    known = [media.id for media in store.read.media()]
    media = add_document(store, 9, rows=20, settled=False)
    half = a_segment(media, 1, 20, seed=10)
    store.write._write_memories(half)
    store.write._write_vectors(half)
    vector = vectors_of(20, seed=10)[3]
    for ids in (None, [*known, media.id], [media.id], known):
        assert half.memories[3].id not in nearest(store, vector, ids)
    # A media that came after the list was made is not in what the list asks for.
    own = vectors_of(20, seed=9)[3]
    assert nearest(store, own, [*known, media.id], 1) == [memory_id(media.id, "p3")]
    assert nearest(store, own, known, 1) != [memory_id(media.id, "p3")]


def test_an_index_that_was_cut_short_is_made_at_the_next_compaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "home", policy=POLICY)
    for number in range(4):
        add_document(store, number)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lancedb.table.LanceTable.create_index", killed)
        with pytest.raises(KeyboardInterrupt):
            store.upkeep.compact()
    again = Store(tmp_path / "home", policy=POLICY)
    vector = vectors_of(ROWS, seed=2)[7]
    assert nearest(again, vector, limit=1) == [memory_id(a_media_id(2), "p7")]
    again.upkeep.compact()
    assert again.indexes.states()[0].is_there


def test_an_index_is_made_once_by_one_process_and_is_not_waited_for(tmp_path: Path) -> None:
    store, other = (Store(tmp_path / "home", policy=POLICY) for _ in range(2))
    for number in range(4):
        add_document(store, number)
    with other.indexes.holding() as mine:
        assert mine
        assert store.indexes.tend() == []
        add_document(store, 7)  # meanwhile everybody writes
    assert store.indexes.tend()
    assert store.indexes.tend() == []


def test_others_write_and_read_while_an_index_is_made(tmp_path: Path) -> None:
    store, other = (Store(tmp_path / "home", policy=POLICY) for _ in range(2))
    for number in range(3):
        add_document(store, number)
    store.indexes.tend()
    for number in range(3, 6):
        add_document(store, number)
    begun, over = threading.Event(), threading.Event()
    wrote: list[int] = []

    def write() -> None:
        for number in range(10, 30):
            add_document(other, number, rows=20)
            wrote.append(number)
            begun.set()
            if over.is_set():
                return

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        begun.wait()
        (done,) = store.indexes.tend()
        over.set()
        writing.result()
    assert "recall" in done
    for number in wrote:
        vector = vectors_of(20, seed=number)[5]
        assert nearest(store, vector, limit=1) == [memory_id(a_media_id(number), "p5")]


def test_cells_are_made_anew_once_a_library_has_doubled(tmp_path: Path) -> None:
    store = Store(tmp_path / "home", policy=POLICY)
    for number in range(3):
        add_document(store, number)
    assert store.indexes.tend()
    add_document(store, 3)
    assert store.indexes.tend() == []
    for number in (4, 5):
        add_document(store, number)
    assert store.indexes.tend()
    assert store.indexes.states()[0].waiting == 0


def test_cells_are_made_anew_where_another_size_is_meant(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "copy")
    assert Store(tmp_path / "copy", policy=POLICY).indexes.tend() == []
    finer = Store(tmp_path / "copy", policy=replace(POLICY, cell_rows=64))
    (made,) = finer.indexes.tend()
    assert made.startswith("indexed")
    assert finer.indexes.tend() == []


def test_naming_all_media_is_no_filter_and_few_are_looked_at_one_by_one() -> None:
    rows = [
        MediaRow(Media(f"m{i}", f"/{i}", "video" if i % 2 else "document", "indexed", memories=100))
        for i in range(10)
    ]
    ids = [row.media.id for row in rows]
    assert reach_of(rows, None, None).media_ids is None
    assert reach_of(rows, ids, None).media_ids is None
    assert reach_of(rows, ids[:5], None).share == 0.5
    assert reach_of(rows, ids[:5], None).rows == 500
    # Elements of the picture memory are of videos alone.
    assert reach_of(rows, ids[1::2], ("long",)).media_ids is None
    assert reach_of(rows, ids[1::2], ("passage",)).media_ids == set(ids[1::2])


def test_doctor_tells_of_an_index_that_is_missing_and_makes_it(tmp_path: Path) -> None:
    library = Library(tmp_path / "home", engines=FakeEngines())
    store = library._opened = Store(tmp_path / "home", policy=POLICY)
    for number in range(4):
        add_document(store, number)
    check = repair.checks(library)[-1]
    assert (check.name, check.finding) == ("indexes", "note")
    assert "not made yet" in check.detail
    assert "mended" in repair.checks(library, mending=True)[-1].detail
    assert repair.checks(library)[-1].finding == "ok"
    figures = library.stats()
    assert (figures.vectors, figures.indexed) == (4 * ROWS, 4 * ROWS)
    assert figures.recall is not None
    assert figures.recall >= 0.95
    assert figures.spare_bytes < figures.tables_bytes


def test_an_index_whose_version_is_tidied_away_while_it_is_looked_at_is_well(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(home, tmp_path / "home")
    store, whole = Store(tmp_path / "home", policy=POLICY), LanceTable.index_stats
    gone: list[str] = []

    def once_gone(table: LanceTable, name: str) -> object:
        if name not in gone:
            gone.append(name)
            raise OSError("Not found: a file of an older version")
        return whole(table, name)

    monkeypatch.setattr(LanceTable, "index_stats", once_gone)
    assert store.indexes.lame() == []
    for look in (store.indexes.states, store.indexes.missing, store.indexes.tend):
        gone.clear()
        look()
        assert gone, "it was looked at while a version went"


def test_an_index_that_others_tidied_away_before_it_was_done_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "home", policy=POLICY)
    for number in range(4):
        add_document(store, number)
    whole = Indexes.recall

    def too_late(indexes: Indexes, table: LanceTable, metric: str) -> float:
        made = next(one for one in table.list_indices() if one.columns == ["vector"])
        shutil.rmtree(
            tmp_path / "home" / "tables" / f"{table.name}.lance" / "_indices" / made.index_uuid
        )
        return whole(indexes, table, metric)

    with monkeypatch.context() as patch:
        patch.setattr(Indexes, "recall", too_late)
        assert any("could not index" in line for line in store.indexes.tend())
    vector = vectors_of(ROWS, seed=2)[7]
    assert nearest(store, vector, limit=1) == [memory_id(a_media_id(2), "p7")]
    store.indexes.tend()
    assert store.indexes.states()[0].is_there
