"""What a person sees of a run over many files: how far it is, what is left, and nothing unsafe."""

from __future__ import annotations

import pytest

from memqa.cli import many
from memqa.cli.many import Pace, display_many, duration
from models.values import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that a test sets."""
    now = [0.0]
    monkeypatch.setattr("memqa.cli.many.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "5 s"), (41, "40 s"), (58, "1 min"), (700, "12 min"), (3600, "1 h"),
        (7500, "2 h 5 min"), (86_400, "24 h"),
    ],
)  # fmt: skip
def test_time_left_is_said_as_a_person_would(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_the_pace_is_that_of_the_latest_files(clock: list[float]) -> None:
    pace = Pace(200)
    assert pace.line() == "0/200 files"
    for _ in range(100):  # known already
        clock[0] += 0.01
        pace.ended()
    assert pace.line() == "100/200 files"
    for _ in range(40):
        clock[0] += 10
        pace.ended()
    assert pace.line() == "140/200 files, 10 min left"
    clock[0] += 320  # the next one takes long
    assert pace.line() == "140/200 files, 20 min left"


def test_in_a_log_there_is_a_line_now_and_then(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with display_many(3) as shown:
        for _ in range(100):
            clock[0] += 0.11
            shown.update(Progress("Watching", 30, 60, "s", "/media/a\x1b[2J\nb.mp4"))
        shown.ended("/media/a\x1b[2J\nb.mp4")
        clock[0] += 10
        shown.update(Progress("Listening", 0, None, "s", "/media/c.mp3"))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "0/3 files; a�[2J�b.mp4: Watching 50 %",
        "0/3 files; a�[2J�b.mp4: Watching 50 %",
        "1/3 files, 40 s left; c.mp3: Listening",
    ]


def test_on_a_terminal_each_file_has_a_bar_and_names_are_plain_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    def on_a_terminal(**_: object) -> Console:
        return Console(stderr=True, force_terminal=True, width=100, color_system=None)

    monkeypatch.setattr("rich.console.Console", on_a_terminal)
    with many._Bars(2) as shown:
        shown.update(Progress("Watching", 30, 60, "s", "/media/[red]a.mp4"))
        shown.update(Progress("Reading pages", 1, 4, "pages", "/media/b.pdf"))
        shown.ended("/media/b.pdf")
        shown.update(Progress("Watching", 60, 60, "s", "/media/[red]a.mp4"))
    said = capsys.readouterr().err
    assert "0/2 files" in said
    assert "[red]a.mp4: Watching" in said
    assert "b.pdf: Reading pages" in said
    assert "1/2 files" in said.rpartition("Reading pages")[2]


def test_a_long_name_leaves_room_for_its_stage(clock: list[float]) -> None:
    told = many._told(Progress("Making the outline", 1, 4, "", f"/media/{'long ' * 20}.pdf"), 40)
    assert told == "long long long long…: Making the outline"
    assert len(told) == 40
