"""The ports: what memqa asks of a model that sees, reads, hears, embeds or speaks.

Every port has one embedded implementation and a deterministic twin in ``tests/fakes.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from models.values import Features, Label, Message, Picture, Sound, TextLine, Utterance

Metric: TypeAlias = Literal["cosine", "dot"]


@runtime_checkable
class ImageEncoder(Protocol):
    """Turns pictures and questions into vectors that can be compared by ``metric``.

    Cosine spaces hand out L2-normalised vectors. A class-probability space uses dot: a picture is
    its distribution over classes, a question a weighting of the classes, the dot product their
    expected agreement. ``signature`` changes whenever old vectors no longer fit new ones.
    """

    @property
    def signature(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def metric(self) -> Metric: ...

    def encode(self, pictures: Sequence[Picture]) -> Features:
        """Give the vectors [T, D] of T pictures of any sizes."""
        ...

    def encode_regions(self, pictures: Sequence[Picture], side: int) -> Features:
        """Give the vectors [T, 1 + side^2, D] of T pictures: of each whole, then of its cells.

        The cells are those of a grid of ``side`` rows and columns, row by row.
        """
        ...

    def encode_query(self, text: str) -> Features:
        """Give the vector [D] of a word or sentence naming what to look for."""
        ...

    def similarity(self, text: str, features: Features) -> Features:
        """Give how well each of M vectors [M, D] fits a name or a description, as numbers [M]."""
        ...

    def labels(self, feature: Features, top: int = 5) -> list[Label]:
        """Name what the vector [D] shows, most probable first; empty if it has no names."""
        ...


@runtime_checkable
class TextEncoder(Protocol):
    """Turns texts into L2-normalised vectors that are close when the meanings are."""

    @property
    def signature(self) -> str: ...
    @property
    def dim(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> Features:
        """Give the vectors [N, D] of N texts."""
        ...

    def encode_query(self, text: str) -> Features:
        """Give the vector [D] of a question, to be compared with the vectors of texts."""
        ...


@runtime_checkable
class Transcriber(Protocol):
    """Writes down speech."""

    @property
    def signature(self) -> str: ...

    def transcribe(self, sound: Sound, *, offset_s: float = 0.0) -> Iterator[Utterance]:
        """Yield what is said in the mono samples [n] at 16 kHz, times shifted by ``offset_s``."""
        ...


@runtime_checkable
class TextReader(Protocol):
    """Reads text off a picture (OCR)."""

    @property
    def signature(self) -> str: ...

    def read(self, picture: Picture) -> list[TextLine]:
        """Give the lines of text in reading order."""
        ...


@runtime_checkable
class LanguageModel(Protocol):
    """Writes text after a conversation; ``signature`` changes with the weights behind it.

    That of a model on a server does as far as the server tells of its weights.
    A model that ``sees`` takes the pictures of messages too; the others are handed none.
    """

    @property
    def name(self) -> str: ...
    @property
    def signature(self) -> str: ...
    @property
    def context_tokens(self) -> int: ...
    @property
    def sees(self) -> bool: ...

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text as this model cuts it."""
        ...

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
        """Yield the reply piece by piece, greedily decoded.

        Raises:
            ChatModelUnavailable: the model failed before or while writing.
        """
        ...


@runtime_checkable
class OptionScorer(Protocol):
    """Says how probable replies are, without writing any; a LanguageModel may do this too."""

    def score(
        self, messages: Sequence[Message], replies: Sequence[str], *, per_token: bool = False
    ) -> list[float]:
        """Give the log-probability of each reply as the beginning of the assistant's turn.

        In nats, in all; with ``per_token`` divided by the reply's tokens, which makes replies of
        different lengths comparable.

        Raises:
            ValueError: a reply is empty.
            ChatModelUnavailable: prompt and reply do not fit the context, or the model failed.
        """
        ...


@runtime_checkable
class Chooser(Protocol):
    """Picks one of several replies and can say nothing else (constrained decoding)."""

    def choose(self, messages: Sequence[Message], replies: Sequence[str]) -> int:
        """Give the 0-based place of the reply that the model picks.

        Raises:
            ValueError: no replies, or an empty one.
            ChatModelUnavailable: the prompt does not fit the context, or the model failed.
        """
        ...
