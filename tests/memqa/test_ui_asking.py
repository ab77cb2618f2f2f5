"""Answers are made whoever watches; the desk remembers what it was told; foreigners stay out."""

from __future__ import annotations

import logging
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers

from memqa.chats import EVERYTHING, Asked
from memqa.store.schema import Memory
from memqa.ui.asking import Asking
from memqa.ui.desk import Desk
from memqa.ui.guard import is_loopback, is_welcome
from memqa.ui.talk import Talk, scope_of
from memqa.ui.turns import ShownTurn
from memqa.values import Answer, Collection, Media, Step, Token
from models.errors import InputError
from models.values import PageSpan, TimeSpan
from tests.ui_fakes import FakeLibrary

ANSWER = Answer("It was a dog.", "grounded")
VIDEO = Media("v" * 64, "/home/me/talk.mp4", "video", "indexed", duration_s=20.0)


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    made = FakeLibrary(tmp_path, [VIDEO])
    made.script = [Step("looking"), Token("It was "), Token("a dog."), ANSWER]
    return made


def finished(asking: Asking, chat: str) -> ShownTurn:
    version = 0
    for _ in range(50):
        turn, version = asking.follow(chat, version, patience_s=5)
        if turn is not None and not turn.running:
            return turn
    raise AssertionError("the answer never came")


def test_an_answer_is_finished_though_nobody_watches(library: FakeLibrary) -> None:
    asking = Asking(library)  # type: ignore[arg-type]
    asking.start("chat", " what was it? ", EVERYTHING)
    turn = finished(asking, "chat")
    assert turn.answer == ANSWER
    assert [step.name for step in turn.steps] == ["looking"]
    assert library.asked[0]["question"] == "what was it?"


def test_a_stopped_answer_keeps_its_words_and_frees_the_chat(library: FakeLibrary) -> None:
    library.gate.clear()
    asking = Asking(library)  # type: ignore[arg-type]
    asking.start("chat", "what?", EVERYTHING)
    version = 0
    while (turn := asking.follow(chat="chat", version=version)[0]) and "dog" not in turn.text:
        version += 1
    with pytest.raises(InputError, match="still being answered"):
        asking.start("chat", "and then?", EVERYTHING)
    asking.stop("chat")
    turn = finished(asking, "chat")
    assert (turn.stopped, turn.answer, turn.text) == (True, None, "It was a dog.")
    asking.start("chat", "and then?", EVERYTHING)
    library.gate.set()
    assert finished(asking, "chat").answer == ANSWER


