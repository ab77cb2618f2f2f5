"""How whoever waits for a file is told of its progress, and says that it should stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from memqa.values import Media
from models.values import OnProgress, Picture, Progress, ShouldStop


@dataclass(frozen=True, slots=True)
class Listener:
    """Callbacks, all of them optional; ``on_media`` is told once what the file turned out to be.

    ``on_picture`` is shown what a live source shows.
    """

    on_progress: OnProgress | None = None
    should_stop: ShouldStop | None = None
    on_media: Callable[[Media], None] | None = None
    on_picture: Callable[[Picture], None] | None = None

    def progress(self, stage: str, done: float, total: float | None = None, unit: str = "") -> None:
        """Tell how far a stage has come."""
        if self.on_progress is not None:
            self.on_progress(Progress(stage, done, total, unit))

    def stops(self) -> bool:
        """Say whether the work should stop."""
        return self.should_stop is not None and self.should_stop()

    def found(self, media: Media) -> None:
        """Tell which media the file is."""
        if self.on_media is not None:
            self.on_media(media)
