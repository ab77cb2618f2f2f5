"""Knows how files make a worker crash, hang or swell: a worker whose text encoder does as it reads.

``python -m benchmarks.poison`` is ``memqa.batch_worker`` but for that: no file that we could write
makes sound libraries do so at will.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from memqa.batch_worker import main
from memqa.engines import CatalogEngines
from models.ports import TextEncoder
from models.values import Features

_CHUNK_BYTES = 128 * 2**20
_CHUNK_EVERY_S = 0.2


def _leave() -> None:
    os._exit(3)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    time.sleep(100_000)


def _swell() -> None:
    held = []
    while True:
        held.append(bytearray(os.urandom(1)) * _CHUNK_BYTES)
        time.sleep(_CHUNK_EVERY_S)


POISONS: Mapping[str, Callable[[], None]] = {
    "quaffleexit": _leave,
    "quafflekill": _die,
    "quafflehang": _hang,
    "quaffleswell": _swell,
}


class Obedient:
    """A text encoder that obeys a poisonous word in a text, and else does its work."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.signature, self.dim = encoder.signature, encoder.dim

    def encode(self, texts: Sequence[str]) -> Features:
        """Give the vectors [N, D], unless a text is poisonous."""
        for word, act in POISONS.items():
            if any(word in text for text in texts):
                act()
        return self._encoder.encode(texts)

    def encode_query(self, text: str) -> Features:
        """Give the vector [D] of a question."""
        return self._encoder.encode_query(text)


class PoisonedEngines(CatalogEngines):
    """The engines that the settings name, with an obedient text encoder."""

    def text_encoder(self) -> TextEncoder:
        """Give the obedient encoder."""
        return Obedient(super().text_encoder())


if __name__ == "__main__":
    main(PoisonedEngines)
