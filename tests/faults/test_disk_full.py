"""A disk that is full from any write on: one clear sentence, a library that opens and answers."""

from __future__ import annotations

import os
import random

import pytest

from tests.faults.full import fill
from tests.faults.kills import Bench
from tests.faults.world import OPERATIONS

pytestmark = pytest.mark.timeout(1800)

SEED = int(os.environ.get("MEMQA_FAULTS_SEED", "7"))
# All of them, more often: MEMQA_FAULTS_FILLS=2 (or python -m tests.faults.full).
EACH = int(os.environ.get("MEMQA_FAULTS_FILLS", "0"))
USUAL = ("first", "add", "re-add", "forget", "reindex", "import", "upload", "compact")
POINTS = [
    (operation, number)
    for operation in (OPERATIONS if EACH else USUAL)
    for number in range(EACH or 1)
]


@pytest.mark.parametrize(("operation", "number"), POINTS)
def test_a_full_disk_is_named_and_costs_nothing_that_was_finished(
    bench: Bench, operation: str, number: int
) -> None:
    changes, _ = bench.peaceful(operation)
    at = random.Random(f"{SEED} {operation} {number}").randint(1, changes)
    verdict = fill(bench, operation, at)
    assert not verdict.faults, verdict
