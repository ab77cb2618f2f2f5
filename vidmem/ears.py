"""Knows how sound becomes utterances beside the pictures: windows from the child, in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from typing import Any

import numpy as np

from models.errors import DecodeFailed
from models.ports import Transcriber
from models.values import Utterance
from vidmem.child import Answer, Converse, Limits, converse

_AHEAD = 2  # windows transcribed before the pictures have come so far


class Ears:
    """The speech of a file, window by window; ``known_s`` is up to when all of it is known."""

    def __init__(
        self,
        path: str,
        transcriber: Transcriber,
        segment_s: float,
        limits: Limits,
        *,
        first: int,
        state: dict[str, Any] | None,
        ask: Converse = converse,
    ) -> None:
        self._ask = ask
        self.known_s = 0.0 if state is None else float(state["known_s"])
        self.over = state is not None and bool(state["over"])
        self._transcriber, self._notes = transcriber, list[str]()
        self._heard: queue.Queue[_Heard | Exception] = queue.Queue(_AHEAD)
        self._next: _Heard | Exception | None = None
        self._stopped = threading.Event()
        self._request = {
            "do": "sound", "path": path, "segment": first, "segment_s": segment_s,
            "start_s": self.known_s,
        }  # fmt: skip
        self._limits = limits
        self._thread = threading.Thread(target=self._work, name="vidmem-ears", daemon=True)
        if not self.over:
            self._thread.start()

    def ready(self, wait_s: float) -> bool:
        """Wait for the next window at most ``wait_s``; True if ``take`` will not block."""
        if self._next is None:
            try:
                self._next = self._heard.get(timeout=wait_s)
            except queue.Empty:
                return False
        return True

    def take(self) -> tuple[Utterance, ...]:
        """Give what was said in the next window; sets ``known_s`` and ``over``.

        Raises:
            BackendError: the transcriber failed; what it did not foresee comes out as it is.
        """
        heard = self._next if self._next is not None else self._heard.get()
        self._next = None
        if isinstance(heard, Exception):
            if not isinstance(heard, DecodeFailed):
                raise heard
            self._notes.append(f"{heard} What is said after {self.known_s:.0f} s is missing.")
            self.over, self.known_s = True, float("inf")
            return ()
        self.known_s, self.over = heard.end_s, heard.last
        if heard.note:
            self._notes.append(heard.note)
        return heard.said

    def take_notes(self) -> list[str]:
        """Give what went wrong since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def state_dict(self) -> dict[str, Any]:
        """Give what is needed to go on with the next window, as plain JSON values."""
        return {"known_s": 0.0 if self.over else self.known_s, "over": self.over}

    def close(self) -> None:
        """End the child and the thread."""
        self._stopped.set()
        while self._thread.is_alive():
            self.ready(0.01)
            self._next = None

    def _work(self) -> None:
        answers = self._ask(self._request, self._limits)
        try:
            is_last = False
            for answer in answers:
                if self._stopped.is_set():
                    return
                is_last = bool(answer[0]["last"])
                self._heard.put(self._hear(answer))
            if not is_last:
                raise DecodeFailed("The sound broke off.")
        except Exception as exc:  # whatever it is, whoever waits for a window must hear
            self._heard.put(exc)
        finally:
            _close(answers)

    def _hear(self, answer: Answer) -> _Heard:
        header, payload = answer
        sound = np.frombuffer(payload, np.float32)
        said: list[Utterance] = []
        for utterance in self._transcriber.transcribe(sound, offset_s=header["start_s"]):
            said.append(utterance)
            if self._stopped.is_set():
                break
        return _Heard(tuple(said), float(header["end_s"]), bool(header["last"]), header["note"])


class _Heard:
    """One window's speech."""

    __slots__ = ("end_s", "last", "note", "said")

    def __init__(self, said: tuple[Utterance, ...], end_s: float, last: bool, note: str) -> None:
        self.said, self.end_s, self.last, self.note = said, end_s, last, note


def _close(answers: Generator[Answer, None, None]) -> None:
    answers.close()
