"""Knows how pictures and sound come out of each kind of live source: camera, screen, stream, file.

Runs in the decoding child. Times of a stream are its own; those of a camera or the screen are
seconds since it was opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from PIL import Image

from models.errors import SetupError, UnreadableMedia, UnsupportedMedia
from models.values import SOUND_RATE_HZ
from vidmem.audio import Mono, Piece, samples_of
from vidmem.frame import PICTURE_SIDE_PX, Decoded, tiny
from vidmem.source import Source, open_stream, why_broken
from vidmem.video import decoded, sound_stream, video_stream

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_CAMERA_LOOKS_PER_S = 10.0
_SCREEN_LOOKS_PER_S = 3.0
_STREAM_LOOKS_PER_S = 15.0
_TRIES = 5  # to open a camera's stream again that broke off


class Feed(Protocol):
    """A source that is open: what it says of itself, whether it is heard, what went wrong."""

    facts: dict[str, Any]
    has_sound: bool
    notes: list[str]

    def items(self) -> Iterator[Decoded | Piece]:
        """Yield pictures and sound as they come, until the source ends."""
        ...


def open_feed(source: Source, stopped: Callable[[], bool], patience_s: float) -> Feed:
    """Open a live source.

    Raises:
        UnreadableMedia: it cannot be reached or gives no picture.
        UnsupportedMedia: it holds no video, or cannot be read while it is written.
        SetupError: this machine gives no access to its camera or screen.
    """
    if source.kind == "webcam":
        return _Camera(int(source.address))
    if source.kind == "screen":
        return _Screen()
    return _Stream(source, stopped, patience_s)


class _Stream:
    """A network stream or a growing file, by PyAV."""

    def __init__(self, source: Source, stopped: Callable[[], bool], patience_s: float) -> None:
        self._source, self._stopped, self._patience_s = source, stopped, patience_s
        self._container = self._open()
        video, sound = video_stream(self._container), sound_stream(self._container)
        if video is None:
            raise UnsupportedMedia(f"{source.name} shows no pictures; only video is watched live")
        self.has_sound = sound is not None
        self.facts: dict[str, Any] = {
            "width": video.width, "height": video.height, "codec": video.codec_context.name,
            "fps": float(video.average_rate) if video.average_rate else None,
            "container": self._container.format.name.split(",")[0],
        }  # fmt: skip
        self.notes: list[str] = []

    def items(self) -> Iterator[Decoded | Piece]:
        failed = 0
        while True:
            notes = len(self.notes)
            for item in self._decoded(self._container):
                failed = 0
                yield item
            # a camera's stream has no end of its own: where it ends, the line was lost
            if not self._is_camera or failed >= _TRIES or self._stopped():
                return
            del self.notes[notes:]
            time.sleep(2.0**failed)
            failed += 1
            with suppress(UnreadableMedia):
                self._container = self._open()

    @property
    def _is_camera(self) -> bool:
        return self._source.is_camera and self._container.duration is None

    def _open(self) -> InputContainer:
        return open_stream(self._source, self._stopped, self._patience_s)

    def _decoded(self, container: InputContainer) -> Iterator[Decoded | Piece]:
        from av import VideoFrame
        from av.video.reformatter import VideoReformatter

        video, sound = video_stream(container), sound_stream(container)
        assert video is not None
        # its own rate may be known only after its first packets
        mono = None if sound is None else Mono(SOUND_RATE_HZ)
        scaler, due_s, known_s = VideoReformatter(), -np.inf, 0.0
        video.thread_type = "NONE"  # threads would hold frames back
        for frame in self._frames(container, [one for one in (video, sound) if one is not None]):
            if isinstance(frame, VideoFrame):
                time_s = frame.time
                if time_s is not None and not due_s - 1 < time_s < due_s:
                    due_s = time_s + 1 / _STREAM_LOOKS_PER_S - 2e-3
                    yield decoded(scaler, frame, time_s, PICTURE_SIDE_PX)
            elif mono is not None:
                time_s = known_s if frame.time is None else frame.time
                for mixed in mono.mixed(frame):
                    samples = samples_of(mixed)
                    known_s = time_s + samples.size / mixed.sample_rate
                    yield Piece(time_s, samples)

    def _frames(
        self, container: InputContainer, streams: list[VideoStream | AudioStream]
    ) -> Iterator[VideoFrame | AudioFrame]:
        """Decode what comes; where the line breaks off, give what the decoders still hold."""
        from av.error import FFmpegError, InvalidDataError

        try:
            for packet in container.demux(streams):
                # a stream that is joined midway begins with what leans on what came before
                with suppress(InvalidDataError):
                    yield from cast(Iterator["VideoFrame | AudioFrame"], packet.decode())
        except FFmpegError as exc:
            self.notes.append(f"The stream broke off ({why_broken(exc)}).")
            for stream in streams:
                with suppress(FFmpegError):
                    yield from stream.codec_context.decode(None)


class _Camera:
    """A camera of this machine, by OpenCV; its microphone is not heard."""

    def __init__(self, number: int) -> None:
        import cv2

        self._camera = cv2.VideoCapture(number)
        is_open, picture = self._camera.read()
        if not is_open:
            raise UnreadableMedia(
                f"camera {number} gives no picture; is it plugged in, free, and allowed?"
            )
        height, width = picture.shape[:2]
        self.has_sound = False
        self.notes = ["A camera is watched without sound."]
        self.facts = _facts(width, height, _CAMERA_LOOKS_PER_S, "camera")

    def items(self) -> Iterator[Decoded | Piece]:
        began, due_s = time.monotonic(), 0.0
        while True:
            is_good, picture = self._camera.read()
            if not is_good:
                self.notes.append("The camera was unplugged or taken away.")
                return
            now_s = time.monotonic() - began
            if now_s >= due_s:
                due_s = now_s + 1 / _CAMERA_LOOKS_PER_S
                yield _small(Image.fromarray(np.ascontiguousarray(picture[..., ::-1])), now_s)


class _Screen:
    """What the screen shows, by Pillow."""

    def __init__(self) -> None:
        from PIL import ImageGrab

        self._grab = ImageGrab.grab
        try:
            first = self._grab()
        except (OSError, ValueError) as exc:
            raise SetupError(f"the screen cannot be read here: {exc}") from exc
        self.has_sound = False
        self.notes = ["The screen is watched without sound."]
        self.facts = _facts(first.width, first.height, _SCREEN_LOOKS_PER_S, "screen")

    def items(self) -> Iterator[Decoded | Piece]:
        began = time.monotonic()
        while True:
            now_s = time.monotonic() - began
            yield _small(self._grab().convert("RGB"), now_s)
            time.sleep(max(0.0, 1 / _SCREEN_LOOKS_PER_S - (time.monotonic() - began - now_s)))


def _facts(width: int, height: int, fps: float, container: str) -> dict[str, Any]:
    return {
        "width": width, "height": height, "codec": "", "fps": fps, "container": container
    }  # fmt: skip


def _small(image: Image.Image, at_s: float) -> Decoded:
    image.thumbnail((PICTURE_SIDE_PX, PICTURE_SIDE_PX), Image.Resampling.BOX)
    picture = np.asarray(image)
    return Decoded(at_s, tiny(picture), lambda: picture)
