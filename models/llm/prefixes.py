"""Knows which text a llama.cpp model has evaluated, keeps some of it, and evaluates the rest."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = NDArray[np.int64]  # one for each position; below 0 inside a picture
Row: TypeAlias = NDArray[np.float32]

_KEPT_STATES = 4
_KEPT_BYTES = 2**29
_WORTH_TOKENS = 64  # less is read again sooner than it is copied and found


class Piece(Protocol):
    """A stretch of a prompt that is no text: a picture."""

    def evaluate(self, model: Any, position: int) -> None:
        """Put it into the model's memory at a position."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is put before a model: an id a position, and the pictures by where they begin.

    ``cells`` is how much of the window it takes; a picture may take more than its positions.
    """

    ids: Ids
    cells: int
    pictures: dict[int, Piece] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _State:
    ids: Ids
    memory: ctypes.Array[ctypes.c_uint8]


class Prefixes:
    """Evaluates prompts; the beginning that a prompt shares with an earlier one is not read again.

    The last prompt stays in the model's memory. When another takes its place, a copy is kept of
    what would be lost, at most 4 copies and 512 MiB, the longest unused forgotten first.
    """

    def __init__(self, model: Any, *, keeps_pictures: bool = True) -> None:
        self._model = model
        self._keeps_pictures = keeps_pictures
        self._known: Ids = np.empty(0, np.int64)
        self._states: list[_State] = []  # the last used at the end

    def next_after(self, prompt: Prompt, written: Sequence[int] = ()) -> Row:
        """Give the logits [V] of the token that follows a prompt and what was written after it."""
        import llama_cpp

        wanted = np.concatenate([prompt.ids, np.asarray(written, np.int64)])
        self._go_back(wanted, prompt)
        try:
            self._evaluate(wanted, prompt)
        except BaseException:
            self.forget()
            raise
        logits = llama_cpp.llama_get_logits_ith(self._model.ctx, -1)
        return np.ctypeslib.as_array(logits, shape=(self._model.n_vocab(),)).copy()

    def forget(self) -> None:
        """Clear the model's memory after a failure."""
        self._known = self._known[:0]
        self._model.n_tokens = 0
        self._model._ctx.kv_cache_clear()

    def _go_back(self, wanted: Ids, prompt: Prompt) -> None:
        """Bring the model's memory to the longest known beginning of what is wanted."""
        shared = _shared(self._known, wanted)
        best = max(self._states, key=lambda state: _shared(state.ids, wanted), default=None)
        if best is not None and _shared(best.ids, wanted) >= shared + _WORTH_TOKENS:
            self._keep(shared)
            self._restore(best)
            shared = _shared(self._known, wanted)
        elif len(self._known) - shared >= _WORTH_TOKENS:
            self._keep(shared)
        shared = _outside_pictures(min(shared, len(wanted) - 1), wanted, prompt)
        if self._model._ctx.kv_cache_seq_rm(0, shared, -1):
            self._known = self._known[:shared]
        else:  # some architectures cannot go back to the middle of a prompt
            self.forget()

    def _evaluate(self, wanted: Ids, prompt: Prompt) -> None:
        position = len(self._known)
        while position < len(wanted):
            self._model.n_tokens = position
            if wanted[position] < 0:
                prompt.pictures[position].evaluate(self._model, position)
                end = _end_of_picture(position, wanted)
            else:
                below = np.flatnonzero(wanted[position:] < 0)
                end = position + int(below[0]) if len(below) else len(wanted)
                self._model.eval(wanted[position:end].tolist())
            position = end
            self._known = wanted[:position]

    def _keep(self, shared: int) -> None:
        """Copy the model's memory, unless little would be lost or it is too large."""
        import llama_cpp

        if len(self._known) - shared < _WORTH_TOKENS:
            return
        if not self._keeps_pictures and (self._known < 0).any():
            return
        context = self._model.ctx
        size = llama_cpp.llama_state_seq_get_size(context, 0)
        if size > _KEPT_BYTES:
            return
        memory = (ctypes.c_uint8 * size)()
        if llama_cpp.llama_state_seq_get_data(context, memory, size, 0) != size:
            return
        self._states = [s for s in self._states if not self._covers(s)]
        self._states.append(_State(self._known, memory))
        while len(self._states) > _KEPT_STATES or self._bytes() > _KEPT_BYTES:
            self._states.pop(0)

    def _covers(self, state: _State) -> bool:
        return len(state.ids) - _shared(state.ids, self._known) < _WORTH_TOKENS

    def _bytes(self) -> int:
        return sum(len(state.memory) for state in self._states)

    def _restore(self, state: _State) -> None:
        import llama_cpp

        self._states = [*(s for s in self._states if s is not state), state]
        size = len(state.memory)
        if llama_cpp.llama_state_seq_set_data(self._model.ctx, state.memory, size, 0):
            self._known = state.ids
        else:
            self.forget()


def _shared(known: Ids, wanted: Ids) -> int:
    """Give how many ids both begin with."""
    length = min(len(known), len(wanted))
    differs = np.flatnonzero(known[:length] != wanted[:length])
    return int(differs[0]) if len(differs) else length


def _outside_pictures(place: int, wanted: Ids, prompt: Prompt) -> int:
    """Go back to where a picture begins if the place lies inside it."""
    if place in prompt.pictures or wanted[place] >= 0:
        return place
    return max(begin for begin in prompt.pictures if begin <= place)


def _end_of_picture(begin: int, wanted: Ids) -> int:
    other = np.flatnonzero(wanted[begin:] != wanted[begin])
    return begin + int(other[0]) if len(other) else len(wanted)
