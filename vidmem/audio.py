"""Knows how a file's sound becomes windows of 16 kHz mono that end where it is quiet, by PyAV.

Windows are decoded one at a time, in the decoding child. Each begins with a fresh resampler at a
point fixed by the packets' own times, so a resumed run hears bit for bit the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.values import SOUND_RATE_HZ, Sound
from vidmem.limits import LONGEST_HOLE_S, MAX_REACH_S
from vidmem.video import open_media, origin_s, sound_stream

if TYPE_CHECKING:
    from av import AudioResampler
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_SEARCH_S = 8.0  # how far before a segment's end a quiet point is looked for
_QUIET_S = 0.25  # length of the stretch whose loudness is compared
_GAP_S = 0.1  # a hole in the time stamps longer than this is heard as silence
_TAIL_S = 1.0  # damage this close to the end of the file goes unmentioned
_LEAD_S = 1.0  # decoders need a few packets before their output is right


@dataclass(frozen=True, slots=True)
class Window:
    """Mono samples [n] at 16 kHz for ``[start_s, end_s)``; ``last`` where the sound ends.

    ``note`` says so where it ends too early.
    """

    start_s: float
    end_s: float
    samples: Sound
    last: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """Mono samples as they were decoded, from ``start_s`` on."""

    start_s: float
    samples: NDArray[np.float32]


class Mono:
    """Mixes sound to mono at ``rate`` Hz, whatever form it has; a broadcast changes it midway."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._form: tuple[str, str, int] | None = None
        self._mixer: AudioResampler | None = None

    def mixed(self, frame: AudioFrame) -> list[AudioFrame]:
        """Give what a frame makes."""
        from av import AudioResampler

        form = frame.format.name, frame.layout.name, frame.sample_rate
        if self._mixer is None or form != self._form:
            self._form, self._mixer = form, AudioResampler("flt", "mono", self._rate)
        return self._mixer.resample(frame)


class Cutter:
    """Sound on its way: pieces at ``rate`` Hz go in, windows that end in a quiet come out."""

    def __init__(self, start_s: float, rate: int) -> None:
        self.start_s, self._rate = start_s, rate
        self._held: list[Piece] = []

    @property
    def newest_s(self) -> float | None:
        """When the piece that came last begins, None while none is held."""
        return self._held[-1].start_s if self._held else None

    def push(self, piece: Piece) -> None:
        """Take the next piece."""
        self._held.append(piece)

    def cut(self, target_s: float, *, last: bool = False, note: str = "") -> Window:
        """Give the window that ends at most 8 s before ``target_s``, or with the last piece."""
        start_s, rate = self.start_s, self._rate
        sound = _join(self._held, start_s, target_s, rate)
        cut = sound.size if last else _quiet_point(sound, start_s, target_s, rate)
        self.start_s = start_s + cut / rate
        self._held = [p for p in self._held if p.start_s + p.samples.size / rate > self.start_s]
        return Window(start_s, self.start_s, _resample(sound[:cut], rate), last, note)


def windows_here(path: str, *, start_s: float, segment: int, segment_s: float) -> Iterator[Window]:
    """Yield the sound from ``start_s`` on, one window for each segment from ``segment`` on.

    Window k ends at a quiet point at most 8 s before ``(k + 1) * segment_s``. Damaged sound ends
    the last window early, with a note. Raises as ``video.probe``.
    """
    with open_media(path) as container:
        stream = sound_stream(container)
        if stream is None:
            return
        rate = stream.codec_context.sample_rate
        notes: list[str] = []
        pieces, cutter = _pieces(container, stream, start_s, notes), Cutter(start_s, rate)
        last = False
        while not last:
            target_s = (segment + 1) * segment_s
            # behind a long hole lies a piece that is due only some windows later
            last = cutter.newest_s is None or cutter.newest_s < target_s
            for piece in pieces if last else ():
                cutter.push(piece)
                if piece.start_s >= target_s:
                    last = False
                    break
            yield cutter.cut(target_s, last=last, note=" ".join(notes) if last else "")
            segment += 1


