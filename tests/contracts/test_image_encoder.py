"""What every ImageEncoder promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models import catalog
from models.ports import ImageEncoder
from models.values import Picture
from models.vision import openclip
from models.vision.openclip import OpenClip
from tests.fakes import FakeImageEncoder
from tests.models.clips import small_clip

BUILDERS = [
    pytest.param(FakeImageEncoder, id="fake"),
    pytest.param(catalog.image_encoder, id="embedded", marks=pytest.mark.real_model),
    pytest.param("clip", id="clip"),
    pytest.param("siglip", id="siglip"),
]


@pytest.fixture(params=BUILDERS)
def encoder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ImageEncoder:
    build: Callable[[], ImageEncoder] | str = request.param
    if not isinstance(build, str):
        return build()
    monkeypatch.setattr(openclip, "cache_folder", lambda: tmp_path / "cache")
    return OpenClip(small_clip(tmp_path / "small", siglip=build == "siglip"), None)


def test_it_is_an_image_encoder(encoder: ImageEncoder) -> None:
    assert isinstance(encoder, ImageEncoder)
    assert encoder.signature
    assert encoder.metric in ("cosine", "dot")


def test_vectors_have_the_promised_shape_and_are_finite(
    encoder: ImageEncoder, pictures: list[Picture]
) -> None:
    features = encoder.encode(pictures)
    assert features.shape == (len(pictures), encoder.dim)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_no_pictures_give_no_vectors(encoder: ImageEncoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_a_picture_gives_the_same_vector_alone_and_in_company(
    encoder: ImageEncoder, pictures: list[Picture]
) -> None:
    together = encoder.encode(pictures)
    alone = np.concatenate([encoder.encode([picture]) for picture in pictures])
    np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("side", [0, 1, 3])
def test_regions_come_after_the_whole_picture(
    encoder: ImageEncoder, pictures: list[Picture], side: int
) -> None:
    tokens = encoder.encode_regions(pictures, side)
    assert tokens.shape == (len(pictures), 1 + side * side, encoder.dim)
    assert encoder.encode_regions([], side).shape == (0, 1 + side * side, encoder.dim)
    np.testing.assert_allclose(tokens[:, 0], encoder.encode(pictures), atol=1e-5)


def test_a_region_shows_its_part_of_the_picture(encoder: ImageEncoder) -> None:
    red, blue = np.zeros((2, 224, 224, 3), np.uint8)
    red[..., 0], blue[..., 2] = 230, 230
    halves = np.concatenate([red[:, :112], blue[:, :112]], axis=1)
    alone = encoder.encode_regions([red, blue], 2)[:, 1]
    left = encoder.encode_regions([halves], 2)[0, 1]
    assert np.linalg.norm(left - alone[0]) < np.linalg.norm(left - alone[1])


def test_vectors_are_distributions_or_of_length_one(
    encoder: ImageEncoder, pictures: list[Picture]
) -> None:
    features, query = encoder.encode(pictures), encoder.encode_query("a dog on a beach")
    assert query.shape == (encoder.dim,)
    assert query.dtype == np.float32
    if encoder.metric == "dot":
        np.testing.assert_allclose(features.sum(1), 1, atol=1e-4)
        np.testing.assert_allclose(query.sum(), 1, atol=1e-4)
        assert features.min() >= 0
    else:
        np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(query), 1, atol=1e-4)


def test_labels_come_most_probable_first(encoder: ImageEncoder, pictures: list[Picture]) -> None:
    labels = encoder.labels(encoder.encode(pictures)[1], top=3)
    assert len(labels) in (0, 3)
    shares = [label.probability for label in labels]
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("text", ["", "   ", "?!", "é 你好", "word " * 600])
def test_any_text_can_be_asked_for(encoder: ImageEncoder, text: str) -> None:
    assert np.isfinite(encoder.encode_query(text)).all()
