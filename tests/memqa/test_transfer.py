"""A library carried elsewhere: what came is what was, a hostile folder is only data."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import lancedb
import pytest
from lancedb.expr import col, lit
from lancedb.query import LanceEmptyQueryBuilder

from memqa.alone import leased
from memqa.carried import MANIFEST
from memqa.chats import turn_row
from memqa.library import Library
from memqa.store.schema import FILE_ABSENT, NOTHING_COMMITTED, SCHEMA_VERSION
from memqa.store.source import Source
from memqa.values import Answer, Evidence
from models.errors import IngestCancelled, InputError, SetupError, StoreConflict, StoreMismatch
from models.values import PageSpan, Progress
from tests.media import video
from tests.memqa.parts import FakeEngines, bytes_under, write_document

Open = Callable[[str], Library]


STORY = "The ferry leaves at nine.\n\nA zebrafinch nested in the clocktower.\n"
OTHER = "The lighthouse is painted green.\n\nIts keeper was called Ingrid Holm.\n"


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    return lambda name: Library(tmp_path / name, engines=FakeEngines())


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library and its files, not to be written to, and an export of it."""
    base = tmp_path_factory.mktemp("base")
    library = made(base)
    library.export(base / "out", with_files=True, with_chats=True)
    return base


def made(base: Path) -> Library:
    """Two documents, each in the same collection and in a chat of its own."""
    library = Library(base / "home", engines=FakeEngines())
    (base / "files").mkdir()
    for name, text in (("story.md", STORY), ("other.md", OTHER)):
        (base / "files" / name).write_text(text)
        library.add(base / "files" / name)
    library.collect("tales", ["story.md", "other.md"])
    for chat, question, name in (("c1", "what nested?", "story.md"), ("c2", "here?", "other.md")):
        library.store.write.add_turn(turn_row(chat, question, an_answer(library, name)))
    return library


@pytest.fixture
def library(base: Path, tmp_path: Path) -> Library:
    shutil.copytree(base / "home", tmp_path / "home")
    return Library(tmp_path / "home", engines=FakeEngines())


@pytest.fixture
def out(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base / "out", tmp_path / "out"))


def an_answer(library: Library, name: str) -> Answer:
    media = library.show(name)
    place = PageSpan(1, 1, 0, 5)
    item = Evidence(f"{media.id[:16]}.p0", media.id, media.path, "document", "text", place, "x", 1)
    return Answer(f"It is told in {name}.", "grounded", (item,))


def all_of(library: Library, name: str) -> tuple[Any, ...]:
    """All that a library remembers of a media."""
    media, read = library.show(name), library.store.read
    row = read.media_row(media.id)
    assert row is not None
    memories = read.memories(media.id)
    vectors = {
        signature: {id_: tuple(v) for id_, v in read.media_vectors(signature, media.id).items()}
        for signature in row.signatures.values()
    }
    pictures = {one.id: read.thumbnail(one.id) for one in memories}
    shown = replace(media, path="", notes=())
    return shown, sorted(memories, key=lambda m: m.id), vectors, pictures, read.states(media.id)


def found(library: Library, query: str) -> list[tuple[str, float]]:
    return [(item.id, item.score) for item in library.search(query)]


def test_what_came_is_what_was(opened: Open, tmp_path: Path) -> None:
    library = made(tmp_path)
    film = video(tmp_path / "files" / "doors.mp4", shots=(20, 20), size=(128, 96))
    library.add(film)
    outcomes = library.export(tmp_path / "out", with_files=True, with_chats=True)
    assert [one.status for one in outcomes] == ["exported"] * 3
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [MANIFEST, "tables", "uploads"]

    other = opened("elsewhere")
    assert [one.status for one in other.import_from(tmp_path / "out")] == ["imported"] * 3
    for name in ("story.md", "other.md", "doors.mp4"):
        assert all_of(other, name) == all_of(library, name)
        copy = Path(other.show(name).path)
        assert copy.is_relative_to(other.home / "uploads")
        assert copy.read_bytes() == (tmp_path / "files" / name).read_bytes()
    assert found(other, "zebrafinch clocktower") == found(library, "zebrafinch clocktower")
    assert other.collections() == library.collections()
    assert [one.id for one in other.chats()] == [one.id for one in library.chats()]

    assert [one.status for one in other.import_from(tmp_path / "out")] == ["unchanged"] * 3
    assert [one.id for one in other.chats()] == [one.id for one in library.chats()]
    (again,) = other.index([tmp_path / "files" / "story.md"])
    assert again.status == "unchanged"


