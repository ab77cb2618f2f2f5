"""How many threads a model may use, and how processes share the CPUs."""

from __future__ import annotations

import pytest

from models import threads


@pytest.fixture(autouse=True)
def eight_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("models.threads.os.cpu_count", lambda: 12)
    monkeypatch.setattr(
        "models.threads.os.sched_getaffinity", lambda _: set(range(12)), raising=False
    )


def test_small_models_gain_no_more_than_eight() -> None:
    assert threads.usable_cpus() == 12
    assert threads.cpu_threads() == 8


@pytest.mark.parametrize(
    ("wished", "has"), [("3", 3), ("0", 1), ("100", 12), ("2,1", 12), ("", 12)]
)
def test_whoever_sets_the_number_of_threads_gets_no_more(
    wished: str, has: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", wished)
    assert threads.usable_cpus() == has


@pytest.mark.parametrize(("processes", "share"), [(2, "6"), (5, "2"), (40, "1")])
def test_processes_share_the_cpus(
    processes: int, share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = threads.thread_shares(processes)
    assert set(shares.values()) == {share}
    monkeypatch.setenv("OMP_NUM_THREADS", shares["OMP_NUM_THREADS"])
    assert threads.cpu_threads() == int(share)
    assert threads.thread_shares(1) == {}
