"""Makes memqa/examples/sample.mp4 out of free clips and recordings; run once, kept for the record.

``python -m benchmarks.make_sample --data ../shared/data/video --out memqa/examples/sample.mp4``
Whose the parts are and under what licence stands in memqa/examples/ATTRIBUTION.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS = 480, 360, 24
RATE_HZ = 44_100


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a clip, the sound that goes with it ("" = none), and how it is framed.

    The sound ends after ``sound_length_s``, so that no word is cut in two.
    """

    picture: str
    start_s: float
    length_s: float
    sound: str = ""
    sound_start_s: float = 0.0
    sound_length_s: float = math.inf
    framing: str = ""


PARTS = (
    Part("clips/crystal_lotus.webm", 0.0, 9.2, "audio/sonnet_1.mp3"),
    Part("clips/his_girl_friday.mp4", 0.0, 6.0, "clips/his_girl_friday.mp4", 0.0, 5.6),
    # Cut to two of the bottles: the whole picture is mostly wall.
    Part("clips/three_bottles.mp4", 3.5, 11.0, "audio/jfk.flac", framing="crop=306:230:227:0"),
    Part("clips/bbb_opening.webm", 11.9, 17.5, "clips/bbb_opening.webm", 11.9),
    Part("clips/flower_opening.webm", 0.0, 4.9),
)


def pictures(path: Path, part: Part) -> Iterator[av.VideoFrame]:
    """Yield the part's frames at FPS, cut to fill WIDTH × HEIGHT."""
    fit = (
        f"scale={WIDTH}:{HEIGHT}:force_original_aspect_ratio=increase,"
        f"crop={WIDTH}:{HEIGHT},setsar=1,fps={FPS},format=yuv420p"
    )
    frames = round(part.length_s * FPS)
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        graph = Graph()
        steps = [graph.add_buffer(template=stream)]
        for spec in filter(None, [*part.framing.split(","), *fit.split(",")]):
            name, _, options = spec.partition("=")
            steps.append(graph.add(name, options or None))
            steps[-2].link_to(steps[-1])
        steps.append(graph.add("buffersink"))
        steps[-2].link_to(steps[-1])
        graph.configure()
        made = 0
        for frame in source.decode(stream):
            if frame.time is None or frame.time < part.start_s:
                continue
            graph.push(frame)
            while made < frames:
                try:
                    fitted = graph.pull()
                except (av.BlockingIOError, av.EOFError):
                    break
                assert isinstance(fitted, av.VideoFrame)
                yield fitted
                made += 1
            if made == frames:
                return


def sound(path: Path | None, part: Part) -> NDArray[np.int16]:
    """Give the part's sound [n] as mono samples at RATE_HZ, silence where there is none."""
    wanted = round(part.length_s * RATE_HZ)
    out = np.zeros(wanted, np.int16)
    if path is None:
        return out
    resampler = av.AudioResampler("s16", "mono", RATE_HZ)
    with av.open(str(path)) as source:
        pieces = [
            piece.to_ndarray()[0]
            for frame in source.decode(audio=0)
            for piece in resampler.resample(frame)
        ]
    first = round(part.sound_start_s * RATE_HZ)
    audible = min(wanted, round(min(part.sound_length_s, part.length_s) * RATE_HZ))
    out[:audible] = np.concatenate(pieces)[first : first + audible]
    fade = np.linspace(0, 1, RATE_HZ // 5)
    out[: len(fade)] = (out[: len(fade)] * fade).astype(np.int16)
    ending = slice(audible - len(fade), audible)
    out[ending] = (out[ending] * fade[::-1]).astype(np.int16)
    return out


def make(data: Path, out: Path) -> None:
    """Join all PARTS into one H.264/AAC file."""
    with av.open(str(out), "w", options={"movflags": "+faststart"}) as target:
        film = target.add_stream("libx264", rate=FPS, options={"crf": "29", "preset": "veryslow"})
        film.width, film.height, film.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        film.time_base = Fraction(1, FPS)
        voice = target.add_stream("aac", rate=RATE_HZ, layout="mono")
        voice.bit_rate = 64_000
        shown = 0
        for part in PARTS:
            for frame in pictures(data / part.picture, part):
                frame.pts, frame.time_base = shown, Fraction(1, FPS)
                target.mux(film.encode(frame))
                shown += 1
        target.mux(film.encode(None))
        samples = [sound(data / part.sound if part.sound else None, part) for part in PARTS]
        for block in _blocks(np.concatenate(samples)):
            target.mux(voice.encode(block))
        target.mux(voice.encode(None))


def _blocks(samples: NDArray[np.int16], block: int = 1024) -> Iterator[av.AudioFrame]:
    for first in range(0, len(samples), block):
        piece = np.ascontiguousarray(samples[None, first : first + block])
        frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, first, Fraction(1, RATE_HZ)
        yield frame


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with clips/ and audio/")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    make(given.data, given.out)
