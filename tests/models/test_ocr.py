"""The models for a language are found, never fetched; what is missing is named with its address."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from models import ocr
from models.errors import MissingExtra, ModelNotFound
from models.ocr import PaddleReader
from models.values import Picture
from tests.contracts.conftest import sign

__all__ = ["sign"]

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def package() -> Path:
    import rapidocr

    return Path(rapidocr.__file__).parent / "models"


def test_one_model_reads_all_latin_letters_chinese_and_japanese(package: Path) -> None:
    for language in ("", "en", "de", "japan", "ja", "chinese_cht"):
        assert PaddleReader(package, language=language).signature == "pp-ocr-v6-small/1"


def test_models_are_taken_from_the_folder_first(
    package: Path, tmp_path: Path, sign: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in package.glob("PP-OCRv6_*.onnx"):
        shutil.copy(file, tmp_path)
    loaded: list[Path] = []
    load = ocr._load

    def noted(finder: Path, reader: Path, model: ocr._Model) -> object:
        loaded.extend([finder, reader])
        return load(finder, reader, model)

    monkeypatch.setattr(ocr, "_load", noted)
    assert [line.text for line in PaddleReader(tmp_path).read(sign)] == ["GATE 5", "EXIT LEFT"]
    assert {path.parent for path in loaded} == {tmp_path}


@pytest.mark.parametrize("language", ["korean", "arabic", "th", "eslav", "devanagari"])
def test_a_missing_model_is_named_with_where_to_get_it_and_to_put_it(
    package: Path, tmp_path: Path, language: str
) -> None:
    before = sorted(package.iterdir())
    with pytest.raises(ModelNotFound, match=rf"{language}_PP.*onnx.* not in .*Download https://"):
        PaddleReader(tmp_path, language=language)
    assert sorted(package.iterdir()) == before
    assert not list(tmp_path.iterdir())


def test_another_file_under_a_models_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "korean_PP-OCRv5_rec_mobile.onnx").write_bytes(b"not it")
    with pytest.raises(ModelNotFound, match="another SHA-256"):
        PaddleReader(tmp_path, language="korean")


def test_an_unknown_language_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"'klingon'\. Known: .*korean"):
        PaddleReader(tmp_path, language="klingon")


def test_a_model_that_does_not_load_says_why(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder, reader = ocr._models("ch")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(ModelNotFound, match=r"could not be loaded from .*broken\.onnx"):
        ocr._load(finder.path(package), broken, reader)
    # Arabic letters are joined by a package that few need.
    monkeypatch.setitem(sys.modules, "bidi.algorithm", None)
    with pytest.raises(MissingExtra, match=r"'arabic' cannot be read yet: .*pip install"):
        ocr._load(finder.path(package), reader.path(package), reader._replace(language="arabic"))


def test_a_very_thin_picture_is_read_at_once(package: Path) -> None:
    reader = PaddleReader(package)
    started = time.monotonic()
    assert reader.read(np.full((4, 300, 3), 255, np.uint8)) == []
    assert reader.read(np.full((1600, 1, 3), 255, np.uint8)) == []
    assert time.monotonic() - started < 20
