"""A cluster's worker with fake engines, which a file may end: imported by Ray's processes too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

from memqa.cluster_actor import Indexer, Made
from tests.memqa.parts import FakeEngines

POISON = "poison"
_A_WHILE_S = 0.7


class FakeIndexer(Indexer):
    """Takes its time for each file, so that it can be killed while it works."""

    def __init__(self, settings: str, wanted: str) -> None:
        super().__init__(settings, wanted, engines=FakeEngines())

    def index(self, path: str, method: str, known: Collection[str]) -> Made:
        if POISON in Path(path).name:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(_A_WHILE_S)
        return super().index(path, method, known)


class NeverStarts(Indexer):
    """A worker on a machine where something is wrong."""

    def __init__(self, settings: str, wanted: str) -> None:
        raise RuntimeError("no room on this machine")
