"""Knows how a media file is perceived segment by segment: resumable, in constant memory.

Three things run at once, so that every core is busy: the decoding child, speech recognition in a
thread, and picture perception in the caller's thread. A segment is a minute of pictures and the
sound up to a quiet point just before its end. The same file gives the same segments, whether
watched in one go or resumed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from models.errors import EmptyMedia, IngestCancelled
from models.threads import cpu_threads
from models.values import OnProgress, Picture, Progress, ShouldStop, TimeSpan, Utterance
from vidmem.child import Limits, converse
from vidmem.ears import Ears
from vidmem.events import EventParams, Events
from vidmem.eyes import Eyes
from vidmem.frame import jpeg
from vidmem.live import Live
from vidmem.motion import own_motion
from vidmem.perceive import Perceiver, ReadParams, Shown
from vidmem.sample import SampleParams
from vidmem.subtitles import subtitles
from vidmem.values import Event, MediaInfo, Observation, ReadText, Segment, Senses

__all__ = [
    "Event",
    "Observation",
    "ReadText",
    "Segment",
    "Senses",
    "WatchParams",
    "watch",
]

logger = logging.getLogger(__name__)

STATE_VERSION = 2


@dataclass(frozen=True, slots=True)
class WatchParams:
    """How a file is watched; ``batch`` is how many frames are perceived together.

    ``regions`` is how many rows and columns of cells are seen besides each whole picture.
    """

    segment_s: float = 60.0
    batch: int = 16
    regions: int = 0
    sample: SampleParams = field(default_factory=SampleParams)
    read: ReadParams = field(default_factory=ReadParams)
    event: EventParams = field(default_factory=EventParams)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not (self.segment_s >= 1 and self.batch >= 1 and self.regions >= 0):
            raise ValueError(f"not a way to watch: {self.segment_s} s, {self.batch} frames")


def watch(
    info: MediaInfo,
    senses: Senses,
    *,
    params: WatchParams = WatchParams(),
    resume: bytes | None = None,
    live: Live | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Iterator[Segment]:
    """Yield a file's segments in order, from its start or after the segment whose state is given.

    A ``live`` source gives its own pictures and sound, until it ends or is told to.

    Damage ends the file early: its last segment says so in ``notes``. Embedded text subtitles are
    taken for what is said, instead of speech recognition.

    Raises:
        DecodeFailed: the decoder died before anything was seen.
        EmptyMedia: nothing in the file could be perceived.
        IngestCancelled: ``should_stop`` said so.
    """
    with ExitStack() as stack:
        watching = _Watching(info, senses, params, resume, live)
        stack.enter_context(closing(watching))
        while not watching.done:
            yield watching.segment(on_progress, should_stop)


class _Watching:
    """One run over one file."""

    def __init__(
        self,
        info: MediaInfo,
        senses: Senses,
        params: WatchParams,
        resume: bytes | None,
        live: Live | None,
    ) -> None:
        state = _load(resume)
        self._info, self._params, self._live = info, params, live
        self._index, self.done = int(state["segment"]), bool(state["done"])
        self._end_s, self._seen = float(state["end_s"]), int(state["seen"])
        self._perceiver = Perceiver(senses.image, senses.reader, params.read, params.regions)
        self._events = Events(params.event, senses.image, blind=info.kind == "audio")
        if resume is not None:
            self._perceiver.load_state_dict(state["perceiver"])
            self._events.load_state_dict(state["events"])
        lines, damage = _subtitle_lines(info)
        self._notes = [damage] if damage and resume is None else []
        # Earlier segments have given out what begins before their borders.
        said_s = self._index * params.segment_s
        self._lines = [u for u in lines if resume is None or u.start_s >= said_s]
        self._before: Picture | None = None
        self._eyes = self._ears = None
        if self.done:
            return
        if info.kind == "video":
            self._eyes = Eyes(
                info, asdict(params.sample), params.segment_s, params.limits,
                threads=_decoder_threads(), first=self._index, state=state["eyes"],
                ask=live.pictures if live else converse,
            )  # fmt: skip
        if info.has_audio and not lines and senses.ears is not None:
            self._ears = Ears(
                info.path, senses.ears, params.segment_s, params.limits,
                first=self._index, state=state["ears"], ask=live.sound if live else converse,
            )  # fmt: skip

    def close(self) -> None:
        """End the child processes and threads; a live source first, which both senses wait for."""
        if self._live is not None:
            self._live.close()
        for sense in (self._eyes, self._ears):
            if sense is not None:
                sense.close()

    def segment(self, on_progress: OnProgress | None, should_stop: ShouldStop | None) -> Segment:
        """Perceive the next segment."""
        observations: list[Observation] = []
        start_s = self._index * self._params.segment_s
        self._before = None  # so that a resumed run compares the same frames
        tell = _Teller(on_progress, should_stop, self._info.duration_s)
        tell("Watching", start_s)
        if self._eyes is not None:
            for batch in self._eyes.batches(self._params.batch):
                observations += self._perceive(batch)
                tell("Watching", batch[-1].pts_s)
            self._seen += len(observations)
        said, known_s = self._listen(tell)
        blind, deaf = self._is_over(self._eyes), self._is_over(self._ears)
        self.done = blind and deaf
        if blind and self._eyes is not None and self._eyes.end_s is not None:
            self._end_s = max(self._end_s, self._eyes.end_s)
            self._events.finish(self._end_s)
        if self.done:
            known_s = float("inf")
        self._end_s = max([self._end_s, *(u.end_s for u in said)])
        events = tuple(self._events.give(known_s, last=self.done))
        return self._finished(start_s, tuple(observations), said, events)

    def _perceive(self, batch: list[Shown]) -> list[Observation]:
        observations = self._perceiver.observe(batch)
        for frame, observation in zip(batch, observations, strict=True):
            now = (frame.pts_s, frame.is_cut, frame.change)
            small = jpeg(frame.picture) if self._events.wants_picture(*now) else None
            moved = None
            if self._before is not None and self._events.wants_motion(*now):
                moved = own_motion(self._before, frame.picture)
            self._events.see(observation, frame.change, small, moved)
            self._before = frame.picture
        return observations

    def _listen(self, tell: _Teller) -> tuple[tuple[Utterance, ...], float]:
        """What is said in this segment, and up to when everything said is known."""
        border_s = (self._index + 1) * self._params.segment_s
        if self._lines:
            over = self._is_over(self._eyes)
            said = tuple(u for u in self._lines if over or u.start_s < border_s)
            self._lines = self._lines[len(said) :]
            self._events.hear(said)
            return said, border_s
        if self._ears is None or self._ears.over:
            return (), float("inf")
        while not self._ears.ready(0.2):
            tell("Listening", self._ears.known_s)
        said = self._ears.take()
        self._events.hear(said)
        return said, self._ears.known_s

    def _is_over(self, sense: Eyes | Ears | None) -> bool:
        return sense is None or sense.over

    def _finished(
        self,
        start_s: float,
        observations: tuple[Observation, ...],
        said: tuple[Utterance, ...],
        events: tuple[Event, ...],
    ) -> Segment:
        notes, self._notes = self._notes, []
        for sense in (self._eyes, self._ears):
            notes += sense.take_notes() if sense is not None else []
        if self.done and not self._seen and not self._end_s:
            why = ": it is damaged, so copy or download it again" if notes else ""
            name = Path(self._info.path).name
            raise EmptyMedia(f"{name} holds nothing that could be seen or heard{why}.")
        border_s = (self._index + 1) * self._params.segment_s
        end_s = max(start_s, self._end_s) if self.done else border_s
        # Who asks a live source wants to know of what is still going on.
        unfinished = self._events.unfinished(end_s) if self._live and not self.done else ()
        self._index += 1
        return Segment(
            self._index - 1, TimeSpan(min(start_s, end_s), end_s), observations, said, events,
            self._state(), tuple(notes), self.done, tuple(unfinished),
        )  # fmt: skip

    def _state(self) -> bytes:
        state = {
            "version": STATE_VERSION,
            "segment": self._index,
            "done": self.done,
            "end_s": self._end_s,
            "seen": self._seen,
            "perceiver": self._perceiver.state_dict(),
            "events": self._events.state_dict(),
            "eyes": None if self._eyes is None else self._eyes.state_dict(),
            "ears": None if self._ears is None else self._ears.state_dict(),
        }
        return json.dumps(state).encode()


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells of progress and asks whether to stop."""

    on_progress: OnProgress | None
    should_stop: ShouldStop | None
    total_s: float | None

    def __call__(self, stage: str, done_s: float) -> None:
        if self.should_stop is not None and self.should_stop():
            raise IngestCancelled(f"Stopped while {stage.lower()}, at {done_s:.0f} s.")
        if self.on_progress is not None:
            self.on_progress(Progress(stage, done_s, self.total_s, "s"))


def _load(resume: bytes | None) -> dict[str, Any]:
    if resume is None:
        return {"segment": 0, "done": False, "end_s": 0.0, "seen": 0, "eyes": None, "ears": None}
    state: dict[str, Any] = json.loads(resume)
    if state["version"] != STATE_VERSION:
        raise ValueError(f"a state of version {state['version']}, not {STATE_VERSION}")
    return state


def _subtitle_lines(info: MediaInfo) -> tuple[list[Utterance], str]:
    if not info.subtitle_tracks:
        return [], ""
    lines, damage = subtitles(info.path)
    return sorted(lines, key=lambda u: (u.start_s, u.end_s)), damage


def _decoder_threads() -> int:
    """Half the cores: the models want the others."""
    return max(1, cpu_threads() // 2)
