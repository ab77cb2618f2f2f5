"""How often and how much at once one may ask: counted apart for each, told in a sentence."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from memqa.chats import EVERYTHING
from memqa.ui.asking import Asking
from memqa.ui.limits import AtOnce, Often, in_words
from memqa.ui.pace import Pace
from models.errors import InputError
from tests.ui_fakes import FakeLibrary


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_so_many_times_within_any_minute() -> None:
    clock = Clock()
    often = Often(3, 60.0, clock=clock)
    for _ in range(3):
        assert often.take("ada") == 0
        clock.now_s += 10
    assert often.take("ada") == pytest.approx(30.0)
    assert often.wait_s("ada") == pytest.approx(30.0)
    assert often.take("ben") == 0, "another is not held up"
    clock.now_s += 30.5
    assert often.take("ada") == 0
    assert often.take("ada") > 0


def test_what_is_refused_does_not_count() -> None:
    clock = Clock()
    often = Often(1, 60.0, clock=clock)
    assert often.take("ada") == 0
    for _ in range(100):
        assert often.take("ada") > 0
    clock.now_s += 61
    assert often.take("ada") == 0


def test_memory_is_bounded_whoever_comes() -> None:
    often = Often(2, 60.0)
    for n in range(11_000):
        often.count(f"address {n}")
    assert len(often._times) == 10_000
    for _ in range(50):
        often.count("address 10999")
    assert len(often._times["address 10999"]) == 2


def test_so_many_at_once() -> None:
    at_once = AtOnce(1)
    with at_once.one("ada") as first, at_once.one("ada") as second, at_once.one("ben") as other:
        assert (first, second, other) == (True, False, True)
    with at_once.one("ada") as again:
        assert again
    assert not at_once._going


@pytest.mark.parametrize(
    ("wait_s", "said"),
    [(0.2, "a second"), (29.1, "30 seconds"), (90, "2 minutes"), (900, "15 minutes")],
)
def test_how_long_to_wait_in_words(wait_s: float, said: str) -> None:
    assert in_words(wait_s) == said


@pytest.fixture
def library(tmp_path: Path) -> FakeLibrary:
    made = FakeLibrary(tmp_path)
    made.settings = SimpleNamespace(
        limits=SimpleNamespace(asks_per_minute=4, asks_at_once=2, asks_at_once_in_all=3)
    )
    return made


def asks(pace: Pace, asking: Asking, chat: str, who: str) -> None:
    with pace.let(who):
        asking.start(chat, "what?", EVERYTHING, by=who)


def test_answers_in_the_making_are_few_for_one_and_for_all(library: FakeLibrary) -> None:
    library.gate.clear()
    asking = Asking(library)  # type: ignore[arg-type]
    pace = Pace(library, asking)  # type: ignore[arg-type]
    asks(pace, asking, "a", "ada")
    asks(pace, asking, "b", "ada")
    with pytest.raises(InputError, match="Your last questions are still being answered"):
        asks(pace, asking, "c", "ada")
    asks(pace, asking, "d", "ben")
    with pytest.raises(InputError, match="Many are asking"):
        asks(pace, asking, "e", "cleo")
    asks(pace, asking, "f", "")  # who sits at the machine is not counted
    asking.stop("a")
    asking.stop("b")
    asks(pace, asking, "e", "cleo")
    library.gate.set()


def test_questions_are_few_within_a_minute(library: FakeLibrary) -> None:
    asking = Asking(library)  # type: ignore[arg-type]
    pace = Pace(library, asking)  # type: ignore[arg-type]
    for _ in range(4):
        with pace.let("ada"):
            pass
    with pytest.raises(InputError, match="You have asked 4 questions within a minute; wait"):
        asks(pace, asking, "a", "ada")
    assert asking.running() == 0
    library.settings.limits.asks_per_minute = 5  # the settings were changed meanwhile
    asks(pace, asking, "a", "ada")
