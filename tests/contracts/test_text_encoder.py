"""What every TextEncoder promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models import catalog
from models.ports import TextEncoder
from tests.fakes import FakeTextEncoder

BUILDERS = [
    pytest.param(FakeTextEncoder, id="fake"),
    pytest.param(catalog.text_encoder, id="embedded", marks=pytest.mark.real_model),
]
TEXTS = ["the cat sat on the mat", "", "x", "a cat sat on a mat", "profits fell in 2023 " * 200]


@pytest.fixture(params=BUILDERS)
def encoder(request: pytest.FixtureRequest) -> TextEncoder:
    build: Callable[[], TextEncoder] = request.param
    return build()


def test_it_is_a_text_encoder(encoder: TextEncoder) -> None:
    assert isinstance(encoder, TextEncoder)
    assert encoder.signature


def test_vectors_have_length_one_and_the_promised_shape(encoder: TextEncoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)


def test_no_texts_give_no_vectors(encoder: TextEncoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_the_order_of_texts_is_kept(encoder: TextEncoder) -> None:
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=1e-4)


def test_a_question_has_a_vector_among_those_of_texts(encoder: TextEncoder) -> None:
    asked = encoder.encode_query("where does the cat sit?")
    assert asked.shape == (encoder.dim,)
    assert asked.dtype == np.float32
    near, *_, far = encoder.encode(TEXTS) @ asked
    assert near > far


def test_like_texts_are_closer_than_unlike_ones(encoder: TextEncoder) -> None:
    first, _, _, alike, other = encoder.encode(TEXTS)
    assert first @ alike > first @ other
