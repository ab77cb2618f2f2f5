"""Class probabilities are asked through class names; the folded network is the published one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models import catalog, embedded
from models.values import Features, Picture
from models.vision.conse import ConSE
from models.vision.efficientnet import CLASSES, EfficientNetLite0
from models.vision.square import cells, fit
from tests.fakes import FakeTextEncoder

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "data" / "video"
NAMES = tuple((f"class{i}",) for i in range(CLASSES))


class _CountingText(FakeTextEncoder):
    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, texts: Sequence[str]) -> Features:
        self.encoded += len(texts)
        return super().encode(texts)


def _encoder(text: FakeTextEncoder, cache: Path) -> ConSE:
    network = EfficientNetLite0.__new__(EfficientNetLite0)  # the network is not asked here
    return ConSE(network, NAMES, text, cache=cache)


def test_a_query_weighs_the_classes_by_the_softmax_of_its_cosines(tmp_path: Path) -> None:
    text = FakeTextEncoder()
    weights = _encoder(text, tmp_path).encode_query("class7")
    cosines = text.encode([name for (name,) in NAMES]) @ text.encode(["class7"])[0]
    expected = np.exp(30 * cosines) / np.exp(30 * cosines).sum()
    np.testing.assert_allclose(weights, expected, rtol=1e-4)


def test_the_names_vectors_are_kept_between_encoders(tmp_path: Path) -> None:
    first, second = _CountingText(), _CountingText()
    a = _encoder(first, tmp_path).encode_query("class7")
    b = _encoder(second, tmp_path).encode_query("class7")
    assert (first.encoded, second.encoded) == (CLASSES + 1, 1)
    np.testing.assert_array_equal(a, b)


def test_a_damaged_or_unwritable_cache_costs_only_time(tmp_path: Path) -> None:
    _encoder(FakeTextEncoder(), tmp_path).encode_query("class7")
    for kept in tmp_path.iterdir():
        kept.write_bytes(b"\x93NUMPY")
    assert _encoder(FakeTextEncoder(), tmp_path).encode_query("class7").sum() == pytest.approx(1)
    (tmp_path / "file").write_text("")
    assert _encoder(FakeTextEncoder(), tmp_path / "file").encode_query("x").shape == (CLASSES,)


def test_a_wrong_number_of_names_is_refused(tmp_path: Path) -> None:
    network = EfficientNetLite0.__new__(EfficientNetLite0)
    with pytest.raises(ValueError, match="2 class names"):
        ConSE(network, ("a", "b"), FakeTextEncoder(), cache=tmp_path)


@pytest.mark.parametrize("shape", [(100, 400, 3), (400, 100, 3), (1, 1, 3), (224, 224, 3)])
def test_any_shape_fits_the_square_and_keeps_its_centre(shape: tuple[int, int, int]) -> None:
    picture = np.zeros(shape, np.uint8)
    picture[shape[0] // 2 :, :, 0] = 200
    square = fit(picture, (224, 224))
    assert square.shape == (224, 224, 3)
    assert square[200, 112, 0] == 200


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_what_is_no_rgb_picture_is_refused(bad: Picture) -> None:
    with pytest.raises(ValueError, match="not an RGB picture"):
        fit(bad, (224, 224))


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 5, 3), (90, 160, 3)])
def test_a_grid_has_all_its_cells_and_none_is_empty(shape: tuple[int, int, int]) -> None:
    picture = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    parts = cells(picture, 3)
    assert len(parts) == 9
    assert min(part.size for part in parts) >= 3
    assert (parts[0][0, 0] == picture[0, 0]).all()
    assert (parts[-1][-1, -1] == picture[-1, -1]).all()


@pytest.mark.real_model
def test_the_folded_network_gives_the_published_logits() -> None:
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    path = embedded.EFFICIENTNET.path()
    plain = EfficientNet.from_name("efficientnet-lite0").eval()
    plain.load_state_dict(torch.load(path, weights_only=True))
    batch = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(
            EfficientNetLite0(path, "cpu")._network(batch), plain(batch), atol=1e-4, rtol=0
        )


@pytest.mark.real_model
def test_the_whole_picture_is_its_one_region() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (90, 160, 3)).astype(np.uint8)
    whole, cell = catalog.image_encoder().encode_regions([picture], 1)[0]
    np.testing.assert_allclose(whole, cell, atol=1e-6)
    with pytest.raises(ValueError, match="0 to 7 cells on a side, not 8"):
        catalog.image_encoder().encode_regions([picture], 8)


@pytest.mark.gpu
@pytest.mark.real_model
def test_a_gpu_sees_what_the_cpu_sees() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    pictures = np.random.default_rng(0).integers(0, 255, (11, 120, 160, 3)).astype(np.uint8)
    path = embedded.EFFICIENTNET.path()
    on_gpu, on_cpu = (
        EfficientNetLite0(path, device).probabilities(list(pictures), 3)
        for device in ("cuda", "cpu")
    )
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-4)


@pytest.mark.real_model
def test_photos_are_found_by_their_labels() -> None:
    if not PHOTOS.is_dir():
        pytest.skip("the shared test photos are not here")
    rows = [json.loads(line) for line in (PHOTOS / "photos.jsonl").read_text().splitlines()][::8]
    encoder = catalog.image_encoder()
    features = encoder.encode(
        [np.asarray(Image.open(PHOTOS / row["file"]).convert("RGB")) for row in rows]
    )
    asked = np.stack([encoder.encode_query(f"When does the {r['label']} appear?") for r in rows])
    found = (asked @ features.T).argmax(1) == np.arange(len(rows))
    assert found.mean() >= 0.9
