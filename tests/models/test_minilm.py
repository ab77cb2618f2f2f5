"""The embedded text encoder gives one text the vector that sentence-transformers gives it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models import catalog, embedded
from models.errors import ModelNotFound
from models.minilm import MiniLM
from models.text import SentenceEncoder

pytestmark = pytest.mark.real_model

ROOT = Path(__file__).resolve().parents[2]
STRANGE = ("", " ", "x" * 5000, "Wo ist das Boot? Ñandú, émigré.", "你好,世界", "\x00\x01", "🎉 ok")


def real_texts() -> list[str]:
    """Cut texts of several lengths, the longest beyond the model's window, out of our own files."""
    files = [ROOT / "README.md", *sorted((ROOT / "docmem").glob("*.py"))[:6]]
    whole = [file.read_text(encoding="utf-8") for file in files]
    return [text[at : at + size] for text in whole for size in (30, 300, 2000) for at in (0, 2500)]


def test_its_vectors_are_those_of_sentence_transformers() -> None:
    texts = [*real_texts(), *STRANGE]
    quick = catalog.text_encoder()
    full = SentenceEncoder(embedded.MINILM.path().parent).encode(texts)
    asked = np.stack([quick.encode_query(text) for text in texts])
    np.testing.assert_allclose(asked, full, atol=1e-6)
    cosines = (asked.astype(np.float64) * full).sum(axis=1)
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    # Few and many texts go different ways, to the same place.
    np.testing.assert_allclose(quick.encode(texts[:5]), quick.encode(texts)[:5], atol=1e-6)


def test_a_question_imports_no_torch() -> None:
    ask = (
        "import sys; from models import catalog; text = catalog.text_encoder();"
        " text.encode(['a boat']); catalog.image_encoder().encode_query('a boat');"
        " print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    command = [sys.executable, "-c", ask]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_damaged_weights_are_told_in_a_sentence(tmp_path: Path) -> None:
    for file in embedded.MINILM.path().parent.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelNotFound, match="could not be loaded from"):
        MiniLM(tmp_path, signature="x")


def test_a_weight_that_is_missing_is_told_in_a_sentence(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    whole = embedded.MINILM.path().parent
    for file in whole.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(whole / "model.safetensors")
    last = "encoder.layer.5.output.dense.bias"
    del weights[last]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ModelNotFound, match=f"there is no '{last}' in it"):
        MiniLM(tmp_path, signature="x")


def test_a_tokenizer_that_is_damaged_is_told_in_a_sentence(tmp_path: Path) -> None:
    whole = embedded.MINILM.path().parent
    for file in whole.glob("*.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelNotFound, match="could not be loaded from"):
        MiniLM(tmp_path, signature="x")
