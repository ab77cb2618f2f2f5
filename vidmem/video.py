"""Knows how a video file is opened, probed and decoded with true times, by PyAV or decord.

The functions ending in ``_here`` run in the decoding child (`vidmem/reader.py`); ``probe``,
``frame_at`` and ``stills`` are the doors for everyone else and ask that child, because a hostile
file may crash, hang or fill the memory of whoever opens it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import DecodeFailed, EmptyMedia, UnreadableMedia, UnsupportedMedia
from models.values import Picture
from vidmem.frame import PICTURE_SIDE_PX, TINY_PX, Decoded, jpeg, tiny
from vidmem.limits import (
    MAX_STREAMS,
    NAMING_OTHERS,
    why_picture_refused,
    why_sound_refused,
)
from vidmem.values import Backend, MediaInfo

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.subtitles.stream import SubtitleStream
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

__all__ = ["MediaInfo", "decode_here", "frame_at", "probe", "stills"]

logger = logging.getLogger(__name__)

_LOOKS_PER_S = 31.0  # more would cost time and sharpen no border that a person could see
_PROBE_PACKETS = 60
_MOST_BEYOND_S = 60.0  # and twice its told length: what a time stamp may say
_AHEAD_BYTES = 256 * 2**20
_LOOKED_BACK_S = (1.0, 60.0)  # for the frame on screen at a time
_ARBITRARY_CLOCKS = {"mpegts", "mpeg"}  # their first time stamp means nothing
_NOT_MEDIA = {"tty", "image2", "srt", "webvtt", "ass", "lrc"}
_TEXT_CODECS = frozenset(("subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text"))
_MAGIC = {b"ftyp": 4, b"moov": 4, b"mdat": 4, b"\x1aE\xdf\xa3": 0, b"RIFF": 0, b"OggS": 0}


# --- doors -------------------------------------------------------------------------------------


def probe(path: str | Path) -> MediaInfo:
    """Look at a file's first packets and tell what it holds.

    Raises:
        UnsupportedMedia: not a video or a recording.
        UnreadableMedia: the right kind of file, but nothing in it can be decoded.
        EmptyMedia: no bytes, or no frame.
        DecodeFailed: the decoder crashed or hung.
    """
    from vidmem.child import ask

    answer, _ = ask({"do": "probe", "path": str(path)})
    return MediaInfo(**answer["info"] | {"notes": tuple(answer["info"]["notes"])})


def frame_at(path: str | Path, t_s: float, *, width_px: int = 320) -> bytes:
    """Give the frame shown at ``t_s`` as a JPEG at most ``width_px`` wide; raises as ``probe``."""
    from vidmem.child import ask

    _, jpeg = ask({"do": "frame", "path": str(path), "t_s": t_s, "width_px": width_px})
    return jpeg


def stills(path: str | Path, times_s: Sequence[float], *, side_px: int) -> list[Picture]:
    """Give the frame shown at each time, at most ``side_px`` on a side; raises as ``probe``."""
    from vidmem.child import Limits, converse

    request = {"do": "stills", "path": str(path), "times_s": list(times_s), "side_px": side_px}
    with closing(converse(request, Limits())) as answers:
        return [
            np.frombuffer(payload, np.uint8).reshape(answer["shape"]) for answer, payload in answers
        ]


# --- in the child ------------------------------------------------------------------------------


@contextmanager
def open_media(path: str) -> Iterator[InputContainer]:
    """Open a file with PyAV; its errors come out as ours.

    Raises:
        UnsupportedMedia, UnreadableMedia, EmptyMedia: as for ``probe``.
    """
    import av

    name, file = Path(path).name, Path(path)
    if file.exists() and not file.is_file():
        raise UnsupportedMedia(f"{name} is not a video or a recording, and no file at all.")
    if not file.is_file():
        raise UnreadableMedia(f"{name} is not there: {path}; check the path.")
    if file.stat().st_size == 0:
        raise EmptyMedia(f"{name} is empty (0 bytes); copy or download it again.")
    try:
        container = av.open(path, options=alone(), metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError) as exc:
        if _looks_like_media(file):
            raise UnreadableMedia(
                f"{name} is damaged: its index is missing or broken, so nothing in it can be "
                "decoded; copy or download it again."
            ) from exc
        raise UnsupportedMedia(f"{name} is not a video or a recording.") from exc
    with container:
        if len(container.streams) > MAX_STREAMS:
            raise UnsupportedMedia(
                f"{name} holds {len(container.streams):,} tracks; memqa takes up to {MAX_STREAMS}."
            )
        yield container


@cache
def alone() -> dict[str, str]:
    """Give the options by which FFmpeg reads a file and nothing that the file may name."""
    import av

    plain = (one for one in av.formats_available if not NAMING_OTHERS & set(one.split(",")))
    return {"protocol_whitelist": "file", "format_whitelist": ",".join(sorted(plain))}


def probe_here(path: str) -> MediaInfo:
    """Probe in this process; raises as ``probe``."""
    import av

    with open_media(path) as container:
        video, sound = video_stream(container), sound_stream(container)
        _refuse_other_kinds(container, path, video is None and sound is None)
        texts = len(text_tracks(container))
        facts: dict[str, Any] = {
            "path": path,
            "container": container.format.name.split(",")[0],
            "has_audio": sound is not None,
            "subtitle_tracks": texts,
            "duration_s": _duration_s(container),
            "notes": _unheard(container) if sound is None else (),
        }
        if video is None:
            assert sound is not None
            return MediaInfo(
                **facts, kind="audio", width=0, height=0, rotation=0, fps=None,
                variable_rate=False, codec=sound.codec_context.name, backend="pyav",
            )  # fmt: skip
        _refuse_size(path, video.codec_context.width, video.codec_context.height)
        try:
            first = next(iter(container.decode(video)), None)
        except av.error.FFmpegError as exc:
            raise UnreadableMedia(
                f"{Path(path).name} is damaged: not even its first frame can be decoded."
            ) from exc
        if first is None:
            raise EmptyMedia(f"{Path(path).name} holds a video track without a single frame.")
        _refuse_size(path, first.width, first.height)
        rotation, (width, height) = _rotation(first), (first.width, first.height)
        fps = float(video.average_rate) if video.average_rate else None
        info = MediaInfo(
            **facts, kind="video", rotation=rotation, fps=fps, codec=video.codec_context.name,
            width=height if rotation % 180 else width, height=width if rotation % 180 else height,
            variable_rate=False, backend="pyav",
        )  # fmt: skip
    varies = _varies(path)
    return MediaInfo(**asdict(info) | {"variable_rate": varies, "backend": _first_choice(info)})


def decode_here(
    path: str, *, backend: Backend = "pyav", start_s: float = 0.0, threads: int = 1
) -> Iterator[Decoded]:
    """Yield every frame with ``pts_s >= start_s``, in order of time (at most 31 a second).

    Raises:
        DecodeFailed: the data is damaged from here on; what was yielded is good.
    """
    frames = _by_decord(path) if backend == "decord" else _by_pyav(path, start_s, threads)
    due = start_s
    for frame in frames:
        # Times that stand still or run backwards are untrue, and a slack of half a look keeps
        # 30 frames a second whole.
        if frame.pts_s >= due - 1e-6:
            yield frame
            due = max(frame.pts_s + 1e-4, frame.pts_s + 1 / _LOOKS_PER_S - 2e-3)


def end_here(path: str) -> float | None:
    """Give the end of the last video packet in seconds, None where the file does not tell."""
    with open_media(path) as container:
        video = video_stream(container)
        if video is None or video.duration is None or video.time_base is None:
            return _duration_s(container)
        start = video.start_time or 0
        return float((start + video.duration) * video.time_base) - origin_s(container)


def frame_here(path: str, t_s: float, width_px: int) -> bytes:
    """Give the frame on screen at ``t_s`` as JPEG, the nearest one at the ends; may raise."""
    return jpeg(still_here(path, t_s, width_px), width_px=width_px)


def still_here(path: str, t_s: float, side_px: int) -> Picture:
    """Give the frame on screen at ``t_s``, the nearest one at the ends; may raise."""
    for back_s in _LOOKED_BACK_S:
        shown = _shown_at(path, t_s, max(0.0, t_s - back_s), max(side_px, 16))
        # A frame may stand long: then the one on screen came before where this look began.
        if shown is not None and (shown.pts_s <= t_s + 1e-6 or t_s <= back_s):
            return shown.picture()
    return (shown or _last_frame(path, side_px)).picture()


def _shown_at(path: str, t_s: float, start_s: float, side_px: int) -> Decoded | None:
    shown: Decoded | None = None
    try:
        for frame in _by_pyav(path, start_s, 1, side_px=side_px):
            if shown is not None and frame.pts_s > t_s + 1e-6:
                break
            shown = frame
    except DecodeFailed:
        logger.debug("frame_at: %s ends early", path)
    return shown


def origin_s(container: InputContainer) -> float:
    """Give the time that counts as zero: a transport stream's clock starts anywhere."""
    arbitrary = bool(_ARBITRARY_CLOCKS & set(container.format.name.split(",")))
    return (container.start_time or 0) / 1e6 if arbitrary else 0.0


