"""A process killed at any change of a library's files: it opens, answers, and the next run ends."""

from __future__ import annotations

import os
import random

import pytest

from tests.faults.kills import Bench
from tests.faults.world import OPERATIONS

pytestmark = pytest.mark.timeout(1800)

SEED = int(os.environ.get("MEMQA_FAULTS_SEED", "7"))
# All of them, more often: MEMQA_FAULTS_KILLS=8 (or python -m tests.faults.kills).
EACH = int(os.environ.get("MEMQA_FAULTS_KILLS", "0"))
USUAL = ("first", "add", "re-add", "forget", "reindex", "import", "upload")
TWICE = ("add", "re-add", "forget")
POINTS = [
    (operation, number)
    for operation in (OPERATIONS if EACH else USUAL)
    for number in range(EACH or 1 + (operation in TWICE))
]


@pytest.mark.parametrize(("operation", "number"), POINTS)
def test_a_kill_costs_nothing_that_was_finished(bench: Bench, operation: str, number: int) -> None:
    changes, _ = bench.peaceful(operation)
    at = random.Random(f"{SEED} {operation} {number}").randint(1, changes)
    verdict = bench.kill(operation, at)
    assert not verdict.faults, verdict


def test_an_upload_is_gone_with_its_media_wherever_forgetting_was_cut_short(bench: Bench) -> None:
    changes, _ = bench.peaceful("forget")
    verdict = bench.kill("forget", changes - 2)
    assert not verdict.faults, verdict
    assert not list((bench.world.home / "uploads").rglob("gone.md"))
