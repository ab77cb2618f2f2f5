"""The store's contract: whole segments or nothing, seen by every process, found, and forgotten."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from memqa.store import schema, upkeep
from memqa.store.read import Reader
from memqa.store.schema import Commit, MediaRow, Memory, VectorBatch, memory_id
from memqa.store.store import Store
from memqa.values import Level, Media, Modality
from models.errors import StoreConflict, StoreMismatch
from models.values import Box, PageSpan, TimeSpan
from tests.memqa.parts import bytes_under

ID = "ab" * 32


def a_media(media_id: str = ID, *, added_at: str = "2026-01-01") -> Media:
    return Media(media_id, f"/films/{media_id[:4]}.mp4", "video", "indexing", added_at=added_at)


def a_memory(
    local: str,
    text: str,
    *,
    media_id: str = ID,
    segment: int = 0,
    level: Level = "observation",
    modality: Modality = "said",
) -> Memory:
    order = int(local.split("-")[-1].lstrip("uepnm"))
    span = TimeSpan(float(order), order + 1.0)
    id_ = memory_id(media_id, local)
    return Memory(id_, media_id, segment, level, modality, span, text, order)


def a_commit(segment: int, *texts: str, media: Media | None = None) -> Commit:
    """A segment with one utterance a text, a vector each, and the elements of a method."""
    media = media or a_media()
    said = [
        a_memory(f"u{segment * 10 + i}", text, media_id=media.id, segment=segment)
        for i, text in enumerate(texts)
    ]
    kept = a_memory(
        f"m{segment}-0", "", media_id=media.id, segment=segment, level="long", modality="seen"
    )
    ids = tuple(memory.id for memory in said)
    vectors = np.eye(8, dtype=np.float32)[[(segment + i) % 8 for i in range(len(said))]]
    pictures = np.full((1, 3), 1 / 3, np.float32)
    return Commit(
        segment,
        media,
        memories=[*said, kept],
        thumbnails={ids[0]: b"\xff\xd8picture"},
        vectors=[
            VectorBatch("words/1", "cosine", ids, vectors),
            VectorBatch("colours/1", "dot", (kept.id,), pictures),
        ],
        states={"watch": f"state {segment}".encode()},
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "home")


def texts_of(store: Store, query: str) -> list[str]:
    return [hit.memory.text for hit in store.read.search_text(query, limit=50)]


def test_committed_memories_come_back_as_they_were(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    page = replace(
        a_memory("p7", "Revenue rose.", level="passage", modality="text"),
        locator=PageSpan(3, 4, 100, 113),
        boxes=(Box(3, 0.125, 0.25, 0.5, 1.0),),
        heading="Report › Figures",
        parent_id="x.n1-0",
        method="m",
        count=3,
    )
    store.write.commit(Commit(0, a_media(), memories=[page]))
    assert store.read.memories(ID, levels=["passage"]) == [page]
    assert store.read.memories_by_id([page.id, "nobody"]) == {page.id: page}


def test_what_is_beyond_the_last_commit_is_never_seen(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    store.write.commit(a_commit(0, "a red kite"))
    half = a_commit(1, "a blue kite")
    store.write._write_memories(half)
    store.write._write_vectors(half)
    store.write._write_states(half)
    assert texts_of(store, "kite") == ["a red kite"]
    assert [m.text for m in store.read.memories(ID, levels=["observation"])] == ["a red kite"]
    assert store.read.memories_by_id([half.memories[0].id]) == {}
    assert store.read.thumbnail(half.memories[0].id) is None
    nearest = store.read.search_vectors("words/1", np.ones(8, np.float32), metric="cosine")
    assert [hit.memory.segment for hit in nearest] == [0]
    assert store.read.states(ID) == {"watch": b"state 0"}


def test_beginning_again_removes_what_was_not_committed(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    store.write.commit(a_commit(0, "a red kite"))
    store.write._write_memories(a_commit(1, "a blue kite"))
    row = store.write.begin(MediaRow(a_media()))
    assert row.committed_segment == 0
    store.write.commit(a_commit(1, "a green kite"))
    assert sorted(texts_of(store, "kite")) == ["a green kite", "a red kite"]


def test_other_models_begin_from_the_start(store: Store) -> None:
    store.write.begin(MediaRow(a_media(), signatures={"text": "words/1"}))
    store.write.commit(a_commit(0, "a red kite"))
    row = store.write.begin(MediaRow(a_media(), signatures={"text": "words/2"}))
    assert row.committed_segment == schema.NOTHING_COMMITTED
    assert store.read.memories(ID) == []
    assert store.read.states(ID) == {}


def test_a_segment_written_twice_is_there_once(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    commit = a_commit(0, "a red kite", "a red kite")
    store.write._write_memories(commit)
    store.write._write_vectors(commit)
    store.write.commit(replace(commit, memories=[*commit.memories, commit.memories[0]]))
    assert store.read.media()[0].memories == 3
    found = store.read.search_vectors("words/1", np.ones(8, np.float32), metric="cosine", limit=50)
    assert len(found) == 2


def test_segments_follow_each_other(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    with pytest.raises(StoreConflict, match="does not follow"):
        store.write.commit(a_commit(1, "too early"))
    with pytest.raises(StoreConflict, match="forgotten"):
        store.write.commit(a_commit(0, "nobody's", media=a_media("cd" * 32)))


def test_only_the_last_elements_of_a_method_count(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    for segment in range(3):
        store.write.commit(a_commit(segment, f"minute {segment}"))
    kept = store.read.memories(ID, levels=["long"])
    assert [memory.segment for memory in kept] == [2]
    found = store.read.search_vectors("colours/1", np.ones(3, np.float32), metric="dot", limit=9)
    assert [(hit.memory.id, round(hit.score, 2)) for hit in found] == [(kept[0].id, 1.0)]
    # A segment without elements of its own, such as the outline, leaves them.
    store.write.commit(Commit(3, a_media(), memories=[a_memory("n1-0", "all", segment=3)]))
    store.write.settle(replace(a_media(), status="indexed"), done_states=["watch"])
    assert store.read.memories(ID, levels=["long"]) == kept
    assert store.read.states(ID) == {}


def test_a_parent_that_comes_later_reaches_older_rows(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    store.write.commit(a_commit(0, "a red kite"))
    child = memory_id(ID, "u0")
    store.write.commit(replace(a_commit(1, "later"), parents={child: "x.e0"}))
    memory = store.read.memories_by_id([child])[child]
    assert (memory.parent_id, memory.text) == ("x.e0", "a red kite")
    assert store.read.thumbnail(child) == b"\xff\xd8picture"
    assert texts_of(store, "red") == ["a red kite"]


@pytest.mark.parametrize(
    "query",
    ["", "   ", '"', "'", "kite AND NOT (", "z:b*~^?[]{}\\/+-", "kite'); DROP", "\0", "日本", "🪁"],
)
def test_any_text_is_a_safe_query(store: Store, query: str) -> None:
    store.write.begin(MediaRow(a_media()))
    assert texts_of(store, query) == []
    store.write.commit(a_commit(0, "a red kite"))
    assert texts_of(store, query) == (["a red kite"] if "kite" in query else [])


def test_text_is_found_by_stem_case_accent_and_in_scripts_without_spaces(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    store.write.commit(a_commit(0, "Two Cafés were closing", "東京タワーへ行く", "not to be"))
    assert texts_of(store, "CAFE closes") == ["Two Cafés were closing"]
    assert texts_of(store, "東京") == ["東京タワーへ行く"]
    assert texts_of(store, "to be or not") == ["not to be"]


def test_a_heading_is_searched_with_the_text(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    memory = replace(a_memory("p0", "It rose by 4 %.", level="passage"), heading="Report › Revenue")
    store.write.commit(Commit(0, a_media(), memories=[memory]))
    assert store.read.search_text("revenue")[0].memory == memory


def test_searches_keep_to_what_is_asked(store: Store) -> None:
    other = a_media("cd" * 32)
    for media in (a_media(), other):
        store.write.begin(MediaRow(media))
        store.write.commit(a_commit(0, "a red kite", media=media))
    hits = store.read.search_text("kite", media_ids=[other.id])
    assert [hit.memory.media_id for hit in hits] == [other.id]
    assert store.read.search_text("kite", media_ids=[]) == []
    assert store.read.search_text("kite", levels=["passage"]) == []
    assert store.read.search_text("kite", modalities=["read"]) == []
    assert len(store.read.search_text("kite", levels=["observation"], modalities=["said"])) == 2
    assert len(store.read.search_text("kite", limit=1)) == 1
    near = store.read.search_vectors(
        "words/1", np.eye(8, dtype=np.float32)[0], metric="cosine", media_ids=[ID]
    )
    assert [(hit.memory.media_id, round(hit.score, 5)) for hit in near] == [(ID, 1.0)]


@pytest.mark.parametrize("vector", [np.zeros(8), np.full(8, np.nan)])
def test_a_vector_without_direction_finds_nothing(store: Store, vector: np.ndarray) -> None:
    store.write.begin(MediaRow(a_media()))
    store.write.commit(a_commit(0, "a red kite"))
    found = store.read.search_vectors("words/1", vector.astype(np.float32), metric="cosine")
    assert found == []
    assert store.read.search_vectors("nobody/1", np.ones(3, np.float32), metric="dot") == []


def test_vectors_of_another_length_are_refused(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    store.write.commit(a_commit(0, "a red kite"))
    longer = VectorBatch("words/1", "cosine", (memory_id(ID, "u10"),), np.ones((1, 9), np.float32))
    with pytest.raises(StoreMismatch, match="another length"):
        store.write.commit(replace(a_commit(1, "x"), vectors=[longer]))


def test_media_are_found_by_id_beginning_path_and_name(store: Store) -> None:
    store.write.begin(MediaRow(a_media(added_at="1")))
    store.write.begin(MediaRow(a_media("ac" * 32, added_at="2")))
    assert [media.id[:2] for media in store.read.media()] == ["ac", "ab"]
    for wanted in (ID, ID[:6], ID[:6].upper(), "/films/abab.mp4", "abab.mp4"):
        found = store.read.find_media(wanted)
        assert found is not None
        assert found.id == ID
    assert store.read.find_media("a") is None
    assert store.read.find_media("") is None


def test_rows_that_another_thread_read_earlier_do_not_come_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write.begin(MediaRow(a_media()))
    assert len(store.read.media_rows()) == 1

    def meddled(reader: Reader) -> tuple[int, list[MediaRow]]:
        kept = reader.__dict__["_media"]
        reader.__dict__["_media"] = (-1, [])  # as a slow thread puts it there at this moment
        return kept

    def put(reader: Reader, pair: tuple[int, list[MediaRow]]) -> None:
        reader.__dict__["_media"] = (-1, [])

    monkeypatch.setattr(Reader, "_media", property(meddled, put), raising=False)
    for _ in range(2):
        assert len(store.read.media_rows()) == 1


def test_a_media_is_found_by_each_name_of_its_bytes(store: Store) -> None:
    store.write.begin(MediaRow(a_media(), aliases=("/copies/other.mp4",)))
    found = store.read.find_media("other.mp4")
    assert found is not None
    assert found.id == ID
    assert store.read.find_media("another.mp4") is None


def test_of_two_media_of_one_path_the_later_is_what_lies_there(store: Store) -> None:
    store.write.begin(MediaRow(a_media(added_at="1")))
    store.write.begin(MediaRow(replace(a_media("ac" * 32, added_at="2"), path=a_media().path)))
    found = store.read.find_media(a_media().path)
    assert found is not None
    assert found.id == "ac" * 32


def test_another_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path / "home")
    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    with pytest.raises(StoreMismatch, match="schema"):
        Store(tmp_path / "home")


_READER = """
import sys
from pathlib import Path
from memqa.store.store import Store
store = Store(Path(sys.argv[1]))
for line in sys.stdin:
    print(len(store.read.search_text("kite", limit=50)), flush=True)
