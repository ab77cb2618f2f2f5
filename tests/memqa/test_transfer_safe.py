"""Whatever goes wrong while a library is carried, what lay there before is not lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pytest

from memqa import placing
from memqa.alone import leased
from memqa.bring import _Bringing
from memqa.carried import MANIFEST, Carried
from memqa.chats import Asked, turn_row
from memqa.cli import carry
from memqa.library import Library
from memqa.store import schema
from memqa.store.lock import locked
from memqa.store.receive import Receiver
from memqa.store.schema import FILE_ABSENT, MediaRow
from memqa.values import Answer
from models.errors import IngestCancelled, InputError, SetupError, StoreConflict
from models.values import Progress
from tests.fakes import FakeTextEncoder
from tests.memqa.parts import FakeEngines
from tests.memqa.test_transfer import all_of, an_answer, made, rewrite, stops_at


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library and its files, not to be written to, and an export of it."""
    base = tmp_path_factory.mktemp("base")
    made(base).export(base / "out", with_files=True, with_chats=True)
    return base


@pytest.fixture
def library(base: Path, tmp_path: Path) -> Library:
    shutil.copytree(base / "home", tmp_path / "home")
    return Library(tmp_path / "home", engines=FakeEngines())


@pytest.fixture
def other(tmp_path: Path) -> Library:
    return Library(tmp_path / "other", engines=FakeEngines())


@pytest.fixture
def out(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base / "out", tmp_path / "out"))


def emptied(library: Library, name: str) -> MediaRow:
    """Leave a media as a run that died before its first commit leaves it."""
    row = library.store.read.media_row(library.show(name).id)
    assert row is not None
    library.store.receive._begin(row)
    found = library.store.read.media_row(row.media.id)
    assert found is not None
    return found


# Into a library


class Breaks(Exception):
    pass


