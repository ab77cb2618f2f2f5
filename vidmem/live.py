"""Knows how a live source is watched by the senses: one child gives both its pictures and sound."""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator
from dataclasses import asdict
from typing import Any

import numpy as np

from models.errors import DecodeFailed
from models.values import Picture, ShouldStop
from vidmem.child import Answer, Limits, converse
from vidmem.sample import SampleParams
from vidmem.source import understand
from vidmem.values import MediaInfo

PATIENCE_S = 20.0  # without growth, and a growing file is taken for finished; a busy machine stalls
_AHEAD = 4  # answers that wait in the pipe; more would be delay


class Live:
    """A live source that is open: ``info`` says what it is; it is watched once.

    ``dropped`` counts the frames that could not be perceived in time, so far.

    Raises:
        InputError: no source that can be watched.
        SetupError: this machine gives no access to its camera or screen.
        DecodeFailed: the decoder crashed or hung.
    """

    def __init__(
        self,
        address: str,
        *,
        segment_s: float,
        sample: SampleParams,
        for_s: float | None = None,
        should_end: ShouldStop | None = None,
        patience_s: float = PATIENCE_S,
        is_heard: bool = True,
        on_picture: Callable[[Picture], None] | None = None,
        leads_to: str = "",
    ) -> None:
        """Open it; ``leads_to`` is where its redirects end, since FFmpeg follows none by itself.

        ``is_heard`` says that someone takes the sound, which else is passed over; ``on_picture`` is
        shown each frame as it comes.
        """
        self._is_heard, self._on_picture = is_heard, on_picture
        self.dropped = 0
        source = understand(address)
        request = {
            "do": "live", "path": source.name, "address": leads_to or address,
            "segment_s": segment_s, "sample": asdict(sample), "for_s": for_s,
            "patience_s": patience_s,
        }  # fmt: skip
        self._answers = converse(request, Limits(ahead=_AHEAD), should_end=should_end)
        self._sound: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
        self.info = self._opened(source.name)

    def _opened(self, name: str) -> MediaInfo:
        for header, _ in self._answers:
            if header["kind"] == "opened":
                return MediaInfo(
                    path=name, kind="video", duration_s=None, width=header["width"],
                    height=header["height"], rotation=0, fps=header["fps"], variable_rate=True,
                    codec=header["codec"], container=header["container"],
                    has_audio=header["has_audio"], subtitle_tracks=0, backend="pyav",
                )  # fmt: skip
        raise DecodeFailed(f"The decoder gave no answer about {name}.")

    def pictures(self, request: dict[str, Any], limits: Limits) -> Generator[Answer, None, None]:
        """Yield what the child says of pictures; sound on the way is put aside for ``sound``."""
        del request, limits  # it is being watched already
        try:
            for answer in self._answers:
                self._look(*answer)
                if answer[0]["kind"] != "window":
                    yield answer
                elif self._is_heard:
                    self._sound.put(answer)
        finally:
            self._sound.put(None)
            self._answers.close()

    def _look(self, header: dict[str, Any], payload: bytes) -> None:
        self.dropped = header.get("dropped", self.dropped)
        if header["kind"] == "frame" and self._on_picture is not None:
            self._on_picture(np.frombuffer(payload, np.uint8).reshape(header["shape"]))

    def sound(self, request: dict[str, Any], limits: Limits) -> Generator[Answer, None, None]:
        """Yield the windows of sound as the pictures come by."""
        del request, limits
        while (answer := self._sound.get()) is not None:
            yield answer

    def close(self) -> None:
        """End the child."""
        self._answers.close()
        self._sound.put(None)