def video_stream(container: InputContainer) -> VideoStream | None:
    """Give the first video stream that is more than a cover picture."""
    from av.stream import Disposition

    for stream in container.streams.video:
        # a stream without a context is one that no decoder at hand understands
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def sound_stream(container: InputContainer) -> AudioStream | None:
    """Give the first audio stream that can be decoded."""
    return next((s for s in _sounds(container) if not _why_unheard(s)), None)


def text_tracks(container: InputContainer) -> list[SubtitleStream]:
    """Give the subtitle streams whose cues are text and not pictures."""
    found = (s for s in container.streams.subtitles if s.codec_context is not None)
    return [s for s in found if s.codec_context.name in _TEXT_CODECS]


def _sounds(container: InputContainer) -> list[AudioStream]:
    # a stream without a context is one that no decoder at hand understands
    return [s for s in container.streams.audio if s.codec_context is not None]


def _why_unheard(stream: AudioStream) -> str:
    context = stream.codec_context
    return why_sound_refused(context.sample_rate or 0, context.channels or 0)


def _unheard(container: InputContainer) -> tuple[str, ...]:
    whys = (why for stream in _sounds(container) if (why := _why_unheard(stream)))
    return tuple(f"Its sound is left out: it has {why}." for why in islice(whys, 1))


