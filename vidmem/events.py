"""Knows how observations and speech become events, plainly: cuts, great changes, a longest length.

An event ends at a cut, where the picture became another one gradually, or at ``max_s``. It is
given out once all speech up to its end is known. (By surprise `vidmem.memory.emllm` bounds what it
remembers.)
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ports import ImageEncoder
from models.values import TextLine, TimeSpan, Utterance
from vidmem.values import Event, Observation, ReadText

_USUAL = 9  # observations that say how much change is usual in an event
_MOTIONS = 3  # pairs of frames that tell how lively an event is


@dataclass(frozen=True, slots=True)
class EventParams:
    """Shortest and longest event, and the changes of tiny pictures that end one without a cut.

    Borders closer than ``min_s`` to the one before are passed over. A change counts from
    ``gradual_level`` on, which no slow pan reaches, or where the picture stood still until now
    already from ``stir_level``, if it is ``stir_ratio`` times what is usual in this event. Both
    only ``gradual_min_s`` after the last border, so that movement does not shatter into events.
    An event of one frame stood still if it is longer than ``still_s``; else no one knows.
    """

    min_s: float = 0.5
    max_s: float = 30.0
    gradual_level: float = 48.0
    gradual_min_s: float = 3.0
    stir_level: float = 10.0
    stir_ratio: float = 6.0
    pause_s: float = 2.0
    still_s: float = 2.5

    def __post_init__(self) -> None:
        if not 0 < self.min_s <= self.gradual_min_s <= self.max_s:
            raise ValueError(f"not lengths of events: {self}")


@dataclass(slots=True)
class _Shot:
    """An event in the making: the sum of its features and what it showed."""

    start_s: float
    end_s: float | None = None
    total: NDArray[np.float64] | None = None
    count: int = 0
    key_s: float = 0.0
    thumbnail: bytes | None = None
    read: list[tuple[float, str]] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)


class Events:
    """Collects observations and utterances in order of time and gives out finished events."""

    def __init__(self, params: EventParams, image: ImageEncoder, *, blind: bool = False) -> None:
        self._params, self._image, self._blind = params, image, blind
        self._shots: list[_Shot] = []
        self._said: list[Utterance] = []
        self._emitted = 0

    def wants_picture(self, pts_s: float, is_cut: bool, change: float) -> bool:
        """Whether the thumbnail of a frame will be used: of the second one in an event, or first.

        The first frame after a border may still be blended with the shot before.
        """
        return self._opens(pts_s, is_cut, change) or self._shots[-1].count == 1

    def wants_motion(self, pts_s: float, is_cut: bool, change: float) -> bool:
        """Whether the motion between the frame before and this one will be used."""
        opens = self._opens(pts_s, is_cut, change)
        return not opens and len(self._shots[-1].moved) < _MOTIONS

    def see(
        self,
        observation: Observation,
        change: float,
        thumbnail: bytes | None,
        moved: float | None = None,
    ) -> None:
        """Take the next observation.

        ``change`` is the difference to the frame kept before it, ``moved`` what moved by itself.
        """
        now_s = observation.pts_s
        if self._opens(now_s, observation.is_cut, change):
            if self._shots:
                self._shots[-1].end_s = now_s
            self._shots.append(_Shot(now_s))
        shot = self._shots[-1]
        if thumbnail is not None and shot.count <= 1:
            shot.thumbnail, shot.key_s = thumbnail, now_s
        feature = observation.feature.astype(np.float64)
        shot.total = feature if shot.total is None else shot.total + feature
        if shot.count:
            shot.changes = [*shot.changes, round(change, 3)][-_USUAL:]
        if moved is not None:
            shot.moved.append(round(moved, 3))
        shot.count += 1
        for text in paragraphs(observation.lines):
            _add_text(shot.read, text, now_s)

    def hear(self, utterances: Iterable[Utterance]) -> None:
        """Take what was said next."""
        self._said.extend(utterances)

    def finish(self, end_s: float) -> None:
        """Close the last event: the picture ends here."""
        if self._shots and self._shots[-1].end_s is None:
            self._shots[-1].end_s = max(end_s, self._shots[-1].start_s)

    def give(self, known_s: float, *, last: bool) -> list[Event]:
        """Give out the events that ended before speech is known to, all of them at the ``last``."""
        out: list[Event] = []
        while self._shots:
            shot = self._shots[0]
            if shot.end_s is None or (shot.end_s > known_s and not last):
                break
            said = self._said_in(shot)
            self._said = [u for u in self._said if not any(u is v for v in said)]
            out.append(self._event(self._emitted, self._shots.pop(0), said, shot.end_s))
            self._emitted += 1
        if last or self._blind:
            out.extend(self._heard_only(last))
        return out

    def unfinished(self, now_s: float) -> list[Event]:
        """Say what is known by now of the events that are still to be given out."""
        return [
            self._event(
                self._emitted + at,
                shot,
                self._said_in(shot),
                # The newest frames of a live source may lie behind its segment's border.
                max(now_s, shot.start_s, *(at_s for at_s, _ in shot.read))
                if shot.end_s is None
                else shot.end_s,
            )
            for at, shot in enumerate(self._shots)
        ]

    def state_dict(self) -> dict[str, Any]:
        """Give everything that waits, as plain JSON values."""
        return {
            "emitted": self._emitted,
            "said": [[u.start_s, u.end_s, u.text, u.speaker] for u in self._said],
            "shots": [_pack(shot) for shot in self._shots],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a ``state_dict``."""
        self._emitted = int(state["emitted"])
        self._said = [Utterance(*row) for row in state["said"]]
        self._shots = [_unpack(row) for row in state["shots"]]

    def _opens(self, pts_s: float, is_cut: bool, change: float) -> bool:
        if not self._shots or self._shots[-1].end_s is not None:
            return True
        age_s, limits = pts_s - self._shots[-1].start_s, self._params
        if is_cut:
            return age_s >= limits.min_s
        changed = change > limits.gradual_level or self._stirs(change)
        return (changed and age_s >= limits.gradual_min_s) or age_s >= limits.max_s

    def _stirs(self, change: float) -> bool:
        usual = max(1.0, float(np.median(self._shots[-1].changes or [np.inf])))
        return change > max(self._params.stir_level, self._params.stir_ratio * usual)

    def _said_in(self, shot: _Shot) -> list[Utterance]:
        return [utterance for utterance in self._said if self._owner(utterance) is shot]

    def _owner(self, utterance: Utterance) -> _Shot | None:
        """The event that an utterance overlaps most; the earliest of equals.

        What is said before the first picture belongs to the first event.
        """
        best, most = None, 0.0
        start_s, end_s = utterance.start_s, max(utterance.end_s, utterance.start_s + 1e-3)
        if self._emitted == 0 and end_s <= self._shots[0].start_s:
            return self._shots[0]
        for shot in self._shots:
            shot_end_s = float("inf") if shot.end_s is None else shot.end_s
            shared = min(shot_end_s, end_s) - max(shot.start_s, start_s)
            if shared > most + 1e-9:
                best, most = shot, shared
        return best

    def _event(self, index: int, shot: _Shot, said: Sequence[Utterance], end_s: float) -> Event:
        assert shot.total is not None
        mean = (shot.total / shot.count).astype(np.float32)
        if self._image.metric == "cosine":
            mean /= max(float(np.linalg.norm(mean)), 1e-12)
        return Event(
            index,
            TimeSpan(shot.start_s, end_s),
            tuple(self._image.labels(mean)),
            tuple(ReadText(TimeSpan(start_s, end_s), text) for start_s, text in shot.read),
            tuple(said),
            shot.thumbnail,
            shot.key_s,
            self._moves(shot, end_s),
        )

    def _moves(self, shot: _Shot, end_s: float) -> float | None:
        """Say how lively a shot is: a long one of which no second frame was kept stood still."""
        if shot.moved:
            return float(np.median(shot.moved))
        return 0.0 if end_s - shot.start_s > self._params.still_s else None

    def _heard_only(self, last: bool) -> list[Event]:
        """Events of speech where there is no picture; a pause or ``max_s`` ends one."""
        groups: list[list[Utterance]] = []
        for utterance in sorted(self._said, key=lambda u: (u.start_s, u.end_s)):
            if groups and self._goes_on(groups[-1], utterance):
                groups[-1].append(utterance)
            else:
                groups.append([utterance])
        waiting = [] if last or not groups else groups.pop()  # it may go on
        self._said = list(waiting)
        return [self._spoken(group) for group in groups]

    def _goes_on(self, group: Sequence[Utterance], utterance: Utterance) -> bool:
        pause_s = utterance.start_s - max(u.end_s for u in group)
        length_s = utterance.end_s - group[0].start_s
        return pause_s < self._params.pause_s and length_s <= self._params.max_s

    def _spoken(self, group: Sequence[Utterance]) -> Event:
        span = TimeSpan(group[0].start_s, max(u.end_s for u in group))
        self._emitted += 1
        return Event(self._emitted - 1, span, (), (), tuple(group), None, span.start_s)


