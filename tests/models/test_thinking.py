"""Thoughts that a reply begins with are left out, however the reply is cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.llm.thinking import spoken


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Blue.", "Blue."),
        ("", ""),
        (" \n Blue.", " \n Blue."),
        ("<think>hm\n</think>\n\nBlue. ", "Blue. "),
        ("\n<think>\n\n</think>\n\nBlue.", "Blue."),
        ("<think>a</think> <think>b</think> Blue.", "Blue."),
        ("<think>for ever", ""),
        ("<think>a</think>", ""),
        ("<think>a</thin</think>Blue.", "Blue."),
        ("The mark <think>x</think> is text.", "The mark <think>x</think> is text."),
        ("<thinner> paint", "<thinner> paint"),
        ("<thi", "<thi"),
    ],
)
@given(cuts=st.lists(st.integers(0, 40), max_size=8))
def test_only_what_is_said_comes_out(reply: str, said: str, cuts: list[int]) -> None:
    places = sorted({0, *(min(cut, len(reply)) for cut in cuts), len(reply)})
    pieces = [reply[a:b] for a, b in pairwise(places)]
    assert "".join(spoken(iter(pieces))) == said


def test_words_are_handed_on_as_they_come() -> None:
    pieces = iter(["<think>x</think>", "One", " two", " three"])
    said = spoken(pieces)
    assert next(said) == "One"
    assert next(pieces) == " two"
