"""Damage of every sort is found, mended where it can be, and else named with what to do."""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lancedb.expr import col, lit
from lancedb.table import LanceTable
from typer.testing import CliRunner

from memqa.alone import leased
from memqa.cli.app import app
from memqa.doctor import Check
from memqa.homes import Address
from memqa.jobs import Queue
from memqa.library import Library
from memqa.repair import checks
from memqa.stale import LIVE
from memqa.store import broken
from memqa.store.ground import Folder
from memqa.store.schema import Commit, Memory, VectorBatch, memory_id
from memqa.store.trouble import plainly, trouble
from memqa.values import Media
from models.values import PageSpan
from tests import media as made
from tests.fakes import COLOURS, FakeTextEncoder
from tests.memqa.others import Others
from tests.memqa.parts import FakeEngines, write_document

pytestmark = pytest.mark.timeout(600)

STRANGER = "5" * 64


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a document, a film, and the library that knows both."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "files").mkdir()
    write_document(folder / "files" / "notes.md", chapters=1)
    made.coloured(folder / "files" / "film.mp4", [COLOURS[one] for one in ("red", "green")])
    with Library(folder / "home", engines=FakeEngines()) as library:
        for name in ("notes.md", "film.mp4"):
            library.add(folder / "files" / name)
    return folder


@pytest.fixture
def library(whole: Path, tmp_path: Path) -> Iterator[Library]:
    """The same, to be damaged; its files stay where they are."""
    shutil.copytree(whole / "home", tmp_path / "home")
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        yield library


def document(library: Library) -> Media:
    return next(media for media in library.media() if media.kind == "document")


def film(library: Library) -> Media:
    return next(media for media in library.media() if media.kind == "video")


def one(library: Library, name: str, *, repair: bool = False) -> Check:
    return next(check for check in library.doctor(whole=True, repair=repair) if check.name == name)


def is_mended(library: Library, name: str) -> bool:
    """Found first without a change, then mended, then well."""
    found = one(library, name)
    assert (found.finding, found.remedy) == ("problem", "memqa doctor --repair")
    assert one(library, name).finding == "problem"
    told = one(library, name, repair=True)
    assert told.finding == "note"
    assert told.detail.startswith("mended: ")
    return one(library, name).finding == "ok"


def lone_memory(media_id: str, local: str, segment: int) -> Memory:
    span = PageSpan(1, 1, 0, 5)
    return Memory(
        memory_id(media_id, local), media_id, segment, "passage", "text", span, "stray", 9999
    )


def write(library: Library, memory: Memory, *parts: str) -> None:
    """Write rows as a killed commit leaves them: some tables, and no commit."""
    writer, signature = library.store.write, library.engines.text_encoder().signature
    dim = library.engines.text_encoder().dim
    batch = VectorBatch(signature, "cosine", (memory.id,), np.ones((1, dim), np.float32))
    commit = Commit(memory.segment, document(library), memories=[memory], vectors=[batch])
    if "memory" in parts:
        writer._write_memories(commit)
    if "vector" in parts:
        writer._write_vectors(commit)


def test_a_whole_library_is_found_whole(library: Library) -> None:
    before = {path: path.stat().st_mtime_ns for path in library.home.rglob("*.lance")}
    damage = library.doctor(whole=True)[-10:]
    assert [check.name for check in damage] == [
        "tables",
        "rows without file",
        "segments",
        "vectors without memory",
        "memories",
        "memories without vector",
        "pictures",
        "files",
        "uploads",
        "indexes",
    ]
    assert {check.finding for check in damage} == {"ok"}, damage
    assert before == {path: path.stat().st_mtime_ns for path in library.home.rglob("*.lance")}


def test_rows_of_a_file_that_is_not_there_go(library: Library) -> None:
    write(library, lone_memory(STRANGER, "p1", 0), "memory", "vector")
    assert is_mended(library, "rows without file")
    assert not library.store.read.memories(STRANGER)


