"""Knows what the text subtitles inside a video say: the words of each cue, without its styling.

``subtitles`` is the door for everyone else and asks the decoding child; ``subtitles_here`` runs in
it. How many cues are read, and how long they may be, stands in ``limits.py``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from models.errors import DecodeFailed
from models.values import Utterance
from vidmem.limits import LONGEST_HOLE_S, MAX_CUE_CHARS, MAX_CUES, MAX_REACH_S, MAX_TRACK_CHARS
from vidmem.video import open_media, origin_s, text_tracks

_BEAT_S = 1.0


def subtitles(path: str | Path) -> tuple[list[Utterance], str]:
    """Give what the first embedded text subtitle track says, and a note if it ends in damage.

    A track over which the decoder dies is left out, with a note. Raises as ``probe`` else.
    """
    from vidmem.child import Limits, converse

    request = {"do": "subtitles", "path": str(path)}
    try:
        with closing(converse(request, Limits())) as answers:
            for answer, _ in answers:
                if answer["kind"] == "subtitles":
                    return [Utterance(**one) for one in answer["utterances"]], answer["note"]
        raise DecodeFailed(f"The decoder gave no answer about {Path(path).name}.")
    except DecodeFailed as exc:
        return [], f"{exc} The subtitles are left out."


def subtitles_here(path: str) -> Iterator[tuple[list[Utterance], str]]:
    """Yield what the first text subtitle track says so far, now and then, and last the whole of it.

    It is empty without a track. The note tells of damage. The cues lie all over the file, which may
    take minutes to read.
    """
    import av

    said, note, chars, beat = list[Utterance](), "", 0, time.monotonic()
    with open_media(path) as container:
        tracks = text_tracks(container)
        origin = origin_s(container)
        try:
            for packet in container.demux(tracks[0]) if tracks else ():
                if time.monotonic() - beat >= _BEAT_S:
                    beat = time.monotonic()
                    yield said, note
                if packet.pts is None or packet.time_base is None:
                    continue
                start = float(packet.pts * packet.time_base) - origin
                length = float((packet.duration or 0) * packet.time_base) or 2.0
                if len(said) >= MAX_CUES or chars >= MAX_TRACK_CHARS:
                    note = f"Only the first {len(said):,} subtitles are read."
                    break
                if start <= MAX_REACH_S and (text := _spoken(packet.decode())[:MAX_CUE_CHARS]):
                    start, length = max(0.0, start), min(max(0.0, length), LONGEST_HOLE_S)
                    said.append(Utterance(start, start + length, text))
                    chars += len(text)
        except av.error.FFmpegError as exc:
            good_s = max((one.end_s for one in said), default=0.0)
            note = f"The subtitles are damaged after {good_s:.0f} s ({exc.strerror})."
    yield said, note


def _spoken(cues: Any) -> str:
    """The plain words of decoded subtitle cues, without styling codes."""
    lines = (cue.dialogue for cue in cues if getattr(cue, "dialogue", None) is not None)
    raw = " ".join(x.decode("utf-8", "replace") if isinstance(x, bytes) else x for x in lines)
    raw = re.sub(r"\{[^}]*\}|<[^>]*>", "", raw).replace("\\N", " ").replace("\\n", " ")
    return " ".join(raw.split())