def test_only_what_was_chosen_goes(library: Library, opened: Open, tmp_path: Path) -> None:
    library.export(tmp_path / "out", ["other.md"], with_chats=True)
    assert bytes_under(tmp_path / "out", "zebrafinch") == []
    assert bytes_under(tmp_path / "out", "story.md") == []
    other = opened("elsewhere")
    other.import_from(tmp_path / "out")
    assert [media.name for media in other.media()] == ["other.md"]
    assert [len(one.media_ids) for one in other.collections()] == [1]
    assert [one.id for one in other.chats()] == ["c2"]
    library.export(tmp_path / "plain", ["other.md"])
    assert bytes_under(tmp_path / "plain", "here?") == []


def test_the_folder_is_a_library_wherever_it_lies(
    library: Library, opened: Open, tmp_path: Path
) -> None:
    library.export(tmp_path / "out", with_files=True)
    (tmp_path / "out").rename(tmp_path / "moved")
    with opened("moved") as moved:
        assert found(moved, "zebrafinch clocktower") == found(library, "zebrafinch clocktower")
        path = Path(moved.show("story.md").path)
        assert path.is_file()
        assert path.is_relative_to(tmp_path / "moved")
    with pytest.raises(InputError, match="was opened as a library"):
        library.export(tmp_path / "moved", with_files=True)


def test_a_media_without_its_file_says_where_it_lay(opened: Open, tmp_path: Path) -> None:
    library = made(tmp_path)
    library.export(tmp_path / "out")
    files = tmp_path / "files"
    other = opened("elsewhere")
    here = {Path(one.path).name: one for one in other.import_from(tmp_path / "out")}
    assert here["story.md"].path == str(files / "story.md"), "the same bytes lie there"
    assert not here["story.md"].notes

    files.rename(tmp_path / "away")
    (files).mkdir()
    (files / "story.md").write_text("A secret of this machine.")
    third = opened("third")
    gone = {Path(one.path).name: one for one in third.import_from(tmp_path / "out")}
    for name in ("story.md", "other.md"):
        assert Path(gone[name].path).is_relative_to(third.home), "never another file's place"
        assert not Path(gone[name].path).exists()
        assert str(files / name) in third.show(name).notes[-1]
    third.add(tmp_path / "away" / "story.md")
    media = third.show("story.md")
    assert media.path == str(tmp_path / "away" / "story.md")
    assert not any(note.startswith(FILE_ABSENT) for note in media.notes)
    assert found(third, "zebrafinch") == found(library, "zebrafinch")


def test_a_file_that_changed_stays_behind(opened: Open, tmp_path: Path) -> None:
    library = made(tmp_path)
    (tmp_path / "files" / "story.md").write_text("Something else.")
    outcomes = library.export(tmp_path / "out", with_files=True)
    assert [one.with_file for one in outcomes] == [False, True]
    assert "stays behind" in outcomes[0].notes[0]
    other = opened("elsewhere")
    other.import_from(tmp_path / "out")
    assert found(other, "zebrafinch") == found(library, "zebrafinch")


def test_a_file_that_comes_later_is_taken(opened: Open, tmp_path: Path) -> None:
    library = made(tmp_path)
    library.export(tmp_path / "plain")
    library.export(tmp_path / "whole", with_files=True)
    shutil.rmtree(tmp_path / "files")
    other = opened("elsewhere")
    other.import_from(tmp_path / "plain")
    assert not Path(other.show("story.md").path).exists()
    outcomes = other.import_from(tmp_path / "whole")
    assert {(one.status, one.with_file) for one in outcomes} == {("unchanged", True)}
    assert Path(other.show("story.md").path).is_file()