@pytest.mark.parametrize("error", [Breaks, KeyboardInterrupt, OSError])
def test_an_import_that_fails_takes_back_only_what_it_made(
    library: Library, out: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    row = emptied(library, "story.md")
    own = library.home / "uploads" / row.media.id[:12]
    own.mkdir(parents=True)
    (own / "mine.md").write_text("the only copy")
    shutil.rmtree(out / "uploads")

    def settle(*_: object) -> None:
        raise error("the disk is full")

    monkeypatch.setattr(library.store.write, "settle", settle)
    if error is OSError:
        assert "the disk is full" in str(library.import_from(out)[0].error)
    else:
        with pytest.raises(error):
            library.import_from(out)
    assert library.collections()[0].media_ids == tuple(one.id for one in library.media())[::-1]
    assert {one.id for one in library.chats()} == {"c1", "c2"}
    left = library.store.read.media_row(row.media.id)
    assert left == replace(row, media=replace(row.media, status="cancelled"))
    assert library.store.read.memories(row.media.id) == []
    assert (own / "mine.md").read_text() == "the only copy"


def test_a_copy_that_a_failed_import_made_goes(
    other: Library, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Receiver, "take", lambda *_, **__: None)
    with pytest.raises(IngestCancelled):
        other.import_from(out)
    assert list((other.home / "uploads").iterdir()) == []
    assert other.media() == []


def test_an_import_keeps_the_place_that_is_known_here(
    library: Library, out: Path, tmp_path: Path
) -> None:
    row = emptied(library, "story.md")
    here = shutil.copy(row.media.path, tmp_path / "story.md")
    library.store.write.relocate(row.media.id, str(here), size_bytes=0, mtime_ns=0)
    (came, _) = library.import_from(out)
    assert came.status == "imported"
    found = library.store.read.media_row(row.media.id)
    assert found is not None
    assert (found.media.path, found.aliases) == (str(here), (row.media.path,))


def test_a_file_that_came_never_replaces_another(other: Library, out: Path) -> None:
    manifest = json.loads((out / MANIFEST).read_text())
    id_ = next(one["id"] for one in manifest["media"] if one["name"] == "story.md")
    mine = other.home / "uploads" / id_[:12] / "story.md"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    outcomes = {one.media.name: one for one in other.import_from(out) if one.media}
    assert "is in the way" in str(outcomes["story.md"].error)
    assert mine.read_text() == "mine"
    mine.unlink()
    shutil.copy(out / "uploads" / id_[:12] / "story.md", mine)
    assert {one.status for one in other.import_from(out)} == {"imported", "unchanged"}


def test_only_a_file_of_the_right_size_is_copied_and_under_a_name_of_ours(
    other: Library, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (out / "uploads").glob("*/story.md"):
        file.rename(file.with_name("caf\udce9.md"))
    for file in (out / "uploads").glob("*/other.md"):
        file.write_text("x" * 1_000_000)
    outcomes = {one.media.name: one for one in other.import_from(out) if one.media}
    assert {name: one.with_file for name, one in outcomes.items()} == {
        "story.md": True,
        "other.md": False,
    }
    assert Path(other.show("story.md").path).name == "story.md"


def test_no_room_for_a_file_is_said_first(
    other: Library, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(out)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert {type(one.error) for one in other.import_from(out)} == {SetupError}
    assert not (other.home / "uploads").exists()


@pytest.mark.parametrize(("metric", "dim"), [("cosine", 3), ("dot", None)])
def test_vectors_that_are_not_the_encoders_are_refused(
    library: Library, other: Library, out: Path, metric: Any, dim: int | None
) -> None:
    encoder = FakeTextEncoder()
    name = schema.vectors_table(encoder.signature)
    table = lancedb.connect(out / "tables")
    rows = table.open_table(name).to_arrow().to_pylist()
    declared = schema.vectors_schema(encoder.signature, metric, dim or encoder.dim)
    for row in rows:
        row["vector"] = row["vector"][: dim or encoder.dim]
    table.drop_table(name)
    table.create_table(name, rows, schema=declared)
    for one in (library, other):
        for media in one.media():
            emptied(one, media.id)
        for outcome in one.import_from(out):
            assert outcome.error, "nothing comes of it"
    assert other.media() == []
    assert not list((other.home / "tables").glob("vectors_*"))
    path = library.home.parent / "new.md"
    path.write_text("The harbour is closed.")
    assert other.add(path).status == "indexed"


def test_tables_that_a_failed_import_made_go(
    other: Library, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memqa.store.source import Source

    def states(*_: object) -> None:
        raise InputError("damaged")

    monkeypatch.setattr(Source, "states", states)
    assert {one.status for one in other.import_from(out)} == {"failed"}
    assert not list((other.home / "tables").glob("vectors_*"))


@pytest.mark.parametrize("signatures", ["[" * 100_000, "[1]"])
def test_signatures_that_are_none_are_damage(other: Library, out: Path, signatures: str) -> None:
    rewrite(out, "media", "true", {"signatures": signatures})
    with pytest.raises(InputError, match="is damaged"):
        other.import_from(out)


def test_that_its_file_did_not_come_is_told_once(
    library: Library, other: Library, tmp_path: Path
) -> None:
    media = library.show("story.md")
    row = library.store.read.media_row(media.id)
    assert row is not None
    notes = (f"{FILE_ABSENT}; it lay at /elsewhere.",)
    library.store.write.settle(replace(row.media, notes=notes))
    library.export(tmp_path / "bare")
    other.import_from(tmp_path / "bare")
    assert other.show(media.id).notes == (), "the same bytes lie here"
    library.export(tmp_path / "whole", with_files=True)
    with Library(tmp_path / "whole", engines=FakeEngines()) as whole:
        assert whole.show(media.id).notes == ()


def test_each_outcome_is_told_as_it_is_done(other: Library, out: Path) -> None:
    told: list[str] = []
    with pytest.raises(IngestCancelled):
        other.import_from(
            out,
            on_outcome=lambda one: told.append(one.status),
            should_stop=lambda: bool(told),
        )
    assert told == ["imported"]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_stopped_import_has_said_what_it_took_in(
    other: Library,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
) -> None:
    media = _Bringing.media

    def stops(bringing: _Bringing, row: MediaRow) -> Carried:
        if other.media():
            raise IngestCancelled("the import was stopped")
        return media(bringing, row)

    monkeypatch.setattr(_Bringing, "media", stops)
    monkeypatch.setattr(carry, "open_library", lambda *_: other)
    with pytest.raises(IngestCancelled):
        carry.import_(None, out, as_json=as_json)  # type: ignore[arg-type]
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if "imported" in line] == told
    assert len(told) == 1 + as_json


# Out of one


def test_a_file_that_only_an_earlier_export_has_is_carried_over(
    library: Library, tmp_path: Path
) -> None:
    media = library.show("story.md")
    mine = Path(shutil.copy(media.path, tmp_path / "story.md"))
    library.store.write.relocate(media.id, str(mine), size_bytes=0, mtime_ns=0)
    row = library.store.read.media_row(media.id)
    assert row is not None
    library.store.receive._write(
        library.store.receive._tables.media, placed(replace(row, aliases=()))
    )
    library.export(tmp_path / "out", with_files=True)
    mine.unlink()
    outcomes = library.export(tmp_path / "out", with_files=True)
    assert [one.with_file for one in outcomes] == [True, True]
    (copy,) = (tmp_path / "out" / "uploads" / media.id[:12]).iterdir()
    copy.write_text("of other bytes")
    with pytest.raises(InputError, match=r"stays as it was: it has the file of story\.md"):
        library.export(tmp_path / "out", with_files=True)
    assert copy.exists()


def placed(row: MediaRow) -> Any:
    from memqa.store.rows import media_table

    return media_table(row)


def test_an_earlier_export_stays_where_a_media_cannot_be_exported_now(
    library: Library, tmp_path: Path
) -> None:
    library.export(tmp_path / "out")
    before = (tmp_path / "out" / MANIFEST).read_text()
    with (
        leased(library.home, library.show("story.md").id),
        pytest.raises(InputError, match=r"story\.md in it could not.*being worked on"),
    ):
        library.export(tmp_path / "out")
    assert (tmp_path / "out" / MANIFEST).read_text() == before


def test_an_export_that_cannot_be_put_in_place_leaves_the_earlier_one(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    library.export(out)
    rename = Path.rename

    def refuses(path: Path, target: Path) -> Path:
        if path.name.endswith(".memqa-export"):
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuses)
        with pytest.raises(SetupError, match="cannot be written"):
            library.export(out)
    assert (out / MANIFEST).is_file()
    out.rename(tmp_path / ".out.memqa-earlier")  # as a run that was killed leaves it
    with pytest.raises(IngestCancelled):
        library.export(out, should_stop=stops_at(0))
    assert (out / MANIFEST).is_file()


def test_two_exports_to_one_folder_exclude_each_other(library: Library, tmp_path: Path) -> None:
    with (
        locked(tmp_path / ".out.memqa-lock"),
        pytest.raises(StoreConflict, match=r"another export to .* is under way"),
    ):
        library.export(tmp_path / "out")
    library.export(tmp_path / "out")
    assert not list(tmp_path.glob(".out*"))


def test_a_library_can_be_exported_while_it_is_written_to(
    library: Library, other: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part is asked for anew: tidying up takes the versions away that were read before."""
    monkeypatch.setattr("memqa.store.source._AT_ONCE", 1)
    store, write = library.store, Receiver._write

    def tidied(receiver: Receiver, *args: Any) -> None:
        write(receiver, *args)
        with store.writing():
            store.upkeep._purge()

    monkeypatch.setattr(Receiver, "_write", tidied)
    (library.home / "tables" / "memories.lance" / "half").symlink_to(tmp_path / "nowhere")
    outcomes = library.export(tmp_path / "out")
    assert [one.status for one in outcomes] == ["exported"] * 2
    monkeypatch.undo()
    other.import_from(tmp_path / "out")
    for name in ("story.md", "other.md"):
        assert all_of(other, name) == all_of(library, name)


def test_vectors_that_were_made_meanwhile_go_too(library: Library, tmp_path: Path) -> None:
    store, media = library.store, library.show("other.md")
    owners = store.read.memories(media.id)
    vectors = np.ones((len(owners), 4), np.float32)
    batch = schema.VectorBatch("new", "dot", tuple(one.id for one in owners), vectors)

    def index(progress: Progress) -> None:
        if progress.stage == "Copying memories" and progress.done == 1:
            store.write.add_vectors(batch, owners)

    library.export(tmp_path / "out", on_progress=index)
    with Library(tmp_path / "out", engines=FakeEngines()) as out:
        assert out.store.read.vector_ids("new", media.id) == {one.id for one in owners}


def test_nobody_waits_for_an_export(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, held = Receiver._write, []

    def watched(receiver: Receiver, *args: Any) -> None:
        with locked(library.home / "locks" / "writing.lock") as free:
            held.append(not free)
        write(receiver, *args)

    monkeypatch.setattr(Receiver, "_write", watched)
    library.export(tmp_path / "out")
    assert not any(held)


def test_a_file_that_cannot_be_read_stays_behind_alone(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Callable[..., Any] = Path.open

    def refuses(path: Path, *args: Any, **more: Any) -> Any:
        if path.name == "story.md":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **more)

    monkeypatch.setattr(Path, "open", refuses)
    outcomes = library.export(tmp_path / "out", with_files=True)
    assert [one.with_file for one in outcomes] == [False, True]
    assert "stays behind" in outcomes[0].notes[0]
    assert "Permission denied" in outcomes[0].notes[0]


def test_chats_that_may_tell_of_other_media_stay_here(
    library: Library, other: Library, tmp_path: Path
) -> None:
    story, foreign = library.show("story.md"), library.show("other.md")
    nothing = Answer("It is not told.", "unanswered", ())
    about = an_answer(library, "story.md")
    for chat, answer, asked in (
        ("nothing", nothing, Asked()),
        ("foreign", nothing, Asked((foreign.id,))),
        ("both", about, Asked((story.id, foreign.id))),
        ("mine", nothing, Asked((story.id,))),
    ):
        library.store.write.add_turn(turn_row(chat, "?", answer, asked))
    library.export(tmp_path / "part", ["story.md"], with_chats=True)
    other.import_from(tmp_path / "part")
    assert {one.id for one in other.chats()} == {"c1", "mine"}
    library.export(tmp_path / "whole", with_chats=True)
    other.import_from(tmp_path / "whole")
    assert {one.id for one in other.chats()} == {one.id for one in library.chats()}


def test_what_is_empty_is_no_earlier_export(tmp_path: Path) -> None:
    (tmp_path / ".out.memqa-earlier").mkdir()
    (tmp_path / ".out.memqa-earlier" / "x").touch()
    (tmp_path / "out").mkdir()
    placing.put_back(tmp_path / "out")
    assert (tmp_path / "out" / "x").exists()
