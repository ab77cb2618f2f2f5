"""The shelf's cards: what one line per media says, and how it is written as HTML.

Pure functions of what the library reports; nothing here asks the library or knows a browser.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from memqa.stale import FINISHED, models_of
from memqa.ui import words
from memqa.ui.markup import Child, Safe, el, icon
from memqa.values import Kind, Media
from models.values import clock

if TYPE_CHECKING:
    from memqa.jobs import Job

CardState: TypeAlias = Literal[
    "waiting", "working", "paused", "ready", "partial", "failed", "cancelled"
]

_WORDS: dict[CardState, str] = {
    "waiting": "waiting for its turn",
    "working": "starting",
    "paused": "paused",
    "ready": "",
    "partial": "as far as it could be read",
    "failed": "could not be added",
    "cancelled": "stopped",
}
_ORDER: dict[CardState, int] = {"working": 0, "waiting": 1, "paused": 2}
_OF_JOB: dict[str, CardState] = {"queued": "waiting", "running": "working", "paused": "paused"}
_OF_MEDIA: dict[str, CardState] = {
    "queued": "waiting",
    "indexing": "working",
    "indexed": "ready",
    "partial": "partial",
    "failed": "failed",
    "cancelled": "cancelled",
}
_ICONS: dict[Kind | None, str] = {"video": "film", "audio": "wave", "document": "page"}


@dataclass(frozen=True, slots=True)
class Card:
    """One media, or one file on its way to becoming one.

    ``key`` stays the same while a job finds out which media its file is. ``share`` is None where a
    stage does not know its end; ``reach`` says how far a half-indexed media can be asked already.
    ``stale`` names the models in use that did not make it, ``kept`` what it takes.
    """

    key: str
    path: str
    name: str
    kind: Kind | None
    state: CardState
    media_id: str | None = None
    job_id: str | None = None
    length: str = ""
    line: str = ""
    share: float | None = None
    reach: str = ""
    ticked: bool = True
    notes: tuple[str, ...] = ()
    error: str | None = None
    can_retry: bool = True
    is_whole: bool = False
    stale: str = ""
    kept: str = ""
    is_live: bool = False

    @property
    def can_be_asked(self) -> bool:
        """Whether something of it is in memory."""
        return self.is_whole or bool(self.reach)

    @property
    def can_be_renewed(self) -> bool:
        """Whether it can be brought up to date, and nobody is at it."""
        return bool(self.stale) and self.state in ("ready", "partial")


def cards(
    media: Iterable[Media],
    jobs: Iterable[Job],
    *,
    unticked: Collection[str] = (),
    dismissed: Collection[str] = (),
    gone: Collection[str] = (),
) -> list[Card]:
    """Tell what stands on the shelf: every media once, then files that are no media yet.

    Jobs come in the order they were queued. One belongs to a media by its id or, before that is
    known, by its path; the last one counts.
    Jobs that failed or were stopped before anything was remembered stay until they are dismissed;
    those whose path is ``gone``, as a refused upload is, cannot be tried again. A media that is
    "indexing" without a job is in the hands of another process.
    """
    known = list(media)
    last = _last_jobs(known, jobs)
    last = {key: job for key, job in last.items() if not _is_told(job, dismissed)}
    shelf = [_of_media(item, last.pop(item.id, None), item.id not in unticked) for item in known]
    strays = [_of_job(job) for job in last.values() if job.state != "done"]
    shown = [card for card in strays + shelf if not _is_dismissed(card, dismissed)]
    shown = [replace(card, can_retry=card.can_retry and card.path not in gone) for card in shown]
    return sorted(shown, key=lambda card: _ORDER.get(card.state, len(_ORDER)))


def _is_dismissed(card: Card, dismissed: Collection[str]) -> bool:
    return card.state in ("failed", "cancelled") and card.key in dismissed


def _is_told(job: Job, dismissed: Collection[str]) -> bool:
    """Whether this is a media's failed job that was read and dismissed; its card stays."""
    return job.media_id is not None and job.state == "failed" and job.id in dismissed


