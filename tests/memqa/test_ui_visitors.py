"""Two people over one library: each has chats and a desk of their own, whatever they name."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from memqa.chats import EVERYTHING, Turn
from memqa.cli.chat import _chat_of
from memqa.ui.asking import Asking
from memqa.ui.desk import Desk
from memqa.ui.places import Places
from memqa.ui.settings import SettingsDesk
from memqa.ui.shelf import Shelf
from memqa.ui.stage import Stage
from memqa.ui.talk import Talk
from memqa.ui.visitors import OWNER, Visitor, answer, key_of
from memqa.values import Answer, Media, Step, Token
from models.errors import InputError
from tests.ui_fakes import FakeLibrary

T = TypeVar("T")
ADA = Visitor("user:ada", "ada", "192.0.2.1")
BEN = Visitor("user:ben", "ben", "192.0.2.1")
AT_NIGHT = Visitor("visitor:0123", address="192.0.2.2")
ANSWER = Answer("It was a dog.", "grounded")
VIDEO = Media("v" * 64, "/home/me/talk.mp4", "video", "indexed", duration_s=20.0)


def as_(whom: Visitor, do: Callable[..., T], *given: Any) -> T:
    """Do something as the thread does in which a visitor is answered."""

    def done() -> T:
        answer(whom)
        return do(*given)

    return contextvars.copy_context().run(done)


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    made = FakeLibrary(tmp_path, [VIDEO])
    made.script = [Step("looking"), Token("It was "), ANSWER]
    limits = SimpleNamespace(asks_per_minute=50, asks_at_once=2, asks_at_once_in_all=8)
    made.settings = SimpleNamespace(limits=limits)
    return made


@pytest.fixture
def asking(library: FakeLibrary) -> Asking:
    return Asking(library)  # type: ignore[arg-type]


@pytest.fixture
def talk(library: FakeLibrary, asking: Asking, tmp_path: Path) -> Talk:
    return Talk(library, Desk(tmp_path / "page" / "desk.json"), asking)  # type: ignore[arg-type]


def asked(talk: Talk, whom: Visitor, question: str) -> str:
    """Ask and wait; give the chat as the page knows it."""
    begun = as_(whom, talk.ask, {"question": question})
    version = 0
    for _ in range(20):
        news = as_(whom, talk.follow, {"chat": begun["chat"], "version": version})
        if not news["running"]:
            return str(begun["chat"])
        version = news["version"]
    raise AssertionError("the answer never came")


def test_a_chat_belongs_to_whoever_began_it(talk: Talk, library: FakeLibrary) -> None:
    mine = asked(talk, ADA, "what did the dog do?")
    assert library.asked[0]["chat"] == f"user:ada/{mine}"
    assert "dog do" in as_(ADA, talk.talk, {})["html"]
    for other in (BEN, AT_NIGHT):
        for named in (mine, f"user:ada/{mine}", f"../user:ada/{mine}", f"/{mine}"):
            found = as_(other, talk.talk, {"chat": named})
            assert "dog" not in found["html"]
            assert "dog" not in found["chats"]
            assert as_(other, talk.follow, {"chat": named})["html"] == ""
            with pytest.raises(InputError, match="no answer in this chat"):
                as_(other, talk.export, {"chat": named})
            with pytest.raises(InputError, match="not kept any more"):
                as_(other, talk.way, {"chat": named, "turn": "turn0"})
    assert "dog" not in as_(BEN, talk.talk, {})["html"]


def test_nobody_stops_or_deletes_anothers_chat(
    talk: Talk, library: FakeLibrary, asking: Asking
) -> None:
    kept = asked(talk, ADA, "what did the dog do?")
    library.gate.clear()
    going = as_(ADA, talk.ask, {"chat": "new", "question": "and then?"})["chat"]
    for named in (going, f"user:ada/{going}"):
        as_(BEN, talk.stop, {"chat": named})
        as_(BEN, talk.drop, {"chat": named})
    turn, _ = asking.now(f"user:ada/{going}")
    assert turn is not None
    assert turn.running
    library.gate.set()
    assert "dog do" in as_(ADA, talk.talk, {"chat": kept})["html"]


def test_the_owner_sees_every_chat(talk: Talk) -> None:
    mine = asked(talk, ADA, "what did the dog do?")
    found = as_(OWNER, talk.talk, {"chat": f"user:ada/{mine}"})
    assert "dog do" in found["html"]
    assert found["chat"] == f"user:ada/{mine}"
    assert "dog do" in found["chats"]


def test_the_owner_does_not_come_into_a_visitors_chat_unasked(
    talk: Talk, library: FakeLibrary
) -> None:
    mine = asked(talk, OWNER, "what is secret?")
    asked(talk, ADA, "what did the dog do?")
    asked(talk, AT_NIGHT, "and the cat?")
    assert _chat_of(library, None, is_last=True) == mine  # type: ignore[arg-type]
    assert _chat_of(library, "and the cat?", is_last=False) == "and the cat?"  # type: ignore[arg-type]
    left = as_(OWNER, talk.drop, {"chat": mine})
    assert left["html"] != ""
    assert not left["kept"]
    with pytest.raises(InputError, match="no chat yet"):
        _chat_of(library, None, is_last=True)  # type: ignore[arg-type]


def test_that_somebody_asks_is_told_to_nobody_else(talk: Talk) -> None:
    before = {whom.key: as_(whom, talk.pulse, {}) for whom in (ADA, BEN, OWNER)}
    asked(talk, ADA, "what?")
    after = {whom.key: as_(whom, talk.pulse, {}) for whom in (ADA, BEN, OWNER)}
    assert after[ADA.key] != before[ADA.key]
    assert after[OWNER.key] != before[OWNER.key]
    assert after[BEN.key] == before[BEN.key]


def test_the_stage_knows_no_answer_of_anothers_chat(library: FakeLibrary) -> None:
    library.kept_turns.append(Turn("user:ada/x", "", "what?", ANSWER, EVERYTHING, "turn"))
    stage = Stage(library, Places(local=False))  # type: ignore[arg-type]
    named = {"chat": "x", "turn": "turn"}
    assert as_(ADA, stage._answer, named) == ANSWER
    assert as_(BEN, stage._answer, named) is None
    assert as_(BEN, stage._answer, {**named, "chat": "user:ada/x"}) is None


def test_each_has_a_desk_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "page" / "desk.json"
    desk = Desk(path)
    for whom, media in ((OWNER, "a"), (ADA, "b"), (BEN, "c"), (AT_NIGHT, "d")):
        as_(whom, desk.tick, media, False)
    for whom, media in ((OWNER, "a"), (ADA, "b"), (BEN, "c"), (AT_NIGHT, "d")):
        assert as_(whom, lambda: desk.state.unticked) == (media,)
    again = Desk(path)
    assert as_(ADA, lambda: again.state.unticked) == ("b",)
    assert as_(OWNER, lambda: again.state.unticked) == ("a",)
    assert as_(AT_NIGHT, lambda: again.state.unticked) == ()
    names = {one.name for one in path.parent.iterdir()}
    assert names == {"desk.json", "desk.ada.json", "desk.ben.json"}


def test_the_desks_of_passers_by_take_no_more_room_than_some(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "page" / "desk.json")
    desk.tick("mine", False)
    for n in range(1100):
        as_(Visitor(f"visitor:{n}"), desk.tick, "a", False)
    assert len(desk._states) == 1000
    assert desk.state.unticked == ("mine",)


def test_questions_and_names_of_chats_are_bounded(talk: Talk) -> None:
    with pytest.raises(InputError, match="9000 characters, up to 8000"):
        as_(ADA, talk.ask, {"question": "x" * 9000})
    with pytest.raises(InputError, match="no such chat"):
        as_(ADA, talk.talk, {"chat": "x" * 5000})


def test_visitors_wait_while_very_many_files_do(library: FakeLibrary, tmp_path: Path) -> None:
    places, desk = Places(local=False), Desk(tmp_path / "page" / "desk.json")
    cache = tmp_path / "cache"
    cache.mkdir()
    shelf = Shelf(library, desk, places, cache=cache, on_ready=list)  # type: ignore[arg-type]
    for n in range(200):
        library.add(f"/home/me/{n}.mp4")
    sent = cache / "x.txt"
    sent.write_text("The ferry leaves.")
    with pytest.raises(InputError, match="200 files are waiting already"):
        as_(ADA, shelf.add_upload, {"path": str(sent), "name": "x.txt"})
    assert not sent.exists(), "what is refused does not stay"
    sent.write_text("The ferry leaves.")
    assert as_(OWNER, shelf.add_upload, {"path": str(sent), "name": "x.txt"})["jobs"]


def test_visitors_are_not_told_where_things_lie() -> None:
    desk = SettingsDesk(object(), Places(local=False))  # type: ignore[arg-type]
    assert "only where the page is open to this machine" in desk.doctor({})["html"]


def test_whose_a_chat_is_stands_before_its_name() -> None:
    assert key_of(ADA.own("a/b")) == ADA.key
    assert ADA.called(ADA.own("a/b")) == "a/b"
    assert (key_of("abc"), OWNER.own("abc"), OWNER.called("user:ada/x")) == (
        "",
        "abc",
        "user:ada/x",
    )
    assert not BEN.owns("user:ben2/x")
