"""Relative words and the day on which they were said: what day they mean."""

from __future__ import annotations

from datetime import date

import pytest

from memqa.dates import date_in, entries, happened

TOLD = date(2023, 1, 20)  # a Friday


@pytest.mark.parametrize(
    "heading",
    [
        "Session 1 (4:04 pm on 20 January, 2023)",
        "January 20, 2023",
        "Minutes of 2023-01-20",
        "Fri, Jan 20th 2023",
    ],
)
def test_a_heading_states_its_day(heading: str) -> None:
    assert date_in(heading) == TOLD


@pytest.mark.parametrize("heading", ["Chapter 12", "30 February 2023", "In January", "2023"])
def test_what_is_no_full_date_states_none(heading: str) -> None:
    assert date_in(heading) is None


@pytest.mark.parametrize(
    ("sentence", "when"),
    [
        ("I lost my job yesterday.", "19 January 2023"),
        ("Tomorrow we open.", "21 January 2023"),
        ("I bought it this morning.", "20 January 2023"),
        ("We met three days ago.", "17 January 2023"),
        ("We met 2 weeks ago.", "about 6 January 2023"),
        ("It closed two months ago.", "November 2022"),
        ("We moved a year ago.", "2022"),
        ("I went last week.", "the week before 20 January 2023"),
        ("The fair is next month.", "February 2023"),
        ("We fly next year.", "2024"),
        ("See you next Friday.", "27 January 2023"),
        ("I went there last Friday.", "13 January 2023"),
        ("I saw her last Monday.", "16 January 2023"),
        ("This Sunday I dance.", "22 January 2023"),
        ("This Friday I dance.", "20 January 2023"),
    ],
)
def test_relative_words_mean_a_day(sentence: str, when: str) -> None:
    assert happened(sentence, TOLD) == when


def test_a_day_before_all_days_is_none() -> None:
    assert happened("It was yesterday.", date(1, 1, 1)) is None
    assert happened("It was 90 years ago.", date(80, 1, 1)) is None


@pytest.mark.parametrize("sentence", ["I love to dance.", "It lasted a week.", "A few years ago."])
def test_other_words_mean_none(sentence: str) -> None:
    assert happened(sentence, TOLD) is None


def test_each_entry_has_the_day_of_its_own_heading() -> None:
    text = (
        "We met.\n## 2023-03-15\nLast month she moved.\n## 2023-13-45\nRain.\n## 2 May 2023\nSun."
    )
    days = [(day, part.splitlines()[-1]) for day, part in entries(text, "20 January 2023")]
    assert days == [
        (TOLD, "We met."),
        (date(2023, 3, 15), "Last month she moved."),
        (None, "Rain."),
        (date(2023, 5, 2), "Sun."),
    ]
