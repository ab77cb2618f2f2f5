"""Any model that open_clip loads sees: from a folder, a checkpoint or a name; or says why not."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from models.errors import BackendError, ModelNotFound
from models.ports import ImageEncoder
from models.values import Features, Picture
from models.vision import openclip
from models.vision.openclip import OpenClip
from tests.models.clips import small_clip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a small CLIP model."""
    place = tmp_path_factory.mktemp("clips") / "small"
    small_clip(place)
    return place


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setattr(openclip, "cache_folder", lambda: cache)
    return cache


@pytest.fixture
def eyes(folder: Path) -> OpenClip:
    return OpenClip(f"local-dir:{folder}", None)


@pytest.fixture
def architecture(folder: Path, tmp_path: Path) -> str:
    """Give a name that open_clip knows the small model's shape by."""
    import open_clip

    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / "Small-8.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path)
    return "Small-8"


def _pictures(count: int = 5) -> list[Picture]:
    random = np.random.default_rng(1)
    return [random.integers(0, 255, (40 + 9 * i, 90, 3), np.uint8) for i in range(count)]


def test_pictures_and_texts_become_vectors_of_one_length_in_one_space(eyes: OpenClip) -> None:
    assert isinstance(eyes, ImageEncoder)
    assert (eyes.metric, eyes.dim) == ("cosine", 32)
    features, asked = eyes.encode(_pictures()), eyes.encode_query("dog")
    assert features.shape == (5, 32)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(asked), 1, atol=1e-5)


