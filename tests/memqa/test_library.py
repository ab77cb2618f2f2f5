"""The library as a script sees it: files go in once, bad ones leave nothing, all is forgotten."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from threading import Event

import pytest

import memqa
from memqa.chats import shown_in, turn_row
from memqa.library import Library
from memqa.store.lock import locked
from memqa.store.schema import OUTLINE
from memqa.values import Answer, Citation, Evidence, Look, Option, Outcome, Step
from models.errors import IngestCancelled, InputError, SetupError, StoreConflict
from models.values import Box, PageSpan, Progress
from tests.documents import Sheet, lines, write_pdf
from tests.memqa.parts import FakeEngines, bytes_under, write_document


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        yield library


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return write_document(tmp_path / "story.md", chapters=2)


def test_a_document_is_taken_in_with_its_outline(library: Library, document: Path) -> None:
    stages: list[Progress] = []
    media = library.add(document, on_progress=stages.append)
    assert (media.status, media.kind, media.name) == ("indexed", "document", "story.md")
    assert media.remembered_pages == media.pages
    assert media.bytes > 0
    assert len({progress.stage for progress in stages}) >= 3

    read = library.store.read
    passages = read.memories(media.id, levels=["passage"])
    summaries = read.memories(media.id, levels=["summary"])
    assert media.memories == len(passages) + len(summaries)
    assert [passage.order for passage in passages] == list(range(len(passages)))
    assert {passage.parent_id for passage in passages} <= {node.id for node in summaries}
    assert list(read.states(media.id)) == [OUTLINE]
    hit = read.search_text("zebrafinch clocktower")[0]
    source = document.read_text(encoding="utf-8")
    assert "zebrafinch" in hit.memory.text
    assert "zebrafinch" in source

    tree = library.outline(media.id)
    assert tree.node(tree.root).first_passage == 0
    assert tree.node(tree.root).last_passage == len(passages) - 1
    leaves = [child for node in tree.nodes for child in node.children if not tree.is_node(child)]
    assert leaves == [f"p{i}" for i in range(len(passages))]


def test_an_unchanged_file_is_not_read_again(
    library: Library, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = library.add(document)

    def fail(*_: object) -> str:
        raise AssertionError("it was read")

    monkeypatch.setattr("memqa.ingest.sha256_of", fail)
    (outcome,) = library.index([document])
    assert outcome.status == "unchanged"
    assert outcome.media == first


def test_a_touched_file_is_unchanged_and_so_is_a_copy(library: Library, document: Path) -> None:
    media = library.add(document)
    os.utime(document, (1, 1))
    copy = document.with_name("copy.md")
    shutil.copy(document, copy)
    outcomes = list(library.index([document, copy]))
    assert [outcome.status for outcome in outcomes] == ["unchanged", "unchanged"]
    assert [one.id for one in library.media()] == [media.id]
    for path in (document, copy):
        assert library.show(str(path)).id == media.id
    assert library.show(media.id).path == str(copy)


def test_a_document_that_is_cut_is_partial(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = Sheet(lines("The heron waits at the weir.", "Its neck is folded."))
    path = write_pdf(tmp_path / "long.pdf", [sheet] * 3)
    monkeypatch.setattr("docmem.parse.pdf.MAX_PAGES", 2)
    media = library.add(path)
    assert (media.status, media.remembered_pages) == ("partial", 2)
    assert media.notes == ("Only the first 2 of 3 pages are read.",)


def test_a_name_that_several_media_share_is_told_with_their_ids(
    library: Library, document: Path
) -> None:
    other = document.parent / "other"
    other.mkdir()
    write_document(other / document.name, chapters=1, seed=2)
    ids = [library.add(path).id for path in (document, other / document.name)]
    with pytest.raises(InputError, match="fits 2 media") as refused:
        library.show(document.name)
    assert all(one[:12] in str(refused.value) for one in ids)


def test_a_changed_file_replaces_what_it_held(library: Library, document: Path) -> None:
    old = library.add(document)
    library.store.write.add_turn(turn_row("c", "what nested?", an_answer(old.id)))
    write_document(document, chapters=1, seed=2)
    new = library.add(document)
    assert [media.id for media in library.media()] == [new.id]
    assert new.id != old.id
    assert library.store.read.search_text("zebrafinch") == []
    assert len(library.turns("c")) == 1, "what was asked is not lost by an edit"


def test_bad_files_fail_and_the_others_go_in(library: Library, tmp_path: Path) -> None:
    document = write_document(tmp_path / "good.md", chapters=1)
    (tmp_path / "empty.pdf").write_bytes(b"")
    (tmp_path / "photo.pdf").write_bytes(b"\xff\xd8\xff\xe0" + bytes(2000))
    (tmp_path / "page.mp4").write_text("404: this film is gone")
    (tmp_path / "cut.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<<")
    (tmp_path / "blank.txt").write_text("  \n ")
    bad = ["empty.pdf", "photo.pdf", "page.mp4", "cut.pdf", "blank.txt", "nowhere.txt"]
    outcomes = {
        Path(outcome.path).name: outcome
        for outcome in library.index([*(tmp_path / name for name in bad), document])
    }
    assert [outcomes[name].status for name in bad] == ["failed"] * len(bad)
    for name in bad:
        error = outcomes[name].error
        assert isinstance(error, InputError)
        assert name in str(error)
        assert outcomes[name].as_json()["error"]["type"] == type(error).__name__
    assert outcomes["good.md"].status == "indexed"
    assert [media.name for media in library.media()] == ["good.md"]


def test_a_folder_stands_for_its_files(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deeper" / ".hidden").mkdir(parents=True)
    write_document(folder / "a.md", chapters=1, seed=1)
    write_document(folder / "deeper" / "b.md", chapters=1, seed=2)
    write_document(folder / "deeper" / ".hidden" / "c.md", chapters=1, seed=3)
    (folder / "program").write_bytes(b"\x7fELF" + bytes(100))

    def statuses(**how: bool) -> dict[str, str]:
        return {Path(o.path).name: o.status for o in library.index([folder], **how)}

    assert statuses() == {"a.md": "indexed", "program": "skipped"}
    assert statuses(recursive=True) == {
        "a.md": "unchanged",
        "b.md": "indexed",
        "program": "skipped",
    }


def test_an_unexpected_error_fails_one_file_only(
    library: Library, document: Path, monkeypatch: pytest.MonkeyPatch, error_log: list[object]
) -> None:
    other = write_document(document.with_name("other.md"), chapters=1, seed=5)
    encode = FakeEngines.text_encoder

    def broken(self: FakeEngines) -> object:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(FakeEngines, "text_encoder", broken)
    (failed,) = library.index([document])
    monkeypatch.setattr(FakeEngines, "text_encoder", encode)
    assert (failed.status, type(failed.error)) == ("failed", ZeroDivisionError)
    assert len(error_log) == 1
    error_log.clear()
    assert [outcome.status for outcome in library.index([other])] == ["indexed"]


def stop_after(calls: int) -> Callable[[], bool]:
    left = iter(range(calls))
    return lambda: next(left, None) is None


def test_a_cancelled_file_keeps_what_it_committed_and_goes_on(
    library: Library, document: Path
) -> None:
    whole = Library(library.home.with_name("whole"), engines=FakeEngines())
    wanted = [
        (m.id, m.text, m.parent_id) for m in whole.store.read.memories(whole.add(document).id)
    ]
    (outcome,) = library.index([document], should_stop=stop_after(20))
    assert outcome.status == "cancelled"
    assert isinstance(outcome.error, IngestCancelled)
    (media,) = library.media()
    assert media.status == "cancelled"
    assert 0 < media.memories < len(wanted)
    assert 0 < (media.remembered_pages or 0) < (media.pages or 0)
    (outcome,) = library.index([document])
    assert outcome.status == "indexed"
    found = [(m.id, m.text, m.parent_id) for m in library.store.read.memories(media.id)]
    assert sorted(found, key=str) == sorted(wanted, key=str)


def test_a_file_cancelled_at_once_leaves_nothing(library: Library, document: Path) -> None:
    outcomes = list(library.index([document, document], should_stop=lambda: True))
    assert [outcome.status for outcome in outcomes] == ["cancelled"]
    assert library.media() == []
    assert bytes_under(library.home, "Sentence") == []


def test_two_never_take_the_same_file_in_at_once(library: Library, document: Path) -> None:
    media = library.add(document)
    library.forget(media.id)
    lock = library.home / "locks" / f"media-{media.id[:16]}.lock"
    with locked(lock), pytest.raises(StoreConflict, match="another process"):
        library.add(document)
    assert library.add(document).status == "indexed"


def an_answer(media_id: str) -> Answer:
    evidence = Evidence(
        id="x.p0",
        media_id=media_id,
        path="/story.md",
        kind="document",
        modality="text",
        locator=PageSpan(1, 2, 10, 20),
        text="A zebrafinch nested.",
        score=0.5,
        boxes=(Box(1, 0.0, 0.25, 0.5, 1.0),),
    )
    return Answer(
        text="A zebrafinch.",
        state="grounded",
        evidence=(evidence,),
        citations=(Citation(0, 13, ("x.p0",)),),
        walk=(Step("Looked", "at a page", {"p0": 0.5}, 0.25),),
        tier="C",
        models={"text": "fake"},
        timings_s={"total": 0.5},
    )


def test_forgetting_leaves_no_word_under_home(library: Library, document: Path) -> None:
    upload = library.keep_upload(shutil.copy(document, document.with_name("up.md")), "my story.md")
    media = library.add(upload)
    library.store.write.add_turn(turn_row("c", "what nested in the tower?", an_answer(media.id)))
    library._queue.submit(str(upload))
    assert bytes_under(library.home, "zebrafinch")
    assert library.forget("my story.md").id == media.id
    for words in ("zebrafinch", "clocktower", "my story.md", "what nested"):
        assert bytes_under(library.home, words) == []
    assert list((library.home / "uploads").iterdir()) == []
    assert library.media() == []
    assert library.chats() == []
    with pytest.raises(InputError, match="not in the library"):
        library.forget("my story.md")
    assert document.exists()


def test_forgetting_drops_an_upload_whose_bytes_lie_elsewhere_too(
    library: Library, document: Path
) -> None:
    upload = library.keep_upload(shutil.copy(document, document.with_name("up.md")))
    media = library.add(upload)
    assert library.add(document).id == media.id
    library.forget(media.id)
    assert bytes_under(library.home, "zebrafinch") == []
    assert document.exists()


def test_a_home_that_cannot_be_one_is_the_set_ups_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SetupError, match="cannot be opened"):
            Library(home, engines=FakeEngines())


def test_forgetting_leaves_files_of_the_person_alone(library: Library, document: Path) -> None:
    library.forget(library.add(document).id)
    assert document.exists()


def test_an_upload_of_known_bytes_is_dropped(library: Library, document: Path) -> None:
    media = library.add(document)
    upload = library.keep_upload(shutil.copy(document, document.with_name("up.md")))
    assert library.add(upload).id == media.id
    assert not upload.exists()
    assert library.show(media.id).path == str(document)


def test_an_upload_that_is_no_media_is_dropped(library: Library, tmp_path: Path) -> None:
    (tmp_path / "program").write_bytes(b"\x7fELF" + bytes(100))
    upload = library.keep_upload(tmp_path / "program", "../../film.mp4")
    assert upload.parents[2] == library.home
    assert upload.name == "film.mp4"
    with pytest.raises(InputError):
        library.add(upload)
    assert not upload.exists()


def test_chats_keep_their_turns(library: Library) -> None:
    answer = an_answer("ab" * 32)
    for chat, question in (("one", "first?"), ("two", "second?"), ("one", "third?")):
        library.store.write.add_turn(turn_row(chat, question, answer))
    assert [(chat.id, chat.title, chat.turns) for chat in library.chats()] == [
        ("one", "first?", 2),
        ("two", "second?", 1),
    ]
    assert [turn.question for turn in library.turns("one")] == ["first?", "third?"]
    assert library.turns("one")[0].answer == answer
    library.drop_chat("one")
    assert [chat.id for chat in library.chats()] == ["two"]


def test_a_deleted_chat_is_gone_from_the_disk(library: Library) -> None:
    library.store.write.add_turn(turn_row("one", "what nested?", an_answer("ab" * 32)))
    library.store.write.add_turn(turn_row("two", "what else?", an_answer("ab" * 32)))
    library.drop_chat("one")
    assert bytes_under(library.home, "what nested?") == []
    assert bytes_under(library.home, "what else?")


def test_what_was_stopped_is_not_kept(library: Library, document: Path) -> None:
    library.add(document)
    stopped = Event()
    for piece in library.stream("What nested?", chat="one", should_stop=stopped.is_set):
        assert not isinstance(piece, Answer)
        stopped.set()
    assert library.chats() == []


def test_a_chat_deleted_while_its_turn_waits_to_be_written_stays_deleted(
    library: Library, document: Path
) -> None:
    turn = turn_row("one", "What nested?", an_answer(library.add(document).id))
    assert not library.store.write.keep_turn(turn, should_stop=lambda: True)
    assert library.store.write.keep_turn(turn, should_stop=lambda: False)
    assert len(library.turns("one")) == 1


def test_what_is_forgotten_in_mid_answer_is_not_written_back(
    library: Library, document: Path
) -> None:
    media = library.add(document)
    question = "What nested in the clocktower?"
    many = len(list(library.stream(question)))
    pieces = library.stream(question, chat="one")
    list(islice(pieces, many - 1))
    library.forget(media.id)
    with pytest.raises(StoreConflict, match="forgotten while"):
        list(pieces)
    turn = turn_row("one", "What nested?", an_answer(media.id))
    with pytest.raises(StoreConflict, match="forgotten while"):
        library.store.write.keep_turn(turn)
    assert library.chats() == []
    assert bytes_under(library.home, "zebrafinch") == []


def walked(media_id: str, name: str) -> tuple[Step, Step]:
    """Give the look at a collection's node, and the one at a branch of a media in it."""
    handle = f"{name}:n0-0"
    option = Option(handle, "p. 1", f"{name}: a zebrafinch", 0.5, True, media_id)
    other = Option("other.md:n0-0", "p. 1", "a heron", 0.4, True, "cd" * 32)
    root = Look(
        "library", ("library",), "2 files", "2 documents", (option, other),
        (option.id, other.id), f"The best places lie in {name}.",
    )  # fmt: skip
    own = Look(handle, ("library", handle), "p. 1", "a zebrafinch", (), (), "", media=media_id)
    scores = {f"{media_id[:16]}.n0-0": 0.5, f"{'cd' * 8}.n0-0": 0.4}
    return Step("walk library", root.reason, scores, look=root), Step("walk", look=own)


