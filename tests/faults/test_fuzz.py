"""Damaged files of every format cost no more than themselves: a share of them in every run.

``python -m tests.faults.fuzz --media 500 --documents 500`` runs many more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.fuzz import cases, report, run
from tests.faults.mutate import case
from tests.faults.seeds import MOST_BYTES, found, made
from tests.faults.taking import faults_of

_EXAMPLES = Path(__file__).resolve().parents[2] / "memqa" / "examples"
_COUNTS = {"media": 20, "documents": 25}


@pytest.fixture(scope="module", params=sorted(_COUNTS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def seeds(kind: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return made(tmp_path_factory.mktemp("seeds") / kind, kind)


def test_no_damaged_file_does_harm(kind: str, seeds: list[Path], tmp_path: Path) -> None:
    wanted = list(cases(kind, _COUNTS[kind], [*seeds, *found(kind, [_EXAMPLES])], seed=7))
    taken = run(wanted, tmp_path / "run", limit_s=120)
    assert len(taken) == _COUNTS[kind]
    told = report(taken)
    assert told["violations"] == [], "make one again with tests.faults.fuzz --seed 7 --only"


def test_whole_files_are_taken_in(kind: str, seeds: list[Path]) -> None:
    assert len({path.suffix for path in seeds}) == len(seeds) >= 9
    assert all(0 < path.stat().st_size < MOST_BYTES for path in seeds)


def test_a_number_makes_the_same_file_again(kind: str, seeds: list[Path]) -> None:
    first = [case(number, kind, seeds) for number in range(40)]
    assert first == [case(number, kind, seeds) for number in range(40)]
    assert first[0] != case(0, kind, seeds, seed=2)
    assert len({one.how.partition(": ")[2] for one in first}) > 15
    changed = [one for one in first if one.data not in {path.read_bytes() for path in seeds}]
    assert len(changed) > 30


def test_a_parent_that_takes_too_long_is_told_with_its_case(
    kind: str, seeds: list[Path], tmp_path: Path
) -> None:
    (wanted,) = cases(kind, 1, seeds, seed=7)
    (told,) = run([wanted], tmp_path / "run", limit_s=0.01)
    (violation,) = report([told])["violations"]
    assert violation["amiss"] == ["the parent hung"]
    assert violation["case"] == f"{kind}:0"
    assert violation["how"]


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("FILE is damaged; copy or download it again.", ""),
        ("FILE is damaged: it has 1.5 MB (2.0 were told).", ""),
        ("", "says nothing"),
        ("FILE is damaged. Copy it again.", "more than one sentence"),
        ("FILE: ValueError('x')", "for programmers"),
        ("FILE: [Errno 22] Invalid argument", "for programmers"),
        ("FILE: 'NoneType' object is not iterable", "for programmers"),
        ("FILE is \x1b[31m damaged", "not printable"),
        ("FILE is damaged " * 40, "characters"),
    ],
)
def test_what_is_no_clear_sentence_is_told(message: str, fault: str) -> None:
    told = faults_of(message, "a.mp4")
    assert any(fault in one for one in told) if fault else told == []
