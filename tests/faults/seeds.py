"""Whole files of every format that memqa takes, small ones: made here, and found where there are.

Mutations start from these. What is made is the same on every machine with the same libraries, so a
case can be made again from its number.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av

from tests.archives import chapter, read_zip, write_book
from tests.docmem.office import SENTENCE, slide, slides, table, word
from tests.documents import Sheet, lines, write_pdf
from tests.media import SOUND_RATE_HZ, picture, tone

MOST_BYTES = 700_000  # of a file that is found: larger ones would only take longer
_SIZE = (192, 112)
_ENDINGS = {
    "media": (".mp4", ".mkv", ".webm", ".mov", ".avi", ".ts", ".flv", ".mp3", ".wav", ".flac"),
    "documents": (".pdf", ".txt", ".vtt", ".srt", ".md", ".html", ".docx", ".pptx", ".epub"),
}
# ending → picture codec, sound codec and its rate; None where the container is for sound alone
_CONTAINERS: dict[str, tuple[str | None, str | None, int]] = {
    "mp4": ("libx264", "aac", 16_000),
    "mkv": ("mpeg4", "flac", 16_000),
    "webm": ("libvpx", "libopus", 48_000),
    "mov": ("mjpeg", "pcm_s16le", 16_000),
    "avi": ("mpeg4", "libmp3lame", 44_100),
    "ts": ("mpeg2video", "aac", 16_000),
    "flv": ("flv1", None, 0),
    "gif": ("gif", None, 0),
    "mp3": (None, "libmp3lame", 44_100),
    "wav": (None, "pcm_s16le", 16_000),
    "flac": (None, "flac", 16_000),
    "ogg": (None, "libopus", 48_000),
    "m4a": (None, "aac", 16_000),
}
_SUBTITLES = (
    "1\n00:00:01,000 --> 00:00:04,000\nAnn: The gate is green.\n\n"
    "2\n00:00:05,500 --> 00:00:09,250\n<i>Nobody</i> has opened it yet.\n\n"
    "3\n00:00:11,000 --> 00:00:14,000\nBen: Then I will.\n"
)


def made(folder: Path, kind: str) -> list[Path]:
    """Make one small file of each format of a kind (``media`` or ``documents``)."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "media":
        return [_media(folder / f"made.{ending}") for ending in _CONTAINERS]
    return [_timeless(make(folder)) for make in _DOCUMENTS]


def found(kind: str, roots: Sequence[Path]) -> list[Path]:
    """Give the files of a kind under the roots, in order, those that are not too large."""
    files = (one for root in roots for one in root.rglob("*") if one.is_file())
    fitting = (one for one in files if one.suffix.lower() in _ENDINGS[kind])
    return sorted(one for one in fitting if one.stat().st_size <= MOST_BYTES)


def _media(path: Path) -> Path:
    codec, sound_codec, rate = _CONTAINERS[path.suffix[1:]]
    # else some formats would carry the time or a random name, and differ from run to run
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as out:
        pictures = out.add_stream(codec, rate=8) if codec else None
        sound = out.add_stream(sound_codec, rate=rate, layout="mono") if sound_codec else None
        if pictures is not None:
            pictures.width, pictures.height = _SIZE
            wanted = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(str(codec), "yuv420p")
            pictures.pix_fmt = wanted
            for number in range(24):
                shown = picture(number, number // 12, size=_SIZE, text="GATE 5")
                frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 8)
                out.mux(pictures.encode(frame))
            out.mux(pictures.encode())
        if sound is not None:
            _sound(out, sound, rate)
    return path


def _sound(out: av.container.OutputContainer, stream: av.AudioStream, rate: int) -> None:
    whole = av.AudioFrame.from_ndarray(tone(0, 3)[None, :], format="fltp", layout="mono")
    whole.sample_rate, whole.pts, whole.time_base = SOUND_RATE_HZ, 0, Fraction(1, SOUND_RATE_HZ)
    size = stream.codec_context.frame_size or 1024
    resampler = av.AudioResampler(stream.codec_context.format, "mono", rate, frame_size=size)
    for frame in [*resampler.resample(whole), *resampler.resample(None)]:
        out.mux(stream.encode(frame))
    out.mux(stream.encode())


def _timeless(path: Path) -> Path:
    """Write an archive anew, without the times at which its parts were made."""
    if path.suffix in (".docx", ".pptx", ".epub"):
        parts = read_zip(path)
        with zipfile.ZipFile(path, "w") as out:
            for name, part in parts.items():
                out.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return path


def _pdf(folder: Path) -> Path:
    ink = [
        lines("1 Harbours", f"{SENTENCE}", "Its keeper was called Ingrid Holm."),
        lines(SENTENCE),
    ]
    return write_pdf(folder / "made.pdf", [Sheet(ink=one) for one in ink])


def _docx(folder: Path) -> Path:
    return word(
        folder / "made.docx",
        lambda document: document.add_heading("Harbours", 1),
        lambda document: document.add_paragraph(SENTENCE * 4),
        table(("port", "fee"), ("Northport", "12"), ("Southport", "13")),
        lambda document: document.add_paragraph("A list", style="List Bullet"),
    )


def _pptx(folder: Path) -> Path:
    shows = [slide("Harbours", SENTENCE, "Twelve", notes="Say it slowly."), slide("Fees", "13")]
    return slides(folder / "made.pptx", *shows)


def _epub(folder: Path) -> Path:
    bodies = [f"<h1>Chapter {number}</h1><p>{SENTENCE * 3}</p>" for number in (1, 2)]
    return write_book(
        folder / "made.epub",
        {f"c{number}.xhtml": chapter(body) for number, body in enumerate(bodies, 1)},
    )


def _written(name: str, text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


_DOCUMENTS: tuple[Callable[[Path], Path], ...] = (
    _pdf,
    _docx,
    _pptx,
    _epub,
    _written(
        "made.html",
        f"<!doctype html><html><head><title>Fees</title></head><body><h1>Fees</h1><p>{SENTENCE}"
        "</p><table><tr><td>port</td><td>12</td></tr></table><!-- aside --></body></html>",
    ),
    _written(
        "made.md", f"# Harbours\n\n{SENTENCE}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n## Fees\n"
    ),
    _written("made.txt", f"HARBOURS\n\n{SENTENCE * 5}\n\nChapter 2\n\n{SENTENCE * 30}\n"),
    _written("made.srt", _SUBTITLES),
    _written("made.vtt", "WEBVTT - Gates\n\n" + _SUBTITLES.replace(",", ".")),
)
