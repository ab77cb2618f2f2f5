from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memqa.times import Stretch, moment_named, seconds_of, stretch_named
from models.values import TimeSpan


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("What happens at 12:30?", 750.0),
        ("Who speaks at 1:02:11?", 3731.0),
        ("What is he holding at minute 4?", 240.0),
        ("What is on screen at 95 seconds?", 95.0),
        ("What is the ratio 3:45 about?", None),
        ("What happened in 1994?", None),
        ("What is shown at 0:99?", None),
    ],
)
def test_a_moment_is_recognised_by_its_time(text: str, second: float | None) -> None:
    assert moment_named(text) == second


@pytest.mark.parametrize(
    ("text", "stretch", "rest"),
    [
        ("Is a bus seen in the first 5 minutes?", Stretch(0, 300), "Is a bus seen?"),
        ("What is said in the last minute?", Stretch(-60, math.inf), "What is said?"),
        ("A bus during the last half an hour?", Stretch(-1800, math.inf), "A bus?"),
        ("A bus in the last four minutes?", Stretch(-240, math.inf), "A bus?"),
        ("A bus in the first twenty-five minutes?", Stretch(0, 1500), "A bus?"),
        ("A bus in the last 0 minutes?", Stretch(math.inf, math.inf), "A bus?"),
        ("What comes from as far as China?", None, "What comes from as far as China?"),
        ("A change after tens of years?", None, "A change after tens of years?"),
        ("A bus in the second half?", Stretch(0.5, 1, is_share=True), "A bus?"),
        ("A bus between 1:00 and 2:30?", Stretch(60, 150), "A bus?"),
        ("A bus from minute 3 to minute 2?", Stretch(120, 180), "A bus?"),
        ("A bus after 10:00?", Stretch(600, math.inf), "A bus?"),
        ("A bus before 1:00:00?", Stretch(0, 3600), "A bus?"),
        ("A bus before the cat?", None, "A bus before the cat?"),
        ("Profit in the first half of 2023?", None, "Profit in the first half of 2023?"),
        ("Profit in the last three months?", None, "Profit in the last three months?"),
    ],
)
def test_a_stretch_is_recognised(text: str, stretch: Stretch | None, rest: str) -> None:
    assert stretch_named(text) == (stretch, rest)


def test_a_stretch_lies_within_the_video() -> None:
    assert Stretch(-60, math.inf).of(100) == TimeSpan(40, 100)
    assert Stretch(-600, math.inf).of(100) == TimeSpan(0, 100)
    assert Stretch(0.5, 1, is_share=True).of(90) == TimeSpan(45, 90)
    assert Stretch(200, 300).of(100) == TimeSpan(100, 100)


@given(st.text())
def test_any_text_names_a_stretch_or_none(text: str) -> None:
    stretch, _ = stretch_named(text)
    moment_named(text)
    assert stretch is None or stretch.of(100.0).end_s <= 100


def test_lengths_are_read_in_words_and_figures() -> None:
    assert seconds_of("two minutes") == 120
    assert seconds_of("90s") == 90
    assert seconds_of("1.5 h") == 5400
    assert seconds_of("hour") == 3600