def test_half_a_segment_goes(library: Library) -> None:
    row = library.store.read.media_row(document(library).id)
    assert row is not None
    stray = lone_memory(row.media.id, "p9999", row.committed_segment + 1)
    write(library, stray, "memory", "vector")
    assert is_mended(library, "segments")
    assert stray.id not in library.store.read.memories_by_id([stray.id])


def test_a_vector_without_its_memory_goes(library: Library) -> None:
    write(library, lone_memory(document(library).id, "p9999", 0), "vector")
    assert is_mended(library, "vectors without memory")


def test_a_memory_without_its_vector_gets_one(library: Library) -> None:
    signature = library.engines.text_encoder().signature
    media_id = document(library).id
    vectors = library.store.read.media_vectors(signature, media_id)
    lost = lose_vectors(library)
    assert is_mended(library, "memories without vector")
    again = library.store.read.media_vectors(signature, media_id)
    assert sorted(again) == sorted(vectors)
    for id_ in lost:
        np.testing.assert_allclose(again[id_], vectors[id_], atol=1e-3)


def lose_vectors(library: Library) -> list[str]:
    """Lose the vectors of three memories of the document."""
    signature = FakeTextEncoder.signature
    lost = sorted(library.store.read.media_vectors(signature, document(library).id))[:3]
    table = library.store.write._tables.vectors(signature)
    assert table is not None
    table.delete(col("id").isin(lost))
    return lost


def test_vectors_of_another_model_than_the_one_in_use_are_left_to_reindex(library: Library) -> None:
    lose_vectors(library)
    with Library(library.home, engines=Others(["text"])) as other:
        told = one(other, "memories without vector", repair=True)
    assert (told.finding, told.remedy) == ("problem", "memqa reindex")
    assert told.detail.startswith("made 0 of 3 vectors")
    assert library.store.read.vector_ids("fake-words/2", document(library).id) == set()


def test_what_another_process_is_at_work_on_is_left_alone(library: Library) -> None:
    media = document(library)
    row = library.store.read.media_row(media.id)
    assert row is not None
    lose_vectors(library)
    stray = lone_memory(media.id, "p9999", row.committed_segment + 1)
    write(library, stray, "memory")
    with leased(library.home, media.id):
        assert one(library, "segments", repair=True).finding == "ok"
        assert one(library, "memories without vector", repair=True).finding == "problem"
    told = one(library, "segments", repair=True)
    assert told.detail == "mended: removed half a segment of notes.md"


def test_a_name_is_quoted_in_what_there_is_to_do(library: Library) -> None:
    media = document(library)
    library.store.write.relocate(media.id, "/a'; touch b; '.md", size_bytes=1, mtime_ns=1)
    table = library.store.write._tables.memories
    table.delete((col("media_id") == lit(media.id)) & (col("level") == lit("passage")))
    told = one(library, "memories", repair=True)
    assert shlex.split(told.remedy) == ["memqa", "index", "/a'; touch b; '.md"]


def test_a_picture_that_is_missing_is_made_again(library: Library) -> None:
    events = library.store.read.memories(film(library).id, levels=["event"])
    event = next(event for event in events if event.has_thumbnail)
    table = library.store.write._tables.memories
    table.update(where=(col("id") == lit(event.id)).to_sql(), values={"thumbnail": None})
    assert library.thumbnail(event.id) is None
    assert is_mended(library, "pictures")
    assert (library.thumbnail(event.id) or b"").startswith(b"\xff\xd8")


def test_a_file_that_was_moved_is_found_again(library: Library, tmp_path: Path) -> None:
    row = library.store.read.media_row(document(library).id)
    assert row is not None
    source = Path(row.media.path)
    old = tmp_path / "old" / "notes.md"
    old.parent.mkdir()
    shutil.copy(source, old)
    stat = old.stat()
    library.store.write.relocate(
        row.media.id, str(old), size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns
    )
    source.rename(source.with_suffix(".away"))
    try:
        new = tmp_path / "new" / "renamed.md"
        new.parent.mkdir()
        old.rename(new)
        assert is_mended(library, "files")
        assert library.show(row.media.id).path == str(new.resolve())
        new.unlink()
        gone = one(library, "files", repair=True)
        assert gone.finding == "note"
        assert "not found" in gone.detail
        assert "memqa index" in gone.remedy
    finally:
        source.with_suffix(".away").rename(source)


