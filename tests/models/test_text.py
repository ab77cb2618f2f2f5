"""Any folder that sentence-transformers has saved gives vectors; questions get their own words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models import catalog, embedded
from models.errors import ModelNotFound
from models.text import SentenceEncoder

pytestmark = pytest.mark.real_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a copy of the embedded model's folder."""
    place = tmp_path / "minilm"
    shutil.copytree(embedded.MINILM.path().parent, place)
    return place


def test_the_embedded_model_keeps_its_signature_and_is_told_by_its_files(folder: Path) -> None:
    assert catalog.text_encoder().signature == "all-minilm-l6-v2/1"
    plain = SentenceEncoder(folder)
    assert plain.dim == 384
    assert plain.signature.startswith("minilm/")
    (folder / "README.md").write_text("other words")
    assert SentenceEncoder(folder).signature == plain.signature
    vector = plain.encode(["a boat"])
    np.testing.assert_allclose(vector, catalog.text_encoder().encode(["a boat"]), atol=1e-6)
    np.testing.assert_allclose(plain.encode_query("a boat"), vector[0], atol=1e-5)


def test_questions_and_texts_are_read_after_the_models_own_words(folder: Path) -> None:
    plain = SentenceEncoder(folder)
    settings = folder / "config_sentence_transformers.json"
    prompts = {"query": "query: ", "document": "passage: "}
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"prompts": prompts}))
    prompted = SentenceEncoder(folder)
    assert prompted.signature != plain.signature
    written_out = plain.encode(["query: a boat", "passage: a boat"])
    np.testing.assert_allclose(prompted.encode_query("a boat"), written_out[0], atol=1e-5)
    np.testing.assert_allclose(prompted.encode(["a boat"])[0], written_out[1], atol=1e-5)


def test_a_folder_without_a_whole_model_is_refused_in_a_sentence(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelNotFound, match=r"modules\.json is missing"):
        SentenceEncoder(tmp_path / "gone")
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelNotFound, match=r"could not be loaded from .*minilm"):
        SentenceEncoder(folder)
