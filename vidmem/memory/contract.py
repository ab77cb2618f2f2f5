"""Knows what every video memory hands out: elements with their time range and count, and reads."""

from __future__ import annotations

from dataclasses import dataclass

from models.values import Features, TimeSpan


@dataclass(frozen=True, slots=True)
class Element:
    """Frames merged into one feature [N, D]: when they were shown, and how many they are."""

    span: TimeSpan
    count: int
    feature: Features

    def __repr__(self) -> str:
        return f"Element({self.span}, count {self.count}, feature {self.feature.shape})"


@dataclass(frozen=True, slots=True)
class MemoryRead:
    """What a memory answers: tokens [M, N, D], weights [M] that sum to one, M spans of time."""

    tokens: Features
    weights: Features
    spans: tuple[TimeSpan, ...]

    def __post_init__(self) -> None:
        if not len(self.tokens) == len(self.weights) == len(self.spans):
            raise ValueError(
                f"{len(self.tokens)} tokens, {len(self.weights)} weights, {len(self.spans)} spans"
            )

    def __repr__(self) -> str:
        return f"MemoryRead(tokens {self.tokens.shape}, {len(self.spans)} spans)"
