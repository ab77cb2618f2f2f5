"""Knows every video memory by its name, and which one is taken where none is named."""

from __future__ import annotations

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


def make(
    name: str, budget_bytes: int, shape: tuple[int, int], *, held: Held = "float16"
) -> VideoMemory:
    """Make the memory of that name for frames [N, D], in at most ``budget_bytes``.

    Raises:
        KeyError: no memory is called so.
        ValueError: the budget is too small for this memory.
    """
    return METHODS[name].within(budget_bytes, shape, held=held)
