"""What every TextReader promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models import catalog
from models.ports import TextReader
from models.values import Picture
from tests.fakes import FakeTextReader

BUILDERS = [
    pytest.param(lambda: FakeTextReader({"white": "GATE 5\nEXIT LEFT"}), id="fake"),
    pytest.param(catalog.text_reader, id="embedded", marks=pytest.mark.real_model),
]


@pytest.fixture(params=BUILDERS)
def reader(request: pytest.FixtureRequest) -> TextReader:
    build: Callable[[], TextReader] = request.param
    return build()


def test_it_is_a_text_reader(reader: TextReader) -> None:
    assert isinstance(reader, TextReader)
    assert reader.signature


def test_lines_come_in_reading_order_with_their_boxes(reader: TextReader, sign: Picture) -> None:
    lines = reader.read(sign)
    assert [line.text for line in lines] == ["GATE 5", "EXIT LEFT"]
    assert all(line.box.page == 1 and 0.5 <= line.confidence <= 1 for line in lines)
    assert lines[0].box.y1 <= lines[1].box.y0 + 0.05
    assert lines[0].box.y0 < 0.5 < lines[1].box.y1


@pytest.mark.parametrize("size", [(1, 1), (9, 200), (64, 64), (300, 4)])
def test_a_picture_without_text_gives_no_lines(reader: TextReader, size: tuple[int, int]) -> None:
    assert reader.read(np.zeros((*size, 3), np.uint8)) == []
