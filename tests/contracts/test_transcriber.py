"""What every Transcriber promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models import catalog
from models.ports import Transcriber
from models.values import SOUND_RATE_HZ
from tests.fakes import FakeTranscriber

BUILDERS = [
    pytest.param(FakeTranscriber, id="fake"),
    pytest.param(catalog.transcriber, id="embedded", marks=pytest.mark.real_model),
]


@pytest.fixture(params=BUILDERS)
def ears(request: pytest.FixtureRequest) -> Transcriber:
    build: Callable[[], Transcriber] = request.param
    return build()


def test_it_is_a_transcriber(ears: Transcriber) -> None:
    assert isinstance(ears, Transcriber)
    assert ears.signature


@pytest.mark.parametrize("samples", [0, 1, 100, SOUND_RATE_HZ // 2, 12 * SOUND_RATE_HZ])
def test_silence_says_nothing(ears: Transcriber, samples: int) -> None:
    assert list(ears.transcribe(np.zeros(samples, np.float32))) == []


def test_times_are_shifted_ordered_and_inside_the_sound(ears: Transcriber) -> None:
    at_s = np.arange(4 * SOUND_RATE_HZ) / SOUND_RATE_HZ
    hum = (0.2 * np.sin(2 * np.pi * 300 * at_s) * (at_s % 2 < 1)).astype(np.float32)
    said = list(ears.transcribe(hum, offset_s=100.0))
    assert all(100 <= one.start_s <= one.end_s <= 104.5 for one in said)
    assert [one.start_s for one in said] == sorted(one.start_s for one in said)
    assert all(one.text == one.text.strip() != "" for one in said)