def test_pictures_are_seen_in_batches_of_a_bounded_size(
    eyes: OpenClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    see = eyes._see

    def counted(pixels: Features) -> object:
        sizes.append(len(pixels))
        return see(pixels)

    whole = eyes.encode(_pictures(5))
    monkeypatch.setattr(eyes, "_see", counted)
    monkeypatch.setitem(openclip._BATCH, eyes._device, 2)
    np.testing.assert_allclose(eyes.encode(_pictures(5)), whole, atol=1e-5)
    assert sizes == [2, 2, 1]


def test_a_cell_is_seen_as_the_picture_that_it_is(eyes: OpenClip) -> None:
    picture = _pictures(1)[0]
    tokens = eyes.encode_regions([picture], 2)
    assert tokens.shape == (1, 5, 32)
    alone = eyes.encode([picture, picture[20:, 45:]])
    np.testing.assert_allclose(tokens[0, [0, 4]], alone, atol=1e-5)


def test_a_name_is_asked_as_a_photo_of_it_and_a_description_as_it_is(eyes: OpenClip) -> None:
    as_it_is = eyes._encode_texts(["a photo of a red kite.", "a dog runs along a wide beach"])
    np.testing.assert_allclose(eyes.encode_query("red kite"), as_it_is[0], atol=1e-6)
    described = eyes.encode_query("a dog runs along a wide beach")
    np.testing.assert_allclose(described, as_it_is[1], atol=1e-6)


@pytest.mark.parametrize("siglip", [False, True])
def test_a_probability_rises_with_the_cosine(tmp_path: Path, siglip: bool) -> None:
    eyes = OpenClip(small_clip(tmp_path / "model", siglip=siglip), None)
    features = eyes.encode(_pictures(8))
    cosines = features @ eyes.encode_query("dog")
    fits = eyes.similarity("dog", features)
    assert fits.dtype == np.float32
    assert (np.argsort(fits) == np.argsort(cosines)).all()
    assert 0 < fits.min() < fits.max() < 1
    assert eyes.similarity("dog", features[:0]).shape == (0,)
    # What a memory merged is no longer of length one; it says the same.
    np.testing.assert_allclose(eyes.similarity("dog", features / 3), fits, rtol=1e-4)


def test_siglip_gives_the_probability_that_it_was_trained_to_give(tmp_path: Path) -> None:
    eyes = OpenClip(small_clip(tmp_path / "model", siglip=True), None)
    features = eyes.encode(_pictures())
    logits = features @ eyes.encode_query("dog") / 0.07 - 3
    np.testing.assert_allclose(eyes.similarity("dog", features), 1 / (1 + np.exp(-logits)), 1e-4)


def test_clip_weighs_a_text_against_as_many_texts_as_there_are_classes(eyes: OpenClip) -> None:
    names, asked = np.eye(32, dtype=np.float32)[:4], eyes.encode_query("dog")
    eyes._kept_names, eyes._scale = names, 100.0
    features = np.stack([asked, names[0], -asked])
    over = np.float64(100) * (features @ asked - (features @ names.T).mean())
    fits = eyes.similarity("dog", features)
    np.testing.assert_allclose(fits, np.exp(-np.logaddexp(0, np.log(4) - over)), 1e-2, 1e-9)
    assert fits[0] > 0.9
    assert fits[2] < 0.01


def test_what_is_seen_is_named_and_the_names_are_read_once(
    eyes: OpenClip, folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feature = eyes._encode_texts(["a photo of a goldfish."])[0]
    best, *others = eyes.labels(feature)
    assert best.name == "goldfish"
    assert len(others) == 4
    assert best.probability > others[0].probability >= others[3].probability > 0
    assert len(list((own_cache / "names").iterdir())) == 1
    again = OpenClip(f"local-dir:{folder}", None, signature="another/1")
    monkeypatch.setattr(again, "_encode_texts", _never)
    assert again.labels(feature)[0] == best


def _never(texts: Sequence[str]) -> Features:
    raise AssertionError(f"read again: {texts}")


def test_a_checkpoint_is_loaded_under_the_name_of_its_architecture(
    eyes: OpenClip, folder: Path, architecture: str
) -> None:
    named = OpenClip(architecture, str(folder / "open_clip_pytorch_model.bin"))
    text = "a boat on a lake at night"
    np.testing.assert_allclose(named.encode_query(text), eyes.encode_query(text), atol=1e-6)


def test_the_signature_tells_weights_scaling_and_architecture(
    eyes: OpenClip, folder: Path, tmp_path: Path, architecture: str
) -> None:
    moved = tmp_path / folder.name
    shutil.copytree(folder, moved)
    assert OpenClip(f"local-dir:{moved}", None).signature == eyes.signature
    checkpoint = str(folder / "open_clip_pytorch_model.bin")
    named = OpenClip(architecture, checkpoint).signature
    trained = OpenClip(small_clip(tmp_path / "x" / folder.name, seed=1), None).signature
    config = json.loads((moved / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["std"] = [0.25] * 3
    (moved / "open_clip_config.json").write_text(json.dumps(config))
    rescaled = OpenClip(f"local-dir:{moved}", None).signature
    assert len({eyes.signature, named, trained, rescaled}) == 4
    assert OpenClip(f"local-dir:{folder}", None, signature="mine/1").signature == "mine/1"


def test_a_checkpoint_is_scaled_as_the_published_weights_of_its_architecture_are() -> None:
    # SigLIP's pictures are squeezed and scaled by 0.5; open_clip's default is CLIP's own way.
    extra = openclip._of_name("ViT-B-16-SigLIP2-256", __file__)
    assert extra["force_preprocess_cfg"]["mean"] == (0.5, 0.5, 0.5)
    assert extra["force_preprocess_cfg"]["resize_mode"] == "squash"


def _broken(folder: Path) -> tuple[str, str | None]:
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"no weights")
    return f"local-dir:{folder}", None


def _mismatched(folder: Path) -> tuple[str, str | None]:
    return "ViT-B-32", str(folder / "open_clip_pytorch_model.bin")


def _empty(folder: Path) -> tuple[str, str | None]:
    (folder / "open_clip_pytorch_model.bin").unlink()
    return f"local-dir:{folder}", None


BAD: list[tuple[Callable[[Path], tuple[str, str | None]], str]] = [
    (_broken, "could not be loaded"),
    (_mismatched, "ViT-B-32 with .* could not be loaded: .*belong to this architecture"),
    (_empty, "could not be loaded: Required pretrained weights"),
    (lambda folder: (f"local-dir:{folder}/gone", None), "could not be loaded.*gone"),
    (lambda _: ("ViT-B-33", "w.pt"), "no model 'ViT-B-33'; it knows .*ViT-B-32"),
    (lambda _: ("ViT-B-32", "gone.pt"), "no file 'gone.pt' with weights of ViT-B-32"),
    (lambda _: ("ViT-B-32", None), "no file '' with weights"),
    (lambda _: ("hf-hub:nobody/nothing", None), "no model 'hf-hub:nobody/nothing'"),
]


@pytest.mark.parametrize(("source", "said"), BAD)
def test_what_cannot_be_loaded_is_said_in_a_sentence(
    folder: Path,
    tmp_path: Path,
    error_log: list[logging.LogRecord],
    monkeypatch: pytest.MonkeyPatch,
    source: Callable[[Path], tuple[str, str | None]],
    said: str,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    place = tmp_path / "model"
    shutil.copytree(folder, place)
    with pytest.raises(ModelNotFound, match=said) as raised:
        OpenClip(*source(place))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 800
    error_log.clear()  # open_clip logs some of these too


def test_a_failing_model_is_told_with_a_cure(
    eyes: OpenClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(pixels: Features) -> object:
        raise RuntimeError("out of memory\nwith a long trace")

    monkeypatch.setattr(eyes, "_see", fail)
    with pytest.raises(BackendError, match=r"2 pictures: out of memory\. Close other programs"):
        eyes.encode(_pictures(2))
