"""Knows what a live source's address means: what may be opened, how, and its name without secrets.

An address is ``webcam`` or ``webcam:N``, ``screen``, a stream (http, https, rtsp, rtsps, rtmp) or a
file that is still being written. FFmpeg may follow a stream to nothing but the network: a playlist
that names files of this machine is refused by the list of protocols. It follows no redirect of the
address itself: whoever opens one looks first where it leads.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from models.errors import InputError, UnreadableMedia, UnsupportedMedia
from vidmem.video import alone

if TYPE_CHECKING:
    from av.container import InputContainer

SourceKind: TypeAlias = Literal["webcam", "screen", "stream", "growing"]

_SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp")
_PROTOCOLS = "http,https,httpproxy,hls,tcp,tls,crypto,rtp,srtp,udp,rtsp,rtmp"
_OPENING = {"analyzeduration": "2000000"}  # microseconds of media looked at before it begins
_TIMEOUTS_S = (15.0, 30.0)  # to open, to read
_LOOK_EVERY_S = 0.2  # whether a growing file has grown
_HOST = re.compile(r"(\[[\w:.%-]+\]|[\w.~%-]+)(:\d{1,5}$)?")
_SECRET_PATH = re.compile(r"=|user|pass|pwd|key|token|secret|auth", re.IGNORECASE)
_ENDED = ".ended"  # the name of a file beside a growing one, added to its own


@dataclass(frozen=True, slots=True)
class Source:
    """A live source: its kind, the address to open, and the name it may be shown and stored by."""

    kind: SourceKind
    address: str = field(repr=False)
    name: str

    @property
    def is_camera(self) -> bool:
        """Whether opening it again gives what it shows then, and not a film from its beginning."""
        return self.address.startswith(("rtsp", "rtmp"))


def understand(address: str) -> Source:
    """Say what an address stands for, without opening it.

    Raises:
        InputError: it is no camera, screen, stream or file.
    """
    if re.fullmatch(r"webcam(:\d{1,3})?", address):
        return Source("webcam", address.partition(":")[2] or "0", address)
    if address == "screen":
        return Source("screen", address, address)
    scheme, mark, _ = address.partition("://")
    if mark and not Path(address).exists():
        address = scheme.lower() + address[len(scheme) :]
        if scheme.lower() not in _SCHEMES:
            raise InputError(
                f"cannot watch {scheme!r} addresses; streams begin with {', '.join(_SCHEMES)}"
            )
        return Source("stream", address, _without_secrets(address))
    if not Path(address).is_file():
        raise UnreadableMedia(
            f"there is no {address} to watch live; give webcam, screen, the address of a stream, "
            "or a file that is being written"
        )
    whole = str(Path(address).resolve())
    return Source("growing", whole, whole)


def open_stream(source: Source, stopped: Callable[[], bool], patience_s: float) -> InputContainer:
    """Open a stream or a growing file with PyAV.

    A growing file is read on as it grows, and ends once it has not for ``patience_s``.

    Raises:
        UnreadableMedia: it cannot be reached, or what comes is no video.
        UnsupportedMedia: a growing file of a kind that only its end makes readable.
    """
    import av

    if source.kind == "growing":
        try:
            growing = Growing(source.address, stopped, patience_s)
            options = _OPENING | alone()
            return av.open(growing, mode="r", options=options, metadata_errors="ignore")
        except (av.error.FFmpegError, ValueError) as exc:
            raise UnsupportedMedia(
                f"{Path(source.name).name} cannot be read while it is written; MKV, WebM, MPEG-TS "
                "and fragmented MP4 can, an ordinary MP4 only when it is finished"
            ) from exc
    options = _OPENING | {"protocol_whitelist": _PROTOCOLS, "max_redirects": "0"}
    if source.address.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    try:
        return av.open(
            source.address, mode="r", options=options, timeout=_TIMEOUTS_S, metadata_errors="ignore"
        )
    except (av.error.FFmpegError, ValueError) as exc:
        # the error's own text names the address, and with it the password
        raise UnreadableMedia(f"{source.name} cannot be watched: {why_broken(exc)}") from None


def why_broken(exc: Exception) -> str:
    """Say in words why a stream gives no more, without its address."""
    import av

    if getattr(exc, "errno", None) == errno.EIO:
        return "what comes from there is no video, or it broke off"
    if isinstance(exc, av.error.ExitError):
        return f"nothing came for {_TIMEOUTS_S[1]:.0f} s"
    return getattr(exc, "strerror", None) or "it is no video"


class Growing:
    """A file that is still being written, as PyAV reads it: its end waits for more to come.

    Whoever writes it may say with ``end_of(path)`` that no more comes.
    """

    def __init__(self, path: str, stopped: Callable[[], bool], patience_s: float) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115 - lives as long as the process
        self._stopped, self._patience_s = stopped, patience_s
        self._has_ended, self._end = False, end_of(Path(path))

    def read(self, size: int) -> bytes:
        """Give the next bytes, b"" once the file has stopped growing or nobody wants more."""
        since = time.monotonic()
        while True:
            is_complete = self._end.exists()  # looked at before what came last is read
            if block := self._file.read(size):
                return block
            is_over = self._has_ended or is_complete or self._stopped()
            if is_over or time.monotonic() - since > self._patience_s:
                self._has_ended = True
                return b""
            time.sleep(_LOOK_EVERY_S)


def end_of(path: Path) -> Path:
    """Name the empty file whose being there says that a growing file is complete."""
    return path.with_name(path.name + _ENDED)


def _without_secrets(address: str) -> str:
    """Name a stream by its scheme, host and path, without anything that may be a secret.

    Passwords are written unquoted too, with ``/``, ``?``, ``#`` or ``@`` in them, so whatever
    stands before the last ``@`` is taken for one; where it stands in what looks like a query, what
    follows it may be a part of one as well.
    """
    try:
        urlsplit(address)
    except ValueError:
        raise InputError("that is no address of a stream") from None
    scheme, _, rest = address.partition("://")
    before, *queries = re.split(r"[?#]", rest)
    if any("@" in one for one in queries):
        return f"{scheme}://…"
    authority, slash, path = before.rpartition("@")[2].partition("/")
    host = _HOST.match(authority)
    if host is None:
        return f"{scheme}://…"
    is_plain = not _SECRET_PATH.search(unquote(path))
    return f"{scheme}://{host[0]}{slash}{path if is_plain else '…'}"
