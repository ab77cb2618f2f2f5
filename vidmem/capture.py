"""Knows how a live source is watched in the decoding child: at its own pace, with bounded delay.

A thread takes in what comes; the main thread hands it on. At most a few frames wait in between.
Where no more may wait, the thread waits too as long as the source runs ahead of the clock (a file
with an hour behind it); a source that does not wait loses the frame, and it is counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from models.errors import DecodeFailed, MemqaError
from models.values import SOUND_RATE_HZ
from vidmem.audio import Cutter, Piece
from vidmem.feeds import Feed, open_feed
from vidmem.frame import Decoded
from vidmem.sample import Sampled, SampleParams, Sampler
from vidmem.source import understand

logger = logging.getLogger(__name__)

Answer: TypeAlias = tuple[dict[str, Any], bytes]

_MOST_FRAMES = 8  # wait to be handed on
_MOST_WINDOWS = 2
_AHEAD_S = 1.0  # beyond the clock: then the source is no live one, or has something behind it
_LATE_SOUND_S = 3.0  # behind the pictures: more is taken for silence
_JUMP_S = 10.0  # forward in the source's own time: it began anew somewhere
_LAST_READ_S = 3.0  # that a source may take for its last read
_BEAT_S = 1.0


def capture(request: dict[str, Any], over: threading.Event) -> Iterator[Answer]:
    """Yield ``opened``, then frames, ``window`` and ``segment`` at each border, and ``end``.

    It ends with the source, after ``for_s``, or when ``over`` is set.

    Raises:
        MemqaError: the source cannot be opened, or shows nothing.
    """
    source = understand(request["address"])
    feed = open_feed(source, over.is_set, request["patience_s"])
    yield {"kind": "opened", "has_audio": feed.has_sound, **feed.facts}, b""
    taking = _Taking(feed, request, over, is_file=source.kind == "growing")
    threading.Thread(target=taking.run, name="vidmem-capture", daemon=True).start()
    yield from taking.answers()


class _Taking:
    """What has come in and waits to be handed on; one lock guards all of it."""

    def __init__(
        self, feed: Feed, request: dict[str, Any], over: threading.Event, *, is_file: bool
    ) -> None:
        self._feed, self._over = feed, over
        self._for_s: float | None = request["for_s"]
        self._segment_s: float = request["segment_s"]
        self._border_s = self._segment_s
        self._sampler = Sampler(SampleParams(**request["sample"]))
        self._cutter = Cutter(0.0, SOUND_RATE_HZ) if feed.has_sound else None
        self._waiting: deque[Answer] = deque()
        self._frames = self._windows = self._taken = self._dropped = 0
        self._unheard_s = 0.0
        self._clock = _Clock(is_file=is_file)
        self._notes: list[str] = []
        self._error: MemqaError | None = None
        self._is_ending = self._is_done = False
        self._changed = threading.Condition()

    def run(self) -> None:
        """Take in what the source gives until its end; runs in a thread of its own."""
        try:
            for item in self._feed.items():
                with self._changed:
                    if self._is_ending or self._is_enough():
                        break
                    self._take(item)
        except MemqaError as exc:
            self._error = exc
        except OSError as exc:
            self._error = DecodeFailed(f"The source broke off ({exc.strerror or exc}).")
        except Exception as exc:  # whoever waits for answers must hear of it
            logger.exception("unexpected while taking in a live source")
            self._error = DecodeFailed(f"The source could not be taken in ({exc}).")
        finally:
            with self._changed:
                self._finish()

    def answers(self) -> Iterator[Answer]:
        """Hand on what waits, a beat where nothing does."""
        told_s: float | None = None
        while True:
            with self._changed:
                if not self._waiting and not self._is_done:
                    self._changed.wait(_BEAT_S)
                if self._over.is_set():
                    told_s = told_s or time.monotonic()
                    # a source may hang in its read; what came before is kept
                    if time.monotonic() - told_s > _LAST_READ_S:
                        self._finish()
                if not self._waiting and self._is_done:
                    break
                answer = self._waiting.popleft() if self._waiting else ({"kind": "beat"}, b"")
                self._frames -= answer[0]["kind"] == "frame"
                self._windows -= answer[0]["kind"] == "window"
                self._changed.notify_all()
            yield answer
        if self._error is not None and not self._taken:
            raise self._error

    def _is_enough(self) -> bool:
        if self._over.is_set():
            return True
        gone_s = max(self._clock.now_s, self._clock.elapsed_s)
        return self._for_s is not None and gone_s >= self._for_s

    def _take(self, item: Decoded | Piece) -> None:
        if isinstance(item, Piece):
            at_s = self._clock.of_sound(item.start_s)
            if at_s is not None and self._cutter is not None:
                self._cutter.push(Piece(at_s, item.samples))
            return
        at_s = self._clock.of_picture(item.pts_s)
        if at_s is None:
            return
        for sampled in self._sampler.push(Decoded(at_s, item.tiny, item.picture)):
            self._offer(sampled)
        self._mark()

    def _offer(self, sampled: Sampled) -> None:
        """Let a frame wait, or drop it where too many do and the source does not wait."""
        self._taken += 1
        while self._frames >= _MOST_FRAMES and self._clock.is_ahead and not self._over.is_set():
            self._changed.wait(0.1)
        if self._frames >= _MOST_FRAMES:
            self._dropped += 1
            return
        picture = sampled.frame.picture()
        header = {
            "kind": "frame", "index": sampled.index, "pts_s": sampled.frame.pts_s,
            "is_cut": sampled.is_cut, "motion": sampled.motion, "change": sampled.change,
            "shape": picture.shape, "dropped": self._dropped,
        }  # fmt: skip
        self._frames += 1
        self._put(header, np.ascontiguousarray(picture).tobytes())

    def _mark(self) -> None:
        """Close each segment whose pictures and sound have come."""
        while (now_s := self._clock.now_s) >= self._border_s:
            heard_s = self._cutter.newest_s if self._cutter else self._border_s
            if (heard_s is None or heard_s < self._border_s) and (
                now_s < self._border_s + _LATE_SOUND_S
            ):
                return
            self._cut(self._border_s, last=False)
            self._put({
                "kind": "segment", "resume_s": now_s, "state": None, "backend": "pyav"
            })  # fmt: skip
            self._border_s += self._segment_s

    def _cut(self, until_s: float, *, last: bool) -> None:
        """Hand on the sound up to a border, silence where none came."""
        if self._cutter is None:
            return
        if (self._cutter.newest_s or 0.0) < until_s and not last:
            self._cutter.push(Piece(until_s, np.zeros(0, np.float32)))
        window = self._cutter.cut(until_s, last=last)
        sound, self._windows = window.samples, self._windows + 1
        if self._windows > _MOST_WINDOWS:
            self._unheard_s += window.end_s - window.start_s
            sound = sound[:0]
        header = {"kind": "window", "last": last, "note": ""}
        self._put(header | {"start_s": window.start_s, "end_s": window.end_s}, sound.tobytes())

    def _finish(self) -> None:
        if self._is_ending:
            return
        self._is_ending = True
        try:
            for sampled in self._sampler.finish():
                self._offer(sampled)
            self._cut(max(self._clock.now_s, self._border_s), last=True)
        finally:
            end = {"kind": "end", "end_s": self._clock.now_s, "told_s": None}
            self._put(end | {"notes": self._losses()})
            self._is_done = True

    def _losses(self) -> list[str]:
        notes = [*self._feed.notes, *([str(self._error)] if self._error else [])]
        if self._dropped:
            notes.append(
                f"{self._dropped} of {self._taken} frames were dropped: perceiving them took "
                "longer than they were shown."
            )
        if self._unheard_s:
            notes.append(
                f"{self._unheard_s:.0f} s of sound were dropped: recognising speech took longer "
                "than it was spoken."
            )
        return notes

    def _put(self, header: dict[str, Any], payload: bytes = b"") -> None:
        self._waiting.append((header, payload))
        self._changed.notify_all()


class _Clock:
    """Time since the first picture, steady even where the source's own time jumps.

    A file's time is its own, however long nothing moves in it.
    """

    def __init__(self, *, is_file: bool) -> None:
        self._is_file = is_file
        self.now_s = 0.0
        self._origin_s: float | None = None
        self._began = self._latest = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds on the wall since the first item."""
        return 0.0 if self._origin_s is None else time.monotonic() - self._began

    @property
    def is_ahead(self) -> bool:
        """Whether more has come than a source that began now could have shown."""
        return self.now_s > self.elapsed_s + _AHEAD_S

    def of_picture(self, own_s: float) -> float | None:
        """Give the time of the next picture; None where it stands still."""
        now = time.monotonic()
        if self._origin_s is None:
            self._origin_s, self._began = own_s, now
        at_s, gap_s = own_s - self._origin_s, now - self._latest
        is_jump = not self._is_file and at_s - self.now_s > _JUMP_S + gap_s
        if at_s < self.now_s - _AHEAD_S or is_jump:
            at_s = self.now_s + gap_s
            self._origin_s = own_s - at_s
        self._latest = now
        if self.now_s and at_s <= self.now_s:
            return None
        self.now_s = max(at_s, self.now_s)
        return max(at_s, 0.0)

    def of_sound(self, own_s: float) -> float | None:
        """Give the time of sound; None before the first picture."""
        if self._origin_s is None or own_s < self._origin_s:
            return None
        return own_s - self._origin_s
