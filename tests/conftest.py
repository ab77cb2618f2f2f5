"""What every test gets: its own library folder, no network, its random numbers given back, and a
failure where something logged an error that the test did not expect."""

from __future__ import annotations

import ipaddress
import logging
import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest


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


def _is_here(address: Any) -> bool:
    """Tell whether an address stays on this machine."""
    if not isinstance(address, tuple):
        return True  # a path: a Unix socket
    host = str(address[0]).partition("%")[0]
    try:
        return host in ("localhost", "") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
