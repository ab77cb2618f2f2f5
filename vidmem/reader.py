"""The decoding child, ``python -m vidmem.reader``: knows one request, answers it over a pipe.

``models/serving.py`` knows how the answers travel. It imports no model library, and it may crash,
hang or run out of memory: ``models/child.py`` outlives it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from models.errors import DecodeFailed
from models.serving import Answer, serve
from models.values import Utterance
from vidmem.frame import Decoded
from vidmem.limits import LONGEST_HOLE_S, MAX_REACH_S
from vidmem.sample import Sampled, SampleParams, Sampler
from vidmem.subtitles import subtitles_here
from vidmem.video import (
    decode_here,
    end_here,
    frame_here,
    probe_here,
    still_here,
)

_BEAT_S = 1.0


def _probe(request: dict[str, Any]) -> Iterator[Answer]:
    yield {"kind": "info", "info": asdict(probe_here(request["path"]))}, b""


def _frame(request: dict[str, Any]) -> Iterator[Answer]:
    jpeg = frame_here(request["path"], request["t_s"], request["width_px"])
    yield {"kind": "frame"}, jpeg


def _stills(request: dict[str, Any]) -> Iterator[Answer]:
    for t_s in request["times_s"]:
        picture = still_here(request["path"], t_s, request["side_px"])
        yield {"kind": "still", "shape": picture.shape}, picture.tobytes()


def _clip(request: dict[str, Any]) -> Iterator[Answer]:
    from vidmem.clip import clip_here

    yield {"kind": "clip"}, clip_here(*(request[key] for key in ("path", "start_s", "end_s")))


def _subtitles(request: dict[str, Any]) -> Iterator[Answer]:
    found, note = list[Utterance](), ""
    for so_far in subtitles_here(request["path"]):
        found, note = so_far
        yield {"kind": "beat"}, b""
    said = [asdict(utterance) for utterance in found]
    yield {"kind": "subtitles", "utterances": said, "note": note}, b""


def _sound(request: dict[str, Any]) -> Iterator[Answer]:
    from vidmem.audio import windows_here

    wanted = {key: request[key] for key in ("start_s", "segment", "segment_s")}
    for window in windows_here(request["path"], **wanted):
        header = {"kind": "window", "last": window.last, "note": window.note}
        yield header | {"start_s": window.start_s, "end_s": window.end_s}, window.samples.tobytes()


def _frames(request: dict[str, Any]) -> Iterator[Answer]:
    """Yield sampled frames, a ``segment`` mark before each next segment's first frame, ``end``."""
    sampler = Sampler(SampleParams(**request["sample"]))
    if request["state"]:
        sampler.load_state_dict(request["state"])
    yield from _Walk(request, sampler).answers()


def _rewrite(request: dict[str, Any]) -> Iterator[Answer]:
    from vidmem.recording import rewrite_here

    for _ in rewrite_here(request["path"], request["into"]):
        yield {"kind": "beat"}, b""
    yield {"kind": "end"}, b""


def _live(request: dict[str, Any]) -> Iterator[Answer]:
    """Yield what a live source shows, as ``_frames`` and ``_sound`` do, until stdin ends."""
    from vidmem.capture import capture

    over = threading.Event()

    def hang_up() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=hang_up, name="vidmem-end", daemon=True).start()
    yield from capture(request, over)


class _Walk:
    """One pass over a video's frames; changes to PyAV where decord gives up."""

    def __init__(self, request: dict[str, Any], sampler: Sampler) -> None:
        self._request, self._sampler = request, sampler
        self._border_s = (request["segment"] + 1) * request["segment_s"]
        self._last_s, self._gap_s, self._beat = -1.0, 0.0, time.monotonic()
        self._backend, self._notes = request["backend"], list[str]()

    def answers(self) -> Iterator[Answer]:
        for frame in self._decoded():
            if frame.pts_s - max(self._last_s, 0.0) > LONGEST_HOLE_S:
                self._notes.append(
                    f"The file is damaged: after {max(self._last_s, 0.0):.0f} s its time jumps to "
                    f"{frame.pts_s:.0f} s. What comes then is passed over."
                )
                break
            if frame.pts_s > MAX_REACH_S:
                self._notes.append(
                    f"What comes after {MAX_REACH_S / 3600:.0f} hours is passed over."
                )
                break
            if self._last_s >= 0:
                self._gap_s = frame.pts_s - self._last_s
            self._last_s = frame.pts_s
            yield from self._mark()
            yield from self._pictures(self._sampler.push(frame))
        yield from self._mark()
        yield from self._pictures(self._sampler.finish())
        end_s = self._last_s + self._gap_s
        told_s = end_here(self._request["path"])
        if (
            not self._notes
            and told_s is not None
            and 0 <= told_s - self._last_s <= max(2.0, 2 * self._gap_s)
        ):
            end_s = max(told_s, self._last_s)
        yield {"kind": "end", "end_s": end_s, "told_s": told_s, "notes": self._notes}, b""

    def _decoded(self) -> Iterator[Decoded]:
        path, start_s = self._request["path"], self._request["start_s"]
        if self._backend == "decord":
            try:
                yield from decode_here(path, backend="decord", start_s=start_s)
                return
            except DecodeFailed as exc:
                self._backend = "pyav"
                self._notes.append(f"{exc}: PyAV took over.")
                start_s = max(start_s, self._last_s + 1e-3)
        try:
            yield from decode_here(path, start_s=start_s, threads=self._request["threads"])
        except DecodeFailed as exc:
            self._notes.append(str(exc))

    def _mark(self) -> Iterator[Answer]:
        waiting_s = self._sampler.waiting_s
        while waiting_s is not None and waiting_s >= self._border_s:
            state = self._sampler.state_dict()
            mark = {"kind": "segment", "resume_s": waiting_s, "state": state}
            yield mark | {"backend": self._backend}, b""
            self._border_s += self._request["segment_s"]

    def _pictures(self, sampled: Iterator[Sampled]) -> Iterator[Answer]:
        for item in sampled:
            picture = item.frame.picture()
            header = {
                "kind": "frame", "index": item.index, "pts_s": item.frame.pts_s,
                "is_cut": item.is_cut, "motion": item.motion, "change": item.change,
                "shape": picture.shape,
            }  # fmt: skip
            yield header, np.ascontiguousarray(picture).tobytes()
            self._beat = time.monotonic()
        if time.monotonic() - self._beat > _BEAT_S:
            self._beat = time.monotonic()
            yield {"kind": "beat", "pts_s": self._last_s}, b""


_ANSWERS = {
    "probe": _probe,
    "frame": _frame,
    "stills": _stills,
    "clip": _clip,
    "subtitles": _subtitles,
    "sound": _sound,
    "frames": _frames,
    "live": _live,
    "rewrite": _rewrite,
}

if __name__ == "__main__":
    serve(_ANSWERS)
