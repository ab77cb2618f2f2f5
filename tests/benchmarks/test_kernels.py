"""The plain and the fast forms that are timed against each other give the same numbers."""

from __future__ import annotations

import pytest

from benchmarks.kernels import pairs


@pytest.mark.parametrize("place", range(5))
def test_both_forms_give_the_same_numbers(place: int) -> None:
    pair = list(pairs(quick=True))[place]
    figures = pair.figures()
    assert figures["ratio"] > 0
    if pair.same:
        assert figures["largest_difference"] < 1e-4