def _refuse_size(path: str, width: int, height: int) -> None:
    if why := why_picture_refused(width, height):
        raise UnsupportedMedia(f"{Path(path).name} has {why}.")


def _by_pyav(
    path: str, start_s: float, threads: int, *, side_px: int = PICTURE_SIDE_PX
) -> Iterator[Decoded]:
    from av.video.reformatter import VideoReformatter

    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise EmptyMedia(f"{Path(path).name} holds no video.")
        stream.thread_type = "AUTO" if threads > 1 else "NONE"
        stream.codec_context.thread_count = threads
        if start_s > 0 and not _seek(container, stream, start_s):
            container.seek(0)
        scaler, origin, last = VideoReformatter(), origin_s(container), -1.0
        good_s, damage = start_s, _Damage()
        for frame in _good_frames(container, stream, damage):
            pts_s = -1.0 if frame.time is None else frame.time - origin
            good_s = max(good_s, pts_s)
            if pts_s > last and pts_s >= max(0.0, start_s - 1e-6):
                last = pts_s
                yield decoded(scaler, frame, pts_s, side_px)
            damage.after(good_s)
    damage.tell(Path(path).name, good_s)


def decoded(scaler: VideoReformatter, frame: VideoFrame, pts_s: float, side_px: int) -> Decoded:
    """Give a frame that is shown at ``pts_s``, its picture at most ``side_px`` on a side."""
    return Decoded(pts_s, _scaled(scaler, frame, *TINY_PX), _Upright(scaler, frame, side_px))