def _last_jobs(media: Sequence[Media], jobs: Iterable[Job]) -> dict[str, Job]:
    by_path = {item.path: item.id for item in media}
    ids = {item.id for item in media}
    last: dict[str, Job] = {}
    for job in jobs:
        if job.task == "live":  # the same source may be watched time and again
            last[job.media_id if job.media_id in ids else job.id] = job
            continue
        media_id = job.media_id if job.media_id in ids else by_path.get(job.path)
        last[media_id or job.path] = job
    return last


def _of_media(media: Media, job: Job | None, ticked: bool) -> Card:
    state = _OF_MEDIA.get(media.status, "ready")
    if job is not None and job.state in _OF_JOB:
        state = _OF_JOB[job.state]
    reach = _reach(media)
    notes = media.notes
    if state == "partial" and notes:
        line, notes = notes[0], notes[1:]
    else:
        line = _line_of_media(media, state, job)
    return Card(
        key=media.id,
        media_id=media.id,
        job_id=_job_id(media, job),
        path=media.path,
        name=media.name,
        kind=media.kind,
        state=state,
        length=words.length(media),
        line=line,
        share=_share(state, job),
        reach=reach,
        ticked=ticked,
        notes=notes,
        is_whole=media.status in FINISHED,
        stale=models_of(media.stale),
        kept=words.kept(media),
        error=media.error or (job.error if job is not None and job.state == "failed" else None),
        can_retry=job is None or job.task != "live",
        is_live=_is_live(job),
    )


def _of_job(job: Job) -> Card:
    state = _OF_JOB.get(job.state, "cancelled" if job.state == "cancelled" else "failed")
    return Card(
        key=job.id,
        job_id=job.id,
        path=job.path,
        name=words.source(job),
        kind=job.kind,
        state=state,
        line=_line(state, job),
        share=_share(state, job),
        notes=tuple(job.notes),
        error=job.error,
        can_retry=job.task != "live",
        is_live=_is_live(job),
    )


def _is_live(job: Job | None) -> bool:
    return job is not None and job.task == "live" and job.state in _OF_JOB


def _line(state: CardState, job: Job | None) -> str:
    if job is not None and _is_live(job):
        return words.watching(job.progress)
    if state == "working" and job is not None and job.progress is not None:
        return words.stage(job.progress, job.eta_s)
    return _WORDS[state]


def _share(state: CardState, job: Job | None) -> float | None:
    if state not in ("working", "paused") or job is None or job.progress is None:
        return None
    return words.share(job.progress)


def _job_id(media: Media, job: Job | None) -> str | None:
    """Name the job to stop or to go on with: none that is done, or where another process works."""
    if job is None or job.state == "done" or (media.status == "indexing" and not job.is_open):
        return None
    return job.id


def _line_of_media(media: Media, state: CardState, job: Job | None) -> str:
    if state == "working" and (job is None or not job.is_open):
        return "another program is reading it"
    if state in ("cancelled", "paused") and media.status not in FINISHED:
        return f"{_WORDS[state]} at {where}" if (where := _end(media)) else _WORDS[state]
    return _line(state, job)


def _end(media: Media) -> str:
    """Say how far a media is remembered."""
    if media.remembered_s:
        return clock(media.remembered_s)
    return f"page {media.remembered_pages}" if media.remembered_pages else ""


def _reach(media: Media) -> str:
    """Say how far a media that is not remembered whole can be asked."""
    if media.status in FINISHED:
        return ""
    if media.remembered_s:
        return f"can be asked up to {clock(media.remembered_s)}"
    if media.remembered_pages:
        return f"can be asked up to page {media.remembered_pages}"
    return ""


@lru_cache(maxsize=4096)  # a shelf is looked at every second, and few of its cards change
def card_html(card: Card) -> Safe:
    """Write one card: tick, picture, name, facts, where it stands, and what can be done."""
    moving = card.state in ("working", "paused") and not card.is_live
    return el(
        "li",
        _tick(card),
        _name(card),
        el("p", card.line, class_="line") if card.line and not card.error else None,
        _bar(card) if moving else None,
        el("p", card.reach, class_="reach") if card.reach else None,
        el("p", card.error, class_="error", role="alert") if card.error else None,
        _badge(card) if card.can_be_renewed else None,
        el("div", _actions(card), class_="actions"),
        class_=f"card {card.state}{' live' if card.is_live else ''}",
        data_key=card.key,
        data_media=card.media_id,
        data_name=card.name,
    )