def test_what_goes_wrong_is_said_in_the_turn(
    library: FakeLibrary, error_log: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> object:
        raise InputError("nothing is known of this media")

    monkeypatch.setattr(library, "stream", broken)
    asking = Asking(library)  # type: ignore[arg-type]
    asking.start("chat", "what?", EVERYTHING)
    assert finished(asking, "chat").error == "nothing is known of this media"
    monkeypatch.setattr(library, "stream", lambda *_, **__: 1 / 0)
    asking.start("chat", "what?", EVERYTHING)
    assert "log" in (finished(asking, "chat").error or "")
    assert len(error_log) == 1
    error_log.clear()


def talk(library: FakeLibrary) -> Talk:
    desk = Desk(library.home / "desk.json")
    return Talk(library, desk, Asking(library))  # type: ignore[arg-type]


def test_a_reload_shows_each_turn_once(library: FakeLibrary) -> None:
    page = talk(library)
    begun = page.ask({"question": "what was it?"})
    while page.follow(begun)["running"]:
        pass
    again = page.talk({})
    assert again["chat"] == begun["chat"]
    assert again["html"].count("<article") == 1
    assert not again["running"]


def test_a_reload_in_mid_answer_finds_it_running(library: FakeLibrary) -> None:
    library.gate.clear()
    page = talk(library)
    begun = page.ask({"question": "what was it?"})
    again = page.talk({})
    assert again["running"]
    assert again["html"].count("<article") == 1
    library.gate.set()
    while page.follow(begun)["running"]:
        pass


def answered(page: Talk, begun: dict[str, Any]) -> dict[str, Any]:
    while (news := page.follow(begun))["running"]:
        pass
    return news


def test_a_turn_keeps_one_name_from_then_on(library: FakeLibrary) -> None:
    library.gate.clear()
    page = talk(library)
    begun = page.ask({"question": "what was it?"})
    library.gate.set()
    news = answered(page, begun)
    first = re.search(r'data-key="(\w+)"', begun["html"])
    assert first is not None
    assert f'data-key="turn0" data-was="{first[1]}"' in news["html"]
    assert 'data-key="turn0"' in page.talk({})["html"]


def test_what_was_asked_of_is_told_and_kept(library: FakeLibrary) -> None:
    other = replace(VIDEO, id="w" * 64, path="/home/me/other.mp4")
    library.kept[other.id] = other
    Desk(library.home / "desk.json").tick(other.id, False)
    page = talk(library)
    begun = page.ask({"question": "what was it?", "at": 12})
    assert "asked of talk.mp4, at 0:12" in begun["html"]
    answered(page, begun)
    assert "asked of talk.mp4, at 0:12" in talk(library).talk({"chat": begun["chat"]})["html"]


def test_a_moment_is_one_of_the_video_on_show(library: FakeLibrary) -> None:
    other = replace(VIDEO, id="w" * 64, path="/home/me/walk.mp4")
    library.kept[other.id] = other
    page = talk(library)
    begun = page.ask({"question": "what is said now?", "at": 12, "media": other.id})
    answered(page, begun)
    assert (library.asked[-1]["media"], library.asked[-1]["at_s"]) == ([other.id], 12.0)
    assert f'data-of="{other.id}"' in begun["html"]


def test_a_branch_is_picked_in_its_own_media(library: FakeLibrary) -> None:
    page = talk(library)
    begun = page.steer({"question": "what?", "media": VIDEO.id, "node": "n1-2", "at": None})
    answered(page, begun)
    assert library.asked[-1] == {
        "question": "what?",
        "media": [VIDEO.id],
        "at_s": None,
        "chat": begun["chat"],
        "resume": "n1-2",
    }
    assert "from a branch of talk.mp4" in begun["html"]


def test_a_branch_is_named_by_its_pages_and_headings() -> None:
    text = "A paper › 2 Rope, 3 Knots\nRopes are made of hemp."
    node = Memory(
        "d" * 16 + ".n1-2", "d" * 64, 0, "summary", "summary", PageSpan(2, 4, 0, 9), text, 0
    )
    wanted = Asked(("d" * 64,), resume="n1-2")
    told = scope_of(wanted, {"d" * 64: "paper.pdf"}, {node.id: node})
    assert told == "from pp. 2–4 of paper.pdf (“2 Rope, 3 Knots”)"
    assert scope_of(EVERYTHING, {}, {}) == ""
    assert scope_of(Asked(("a", "b")), {}, {}) == "asked of 2 media"
    talks = [Collection("talks", ("b", "a"))]
    assert scope_of(Asked(("a", "b")), {}, {}, talks) == "asked of the collection talks (2 media)"
    assert scope_of(EVERYTHING, {}, {}, talks) == ""


def test_a_stopped_turn_stays_where_it_was_when_another_is_asked(library: FakeLibrary) -> None:
    library.gate.clear()
    page = talk(library)
    begun = page.ask({"question": "what was it?"})
    page.stop(begun)
    library.script, library.gate = [ANSWER], threading.Event()
    library.gate.set()
    answered(page, page.ask({"question": "and then?"}))
    html = page.talk({})["html"]
    assert html.count("<article") == 2
    assert html.index("stopped</p>") < html.index("It was a dog.")


def settled() -> None:
    """Wait until no thread answers any more."""
    for thread in threading.enumerate():
        if thread.name.startswith("ask-"):
            thread.join(10)


def test_what_was_stopped_is_not_kept_and_not_shown_twice(library: FakeLibrary) -> None:
    library.gate.clear()
    page = talk(library)
    begun = page.ask({"question": "what was it?"})
    page.stop(begun)
    page.ask({"question": "what was it?"})
    library.gate.set()
    answered(page, begun)
    settled()
    assert len(library.kept_turns) == 1
    assert page.talk({})["html"].count("<article") == 2


def test_a_chat_deleted_in_mid_answer_does_not_come_back(library: FakeLibrary) -> None:
    library.gate.clear()
    page = talk(library)
    begun = page.ask({"question": "what was it?"})
    page.drop(begun)
    library.gate.set()
    settled()
    assert library.chats() == []


def test_an_answer_that_was_kept_before_it_was_stopped_stands_once(library: FakeLibrary) -> None:
    asking = Asking(library)  # type: ignore[arg-type]
    reached, go_on = threading.Event(), threading.Event()
    read = library.turns

    def slow(chat: str) -> list[Any]:
        reached.set()
        go_on.wait(10)
        return read(chat)

    library.turns = slow  # type: ignore[method-assign]
    asking.start("chat", "what?", EVERYTHING)
    assert reached.wait(10)
    asking.stop("chat")
    library.gate.clear()
    asking.start("chat", "and then?", EVERYTHING)
    before = asking.stamp_of("")
    assert len(asking.left("chat")) == 1
    go_on.set()
    for _ in range(100):
        if not asking.left("chat"):
            break
        time.sleep(0.02)
    assert asking.left("chat") == []
    assert asking.stamp_of("") != before
    library.gate.set()
    settled()


def test_what_was_forgotten_since_is_shown_no_more(library: FakeLibrary) -> None:
    page = talk(library)
    begun = page.ask({"question": "what was it?"})
    answered(page, begun)
    library.kept_turns.clear()
    assert "It was a dog." not in page.talk({"chat": begun["chat"]})["html"]


def test_of_many_chats_only_the_last_used_stay_in_mind(library: FakeLibrary) -> None:
    asking = Asking(library)  # type: ignore[arg-type]
    for n in range(80):
        asking.start(f"chat{n}", "what?", EVERYTHING)
        finished(asking, f"chat{n}")
    assert asking.now("chat0")[0] is None
    assert asking.now("chat79")[0] is not None
    assert len(asking._runs) <= 65


def test_a_growing_media_is_known_once(library: FakeLibrary) -> None:
    page = talk(library)
    for memories in range(5):
        library.kept[VIDEO.id] = replace(VIDEO, memories=memories)
        page.talk({"chat": "new"})
    assert len(page._known) == 1


def test_other_tabs_are_told_that_something_was_asked(library: FakeLibrary) -> None:
    library.gate.clear()
    page = talk(library)
    seen = [page.pulse({})["stamp"]]
    begun = page.ask({"question": "what was it?"})
    seen.append(page.pulse({})["stamp"])
    library.gate.set()
    answered(page, begun)
    seen.append(page.pulse({})["stamp"])
    assert len(set(seen)) == 3
    assert page.talk({"chat": begun["chat"], "quiet": True})["stamp"] == seen[-1]


def test_a_deleted_chat_is_gone_and_the_last_one_opens(library: FakeLibrary) -> None:
    page = talk(library)
    first = page.ask({"question": "what was it?"})
    answered(page, first)
    second = page.ask({"question": "and then?", "chat": "new"})
    answered(page, second)
    left = page.drop({"chat": second["chat"]})
    assert left["chat"] == first["chat"]
    assert "what was it?" in left["html"]
    assert "and then?" not in page.talk({"chat": second["chat"]})["html"]
    assert not page.drop({"chat": first["chat"]})["kept"]


def test_a_chat_is_taken_along_with_links(library: FakeLibrary) -> None:
    page = talk(library)
    with pytest.raises(InputError, match="no answer in this chat"):
        page.export({"chat": "none", "address": "http://here/"})
    begun = page.ask({"question": "what *was* it?"})
    answered(page, begun)
    found = page.export({"chat": begun["chat"], "address": "http://here/"})
    assert found["name"] == "2100-01-01-what-was-it.md"
    assert found["text"].startswith("# what \\*was\\* it?\n\n1 January 2100, 00:00 UTC")


def test_an_empty_chat_offers_questions_about_what_is_ticked(library: FakeLibrary) -> None:
    span = TimeSpan(0.0, 1.0)
    library.memories = [Memory("v.e0", VIDEO.id, 0, "event", "seen", span, "Seen: owl", 0)]
    html = talk(library).talk({})["html"]
    assert 'data-question="When is an owl seen?"' in html


def test_how_it_was_found_is_drawn_when_wanted(library: FakeLibrary) -> None:
    library.script = [Step("found", "2 places"), replace(ANSWER, walk=(Step("found", "2 places"),))]
    page = talk(library)
    begun = page.ask({"question": "what was it?"})
    answered(page, begun)
    assert "2 places" in page.way({"chat": begun["chat"], "turn": "turn0"})["html"]
    with pytest.raises(InputError, match="not kept any more"):
        page.way({"chat": begun["chat"], "turn": "gone"})


def test_a_question_to_an_empty_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="add a video or a document"):
        talk(FakeLibrary(tmp_path)).ask({"question": "what?"})