def paragraphs(lines: Sequence[TextLine]) -> list[str]:
    """Join lines that stand together, side by side or under each other, into texts of one piece."""
    groups: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda found: (found.box.y0, found.box.x0)):
        home = next((g for g in groups if any(_together(line, other) for other in g)), None)
        if home is None:
            groups.append([line])
        else:
            home.append(line)
    return [" ".join(line.text for line in _reading_order(group)) for group in groups]


def _together(a: TextLine, b: TextLine) -> bool:
    tall = max(a.box.y1 - a.box.y0, b.box.y1 - b.box.y0)
    low = min(a.box.y1 - a.box.y0, b.box.y1 - b.box.y0)
    if low < 0.6 * tall:
        return False
    gap_y = max(a.box.y0, b.box.y0) - min(a.box.y1, b.box.y1)
    gap_x = max(a.box.x0, b.box.x0) - min(a.box.x1, b.box.x1)
    beside = gap_y < -0.5 * low and gap_x < 0.9 * tall
    under = gap_y < 0.5 * low and gap_x < 0
    return beside or under


def _reading_order(group: Sequence[TextLine]) -> list[TextLine]:
    tall = min(line.box.y1 - line.box.y0 for line in group) or 1e-6
    return sorted(group, key=lambda line: (round(line.box.y0 / tall), line.box.x0))


def _add_text(read: list[tuple[float, str]], text: str, now_s: float) -> None:
    """Note a text once, however often it is read in the event."""
    plain = "".join(text.split()).casefold()
    if not any(plain in "".join(known.split()).casefold() for _, known in read):
        read.append((now_s, text))


def _pack(shot: _Shot) -> dict[str, Any]:
    total = None if shot.total is None else base64.b64encode(shot.total.tobytes()).decode()
    picture = None if shot.thumbnail is None else base64.b64encode(shot.thumbnail).decode()
    return {
        "start_s": shot.start_s, "end_s": shot.end_s, "total": total, "count": shot.count,
        "key_s": shot.key_s, "thumbnail": picture, "read": shot.read, "changes": shot.changes,
        "moved": shot.moved,
    }  # fmt: skip


def _unpack(row: dict[str, Any]) -> _Shot:
    total, picture = row["total"], row["thumbnail"]
    return _Shot(
        row["start_s"],
        row["end_s"],
        None if total is None else np.frombuffer(base64.b64decode(total), np.float64).copy(),
        row["count"],
        row["key_s"],
        None if picture is None else base64.b64decode(picture),
        [(start_s, text) for start_s, text in row["read"]],
        row["changes"],
        row["moved"],
    )
