"""What every test gets: its own library folder, no network, its random numbers given back, and a
failure where something logged an error that the test did not expect.

The whole run fails where any Python process that it started reached for another machine, or looked
its name up (``tests/spy``); ``python -m tests.faults.loopback -- pytest`` sees the others too.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.spy import reach


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point memqa, in this process and in children, at a folder that goes with the test."""
    home = tmp_path / "home"
    monkeypatch.setenv("MEMQA_HOME", str(home))
    monkeypatch.setenv("MEMQA_CONFIG", str(tmp_path / "memqa.toml"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    return home


@pytest.fixture(autouse=True)
def same_random_numbers() -> Iterator[None]:
    """Give the random number generators back as they were."""
    plain, numbers = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    drawn = torch.get_rng_state() if torch else None
    yield
    random.setstate(plain)
    np.random.set_state(numbers)
    if torch and drawn is not None:
        torch.set_rng_state(drawn)


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def error_log() -> Iterator[list[logging.LogRecord]]:
    """Collect ERROR logs; what the test leaves in this list fails it."""
    handler = _Errors()
    logging.getLogger().addHandler(handler)
    yield handler.records
    logging.getLogger().removeHandler(handler)
    left = [f"{record.name}: {record.getMessage()}" for record in handler.records]
    assert not left, f"errors were logged that the test did not expect: {left}"


_SPY = Path(__file__).resolve().parent / "spy"


def pytest_configure() -> None:
    """Note from now on, here and in every Python started from here, who is reached for."""
    if reach.FILE in os.environ:
        return  # a run within a run tells the outer one
    file, name = tempfile.mkstemp(prefix="memqa-reaches-")
    os.close(file)
    os.environ[reach.FILE] = name
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, [str(_SPY), os.environ.get("PYTHONPATH", "")])
    )
    reach.watch()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if another machine was reached for."""
    if _reaches():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say who was reached for, and by which test."""
    if reaches := _reaches():
        terminalreporter.section("reached for another machine", red=True)
        for line in dict.fromkeys(reaches):
            terminalreporter.line(line)


def _reaches() -> list[str]:
    return Path(os.environ[reach.FILE]).read_text(encoding="utf-8").splitlines()


@pytest.fixture
def reaches_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test look at how reaching for another machine is refused, without failing the run."""
    monkeypatch.setenv(reach.EXPECTED, "1")


def _is_here(address: Any) -> bool:
    """Tell whether an address stays on this machine; a path is that of a Unix socket."""
    return not isinstance(address, tuple) or bool(reach.is_here(address[0]))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave this machine."""
    for name in ("connect", "connect_ex"):
        original = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, original: Any = original) -> Any:
            # A datagram "connect" sends nothing; libraries use it to learn their own address.
            if self.type != socket.SOCK_DGRAM and not _is_here(address):
                pytest.fail(f"the test wanted to leave this machine: {address}")
            return original(self, address)

        monkeypatch.setattr(socket.socket, name, guarded)
