"""A conversation in a terminal: its commands, what it says of a stop, and what it keeps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memqa.cli import chat as chat_
from memqa.cli.options import ask_of
from memqa.cli.talk import Talk
from memqa.scope import Scope
from memqa.values import Answer, Citation, Evidence, Step, Token
from models.values import TimeSpan

PLACES = tuple(
    Evidence(f"e{k}", "m1", "/v/talk.mp4", "video", "said", TimeSpan(k, k + 1), f"word{k}", 0.5)
    for k in range(4)
)


class OneChat:
    """As much of a library as a chat asks; a question ending in "!" is stopped by the person."""

    home = Path("/nowhere")

    def __init__(self, answer: Answer, note: str = "") -> None:
        self._answer, self._note = answer, note
        self.kept: list[str] = []

    def scope(self, media: Any) -> Scope:
        return Scope(notes=(self._note,) if self._note else ())

    def media(self) -> list[Any]:
        return []

    def turns(self, chat: str) -> list[str]:
        return self.kept

    def stream(self, question: str, **_: Any) -> Iterator[Step | Token | Answer]:
        yield Token("word")
        if question == "too soon!":
            signal.raise_signal(signal.SIGINT)
        self.kept.append(question)
        if question == "too late!":
            signal.raise_signal(signal.SIGINT)
        yield self._answer


def answer(*cited: str) -> Answer:
    state = "grounded" if cited else "unanswered"
    return Answer("It is so.", state, PLACES, (Citation(0, 9, cited),) if cited else ())


def talk(library: OneChat) -> Talk:
    return Talk(library, "c")  # type: ignore[arg-type]


def test_more_gives_the_other_places_of_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    one = talk(OneChat(answer("e0", "e2")))
    one.say("and then?")
    said = capsys.readouterr().out
    assert "[2]" in said
    assert "word1" not in said
    assert "/more shows 2 more" in said
    one.say("/more")
    said = capsys.readouterr().out
    assert said.startswith("see also\n  [3] ")
    assert "word1" in said
    assert "[4]" in said
    one.say("/open 4")
    assert "word3" in capsys.readouterr().out
    one.say("/more")
    assert capsys.readouterr().out.startswith("no more was found")


def test_where_nothing_is_answered_all_places_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = talk(OneChat(answer()))
    one.say("and then?")
    said = capsys.readouterr().out
    assert "closest places\n  [1] " in said
    assert "[4]" in said
    one.say("/more")
    assert capsys.readouterr().out.startswith("no more was found")


@pytest.mark.parametrize(("question", "kept"), [("too soon!", False), ("too late!", True)])
def test_a_stop_says_truly_what_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    question: str,
    kept: bool,
) -> None:
    library, before = OneChat(answer("e0")), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(chat_, "warm_up", lambda _: None)
    monkeypatch.setattr(chat_, "_lines", lambda *_: iter([question]))
    chat_._converse(library, talk(library), "c")  # type: ignore[arg-type]
    said = capsys.readouterr().err
    assert ("the answer is kept in the chat" in said) == kept
    assert ("the answer is not kept" in said) != kept
    assert (library.kept == [question]) == kept
    assert signal.getsignal(signal.SIGINT) is before


def test_a_note_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    ask_of(OneChat(answer(), "'a\x1b[2J' is two things"), ["a"])  # type: ignore[arg-type]
    assert capsys.readouterr().err == "memqa: note: 'a\N{REPLACEMENT CHARACTER}[2J' is two things\n"
