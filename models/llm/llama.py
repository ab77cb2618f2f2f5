"""Knows how a GGUF language model runs inside this process, by llama.cpp."""

from __future__ import annotations

import atexit
import codecs
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ChatModelUnavailable, ModelNotFound
from models.threads import cpu_threads
from models.values import Message
from models.weights import print_of

_PATIENCE_S = 0.5


class Llama:
    """A LanguageModel and OptionScorer: greedy, with the chat template that the GGUF file carries.

    The evaluated beginning of the last prompt is kept, so a second question over the same
    beginning starts at once. One reply is written at a time; a reply whose reader pauses for
    0.5 s gives up its turn and later goes on where it was, so that a reply nobody reads to
    its end never blocks the model.
    """

    sees = False

    def __init__(self, weights: Path, *, name: str, context_tokens: int = 2048) -> None:
        self.name = name
        self.signature = f"{name}/{print_of(weights)}"
        self.context_tokens = context_tokens
        self._model = _load(weights, context_tokens)
        self._template = _template_of(self._model, weights)
        self._ends, self._marks = _special_tokens(self._model)
        self._turn = threading.Condition()
        self._writer: object | None = None
        self._last_step_s = 0.0

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text as this model cuts it."""
        return len(self._model.tokenize(text.encode(), add_bos=False, special=False))

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
        """Yield the reply piece by piece, greedily decoded.

        Raises:
            ChatModelUnavailable: the prompt does not fit the context, or the model failed.
        """
        prompt = self._prompt(messages)
        room = self._room_after(prompt, 1)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for token in self._write(prompt, min(max_tokens, room)):
            if piece := decoder.decode(self._model.detokenize([token])):
                yield piece
        if rest := decoder.decode(b"", final=True):
            yield rest

    def score(
        self, messages: Sequence[Message], replies: Sequence[str], *, per_token: bool = False
    ) -> list[float]:
        """Give the log-probability of each reply as the beginning of the assistant's turn, in nats.

        The prompt is evaluated once, on top of what is kept of the last one. The first token of
        every reply is read off the row of logits that follows it; further tokens are evaluated one
        by one, so no logits but the last row are ever kept. With ``per_token`` the mean of a token.

        Raises:
            ValueError: a reply is empty.
            ChatModelUnavailable: prompt and reply do not fit the context, or the model failed.
        """
        prompt = self._prompt(messages)
        cut = [
            list(self._model.tokenize(reply.encode(), add_bos=False, special=False))
            for reply in replies
        ]
        if not all(cut):
            raise ValueError("an empty reply has no probability")
        self._room_after(prompt, max(map(len, cut), default=1))
        reader = object()
        try:
            with self._turn:
                self._take_turn(reader)
                totals = self._likelihoods(prompt, cut)
        finally:
            self._leave(reader)
        return [
            total / len(tokens) if per_token else total
            for total, tokens in zip(totals, cut, strict=True)
        ]

    def _room_after(self, prompt: list[int], least: int) -> int:
        room = self.context_tokens - len(prompt)
        if room < least:
            raise ChatModelUnavailable(
                f"The prompt has {len(prompt)} tokens, {self.name} takes "
                f"{self.context_tokens}. Ask with less evidence or a shorter chat."
            )
        return room

    def _likelihoods(self, prompt: list[int], replies: list[list[int]]) -> list[float]:
        """Give the total log-probability of each reply's tokens after the prompt."""
        try:
            first = self._next_after(prompt)
            totals = [float(first[tokens[0]]) for tokens in replies]
            for place, tokens in enumerate(replies):
                for length in range(1, len(tokens)):
                    row = self._next_after([*prompt, *tokens[:length]])
                    totals[place] += float(row[tokens[length]])
        except (RuntimeError, ValueError, IndexError) as exc:
            self._model.reset()
            raise ChatModelUnavailable(
                f"The language model {self.name} failed while reading: {exc}. Ask again."
            ) from exc
        finally:
            self._last_step_s = time.monotonic()
        return totals

    def _next_after(self, tokens: list[int]) -> NDArray[np.float64]:
        """Give the log-probabilities [V] of the next token; only what is new is evaluated."""
        import llama_cpp

        model = self._model
        known = model.input_ids[: min(model.n_tokens, len(tokens) - 1)]
        differs = np.flatnonzero(known != np.asarray(tokens[: len(known)]))
        kept = int(differs[0]) if len(differs) else len(known)
        if model._ctx.kv_cache_seq_rm(-1, kept, -1):
            model.n_tokens = kept
        else:  # some architectures cannot go back to the middle of a prompt
            model.reset()
            kept = 0
        model.eval(tokens[kept:])
        logits = llama_cpp.llama_get_logits_ith(model._ctx.ctx, -1)
        row = np.ctypeslib.as_array(logits, shape=(model.n_vocab(),)).astype(np.float64)
        row -= row.max()
        return np.asarray(row - np.log(np.exp(row).sum()))

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        """Lay out the turns; what a turn says can never pass for the template's own marks."""
        turns = [{"role": m.role, "content": self._defuse(m.content)} for m in messages]
        text = self._template(messages=turns).prompt
        return list(self._model.tokenize(text.encode(), add_bos=False, special=True))

    def _defuse(self, text: str) -> str:
        return self._marks.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text)

    def _write(self, tokens: list[int], max_tokens: int) -> Iterator[int]:
        """Yield up to ``max_tokens`` tokens that follow ``tokens``, each in a turn of its own."""
        writer = object()
        steps: Iterator[int] = iter(())
        try:
            for _ in range(max_tokens):
                with self._turn:
                    if self._take_turn(writer):
                        steps = self._model.generate(tokens, temp=0.0, repeat_penalty=1.0)
                    token = self._step(steps)
                if token in self._ends:
                    return
                tokens = [*tokens, token]
                yield token
        finally:
            self._leave(writer)

    def _take_turn(self, writer: object) -> bool:
        """Wait for the turn (the lock is held); True if another one wrote since our last."""
        while self._writer not in (None, writer):
            idle_s = time.monotonic() - self._last_step_s
            if idle_s >= _PATIENCE_S:
                break
            self._turn.wait(_PATIENCE_S - idle_s)
        is_new = self._writer is not writer
        self._writer = writer
        return is_new

    def _leave(self, writer: object) -> None:
        with self._turn:
            if self._writer is writer:
                self._writer = None
                self._turn.notify_all()

    def _step(self, steps: Iterator[int]) -> int:
        try:
            return next(steps)
        except (RuntimeError, ValueError, IndexError, StopIteration) as exc:
            self._model.reset()
            raise ChatModelUnavailable(
                f"The language model {self.name} failed while writing: {exc}. Ask again."
            ) from exc
        finally:
            self._last_step_s = time.monotonic()