"""


def test_a_reader_in_another_process_sees_each_commit(store: Store) -> None:
    store.write.begin(MediaRow(a_media()))
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(store.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    with reader, reader.stdin, reader.stdout:
        for segment in range(3):
            reader.stdin.write("look\n")
            reader.stdin.flush()
            assert int(reader.stdout.readline()) == segment
            store.write.commit(a_commit(segment, "a red kite"))
            store.upkeep.compact()
        store.upkeep.forget(ID)
        reader.stdin.write("look\n")
        reader.stdin.flush()
        assert int(reader.stdout.readline()) == 0
        reader.stdin.close()


def test_what_is_forgotten_is_gone_from_the_disk(store: Store) -> None:
    other = a_media("cd" * 32)
    for media, word in ((a_media(), "xylophonist"), (other, "ventriloquist")):
        store.write.begin(MediaRow(media))
        for segment in range(3):
            store.write.commit(a_commit(segment, f"the {word} number {segment}", media=media))
        store.write.settle(replace(media, status="indexed"))
    store.upkeep.compact()
    # What a killed process left behind goes as well.
    store.write._write_memories(a_commit(3, "the xylophonist is not committed"))
    for media, quoted in ((a_media(), "xylophonist"), (other, "ventriloquist")):
        turn = {"chat": "c", "at": "1", "question": quoted, "answer": "{}"}
        store.write.add_turn({"id": media.id, "media_ids": [media.id], **turn})
    assert bytes_under(store.home, "xylophonist")

    assert store.upkeep.forget(ID)
    assert not store.upkeep.forget(ID)

    assert bytes_under(store.home, "xylophonist") == []
    assert bytes_under(store.home, "xylophon") == []
    assert bytes_under(store.home, a_media().path) == []
    assert bytes_under(store.home, "ventriloquist")
    assert len(texts_of(store, "ventriloquist")) == 3
    assert [turn["question"] for turn in store.read.turns()] == ["ventriloquist"]
    assert [media.id for media in store.read.media()] == [other.id]


def test_a_forgetting_cut_short_is_hidden_and_finished(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write.begin(MediaRow(a_media()))
    store.write.commit(a_commit(0, "the xylophonist"))
    store.write.settle(replace(a_media(), status="indexed"))

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.upkeep, "_delete", die)
        with pytest.raises(KeyboardInterrupt):
            store.upkeep.forget(ID)
    assert texts_of(store, "xylophonist") == []
    assert store.read.media() == []
    assert store.upkeep.repair() == ["finished forgetting abab.mp4"]
    assert bytes_under(store.home, "xylophonist") == []
    assert store.upkeep.repair() == []


def test_a_long_ingest_stays_small_on_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_KEEP_VERSIONS", timedelta(milliseconds=50))
    store.write.begin(MediaRow(a_media()))
    sizes = []
    for segment in range(3 * upkeep._MOST_COMMITS):
        store.write.commit(a_commit(segment, "a red kite"))
        store.upkeep.after_commit()
        sizes.append(store.upkeep.disk().tables_bytes)
    assert sizes[-1] < 2 * sizes[upkeep._MOST_COMMITS - 1]
    assert sizes[-1] < max(sizes) / 2
