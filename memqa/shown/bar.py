"""The line and bar that a notebook's cell shows while a file is added there and then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from memqa.shown import in_notebook
from models.values import OnProgress, Progress

_EVERY_S = 0.25


@contextmanager
def watched(name: str, on_progress: OnProgress | None) -> Iterator[OnProgress | None]:
    """Give who is told of the progress: whoever was named, else in a notebook a bar."""
    if on_progress is not None or not in_notebook():
        yield on_progress
        return
    bar = _Bar(name)
    try:
        yield bar.hear
    finally:
        bar.leave()


class _Bar:
    """One output of the cell, drawn anew a few times a second and gone in the end."""

    def __init__(self, name: str) -> None:
        self._name, self._drawn, self._handle = name, 0.0, None
        self._stage, self._since, self._from = "", 0.0, 0.0

    def hear(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage != self._stage:
            self._stage, self._since, self._from = progress.stage, now, progress.done
        if now - self._drawn >= _EVERY_S:
            self._drawn = now
            self._draw(self._shown(progress, now - self._since))

    def leave(self) -> None:
        if self._handle is not None:
            self._draw({"text/plain": "", "text/html": ""})

    def _draw(self, shown: dict[str, str]) -> None:
        from IPython.display import display

        if self._handle is None:
            self._handle = display(  # type: ignore[no-untyped-call]
                shown, raw=True, display_id=True
            )
        else:
            self._handle.update(shown, raw=True)

    def _shown(self, progress: Progress, elapsed_s: float) -> dict[str, Any]:
        from memqa.shown.plain import typed
        from memqa.ui.markup import el
        from memqa.ui.words import share, stage

        done = progress.done - self._from
        left_s = None
        if progress.total and done > 0 and elapsed_s > 2:
            left_s = (progress.total - progress.done) * elapsed_s / done
        line = f"{self._name}: {stage(progress, left_s)}"
        bar = el("progress", value=share(progress), max=1, aria_label=line, style="width:240px")
        return {"text/plain": typed(line), "text/html": el("div", bar, f" {line}")}
