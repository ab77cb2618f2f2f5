"""Our methods against the outputs of the authors' own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.reference import SYSTEMS, judged

FOLDER = Path(__file__).resolve().parents[2] / "../shared/fixtures/reference"
FILES = [file for file in sorted(FOLDER.glob("*.npz")) if file.stem.split("_")[0] in SYSTEMS]


@pytest.mark.skipif(not FILES, reason="the reference vectors are not beside the project")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_the_authors_code_gave_is_what_ours_gives(file: Path) -> None:
    verdict = judged(file)
    assert verdict.passed is not False, verdict.note
    assert verdict.passed or verdict.quirk


def test_a_file_of_other_numbers_fails(tmp_path: Path) -> None:
    bank = np.random.default_rng(0).normal(size=(1, 3, 2, 4)).astype(np.float32)
    wrong = {
        "memory_bank": bank,
        "compression_size": np.ones((1, 3, 2), np.float32),
        "similarity": np.zeros((1, 2, 2), np.float32),
        "merge_index": np.zeros((1, 2), np.int64),
        "out_bank": bank[:, :2],
        "out_size": np.ones((1, 2, 2), np.float32),
    }
    np.savez(tmp_path / "malmm_compress_wrong.npz", **wrong)
    assert judged(tmp_path / "malmm_compress_wrong.npz").passed is False


def test_a_file_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    np.savez(tmp_path / "malmm_compress_odd.npz", something=np.ones(3))
    verdict = judged(tmp_path / "malmm_compress_odd.npz")
    assert verdict.passed is False
    assert "memory_bank" in verdict.note