def sound_here(path: str, start_s: float, end_s: float) -> tuple[NDArray[np.float32], int]:
    """Give the sound of ``[start_s, end_s)``, mono samples [n], and their rate in Hz.

    It may end early, and is empty where there is none. Raises as ``video.probe``.
    """
    with open_media(path) as container:
        stream = sound_stream(container)
        if stream is None:
            return np.zeros(0, np.float32), SOUND_RATE_HZ
        rate, held = stream.codec_context.sample_rate, list[Piece]()
        for piece in _pieces(container, stream, start_s, []):
            if piece.start_s >= end_s:
                break
            held.append(piece)
    return _join(held, start_s, end_s, rate)[: round((end_s - start_s) * rate)], rate


def _pieces(
    container: InputContainer, stream: AudioStream, start_s: float, notes: list[str]
) -> Iterator[Piece]:
    import av

    origin, known_s = origin_s(container), 0.0
    mono = Mono(stream.codec_context.sample_rate)
    if start_s > _LEAD_S:
        container.seek(int((start_s - _LEAD_S + origin) * 1e6), backward=True)
    try:
        for frame in container.decode(stream):
            time_s = known_s if frame.time is None else frame.time - origin
            if time_s - max(known_s, start_s) > LONGEST_HOLE_S or time_s > MAX_REACH_S:
                notes.append(
                    f"The sound is damaged: after {known_s:.0f} s its time jumps to {time_s:.0f} "
                    "s; what comes then is passed over."
                )
                return
            for mixed in mono.mixed(frame):
                samples = samples_of(mixed)
                known_s = time_s + samples.size / mixed.sample_rate
                if known_s > start_s:
                    yield Piece(time_s, samples)
    except av.error.FFmpegError as exc:
        # what some writers leave behind the last sound is no loss
        ends_s = (container.duration or 0) / 1e6
        good_s = max(known_s, start_s)
        if not ends_s or ends_s - good_s > _TAIL_S:
            notes.append(
                f"The sound is damaged after {good_s:.0f} s ({exc.strerror}); "
                "what is said after that is missing."
            )


def samples_of(frame: AudioFrame) -> NDArray[np.float32]:
    """Give a mono frame's samples [n]."""
    return np.asarray(frame.to_ndarray(), np.float32).reshape(-1)


def _join(pieces: list[Piece], start_s: float, until_s: float, rate: int) -> NDArray[np.float32]:
    """Lay pieces end to end from ``start_s`` on, silence where their times leave a hole.

    Of a hole that goes beyond ``until_s`` the rest is left out, and so is what lies behind it.
    """
    parts: list[NDArray[np.float32]] = []
    now_s = start_s
    for piece in pieces:
        samples = piece.samples
        if not parts and piece.start_s < start_s:
            samples = samples[round((start_s - piece.start_s) * rate) :]
        elif piece.start_s - now_s > _GAP_S or (not parts and piece.start_s > now_s):
            hole = max(0, round((min(piece.start_s, until_s) - now_s) * rate))
            parts.append(np.zeros(hole, np.float32))
            now_s += hole / rate
            if piece.start_s > until_s:
                break
        parts.append(samples)
        now_s += samples.size / rate
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _quiet_point(sound: NDArray[np.float32], start_s: float, target_s: float, rate: int) -> int:
    """Give the sample in the middle of the quietest quarter second before ``target_s``."""
    end = min(sound.size, round((target_s - start_s) * rate))
    step = max(1, round(_QUIET_S * rate / 2))
    first = max(0, end - round(_SEARCH_S * rate))
    halves = (end - first) // step
    if halves < 2:
        return end
    power = (sound[first : first + halves * step].reshape(halves, step) ** 2).mean(axis=1)
    # the last of equals: the later the cut, the more of the segment is heard in time
    pairs = power[:-1] + power[1:]
    quietest = len(pairs) - 1 - int(np.argmin(pairs[::-1]))
    return first + (quietest + 1) * step


def _resample(sound: NDArray[np.float32], rate: int) -> Sound:
    import av

    if rate == SOUND_RATE_HZ or not sound.size:
        return sound
    resampler = av.AudioResampler("flt", "mono", SOUND_RATE_HZ)
    frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = rate
    parts = [samples_of(f) for f in [*resampler.resample(frame), *resampler.resample(None)]]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