def test_versions_that_go_while_it_is_read_are_no_damage(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, whole, gone = Source(library.home, is_own=True), LanceEmptyQueryBuilder.to_arrow, []

    def often_gone(query: LanceEmptyQueryBuilder, **more: Any) -> Any:
        if len(gone) < 4:
            gone.append(query)
            raise RuntimeError("Not found: a file of an older version")
        return whole(query, **more)

    monkeypatch.setattr(LanceEmptyQueryBuilder, "to_arrow", often_gone)
    rows = source._rows(source._memories, col("segment") >= lit(0), ["id"])
    assert (len(gone), rows.num_rows) == (4, library.stats().memories)


def test_what_is_half_indexed_goes_on_elsewhere(opened: Open, tmp_path: Path) -> None:
    path = write_document(tmp_path / "long.md", chapters=4)
    library = opened("home")
    with pytest.raises(IngestCancelled):
        stop_after_first_commit(library, path)
    half = library.media()[0]
    assert half.status == "cancelled"
    (outcome,) = library.export(tmp_path / "out")
    assert "not indexed to its end" in outcome.notes[0]

    other = opened("elsewhere")
    other.import_from(tmp_path / "out")
    assert other.media()[0].remembered_pages == half.remembered_pages
    assert other.add(path).status == "indexed"
    library.add(path)
    assert found(other, "zebrafinch") == found(library, "zebrafinch")

    third = opened("third")
    with pytest.raises(IngestCancelled):
        stop_after_first_commit(third, path)
    library.export(tmp_path / "whole")
    before = all_of(third, "long.md")
    (unchanged,) = third.import_from(tmp_path / "whole")
    assert unchanged.status == "unchanged", "it could not be put back if the import were cut short"
    assert "It is half indexed here, and stays so" in unchanged.notes[0]
    assert all_of(third, "long.md") == before
    (less,) = library.import_from(tmp_path / "out")
    assert (less.status, less.notes) == ("unchanged", ())
    assert library.media()[0].status == "indexed"


def stop_after_first_commit(library: Library, path: Path) -> None:
    def stops() -> bool:
        rows = library.store.read.media_rows()
        return any(row.committed_segment > NOTHING_COMMITTED for row in rows)

    for outcome in library.index([path], should_stop=stops):
        if outcome.error is not None:
            raise outcome.error


@pytest.mark.parametrize("name", ["story.md", "other.md"])
def test_what_is_being_worked_on_is_left_out(
    library: Library, opened: Open, tmp_path: Path, name: str
) -> None:
    with leased(library.home, library.show(name).id):
        outcomes = {Path(one.path).name: one for one in library.export(tmp_path / "out")}
    assert isinstance(outcomes[name].error, StoreConflict)
    assert [one.status for one in outcomes.values()].count("exported") == 1
    assert len(opened("elsewhere").import_from(tmp_path / "out")) == 1


# Where it goes


def test_an_earlier_export_of_the_same_is_replaced(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "out"
    library.export(out, ["story.md"])
    library.export(out, with_files=True)
    assert len(json.loads((out / MANIFEST).read_text())["media"]) == 2
    for media, how, words in (
        (["story.md"], {"with_files": True}, "also holds other.md"),
        (None, {}, "give --with-files again"),
    ):
        with pytest.raises(InputError, match=words):
            library.export(out, media, **how)
    assert len(json.loads((out / MANIFEST).read_text())["media"]) == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_folder_that_holds_anything_else_is_refused(library: Library, tmp_path: Path) -> None:
    thesis = tmp_path / "mine"
    thesis.mkdir()
    (thesis / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    places = {
        "mine": "not empty",
        "file": "is a file",
        "home": "lie in each other",
        "home/out": "lie in each other",
        "nowhere/out": "there is no folder",
    }
    for name, words in places.items():
        with pytest.raises(InputError, match=words):
            library.export(tmp_path / name)
    assert (thesis / "thesis.txt").read_text() == "years of work"


def test_an_empty_library_has_nothing_to_export(opened: Open, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="memqa index FILE"):
        opened("empty").export(tmp_path / "out")


def test_no_room_is_said_before_anything_is_written(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("memqa.export.shutil.disk_usage", lambda _: usage)
    with pytest.raises(SetupError, match="another disk"):
        library.export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Cut short


@pytest.mark.parametrize("after", [0, 2])
def test_an_export_that_is_stopped_leaves_nothing(
    library: Library, tmp_path: Path, after: int
) -> None:
    with pytest.raises(IngestCancelled):
        library.export(tmp_path / "out", with_files=True, should_stop=stops_at(after))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))
    assert len(library.export(tmp_path / "out", with_files=True)) == 2


@pytest.mark.parametrize("after", [0, 2])
def test_an_import_that_is_stopped_leaves_whole_media(
    library: Library, opened: Open, tmp_path: Path, after: int
) -> None:
    library.export(tmp_path / "out", with_files=True)
    other = opened("elsewhere")
    with pytest.raises(IngestCancelled):
        other.import_from(tmp_path / "out", should_stop=stops_at(after))
    assert all(media.status == "indexed" for media in other.media())
    assert len(other.media()) < 2
    known = {media.id[:12] for media in other.media()}
    uploads = other.home / "uploads"
    assert {path.name for path in uploads.iterdir()} <= known if uploads.exists() else True
    other.import_from(tmp_path / "out")
    assert all_of(other, "story.md") == all_of(library, "story.md")
    assert all_of(other, "other.md") == all_of(library, "other.md")


def test_a_killed_import_is_done_again(library: Library, opened: Open, tmp_path: Path) -> None:
    library.export(tmp_path / "out")
    other = opened("elsewhere")
    row = library.store.read.media_row(library.show("story.md").id)
    assert row is not None
    source = Source(tmp_path / "out")
    other.store.receive._begin(row)
    other.store.receive._write(
        other.store.receive._tables.memories, next(iter(source.memories(row)))
    )
    assert found(other, "zebrafinch") == [], "half of a media is never seen"
    other.import_from(tmp_path / "out")
    assert all_of(other, "story.md") == all_of(library, "story.md")


def test_what_was_half_forgotten_here_comes_as_new(opened: Open, out: Path) -> None:
    here = opened("here")
    here.import_from(out)
    here.store.upkeep.hide(here.show("story.md").id)  # whoever forgot it was killed
    told = {one.media.name: one.status for one in here.import_from(out)}
    assert told == {"story.md": "imported", "other.md": "unchanged"}
    assert len(opened("here").media()) == 2


def stops_at(call: int) -> Callable[[], bool]:
    calls = iter(range(10_000))
    return lambda: next(calls) >= call


def test_progress_is_told(library: Library, opened: Open, tmp_path: Path) -> None:
    told: list[Progress] = []
    library.export(tmp_path / "out", with_files=True, on_progress=told.append)
    opened("elsewhere").import_from(tmp_path / "out", on_progress=told.append)
    assert {one.stage for one in told} == {
        *("Copying memories", "Copying the file", "Taking in memories")
    }


# What is no export, or a bad one


def refused(library: Library, out: Path, words: str) -> None:
    """Importing says what is wrong in one sentence, and nothing came of it."""
    with pytest.raises((InputError, StoreMismatch), match=words) as error:
        library.import_from(out)
    assert "\n" not in str(error.value)
    assert library.media() == []


def test_what_is_no_export_is_told_what_it_is(opened: Open, tmp_path: Path, out: Path) -> None:
    other = opened("elsewhere")
    (tmp_path / "files").mkdir()
    refused(other, tmp_path / "nowhere", "there is no folder")
    refused(other, tmp_path / "files", "Make one on the other machine: memqa export DIR")
    (tmp_path / "plain" / "tables").mkdir(parents=True)
    refused(other, tmp_path / "plain", "it is a library.*export DIR")
    manifest = json.loads((out / MANIFEST).read_text())
    for broken, words in (
        ("{", "is damaged"),
        ("[]", "something else's"),
        ("[" * 100_000, "is damaged"),
        (json.dumps({**manifest, "media": 3}), "is damaged"),
        (json.dumps({**manifest, "schema": SCHEMA_VERSION + 1}), "update memqa here"),
        (json.dumps({**manifest, "schema": 1}), "on the machine that it came from"),
        (json.dumps({"name": "my web app"}), "something else's"),
    ):
        (out / MANIFEST).write_text(broken)
        refused(other, out, words)


def test_a_manifest_without_end_is_not_read(
    opened: Open, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memqa.carried._MOST_BYTES", 100)
    refused(opened("elsewhere"), out, "too large")


def test_damage_is_told(opened: Open, out: Path) -> None:
    whole = out.with_name("whole")
    shutil.copytree(out, whole)
    for pattern in ("memories.lance/data/*", "media.lance/_versions/*.manifest"):
        for path in (out / "tables").glob(pattern):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        other = opened("elsewhere")
        with suppress(InputError):
            assert {type(one.error) for one in other.import_from(out)} == {InputError}
        assert other.media() == []
        shutil.rmtree(out)
        shutil.copytree(whole, out)
    shutil.rmtree(out / "tables" / "states.lance")
    refused(opened("elsewhere"), out, "damaged")


def test_links_and_pipes_are_not_followed(opened: Open, out: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    link = out / "tables" / "memories.lance" / "link"
    link.symlink_to(secret)
    refused(opened("elsewhere"), out, "is a link")
    link.unlink()
    os.mkfifo(link)
    refused(opened("elsewhere"), out, "is a link or no file")
    link.unlink()
    (out / "tables").rename(tmp_path / "away")
    (out / "tables").symlink_to(tmp_path / "away")
    refused(opened("elsewhere"), out, "is a link")
    (out / "tables").unlink()
    (tmp_path / "away").rename(out / "tables")

    (folder,) = [path for path in (out / "uploads").iterdir() if (path / "story.md").exists()]
    (folder / "story.md").unlink()
    (folder / "story.md").symlink_to(secret)
    other = opened("elsewhere")
    came = {Path(one.path).name: one.with_file for one in other.import_from(out)}
    assert came == {"story.md": False, "other.md": True}


def test_a_table_that_names_other_folders_is_refused(opened: Open, out: Path) -> None:
    """Lance lets a table's files lie anywhere, by field 18 of its manifest."""
    (manifest, *_) = sorted((out / "tables" / "media.lance" / "_versions").glob("*.manifest"))
    data = manifest.read_bytes()
    (start,) = struct.unpack_from("<Q", data, len(data) - 16)
    (length,) = struct.unpack_from("<I", data, start)
    base = b"\x92\x01\x06\x22\x04/etc"
    message = data[start + 4 : start + 4 + length] + base
    manifest.write_bytes(
        data[:start] + struct.pack("<I", len(message)) + message + data[start + 4 + length :]
    )
    refused(opened("elsewhere"), out, "leads to files outside")


def rewrite(out: Path, table: str, where: str, values: dict[str, Any]) -> None:
    lancedb.connect(out / "tables").open_table(table).update(where=where, values=values)


def test_rows_of_another_media_are_refused(library: Library, opened: Open, out: Path) -> None:
    """A row under the id of what is here already would overwrite it."""
    other = opened("elsewhere")
    library.export(out.with_name("first"), ["story.md"])
    other.import_from(out.with_name("first"))
    before = all_of(other, "story.md")
    victim = other.show("story.md").id[:16] + ".p0"
    mine = library.show("other.md").id
    rewrite(out, "memories", f"id = '{mine[:16]}.p0'", {"id": victim, "text": "a lie"})
    outcomes = {one.media.name: one for one in other.import_from(out) if one.media}
    assert outcomes["story.md"].status == "unchanged"
    assert "damaged" in str(outcomes["other.md"].error)
    assert all_of(other, "story.md") == before
    assert [media.name for media in other.media()] == ["story.md"]
    assert found(other, "a lie") == found(library, "a lie")[:0] or "a lie" not in {
        item.text for item in other.search("a lie")
    }


@pytest.mark.parametrize(
    "values",
    [{"level": "root"}, {"modality": "smelt"}, {"page": -3}],
)
def test_a_memory_that_is_none_is_refused(
    library: Library, opened: Open, out: Path, values: dict[str, Any]
) -> None:
    mine = library.show("other.md").id
    rewrite(out, "memories", f"id = '{mine[:16]}.p0'", values)
    other = opened("elsewhere")
    outcomes = {one.media.name: one for one in other.import_from(out) if one.media}
    assert outcomes["story.md"].status == "imported"
    assert "damaged" in str(outcomes["other.md"].error)
    assert found(other, "zebrafinch") == found(library, "zebrafinch")[:1]


@pytest.mark.parametrize("values", [{"kind": "virus"}, {"status": "owned"}, {"pages": -1}])
def test_a_media_that_is_none_is_refused(opened: Open, out: Path, values: dict[str, Any]) -> None:
    rewrite(out, "media", "true", values)
    refused(opened("elsewhere"), out, "damaged")


@pytest.mark.parametrize("path", ["/etc/passwd", "../..", "C:\\x\\..\\evil.md", "a" * 5000 + ".md"])
def test_a_path_is_never_taken_at_its_word(opened: Open, out: Path, path: str) -> None:
    rewrite(out, "media", "true", {"path": path, "aliases": ["/etc/passwd"]})
    shutil.rmtree(out / "uploads")
    other = opened("elsewhere")
    before = {p for p in out.parent.rglob("*") if other.home not in p.parents}
    other.import_from(out)
    for media in other.media():
        assert Path(media.path).parent.parent == other.home / "uploads"
        assert ".." not in Path(media.path).parts
    assert {p for p in out.parent.rglob("*") if other.home not in p.parents} == before
    other.doctor()
    for media in other.media():
        other.forget(media.id)


def test_a_chat_that_cannot_be_read_is_refused(opened: Open, out: Path) -> None:
    rewrite(out, "chats", "true", {"answer": '{"answer": 3}'})
    other = opened("elsewhere")
    with pytest.raises(InputError, match="a chat in it cannot be read"):
        other.import_from(out)
    assert other.chats() == []
