"""The attention of a question along a video: gathered fairly, drawn honestly, told in words."""

from __future__ import annotations

import re

import pytest

from memqa.ui.density import MOST_CELLS, attention_html, attention_words, spread
from memqa.values import Attention

EVEN = [Attention(at, at + 2.0, 0.05) for at in (0.0, 2.0, 4.0, 6.0, 8.0)]
AT_SEVEN = [Attention(0, 7, 0.02), Attention(7, 8, 0.66), Attention(8, 18, 0.02)]


def test_all_attention_is_in_the_cells() -> None:
    found = spread([Attention(0, 0.25, 2.0), Attention(0.25, 5.5, 0.5 / 5.25)], 5.5)
    assert sum(found.shares) == pytest.approx(1)
    assert found.shares[0] > 0.5
    assert len(found.shares) == 6


def test_an_hour_is_drawn_in_as_many_cells_as_can_be_told_apart() -> None:
    found = spread([Attention(0, 3600, 1 / 3600)], 3600)
    assert len(found.shares) == MOST_CELLS
    assert sum(found.shares) == pytest.approx(1)


def test_the_place_that_stands_out_is_named_with_its_share() -> None:
    found = spread(AT_SEVEN, 18)
    assert attention_words(found, "where?") == (
        "“where?” looks most at 0:07: 66\u00a0% of its attention lies there."
    )


def test_what_does_not_stand_out_is_said_so_and_not_drawn_tall() -> None:
    found = spread(EVEN, 10)
    assert "no moment stands out" in attention_words(found, "where?")
    heights = [float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)H", attention_html(found, "where?"))]
    assert min(heights) > 60  # of 100 from the top


def test_nothing_remembered_yet_is_no_error() -> None:
    assert spread([], 4).shares == (0, 0, 0, 0)
    assert "no moment" in attention_words(spread([], 4), "x")


def test_each_cell_says_its_moment_and_share_and_a_question_cannot_break_out() -> None:
    html = attention_html(spread(AT_SEVEN, 18), '"><script>')
    assert html.count('class="cell"') == 18
    assert "0:07: 66% of the attention" in html
    assert "<script>" not in html
