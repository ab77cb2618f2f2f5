"""Knows how a GGUF language model runs inside this process, by llama.cpp."""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from models.errors import ChatModelUnavailable
from models.llm.loading import load, unload
from models.llm.mtmd import Eyes
from models.llm.prefixes import Prefixes, Prompt, Row
from models.llm.template import Template
from models.llm.thinking import spoken
from models.options import PLAIN, LanguageOptions
from models.values import Message
from models.weights import print_of

_PATIENCE_S = 0.5

Read = TypeVar("Read")


class Llama:
    """A LanguageModel, OptionScorer and Chooser: greedy, with the GGUF file's own chat template.

    Beginnings that were evaluated are kept, so a second question over the same beginning starts at
    once. One reply is written at a time; a reply whose reader pauses for 0.5 s gives up its turn
    and later goes on where it was, so that a reply nobody reads to its end never blocks the
    model. With a projector it sees; the longer side of a picture is shrunk to 1024 pixels.
    """

    def __init__(self, weights: Path, *, name: str, options: LanguageOptions = PLAIN) -> None:
        self.name = name
        self.signature = f"{name}/{print_of(weights)}"
        self._model = load(weights, options.context_tokens, options.gpu_layers)
        self.context_tokens = int(self._model.n_ctx())
        self._eyes: Eyes | None = None
        try:
            self._template = Template(self._model, weights)
            if options.projector is not None:
                self.signature += f"/{print_of(options.projector)}"
                self._eyes = Eyes(options.projector, self._model, on_gpu=options.gpu_layers != 0)
        except BaseException:
            unload(self._model)  # else each question would load another copy
            raise
        self.sees = self._eyes is not None
        self._prefixes = Prefixes(
            self._model, keeps_pictures=self._eyes is None or self._eyes.keeps_pictures
        )
        self._turn = threading.Condition()
        self._writer: object | None = None
        self._last_step_s = 0.0

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text as this model cuts it."""
        return len(self._tokens(text, special=False))

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
        """Yield the reply piece by piece, greedily decoded.

        Raises:
            ChatModelUnavailable: the prompt does not fit the context, it has pictures and the
                model sees none, or the model failed.
        """
        return spoken(self._pieces(messages, max_tokens))

    def score(
        self, messages: Sequence[Message], replies: Sequence[str], *, per_token: bool = False
    ) -> list[float]:
        """Give the log-probability of each reply as the beginning of the assistant's turn, in nats.

        The prompt is evaluated once, on top of what is kept. The first token of every reply is
        read off the row of logits that follows it; further tokens are evaluated one by one, so no
        logits but the last row are ever kept. With ``per_token`` the mean of a token.

        Raises:
            ValueError: a reply is empty.
            ChatModelUnavailable: prompt and reply do not fit the context, or the model failed.
        """
        cut = self._cut(replies)
        prompt = self._prompt(messages)
        self._room_after(prompt, max(map(len, cut), default=1))
        totals = self._in_turn(lambda: self._likelihoods(prompt, cut))
        return [
            total / len(tokens) if per_token else total
            for total, tokens in zip(totals, cut, strict=True)
        ]

    def choose(self, messages: Sequence[Message], replies: Sequence[str]) -> int:
        """Give the 0-based place of the reply that greedy decoding writes if it may write no other.

        At each token only those that continue a reply are allowed, or the end of the turn where a
        reply is complete; the most probable is taken, until one reply is left. So no more tokens
        are evaluated than the longest reply has. Of equal replies it is the first.

        Raises:
            ValueError: no replies, or an empty one.
            ChatModelUnavailable: prompt and reply do not fit the context, or the model failed.
        """
        cut = self._cut(replies)
        if not cut:
            raise ValueError("no replies to choose from")
        prompt = self._prompt(messages)
        self._room_after(prompt, max(map(len, cut)))
        return self._in_turn(lambda: self._walk(prompt, cut))

    def _cut(self, replies: Sequence[str]) -> list[list[int]]:
        cut = [self._tokens(reply, special=False) for reply in replies]
        if not all(cut):
            raise ValueError("an empty reply has no probability")
        return cut

    def _likelihoods(self, prompt: Prompt, replies: list[list[int]]) -> list[float]:
        """Give the total log-probability of each reply's tokens after the prompt."""
        first = _log_softmax(self._prefixes.next_after(prompt))
        totals = [float(first[tokens[0]]) for tokens in replies]
        for place, tokens in enumerate(replies):
            for length in range(1, len(tokens)):
                row = _log_softmax(self._prefixes.next_after(prompt, tokens[:length]))
                totals[place] += float(row[tokens[length]])
        return totals

    def _walk(self, prompt: Prompt, replies: list[list[int]]) -> int:
        """Follow the most probable branch of the tree of replies down to one of them."""
        left, written = list(range(len(replies))), list[int]()
        while any(replies[place] != replies[left[0]] for place in left):
            logits = self._prefixes.next_after(prompt, written)
            ended = [place for place in left if len(replies[place]) == len(written)]
            going = [place for place in left if len(replies[place]) > len(written)]
            token = max(
                (replies[place][len(written)] for place in going), key=lambda t: float(logits[t])
            )
            if ended and logits[list(self._template.ends)].max() >= logits[token]:
                return ended[0]
            left = [place for place in going if replies[place][len(written)] == token]
            written.append(token)
        return left[0]

    def _room_after(self, prompt: Prompt, least: int) -> int:
        room = self.context_tokens - prompt.cells
        if room < least:
            raise ChatModelUnavailable(
                f"The prompt has {prompt.cells} tokens, {self.name} takes "
                f"{self.context_tokens}. Ask with less evidence or a shorter chat."
            )
        return room

    def _prompt(self, messages: Sequence[Message]) -> Prompt:
        text = self._template.lay_out(messages)
        pictures = [picture for message in messages for picture in message.pictures]
        if not pictures:
            tokens = self._tokens(text, special=True)
            return Prompt(np.asarray(tokens, np.int64), len(tokens))
        if self._eyes is None:
            raise ChatModelUnavailable(
                f"{self.name} cannot see pictures. Name its projector in the settings, or ask "
                "without pictures."
            )
        try:
            return self._eyes.read(text, pictures)
        except RuntimeError as exc:
            raise ChatModelUnavailable(f"{self.name} could not take the pictures: {exc}.") from exc

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        return list(self._model.tokenize(text.encode(), add_bos=False, special=special))

    def _pieces(self, messages: Sequence[Message], max_tokens: int) -> Iterator[str]:
        prompt = self._prompt(messages)
        room = self._room_after(prompt, 1)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for token in self._write(prompt, min(max_tokens, room)):
            if piece := decoder.decode(self._model.detokenize([token])):
                yield piece
        if rest := decoder.decode(b"", final=True):
            yield rest

    def _write(self, prompt: Prompt, max_tokens: int) -> Iterator[int]:
        """Yield up to ``max_tokens`` tokens that follow the prompt, each in a turn of its own."""
        writer, written = object(), list[int]()
        try:
            while len(written) < max_tokens:
                token = self._step(writer, lambda: self._greedy(prompt, written))
                if token in self._template.ends:
                    return
                written.append(token)
                yield token
        finally:
            self._leave(writer)

    def _greedy(self, prompt: Prompt, written: list[int]) -> int:
        return int(self._prefixes.next_after(prompt, written).argmax())

    def _in_turn(self, read: Callable[[], Read]) -> Read:
        reader = object()
        try:
            return self._step(reader, read)
        finally:
            self._leave(reader)

    def _step(self, writer: object, read: Callable[[], Read]) -> Read:
        """Let the model read once it is our turn; the turn stays ours until we leave or pause."""
        with self._turn:
            while self._writer not in (None, writer):
                idle_s = time.monotonic() - self._last_step_s
                if idle_s >= _PATIENCE_S:
                    break
                self._turn.wait(_PATIENCE_S - idle_s)
            self._writer = writer
            try:
                return read()
            except (RuntimeError, ValueError, IndexError) as exc:
                self._prefixes.forget()
                raise ChatModelUnavailable(
                    f"The language model {self.name} failed: {exc}. Ask again."
                ) from exc
            finally:
                self._last_step_s = time.monotonic()

    def _leave(self, writer: object) -> None:
        with self._turn:
            if self._writer is writer:
                self._writer = None
                self._turn.notify_all()


def _log_softmax(logits: Row) -> Row:
    row = logits.astype(np.float64)
    row -= row.max()
    return np.asarray(row - np.log(np.exp(row).sum()), np.float32)