def test_a_folder_is_walked_once_however_many_files_it_lost(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "unplugged"
    folder.mkdir()
    for media in library.media():
        row = library.store.read.media_row(media.id)
        assert row is not None
        gone = replace(media, path=str(folder / media.name))
        library.store.write._put(replace(row, media=gone, aliases=()))
    whole, walked = Path.rglob, Counter[Path]()

    def counted(path: Path, pattern: str) -> Iterator[Path]:
        walked[path] += 1
        return whole(path, pattern)

    monkeypatch.setattr(Path, "rglob", counted)
    assert "not found" in one(library, "files").detail
    assert walked[folder] == 1


def test_an_upload_that_nothing_names_goes_once_it_is_old(library: Library) -> None:
    fresh, old = (library.home / "uploads" / name for name in ("aaaa", "bbbb"))
    for folder in (fresh, old):
        folder.mkdir(parents=True)
        (folder / "talk.mp4").write_bytes(b"x")
    an_hour_ago = time.time() - 4000
    for path in (old / "talk.mp4", old):
        os.utime(path, (an_hour_ago, an_hour_ago))
    assert is_mended(library, "uploads")
    assert fresh.exists()
    assert not old.exists()


def test_an_upload_that_may_still_be_wanted_stays(library: Library) -> None:
    failed, growing = (library.home / "uploads" / name for name in ("cccc", "dddd"))
    for folder, name in ((failed, "talk.mp4"), (growing, ".part")):
        folder.mkdir(parents=True)
        (folder / name).write_bytes(b"x")
    (library.home / "uploads" / "note.txt").write_bytes(b"x")
    queue = Queue(library.home)
    job = queue.submit(str(failed / "talk.mp4"))
    queue.cancel(job.id)
    an_hour_ago = time.time() - 4000
    for path in (failed / "talk.mp4", failed, growing):
        os.utime(path, (an_hour_ago, an_hour_ago))
    assert one(library, "uploads", repair=True).finding == "ok"
    assert (failed / "talk.mp4").exists()
    assert (growing / ".part").exists()


def test_an_index_whose_files_are_lost_is_made_anew(library: Library) -> None:
    indexes = library.store.write._tables.memories.list_indices()
    words = next(index for index in indexes if index.columns == ["words"])
    folder = library.home / "tables" / "memories.lance" / "_indices" / words.index_uuid
    shutil.rmtree(folder)
    library.close()
    assert is_mended(library, "indexes")
    assert library.search("zephyr velvet")


def test_what_lost_its_memories_is_named_and_read_anew(library: Library) -> None:
    media = document(library)
    table = library.store.write._tables.memories
    table.delete((col("media_id") == lit(media.id)) & (col("level") == lit("passage")))
    found = one(library, "memories")
    assert found.finding == "problem"
    told = one(library, "memories", repair=True)
    assert told.remedy == f"memqa index {shlex.quote(media.path)}"
    assert library.show(media.id).status == "failed"
    library.add(media.path)
    assert one(library, "memories").finding == "ok"
    assert library.show(media.id).memories == media.memories


def test_what_was_watched_live_is_not_given_up(library: Library) -> None:
    row = library.store.read.media_row(document(library).id)
    assert row is not None
    library.store.write._put(replace(row, signatures={**row.signatures, LIVE: "mp4"}))
    table = library.store.write._tables.memories
    table.delete((col("media_id") == lit(row.media.id)) & (col("level") == lit("passage")))
    told = one(library, "memories", repair=True)
    assert told.finding == "problem"
    assert told.remedy.startswith("nothing brings back what was watched live")
    assert library.show(row.media.id).status == "indexed"


def break_table(library: Library, name: str) -> None:
    """Lose the files that a table's rows lie in."""
    library.close()
    for file in (library.home / "tables" / f"{name}.lance" / "data").glob("*.lance"):
        file.write_bytes(b"lost")


def test_vectors_that_cannot_be_read_are_made_anew(library: Library) -> None:
    signature = library.engines.text_encoder().signature
    media_id = document(library).id
    before = sorted(library.store.read.media_vectors(signature, media_id))
    table = library.store.write._tables.vectors(signature)
    assert table is not None
    name = table.name
    break_table(library, name)
    found = one(library, f"table {name}")
    assert (found.finding, found.remedy) == ("problem", "memqa doctor --repair")
    told = library.doctor(repair=True)
    assert not [check for check in told if check.finding == "problem"], told
    assert sorted(library.store.read.media_vectors(signature, media_id)) == before


def test_what_is_tidied_away_while_it_is_read_is_not_taken_for_damage(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, gone = LanceTable.count_rows, []

    def once_gone(table: LanceTable, filter: str | None = None) -> int:
        if table.name == "memories" and not gone:
            gone.append(table.name)
            raise RuntimeError("Not found: a file of an older version")
        return whole(table, filter)

    before = library.store.write._tables.memories.version
    monkeypatch.setattr(LanceTable, "count_rows", once_gone)
    (told,) = [check for check in library.doctor(repair=True) if "table" in check.name]
    assert (gone, told.finding) == (["memories"], "ok")
    assert broken.mend(library.home, "memories") == "the table memories can be read again"
    assert library.store.write._tables.memories.version == before, "nothing went back"


def test_a_table_that_was_only_begun_is_not_taken_for_damage(library: Library) -> None:
    (library.home / "tables" / "vectors_0123456789ab.lance").mkdir()
    assert one(library, "tables").finding == "ok"


def test_storage_that_fails_while_a_table_is_read_is_not_taken_for_damage(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> int:
        raise RuntimeError("Error performing GET: kind: Timeout, SignatureOf: KEY")

    address = Address("s3://lectures/notes", "here")
    monkeypatch.setattr(Folder, "plainly", lambda _: plainly(address))
    monkeypatch.setattr(Folder, "is_at_fault", lambda _, exc: trouble(exc, address) is not None)
    monkeypatch.setattr(LanceTable, "count_rows", silent)
    (told,) = checks(library, mending=True)
    assert (told.name, told.finding) == ("the rest", "problem")
    assert told.detail.startswith(
        "could not be looked at: the endpoint of s3://lectures does not answer"
    )


def test_a_table_goes_back_to_the_newest_version_that_can_be_read(library: Library) -> None:
    table = library.store.write._tables.memories
    files, rows = set((table_folder(library) / "data").iterdir()), table.count_rows()
    write(library, lone_memory(document(library).id, "p9999", 0), "memory")
    (newest,) = set((table_folder(library) / "data").iterdir()) - files
    newest.write_bytes(b"lost")
    library.close()
    assert one(library, "table memories").remedy == "memqa doctor --repair"
    told = one(library, "table memories", repair=True)
    assert f"holds the {rows} rows of its version" in told.detail
    assert "what came later is lost" in told.detail
    assert one(library, "tables").finding == "ok"
    assert one(library, "memories").finding == "ok"


def table_folder(library: Library) -> Path:
    return library.home / "tables" / "memories.lance"


def test_a_table_that_cannot_be_mended_is_said_and_nothing_is_deleted(library: Library) -> None:
    break_table(library, "memories")
    for repair in (False, True):
        found = one(library, "table memories", repair=repair)
        assert found.finding == "problem"
        assert "new --home" in found.remedy
    assert (library.home / "tables" / "memories.lance").exists()


def test_the_command_mends_and_leaves_with_what_is_wrong(
    library: Library, run: Callable[..., tuple[int, str]]
) -> None:
    write(library, lone_memory(STRANGER, "p1", 0), "memory")
    code, told = run("doctor")
    assert code == 3
    assert "1 rows belong to no file" in told
    code, told = run("doctor", "--repair")
    assert "mended: deleted 1 rows" in told
    code, told = run("doctor")
    assert "belong to no file" not in told


@pytest.fixture
def run(library: Library) -> Callable[..., tuple[int, str]]:
    def command(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, [*words, "--home", str(library.home)])
        return done.exit_code, done.output

    return command