def test_the_desk_survives_and_heals(tmp_path: Path) -> None:
    path = tmp_path / "page" / "desk.json"
    desk = Desk(path)
    desk.tick("a", False)
    desk.tick("b", False)
    desk.tick("a", True)
    desk.dismiss("job")
    desk.turn_to("chat")
    state = Desk(path).state
    assert (state.unticked, state.dismissed, state.chat) == (("b",), ("job",), "chat")
    path.write_text('{"unticked": 3}', encoding="utf-8")
    assert Desk(path).state.unticked == ()


@pytest.mark.parametrize(
    ("headers", "welcome"),
    [
        ({"host": "127.0.0.1:7860"}, True),
        ({"host": "localhost:7860", "origin": "http://localhost:7860"}, True),
        ({"host": "127.0.0.1:7860", "origin": "http://evil.test"}, False),
        ({"host": "127.0.0.1:7860", "origin": "null"}, False),
        ({"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:9999"}, False),
        ({"host": "evil.test"}, False),
        ({"host": "127.0.0.1.evil.test:7860"}, False),
        ({"host": "["}, False),
        # A name that was rebound to this machine is the same site, so it may set any header.
        ({"host": "evil.test:7860", "x-forwarded-host": "evil.test:7860"}, False),
        ({"host": "evil.test:7860", "x-forwarded-host": "localhost:7860"}, False),
        (
            {
                "host": "127.0.0.1:7860",
                "x-forwarded-host": "hub.test",
                "origin": "https://hub.test",
            },
            True,
        ),
    ],
)
def test_only_the_page_itself_is_answered(headers: dict[str, str], welcome: bool) -> None:
    assert is_welcome(Headers(headers), loopback_only=True) is welcome


def test_on_a_network_the_host_may_be_any_but_the_origin_must_fit() -> None:
    assert is_welcome(Headers({"host": "nas:7860"}), loopback_only=False)
    foreign = Headers({"host": "nas:7860", "origin": "http://evil.test"})
    assert not is_welcome(foreign, loopback_only=False)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.8.0.1", True),
        ("127.evil.test", False),
        ("0.0.0.0", False),
        ("192.168.1.2", False),
    ],
)
def test_which_addresses_are_of_this_machine(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
