"""One bench for all tests here: its world, and what each operation gives in peace, is made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import shim
from tests.faults.kills import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    if why := shim.missing():
        pytest.skip(why)
    folder: Path = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEMQA_CONFIG", str(folder / "memqa.toml"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield Bench(folder.resolve() / "world")