class _Damage:
    """Where a file could not be decoded: times of the last good frame before each hole."""

    def __init__(self) -> None:
        self.fresh, self._holes, self._why = False, list[float](), ""

    def note(self, exc: Exception) -> None:
        """A packet could not be decoded."""
        self.fresh, self._why = True, str(getattr(exc, "strerror", exc))

    def after(self, good_s: float) -> None:
        """A good frame came; damage noted since the one before lies in front of it."""
        if self.fresh:
            self._holes.append(good_s)
            self.fresh = False

    def tell(self, name: str, good_s: float) -> None:
        """Raise DecodeFailed if there was damage."""
        if self.fresh:
            raise DecodeFailed(f"{name} is damaged after {good_s:.2f} s ({self._why}).")
        if self._holes:
            places = ", ".join(f"{hole:.2f} s" for hole in self._holes[:3])
            raise DecodeFailed(
                f"{name} is damaged before {places} ({self._why}); the rest is whole."
            )


def _good_frames(
    container: InputContainer, stream: VideoStream, damage: _Damage
) -> Iterator[VideoFrame]:
    """Decode packet by packet; after a broken one go on at the next key frame."""
    import av

    lost = False
    try:
        for packet in container.demux(stream):
            if lost and packet.size and not packet.is_keyframe:
                continue
            try:
                yield from packet.decode()
                lost = False
            except av.error.FFmpegError as exc:
                lost = True
                # what the decoder still holds may lean on what is broken
                stream.codec_context.flush_buffers()
                damage.note(exc)
    except av.error.FFmpegError as exc:
        damage.note(exc)  # the container itself ends in the middle


