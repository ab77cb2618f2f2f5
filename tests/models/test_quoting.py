"""Foreign text on one line: without the marks of chat templates, and otherwise as it was."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.quoting import as_data, one_line
from tests.injections import MARKS

_PIECES = [
    *MARKS,
    "<|",
    "|>",
    "<",
    ">",
    "[",
    "]",
    "|",
    "#",
    " ",
    "\n",
    "a",
    "im_start",
    "INST",
    "/",
]


@given(st.lists(st.sampled_from([*_PIECES, "\u200b", "\u2060", "\U000e0041"]), max_size=12))
def test_no_mark_is_left_or_made_by_what_is_taken_out(pieces: list[str]) -> None:
    told = as_data("".join(pieces))
    assert not [mark for mark in MARKS if mark.strip() in told]
    assert "\n" not in told


@given(st.text(max_size=60))
def test_one_line_is_printable_and_is_left_alone(text: str) -> None:
    told = one_line(text)
    assert told == one_line(told)
    assert "\n" not in told
    assert all(char.isprintable() or not char.isascii() for char in told)


@pytest.mark.parametrize(
    "text",
    [
        "if a < b and c > d, x<y and y>z",
        "2 << 3 >> 1; pi < 3.14 | x > 2",
        "naïve café, ½ of 5 °C, “quoted” ‹mot›",
        "The user: a person. Operating system: any. Room #4 [sic] costs $5 [1].",
        "日本語の文です。 Привет! مرحبا",
    ],
)
def test_plain_text_stays(text: str) -> None:
    assert as_data(text) == text


@pytest.mark.parametrize("bit", ["<", "<|", "<a", "<a=", "|", "[INST", "<|im_start|>", "#", "[|"])
def test_long_text_takes_no_long_time(bit: str) -> None:
    began = time.perf_counter()
    as_data(bit * 100_000)
    assert time.perf_counter() - began < 5
