"""What piles up while an answer is made: its steps, how long each took, which models took part."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memqa.values import Answer, Step
from memqa.walks import Way

if TYPE_CHECKING:
    from docmem.steps import Tier


@dataclass(slots=True)
class Course:
    """The notes on the way to an answer."""

    started: float = field(default_factory=time.perf_counter)
    steps: list[Step] = field(default_factory=list)
    timings_s: dict[str, float] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    tier: Tier = "C"

    def mark(self, name: str) -> float:
        """Note how long the question has been under way when a stage ends."""
        elapsed = time.perf_counter() - self.started
        self.timings_s[name] = elapsed
        return elapsed

    def step(self, name: str, detail: str, scores: Mapping[str, float] | None = None) -> Step:
        """Note a step that ends now."""
        return self.add(Step(name, detail, scores or {}, self.mark(name)))

    def lapse(self, name: str, detail: str) -> Step:
        """Note what could not be done as it should, which the person is told with the answer."""
        return self.add(Step(name, detail, elapsed_s=self.mark(name), fallback=True))

    def add(self, step: Step) -> Step:
        """Note a step taken elsewhere."""
        self.steps.append(step)
        return step

    def taken(self, steps: Generator[Step, None, Way]) -> Generator[Step, None, Way]:
        """Note the steps of a walk as they are taken, and give what it came to."""
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                way: Way = end.value
                return way
            yield self.add(replace(step, elapsed_s=self.mark("walked")))

    def end(self, answer: Answer) -> Answer:
        """Give the answer with everything noted on the way."""
        self.mark("total")
        return replace(
            answer,
            walk=tuple(self.steps),
            tier=self.tier,
            models=self.models,
            timings_s=self.timings_s,
        )
