"""The files that the batch benchmark makes: short, sound, no two alike, and ten that are not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.batch import Rows, compared, make_files, told
from memqa.kinds import identify
from tests.documents import Sheet, lines, write_pdf
from tests.media import video
from tests.memqa.parts import write_document
from vidmem.values import MediaInfo


@pytest.fixture
def data(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    (place / "video" / "clips").mkdir(parents=True)
    video(place / "video" / "clips" / "doors.mp4", shots=(40, 40, 40))
    write_document(place / "story.txt", chapters=1)
    write_pdf(place / "report.pdf", [Sheet(ink=lines("The harbour was opened in 1907."))])
    return place


def test_the_files_are_short_sound_and_of_their_own_bytes(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    make_files(data, folder, 24, clean=False)
    files = sorted(folder.iterdir())
    assert len(files) == 24
    assert len({hashlib.sha256(one.read_bytes()).digest() for one in files}) == 24
    assert sum("poisonous" in one.name for one in files) == 10
    for path in (one for one in files if "poisonous" not in one.name and one.suffix != ".txt"):
        found = identify(path)
        assert not isinstance(found, MediaInfo) or 3 < (found.duration_s or 0) < 6


def test_the_arms_are_summed_up() -> None:
    arms = {
        "one": {"seconds": 100.0, "failed": {"7 poisonous cut.mp4": "It is damaged."}},
        "two": {"seconds": 62.5, "failed": {"008 notes.txt": "It crashed."}},
    }  # fmt: skip
    found = told(200, arms, clean=False)
    assert found["two_to_one"] == 0.625
    assert found["two_to_pinned"] is None
    assert not found["poisonous_failed_alone"]


def test_libraries_are_compared_row_by_row() -> None:
    one = Rows({"a": "x"}, {("text", "a"): np.array([0.0, 1.0], np.float32)})
    near = Rows({"a": "x"}, {("text", "a"): np.array([0.25, 1.0], np.float32)})
    assert compared([one, near]) == {"same_rows": True, "largest_vector_difference": 0.25}
    assert not compared([one, Rows({"a": "y"}, one.vectors)])["same_rows"]
    assert not compared([one, Rows(one.memories, {})])["same_rows"]
