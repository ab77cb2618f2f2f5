"""Knows how a few cited seconds of a video or a recording become a small file that players take.

H.264 with MP3 in an MP4: browsers and editors play it (in VS Code AAC would stay silent). A clip
begins with the frame on screen at its first second, upright; length and rate bound its size.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from models.errors import DecodeFailed, InputError
from models.values import Picture
from vidmem.audio import sound_here
from vidmem.video import decode_here, open_media, still_here, video_stream

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

LONGEST_S = 30.0
SIDE_PX = 480
_TICKS_PER_S = 90_000
_SOUND_RATE_HZ, _SOUND_BITS_PER_S = 44_100, 64_000
# 30 s of noise stay below 3 MB; without B-frames the packets leave in order of time.
_ENCODER = {"preset": "veryfast", "crf": "27", "maxrate": "600k", "bufsize": "600k", "bf": "0"}


def clip(path: str | Path, start_s: float, end_s: float) -> bytes:
    """Cut ``[start_s, end_s)``, at most its first 30 s, out of a file as a small MP4.

    Raises:
        InputError: the file has no such stretch of time, or is at fault (as ``video.probe``).
        DecodeFailed: the decoder crashed or hung, or nothing in this stretch can be decoded.
    """
    from vidmem.child import ask

    if not 0 <= start_s < end_s:
        raise InputError(f"there is nothing from {start_s:g} s to {end_s:g} s; give a longer span")
    _, cut = ask({"do": "clip", "path": str(path), "start_s": start_s, "end_s": end_s})
    return cut


def clip_here(path: str, start_s: float, end_s: float) -> bytes:
    """Cut a clip in this process; raises as ``clip``."""
    import av

    end_s = min(end_s, start_s + LONGEST_S)
    sound, rate_hz = sound_here(path, start_s, end_s)
    frames = _frames(path, start_s, end_s, needed=not sound.size)
    first = next(frames, None)
    if first is None and not sound.size:
        raise InputError(f"{Path(path).name} is over before {start_s:g} s")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        video = None if first is None else _picture_track(out, first[1])
        audio = _sound_track(out) if sound.size else None
        if video is not None and first is not None:
            _write_frames(out, video, chain([first], frames), end_s - start_s)
        if audio is not None:
            _write_sound(out, audio, sound, rate_hz)
    return file.getvalue()


def _frames(
    path: str, start_s: float, end_s: float, *, needed: bool
) -> Iterator[tuple[float, Picture]]:
    """Yield pictures and when each is shown, counted from ``start_s``; none for a recording.

    Behind the last frame the picture stands still, unless nothing is heard there either
    (``needed``).
    """
    with open_media(path) as container:
        if video_stream(container) is None:
            return
    begun = False
    try:
        for frame in decode_here(path, start_s=start_s):
            if not begun and frame.pts_s > start_s + 1e-6:
                yield 0.0, still_here(path, start_s, SIDE_PX)
            begun = True
            if frame.pts_s >= end_s - 1e-6:
                return
            yield max(0.0, frame.pts_s - start_s), frame.picture()
    except DecodeFailed:
        # A damaged film is shown as far as it goes; where it is broken, its notes say.
        if not begun and needed:
            raise
    if not begun and not needed:
        yield 0.0, still_here(path, start_s, SIDE_PX)


def _picture_track(out: OutputContainer, picture: Picture) -> VideoStream:
    height, width = picture.shape[:2]
    shrink = min(1.0, SIDE_PX / max(width, height))
    stream = out.add_stream("libx264", rate=30, options=_ENCODER)
    stream.width, stream.height = _even(width * shrink), _even(height * shrink)
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
    return stream


def _even(length_px: float) -> int:
    return max(2, 2 * round(length_px / 2))


def _sound_track(out: OutputContainer) -> AudioStream:
    stream = out.add_stream("libmp3lame", rate=_SOUND_RATE_HZ, layout="mono")
    stream.bit_rate = _SOUND_BITS_PER_S
    return stream


def _write_frames(
    out: OutputContainer,
    stream: VideoStream,
    frames: Iterator[tuple[float, Picture]],
    length_s: float,
) -> None:
    import av

    packets, shown = [], -1
    for at_s, picture in frames:
        ticks = round(at_s * _TICKS_PER_S)
        if ticks <= shown:
            continue
        shown = ticks
        size = (stream.width, stream.height)
        small = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, reducing_gap=2)
        frame = av.VideoFrame.from_ndarray(np.asarray(small), format="rgb24")
        frame.pts, frame.time_base = ticks, Fraction(1, _TICKS_PER_S)
        packets += stream.encode(frame)
    packets += stream.encode()
    # The last frame stands to the clip's end, however rare frames are.
    packets[-1].duration = max(1, round(length_s * _TICKS_PER_S) - shown)
    out.mux(packets)


def _write_sound(
    out: OutputContainer, stream: AudioStream, sound: NDArray[np.float32], rate_hz: int
) -> None:
    import av

    whole = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout="mono")
    whole.sample_rate, whole.pts, whole.time_base = rate_hz, 0, Fraction(1, rate_hz)
    resampler = av.AudioResampler("fltp", "mono", _SOUND_RATE_HZ)
    for frame in [*resampler.resample(whole), *resampler.resample(None)]:
        out.mux(stream.encode(frame))
    out.mux(stream.encode())
