"""The library and its values in plain text, as a person reads them in a console."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from pathlib import Path

from memqa.cli import words as cli
from memqa.homes import is_remote
from memqa.jobs import Job
from memqa.library import Stats
from memqa.ui.words import counted, pages, stage
from memqa.values import Answer, Collection, Evidence, Media
from models.values import clock

_RESTS = {
    "grounded": "grounded: rests on",
    "ungrounded": "ungrounded: your media may not bear this out, look for yourself",
    "unanswered": "not found in your media",
}


@singledispatch
def plain(value: object) -> str:
    """Write a value as a few lines of text."""
    raise TypeError(f"no text is written for {type(value).__name__}")


@plain.register
def _media(media: Media) -> str:
    known = [media.kind, cli.length(media), cli.state(media)]
    line = ", ".join(part for part in known if part)
    first = f"{cli.printable(media.name)}: {line} (id {media.id[: cli.SHORT_ID]})"
    told = [media.error] if media.error else media.notes
    return "\n".join([first, *(f"  note: {cli.printable(note)}" for note in told)])


@plain.register
def _evidence(item: Evidence) -> str:
    return cli.evidence_line(item, item.text[:200]).strip()


@plain.register
def _answer(answer: Answer) -> str:
    cited = {name for citation in answer.citations for name in citation.evidence}
    rests_on = [item for item in answer.evidence if item.id in cited]
    others = [item for item in answer.evidence if item.id not in cited]
    lines = [cli.plain(answer.text), _RESTS[answer.state]]
    lines += [cli.evidence_line(item, answer.text) for item in rests_on]
    if others:
        lines.append("closest places" if answer.state == "unanswered" else "see also")
        lines += [cli.evidence_line(item, answer.text) for item in others]
    return "\n".join(lines)


@plain.register
def _job(job: Job) -> str:
    name = cli.printable(Path(job.path).name)
    if job.error:
        return f"{name}: {job.state}, {cli.printable(job.error)}"
    if job.progress is None:
        return f"{name}: {job.state}"
    return f"{name}: {job.state}, {typed(stage(job.progress, job.eta_s))}"


@plain.register
def _collection(collection: Collection) -> str:
    held = f"{cli.printable(collection.name)}: {len(collection.media_ids)} media"
    return f"{held}, {collection.missing} more are gone" if collection.missing else held


@plain.register
def _stats(stats: Stats) -> str:
    taken = cli.size(stats.tables_bytes + stats.uploads_bytes)
    held = _totals(stats.videos, stats.duration_s, stats.documents, stats.pages)
    place = f"in {stats.home}" if is_remote(stats.home) else f"on disk in {stats.home}"
    kept = f"{stats.memories} memories; {taken} {place}"
    return f"{stats.media} media, {held}; {kept}"


def library_text(where: str, media: Sequence[Media]) -> str:
    """Say in one line what a library holds, and what to do next."""
    if not media:
        return f'Library {where}: nothing in it yet; add a file with lib.add("talk.mp4")'
    return f"Library {where}: {totals(media)}; ask with lib.ask(…)"


def totals(media: Sequence[Media]) -> str:
    """Count media: ``3 media, 2 videos 1:02:11, 1 document 212 pages``."""
    timed = [one for one in media if one.kind != "document"]
    documents = [one for one in media if one.kind == "document"]
    return f"{len(media)} media, " + _totals(
        len(timed),
        sum(one.duration_s or 0.0 for one in timed),
        len(documents),
        sum(one.pages or 0 for one in documents),
    )


def _totals(timed: int, duration_s: float, documents: int, page_count: int) -> str:
    parts = []
    if timed:
        parts.append(f"{counted(timed, 'video', 'videos')} {clock(duration_s)}")
    if documents:
        parts.append(f"{counted(documents, 'document', 'documents')} {pages(page_count)}")
    return typed(", ".join(parts)) or "none"


def typed(text: str) -> str:
    """Write spaces as a person types them, so that printed text can be searched."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")
