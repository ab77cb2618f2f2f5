"""Small real media made on the spot by PyAV, with the frame's number painted into each picture."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIZE = (192, 112)  # width, height
_BITS, _CELL_PX = 12, 16
SOUND_RATE_HZ = 16_000


def picture(number, shot=0, *, size=SIZE, text="", pan_px=0):
    """A shot's own coarse pattern, moved by ``pan_px``, with the frame's number in a bar on top."""
    width, height = size
    pattern = np.random.default_rng(1000 + shot).integers(0, 256, (8, 16, 3), dtype=np.uint8)
    wide = Image.fromarray(pattern).resize((width * 2, height), Image.Resampling.BICUBIC)
    image = wide.crop((pan_px % width, 0, pan_px % width + width, height))
    draw = ImageDraw.Draw(image)
    if text:
        draw.rectangle((8, height // 2, width - 8, height - 8), fill="white")
        draw.text((16, height // 2 + 4), text, fill="black", font=ImageFont.load_default(size=20))
    for bit in range(_BITS):
        left = bit * _CELL_PX
        colour = "white" if number >> bit & 1 else "black"
        draw.rectangle((left, 0, left + _CELL_PX - 1, _CELL_PX - 1), fill=colour)
    return np.asarray(image)


def number_in(shown, *, size=SIZE):
    """The number painted into a picture, whatever size it was scaled to."""
    scale = shown.shape[1] / size[0]
    middle = [round((bit + 0.5) * _CELL_PX * scale) for bit in range(_BITS)]
    row = shown[round(_CELL_PX / 2 * scale)].mean(axis=-1)
    return sum(1 << bit for bit, at in enumerate(middle) if row[at] > 127)


def video(
    path,
    *,
    shots=(20, 20),
    fps=10,
    size=SIZE,
    codec="libx264",
    times_s=None,
    pan=0,
    texts=None,
    tones=None,
):
    """Write shots of that many frames each; ``times_s`` overrides when each frame is shown.

    ``tones`` is a list of (start_s, end_s) in which a tone sounds, ``texts`` a text for each shot.
    """
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.gop_size = 2 * fps
        stream.codec_context.time_base = Fraction(1, 1000)
        sound = out.add_stream("aac", rate=SOUND_RATE_HZ, layout="mono") if tones else None
        for number, shot in enumerate(s for s, length in enumerate(shots) for _ in range(length)):
            text = texts[shot] if texts else ""
            shown = picture(number, shot, size=size, text=text, pan_px=number * pan)
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
            at_s = times_s[number] if times_s else number / fps
            frame.pts, frame.time_base = round(at_s * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if sound is not None:
            length_s = (times_s[-1] if times_s else sum(shots) / fps) or 1.0
            _write_sound(out, sound, tones, length_s)
    return Path(path)


def coloured(path, colours, *, each_s=4, fps=5, size=SIZE):
    """Write a film that shows one plain colour (r, g, b) after another, each for so many seconds.

    A dark bar wanders over the lower edge, so that no two frames are the same.
    """
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(len(colours) * each_s * fps):
            shown = np.full((size[1], size[0], 3), colours[number // (each_s * fps)], np.uint8)
            at = 8 * number % (size[0] - 16)
            shown[-8:, at : at + 16] = 0
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        out.mux(stream.encode())
    return Path(path)


def sound_only(path, *, tones, length_s):
    """Write a recording without pictures."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=SOUND_RATE_HZ, layout="mono")
        _write_sound(out, stream, tones, length_s)
    return Path(path)


def tone(start_s, end_s, rate=SOUND_RATE_HZ):
    """A 440 Hz sine of half loudness, float32 [n]."""
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(start_s, end_s, 1 / rate))).astype(np.float32)


def _write_sound(out, stream, tones, length_s):
    samples = np.zeros(round(length_s * SOUND_RATE_HZ), np.float32)
    for start_s, end_s in tones:
        at = round(start_s * SOUND_RATE_HZ)
        part = tone(start_s, end_s)[: len(samples) - at]
        samples[at : at + len(part)] = part
    borders = [*range(0, len(samples), 1024), len(samples)]
    for first, end in pairwise(borders):
        frame = av.AudioFrame.from_ndarray(samples[None, first:end], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = SOUND_RATE_HZ, first
        frame.time_base = Fraction(1, SOUND_RATE_HZ)
        out.mux(stream.encode(frame))
    out.mux(stream.encode())
