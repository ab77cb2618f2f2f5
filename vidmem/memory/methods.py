"""Knows every video memory by its name, how one is made, put away as bytes and taken out again."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass

import numpy as np

from vidmem.memory.baselines import Everything, Fifo, Random, Uniform
from vidmem.memory.contract import Held, VideoMemory
from vidmem.memory.emllm import EMLLM
from vidmem.memory.infinite import InfiniteVideo
from vidmem.memory.malmm import MALMM
from vidmem.memory.moviechat import MovieChat
from vidmem.memory.xmem import XMem

_KINDS: tuple[type[VideoMemory], ...] = (
    *(MovieChat, XMem, InfiniteVideo, MALMM, EMLLM),
    *(Uniform, Fifo, Random, Everything),
)
METHODS: dict[str, type[VideoMemory]] = {kind.name: kind for kind in _KINDS}
DEFAULT = "moviechat"  # what the comparison at equal bytes says (docs/video-memory.md)


@dataclass(frozen=True, slots=True)
class Making:
    """How a memory is made: the method, in at most so many bytes, for frames of N tokens [D]."""

    method: str
    budget_bytes: int
    tokens: int
    dim: int
    held: Held = "float16"

    def make(self) -> VideoMemory:
        """Make it, empty.

        Raises:
            KeyError: no memory is called so.
            ValueError: the budget is too small for this memory.
        """
        kind = METHODS[self.method]
        return kind.within(self.budget_bytes, (self.tokens, self.dim), held=self.held)

    def pack(self, memory: VideoMemory) -> bytes:
        """Put a memory that was made so away as bytes."""
        made = np.asarray(json.dumps(asdict(self)))
        out = io.BytesIO()
        np.savez_compressed(out, allow_pickle=False, made=made, **memory.state_dict())
        return out.getvalue()


def unpack(blob: bytes) -> tuple[Making, VideoMemory]:
    """Take a memory out of the bytes that ``pack`` gave, with how it was made."""
    with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
        state = dict(arrays)
    making = Making(**json.loads(str(state.pop("made"))))
    memory = making.make()
    memory.load_state_dict(state)
    return making, memory
