"""``memqa chat`` from a pipe and at a terminal: one set of models, one chat, kept."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import memqa
from tests.e2e.test_cli import Memqa

pytestmark = pytest.mark.real_model


def test_a_pipe_is_answered_line_by_line(copy_of_samples: Callable[[], Path]) -> None:
    home = copy_of_samples()
    lines = (
        "When are the water bottles shown?",
        "/nonsense",
        "",
        "/media sample.pdf",
        "Which Wikipedia dump does HOVER use?",
        "/media nowhere.pdf",
        "/quit",
        "never asked",
    )
    done = subprocess.run(
        [*Memqa(home).command(), "chat", "--json", "--chat", "bottles"],
        input="\n".join(lines), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["question"] for one in answers] == [lines[0], lines[4]]
    assert {one["chat"] for one in answers} == {"bottles"}
    assert {item["kind"] for item in answers[1]["evidence"]} == {"document"}
    assert "/nonsense; see /help" in done.stderr
    assert "nowhere.pdf" in done.stderr
    assert done.returncode == 2
    with memqa.open(home) as library:
        assert [turn.question for turn in library.turns("bottles")] == [lines[0], lines[4]]


@pytest.mark.timeout(600)
def test_a_person_talks_at_a_terminal(copy_of_samples: Callable[[], Path]) -> None:
    if sys.platform == "win32":
        pytest.skip("there are no pseudo-terminals")
    from tests.e2e.terminal import Terminal

    home = copy_of_samples()
    with Terminal([*Memqa(home).command(), "chat", "--media", "sample.mp4"]) as terminal:
        terminal.wait_for("Ask about sample.mp4")
        terminal.wait_for(">")
        terminal.press("What is shown?\r")
        terminal.wait_for("… ")  # any step: on a quick machine the first are over at once
        terminal.press("\x03")
        terminal.wait_for("the answer is not kept")
        terminal.wait_for(">")
        terminal.press("When are the water bottles shown?\r")
        terminal.wait_for("grounded: rests on")
        terminal.wait_for("[1] ▶ 0:15")
        terminal.wait_for(">")
        terminal.press("/open 1\r")
        terminal.wait_for("Said:")
        terminal.wait_for(">")
        terminal.press("/more\r/way\r")
        terminal.wait_for("how it was found")
        terminal.wait_for(">")
        terminal.press("\x04")
        assert terminal.leave() == 0
    history = home / "chat_history"
    assert "+When are the water bottles shown?" in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    with memqa.open(home) as library:
        (chat,) = library.chats()
        assert (chat.title, chat.turns) == ("When are the water bottles shown?", 1)


def test_a_chat_needs_something_to_ask(tmp_path: Path) -> None:
    memqa_ = Memqa(tmp_path / "empty")
    assert "memqa index FILE" in memqa_("chat", code=2).stderr
    assert os.listdir(tmp_path) == ["empty"]


def test_which_chat_is_meant_is_said(copy_of_samples: Callable[[], Path]) -> None:
    memqa_ = Memqa(copy_of_samples())
    assert "start one: memqa chat" in memqa_("chat", "--last", code=2).stderr
    assert "give one of them" in memqa_("chat", "--last", "--chat", "x", code=2).stderr
    assert "printable characters" in memqa_("chat", "--chat", "a\nb", code=2).stderr
