"""How much time and memory one file may take, and how much it has taken so far."""

from __future__ import annotations

from dataclasses import dataclass

from memqa.settings import BatchSettings
from models.values import Progress

_MOST_START_S = 300.0


@dataclass(slots=True)
class Allowance:
    """What a file has taken so far, against what it may.

    Only time during which the batch looks counts: not while whoever fetches outcomes keeps it, nor
    while the machine sleeps. How long a worker takes to start is not the file's fault, nor how long
    its bytes take to come, as long as they do.
    """

    limits: BatchSettings
    length_s: float = 0.0
    spent_s: float = 0.0
    quiet_s: float = 0.0
    at: tuple[str, float] = ("", -1.0)
    has_begun: bool = False
    moves_bytes: bool = False

    def begun(self) -> None:
        """From here on the file is worked on."""
        self.has_begun, self.spent_s, self.quiet_s = True, 0.0, 0.0

    def moved(self, progress: Progress) -> None:
        """Take progress; that which tells the same again is none."""
        self.moves_bytes = progress.unit == "bytes"  # it is fetched, or read through
        now = (progress.stage, progress.done)
        if now != self.at:
            self.at, self.quiet_s = now, 0.0

    def overrun(self, elapsed_s: float, resident_bytes: int) -> str:
        """Say why the file is to be given up; empty where it is not."""
        self.spent_s += 0.0 if self.moves_bytes else elapsed_s
        self.quiet_s += elapsed_s
        if not self.has_begun:
            most = f"a worker for it did not start within {_MOST_START_S:g} s"
            return most if self.spent_s > _MOST_START_S else ""
        most_s = self.limits.file_s + self.limits.times_length * self.length_s
        if resident_bytes > self.limits.resident_bytes:
            most = f"{self.limits.resident_bytes / 1e6:.0f} MB"
            return f"needed more than {most} of memory (batch.resident_bytes)"
        if self.quiet_s > self.limits.silence_s:
            return f"made no progress for {self.limits.silence_s:g} s (batch.silence_s)"
        if self.spent_s > most_s:
            return f"needed more than {most_s:g} s (batch.file_s, batch.times_length)"
        return ""
