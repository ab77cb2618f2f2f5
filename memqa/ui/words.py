"""How the page words lengths, shares, times left and sizes."""

from __future__ import annotations

from memqa.addresses import title
from memqa.jobs import Job
from memqa.values import Kind, Media
from models.values import Progress, clock

_KINDS: dict[Kind | None, str] = {"video": "Video", "audio": "Recording", "document": "Document"}
_FORMATS = {
    "pdf": "PDF",
    "docx": "Word",
    "docm": "Word",
    "pptx": "PowerPoint",
    "pptm": "PowerPoint",
    "ppsx": "PowerPoint",
    "epub": "EPUB",
    "srt": "Subtitles",
    "vtt": "Subtitles",
    "md": "Markdown",
    "html": "HTML",
    "htm": "HTML",
    "txt": "Text",
}


def kind(of: Kind | None, name: str) -> str:
    """Say what a media is, a document by its format; empty where it is not known yet."""
    suffix = name.rpartition(".")[2].lower() if of == "document" else ""
    return _FORMATS.get(suffix) or _KINDS.get(of, "")


def length(media: Media) -> str:
    """Say how long a media is: ``1:02:11``, ``212 pages``; empty where it is not known."""
    if media.kind == "document":
        return pages(media.pages) if media.pages is not None else ""
    return clock(media.duration_s) if media.duration_s is not None else ""


def pages(count: int) -> str:
    """Say a number of pages."""
    return "1 page" if count == 1 else f"{count:,} pages".replace(",", "\u202f")


def share(progress: Progress) -> float | None:
    """Give how much of a stage is done, in [0, 1], or None where its end is not known."""
    if not progress.total or progress.total <= 0:
        return None
    return min(1.0, max(0.0, progress.done / progress.total))


def stage(progress: Progress, eta_s: float | None) -> str:
    """Say where indexing stands: ``Listening 41 %, 2 min left``."""
    done = share(progress)
    said = progress.stage if done is None else f"{progress.stage} {round(done * 100)}\u00a0%"
    return f"{said}, {left(eta_s)}" if eta_s is not None else said


def watching(progress: Progress | None) -> str:
    """Say where a live source stands: ``watching, 0:42``."""
    if progress is None:
        return "starting"
    said = progress.stage[:1].lower() + progress.stage[1:]
    first, comma, losses = said.partition(",")
    return f"{first}, {clock(progress.done)}{comma}{losses}" if progress.unit == "s" else said


def source(job: Job) -> str:
    """Name what a job works on: a stream by its address, a recording as the camera."""
    name = title(job.path)
    return "Camera" if job.task == "live" and name.startswith("camera-") else name


def left(seconds: float) -> str:
    """Say how much time is left, no finer than it can be known."""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 90:
        return f"{round(seconds / 10) * 10:.0f}\u00a0s left"
    if seconds < 5400:
        return f"{round(seconds / 60):.0f}\u00a0min left"
    return f"{seconds / 3600:.1f}\u00a0h left"


def size(count: int) -> str:
    """Say a number of bytes in the unit a person would use."""
    value = float(count)
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            digits = 1 if unit == "MB" and value < 10 else 0
            return f"{value:.{digits}f}\u00a0{unit}"
        value /= 1000
    return f"{value:.1f}\u00a0GB"


def kept(media: Media) -> str:
    """Say what a media takes in memory: ``remembers 1.2 MB in 340 memories``."""
    if not media.memories:
        return ""
    return f"remembers {size(media.bytes)} in {counted(media.memories, 'memory', 'memories')}"


def counted(count: int, one: str, many: str) -> str:
    """Say how many there are of something."""
    return f"{count}\u00a0{one if count == 1 else many}"