def _load(weights: Path, context_tokens: int) -> Any:
    """Load llama.cpp's model; it comes untyped.

    Writing takes half the CPUs: its threads wait for each other at every layer, and beside a
    busy indexing worker on two cores two threads wrote 20 times slower than one.
    """
    import llama_cpp

    try:
        with _weights_as_they_are() if _has_amx() else nullcontext():
            model = llama_cpp.Llama(
                str(weights),
                n_ctx=context_tokens,
                n_threads=max(1, cpu_threads() // 2),
                n_threads_batch=cpu_threads(),
                flash_attn=True,
                verbose=False,
            )
    except (OSError, ValueError, RuntimeError) as exc:
        raise ModelNotFound(f"The language model in {weights} could not be loaded: {exc}.") from exc
    # Left to the interpreter's own end, its destructor runs when llama_cpp is half gone and fails.
    atexit.register(model.close)
    return model


def _has_amx() -> bool:
    try:
        return "amx_int8" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


@contextmanager
def _weights_as_they_are() -> Iterator[None]:
    """Load without repacked weights, which `llama_cpp.Llama` has no argument for.

    Multiplying weights repacked for AMX kills the process (ggml-org/llama.cpp issue 20824).
    """
    import llama_cpp

    defaults = llama_cpp.llama_model_default_params

    def plain() -> Any:
        params = defaults()
        params.use_extra_bufts = False
        return params

    setattr(llama_cpp.llama_cpp, defaults.__name__, plain)
    try:
        yield
    finally:
        setattr(llama_cpp.llama_cpp, defaults.__name__, defaults)


def _template_of(model: Any, weights: Path) -> Any:
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    template = model.metadata.get("tokenizer.chat_template")
    if template is None:
        raise ModelNotFound(
            f"{weights} carries no chat template. Take an instruct (chat) version of the model."
        )
    bos, eos = (
        model.detokenize([token], special=True).decode(errors="replace")
        for token in (model.token_bos(), model.token_eos())
    )
    return Jinja2ChatFormatter(template, bos_token=bos, eos_token=eos)


def _special_tokens(model: Any) -> tuple[frozenset[int], re.Pattern[str]]:
    """The tokens that end a reply, and a pattern of all the marks that are not text."""
    import llama_cpp

    vocab = model._model.vocab  # the public class has no list of its special tokens
    control = [t for t in range(model.n_vocab()) if llama_cpp.llama_vocab_is_control(vocab, t)]
    ends = frozenset(t for t in control if llama_cpp.llama_vocab_is_eog(vocab, t))
    marks = [model.detokenize([t], special=True).decode(errors="replace") for t in control]
    spelled = sorted((m for m in marks if len(m) > 1), key=len, reverse=True)
    return ends, re.compile("|".join(map(re.escape, spelled)) or r"(?!)")