class _Upright:
    """The picture of a frame, made when asked for: most frames are only looked at tiny."""

    def __init__(self, scaler: Any, frame: VideoFrame, side_px: int) -> None:
        self._scaler, self._frame, self._side_px = scaler, frame, side_px

    def __call__(self) -> Picture:
        frame = self._frame
        shrink = min(1.0, self._side_px / max(frame.width, frame.height))
        size = (max(2, round(frame.width * shrink)), max(2, round(frame.height * shrink)))
        turned = np.rot90(_scaled(self._scaler, frame, *size), _rotation(frame) // 90)
        return np.ascontiguousarray(turned)


def _scaled(scaler: Any, frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
    small = scaler.reformat(frame, width, height, "rgb24", interpolation="AREA")
    return np.asarray(small.to_ndarray(), np.uint8)


def _by_decord(path: str) -> Iterator[Decoded]:
    """Read a short video from its start, frame by frame.

    decord 3.4 answers with wrong frames when it has to skip (it gives up after 10,000 polls, only
    saying so on stderr), so nothing is ever skipped or sought; it also drops a late first frame's
    offset, which is added back.
    """
    import decord  # type: ignore[import-untyped]

    with open_media(path) as container:
        stream = video_stream(container)
        assert stream is not None
        assert stream.time_base is not None
        told_s = _duration_s(container)
        late_s = float((stream.start_time or 0) * stream.time_base) - origin_s(container)
        wide = max(stream.width, stream.height)
        shrink = min(1.0, PICTURE_SIDE_PX / wide)
        size = (round(stream.width * shrink), round(stream.height * shrink))
    asked = {} if shrink == 1.0 else {"width": size[0], "height": size[1]}
    last = -1.0
    try:
        reader = decord.VideoReader(path, num_threads=1, **asked)
        times = reader.get_frame_timestamp(range(len(reader)))[:, 0] + max(0.0, late_s)
        if not _can_be(times, told_s):
            raise DecodeFailed(f"decord gives {Path(path).name} times that cannot be")
        for pts_s in (round(float(t), 6) for t in times):  # decord gives float32
            picture = np.asarray(reader.next().asnumpy(), np.uint8)
            last = pts_s
            yield Decoded(pts_s, tiny(picture), picture.copy)
    except (RuntimeError, TypeError, ValueError, decord.DECORDError, StopIteration) as exc:
        raise DecodeFailed(f"decord fails on {Path(path).name} after {max(last, 0):.2f} s") from exc


def _can_be(times: NDArray[np.float32], told_s: float | None) -> bool:
    """Tell whether times ascend and do not reach far beyond the length that the file tells."""
    latest_s = np.inf if told_s is None else 2 * told_s + _MOST_BEYOND_S
    return bool(
        np.isfinite(times).all() and (np.diff(times) >= 0).all() and (times <= latest_s).all()
    )


def _seek(container: InputContainer, stream: VideoStream, start_s: float) -> bool:
    """Go to the key frame before ``start_s``; False where the file has no usable index."""
    import av

    try:
        at_s = max(0.0, start_s - 0.5) + origin_s(container)
        container.seek(int(at_s * 1e6), backward=True)
        first = next(iter(container.decode(stream)), None)
        if first is None or first.time is None or first.time - origin_s(container) > start_s:
            return False
        container.seek(int(at_s * 1e6), backward=True)
    except av.error.FFmpegError:
        return False
    return True


def _last_frame(path: str, side_px: int) -> Decoded:
    with open_media(path) as container:
        end_s = _duration_s(container) or 0.0
    for start_s in (max(0.0, end_s - 5.0), 0.0):
        last = None
        try:
            for frame in _by_pyav(path, start_s, 1, side_px=max(side_px, 16)):
                last = frame
        except DecodeFailed:
            logger.debug("frame_at: %s ends early", path)
        if last is not None:
            return last
    raise EmptyMedia(f"{Path(path).name} holds no frame that can be decoded.")


def _first_choice(info: MediaInfo) -> Backend:
    """Decord reads ahead without limit, so it may have what fits into memory as a whole."""
    if info.duration_s is None or info.fps is None or info.rotation:
        return "pyav"
    shrink = min(1.0, PICTURE_SIDE_PX / max(info.width, info.height))
    frame_bytes = info.width * info.height * shrink * shrink * 3
    fits = info.duration_s * info.fps * frame_bytes <= _AHEAD_BYTES
    return "decord" if fits else "pyav"


def _varies(path: str) -> bool:
    """Whether the first frames stand unevenly in time, judged by their packets."""
    with open_media(path) as container:
        stream = video_stream(container)
        packets = islice(container.demux(stream), _PROBE_PACKETS)
        stamps = sorted(p.pts for p in packets if p.pts is not None)
        gaps = np.diff(np.asarray(stamps, np.float64))[:-8]  # the last few may be out of order
        tick = float(stream.time_base or 0) if stream else 0.0
    return bool(gaps.size > 2 and (gaps.max() - gaps.min()) * tick > max(2.5e-3, 2.1 * tick))


def _duration_s(container: InputContainer) -> float | None:
    return container.duration / 1e6 if container.duration and container.duration > 0 else None


def _rotation(frame: VideoFrame) -> int:
    return round((frame.rotation or 0) / 90) * 90


def _refuse_other_kinds(container: InputContainer, path: str, silent_and_blind: bool) -> None:
    names = set(container.format.name.split(","))
    still = any(name.endswith("_pipe") for name in names)
    if silent_and_blind or still or names & _NOT_MEDIA:
        raise UnsupportedMedia(f"{Path(path).name} is not a video or a recording.")


def _looks_like_media(file: Path) -> bool:
    with file.open("rb") as opened:
        head = opened.read(16)
    return any(head[at : at + len(magic)] == magic for magic, at in _MAGIC.items())