def test_forgetting_takes_the_media_out_of_the_walks_of_other_answers(
    library: Library, document: Path
) -> None:
    media = library.add(document)
    other = an_answer("cd" * 32)
    evidence = replace(other.evidence[0], path="/other.md", text="A heron.")
    steps = (*other.walk, *walked(media.id, media.name))
    answer = replace(other, text="A heron.", evidence=(evidence,), walk=steps)
    turn = turn_row("one", "what waits?", answer)
    assert shown_in(turn) == {media.id, "cd" * 32}
    library.store.write.add_turn(turn)
    naming = replace(answer, text="Nothing on it was found in story.md.")
    library.store.write.add_turn(turn_row("two", "what else?", naming))
    library.forget(media.id)
    assert bytes_under(library.home, "zebrafinch") == []
    assert bytes_under(library.home, "story.md") == []
    (kept,) = library.turns("one")
    assert kept.answer.text == "A heron."
    look = kept.answer.walk[-1].look
    assert look is not None
    assert [one.id for one in look.options] == list(look.chosen) == ["other.md:n0-0"]
    assert library.turns("two") == []


def test_stats_count_what_there_is(library: Library, document: Path) -> None:
    media = library.add(document)
    stats = library.stats()
    assert (stats.media, stats.documents, stats.videos) == (1, 1, 0)
    assert (stats.pages, stats.memories) == (media.pages, media.memories)
    assert stats.tables_bytes > 0


