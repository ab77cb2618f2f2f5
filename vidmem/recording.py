"""Knows how a recording that came bit by bit becomes a file in which players can seek.

A browser's recorder writes what it has as it comes: no length, no index. The same packets are
written once more, by the decoding child, with both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from models.errors import DecodeFailed
from vidmem.child import converse
from vidmem.source import end_of
from vidmem.video import alone

_BEAT_S = 1.0


def complete(path: Path) -> None:
    """Give a recording its length and index, in its place; until then the old bytes stand there.

    Raises:
        DecodeFailed: it cannot be read, or there is no room; it is left as it is.
    """
    into = path.with_name(f"rewritten-{path.name}")
    try:
        with closing(converse({"do": "rewrite", "path": str(path), "into": str(into)})) as answers:
            is_whole = any(header["kind"] == "end" for header, _ in answers)
        if not is_whole:
            raise DecodeFailed(
                f"{path.name} could not be given an index; it may not play to its end"
            )
        os.replace(into, path)
    except OSError as exc:  # it may have been forgotten meanwhile
        raise DecodeFailed(f"{path.name} could not be given an index: {exc.strerror}") from exc
    finally:
        into.unlink(missing_ok=True)
        end_of(path).unlink(missing_ok=True)


def rewrite_here(path: str, into: str) -> Iterator[None]:
    """Write the packets of a file into another, as far as they can be read; yields now and then.

    Raises:
        DecodeFailed: there are none, or the other cannot be written.
    """
    import av
    from av.error import FFmpegError, InvalidDataError

    beat = time.monotonic()
    try:
        with av.open(path, options=alone()) as source, av.open(into, "w") as target:
            kept = [one for one in source.streams if one.type in ("video", "audio")]
            streams = {one.index: target.add_stream_from_template(one) for one in kept}
            with suppress(InvalidDataError):  # the last bit may be cut off
                for packet in source.demux(kept):
                    if packet.dts is None:
                        continue
                    packet.stream = streams[packet.stream.index]
                    target.mux(packet)
                    if time.monotonic() - beat > _BEAT_S:
                        beat = time.monotonic()
                        yield
    except (FFmpegError, OSError, ValueError) as exc:
        raise DecodeFailed(f"{Path(path).name} could not be given an index ({exc})") from exc
