"""Knows how frames come from the decoding child, segment by segment, and what to do if it dies."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from models.errors import DecodeFailed
from vidmem.child import Answer, Converse, Limits, converse
from vidmem.perceive import Shown
from vidmem.values import Backend, MediaInfo

logger = logging.getLogger(__name__)


class Eyes:
    """The sampled frames of a video. ``over`` once there are no more, and then ``end_s`` is set."""

    def __init__(
        self,
        info: MediaInfo,
        sample: dict[str, Any],
        segment_s: float,
        limits: Limits,
        *,
        threads: int,
        first: int,
        state: dict[str, Any] | None,
        ask: Converse = converse,
    ) -> None:
        self._ask = ask
        self._info, self._limits = info, limits
        self._mark = state or {"resume_s": 0.0, "state": None, "backend": info.backend}
        self._segment = first
        self._fixed = {"do": "frames", "path": info.path, "sample": sample, "threads": threads}
        self._fixed["segment_s"] = segment_s
        self._last_s = -1.0 if state is None else float(state["resume_s"]) - 1e-6
        self._notes: list[str] = []
        self.over, self.end_s = bool(self._mark.get("over")), self._mark.get("end_s")
        self._child: Generator[Answer, None, None] | None = None
        if not self.over:
            self._backend: Backend = self._mark["backend"]
            self._child = self._start()

    def batches(self, size: int) -> Iterator[list[Shown]]:
        """Yield the frames of one segment in lists of at most ``size``.

        Raises:
            DecodeFailed: the child died before the first frame of the file.
        """
        batch: list[Shown] = []
        for frame in self._one_segment():
            batch.append(frame)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch

    def take_notes(self) -> list[str]:
        """Give what went wrong since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def state_dict(self) -> dict[str, Any]:
        """Give what is needed to go on with the next segment, as plain JSON values."""
        if self.over:
            return {"resume_s": 0.0, "state": None, "over": True, "end_s": self.end_s}
        return {key: self._mark[key] for key in ("resume_s", "state", "backend")}

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.close()

    def _one_segment(self) -> Iterator[Shown]:
        while not self.over:
            assert self._child is not None
            try:
                for header, payload in self._child:
                    if header["kind"] == "frame":
                        if header["pts_s"] > self._last_s:
                            self._last_s = header["pts_s"]
                            yield _shown(header, payload)
                    elif header["kind"] == "segment":
                        self._mark, self._segment = header, self._segment + 1
                        self._backend = header["backend"]
                        return
                    elif header["kind"] == "end":
                        self._finish(header)
            except DecodeFailed as exc:
                self._after_death(exc)

    def _finish(self, header: dict[str, Any]) -> None:
        self.over, self.end_s = True, max(0.0, header["end_s"])
        told_s = header["told_s"]
        self._notes += header["notes"]
        if told_s is not None and told_s - self.end_s > max(2.0, 0.02 * told_s):
            self._notes.append(
                f"The file says {told_s:.1f} s, but its pictures end at {self.end_s:.1f} s."
            )

    def _after_death(self, exc: DecodeFailed) -> None:
        """Try PyAV where decord died; else what was seen so far is what there is."""
        self.close()
        if self._backend == "decord":
            logger.warning("%s; trying PyAV", exc)
            self._notes.append(f"{exc} PyAV took over.")
            self._backend = "pyav"
            self._child = self._start()
            return
        if self._last_s < 0:
            raise exc
        self._notes.append(f"{exc} What comes after {self._last_s:.1f} s is missing.")
        self.over, self.end_s = True, self._last_s

    def _start(self) -> Generator[Answer, None, None]:
        request = self._fixed | {
            "backend": self._backend,
            "start_s": self._mark["resume_s"],
            "state": self._mark["state"],
            "segment": self._segment,
        }
        return self._ask(request, self._limits)


def _shown(header: dict[str, Any], payload: bytes) -> Shown:
    picture = np.frombuffer(payload, np.uint8).reshape(header["shape"])
    facts = {key: header[key] for key in ("index", "pts_s", "is_cut", "motion", "change")}
    return Shown(picture=picture, **facts)