def test_an_unknown_method_is_named(library: Library, document: Path) -> None:
    with pytest.raises(InputError, match="moviechat"):
        library.add(document, method="telepathy")


def test_open_gives_the_library_of_the_settings(own_home: Path) -> None:
    with memqa.open() as library:
        assert library.home == own_home.resolve()
    assert isinstance(Outcome("x", "skipped").as_json(), dict)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_names_that_cannot_be_kept_are_the_files_fault(library: Library, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"bad\xffname.txt")
    odd.write_text("A frog.")
    loop = tmp_path / "loop.txt"
    loop.symlink_to(loop)
    for path in (odd, loop):
        (outcome,) = library.index([path])
        assert isinstance(outcome.error, InputError)
    assert not library.media()


def test_an_empty_query_is_refused(library: Library) -> None:
    with pytest.raises(InputError, match="empty"):
        library.search(" ")


def test_a_time_beyond_the_end_is_refused(
    library: Library, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = replace(library.add(document), kind="video", duration_s=9.5)
    monkeypatch.setattr(Library, "media", lambda _: [media])
    for at_s in (-1.0, float("nan"), float("inf"), 11.0):
        with pytest.raises(InputError):
            next(library.stream("What is shown?", at_s=at_s))
    library._check_time(10.0, [media.id])