def _badge(card: Card) -> Safe:
    title = f"Its {card.stale} was another one, so that not all of it is found."
    return el("p", "indexed with other models", class_="badge", title=title)


def _tick(card: Card) -> Safe | None:
    if card.media_id is None or not card.can_be_asked:
        return None
    box = el(
        "input",
        type="checkbox",
        checked=card.ticked,
        data_tick=card.media_id,
        aria_label=f"Ask {card.name}",
    )
    return el("label", box, class_="tick", title="Counts for the question")


def _name(card: Card) -> Safe:
    facts = " · ".join(part for part in (words.kind(card.kind, card.name), card.length) if part)
    inside = (
        el("span", icon(_ICONS.get(card.kind, "page")), class_="poster", data_poster=card.media_id),
        el("span", _breakable(card.name), class_="name"),
        el("span", facts, class_="facts") if facts else None,
    )
    if card.media_id is None or not card.can_be_asked:
        return el("div", *inside, class_="open", title=card.path)
    return el("a", *inside, class_="open", href=f"#media={card.media_id}", title=card.path)


def _breakable(name: str) -> list[Child]:
    """Let a long name break where a person would."""
    return [[part, el("wbr")] for part in re.split(r"(?<=[_.-])", name)]


def _bar(card: Card) -> Safe:
    return el("progress", value=card.share, max=1, aria_label=f"{card.name}: {card.line}")


def _actions(card: Card) -> list[Safe]:
    if card.state == "working" and card.job_id is None:
        return []
    if card.is_live:
        return [_button("Stop", "cancel", card)]
    if card.state in ("working", "waiting"):
        return [_button("Pause", "pause", card), _button("Cancel", "cancel", card)]
    if card.state == "paused":
        return [_button("Go on", "retry", card), _button("Cancel", "cancel", card)]
    actions = []
    if card.can_be_renewed:
        actions.append(_button("Bring up to date", "renew", card))
    if card.error and card.is_whole and card.state not in ("failed", "cancelled"):
        actions.append(_button("Dismiss", "dismiss", replace(card, key=card.job_id or card.key)))
    if card.state in ("failed", "cancelled"):
        if card.can_retry:
            actions.append(
                _button("Try again" if card.state == "failed" else "Go on", "retry", card)
            )
        if not card.can_be_asked:
            actions.append(_button("Dismiss", "dismiss", card))
    if card.media_id is not None:
        actions.append(_more(card))
    return actions


def _button(label: str, verb: str, card: Card) -> Safe:
    return el(
        "button",
        label,
        type="button",
        data_do=verb,
        data_of=card.key,
        data_job=card.job_id,
        data_path=card.path,
        aria_label=f"{label}: {card.name}",
    )


def _more(card: Card) -> Safe:
    notes = (
        el("ul", [el("li", note) for note in card.notes], class_="notes") if card.notes else None
    )
    question = (
        f"Forget {card.name}? Everything remembered of it is erased. "
        "A file that was on this machine stays where it is."
    )
    forget = el(
        "button",
        "Forget it",
        type="button",
        class_="danger",
        data_do="forget",
        data_of=card.media_id,
    )
    keep = el("button", "Keep", type="button", class_="keep")
    return el(
        "details",
        el("summary", icon("more"), aria_label=f"More about {card.name}", title="More"),
        el(
            "div",
            el("p", card.path, class_="path"),
            el("p", card.kept, class_="kept") if card.kept else None,
            notes,
            el(
                "details",
                el("summary", "Forget…", class_="button"),
                el("div", el("p", question), forget, keep, class_="confirm"),
                class_="forget",
            ),
            class_="panel",
        ),
        class_="more",
    )
