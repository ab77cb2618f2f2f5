"""The library and its values as small HTML for a notebook's cell, whatever its colours.

Self-contained: styles stand in the elements, colours are the cell's own, and nothing is fetched.
A place is only named here; what plays is the widget (``memqa.notebook``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import singledispatch

from memqa.addresses import title
from memqa.jobs import Job
from memqa.library import Stats
from memqa.shown.plain import library_text, plain, totals
from memqa.shown.widget import QUOTE_CHARS
from memqa.ui import pictures, words
from memqa.ui.cards import cards
from memqa.ui.excerpt import excerpt
from memqa.ui.markup import Child, Safe, el
from memqa.ui.turns import STATES
from memqa.values import Answer, Collection, Evidence, Media
from models.values import TimeSpan, clock

MOST_PLACES = 8
MOST_MEDIA = 20
_BOX = "font-size:13px;line-height:1.5;max-width:760px;padding:4px 6px"
_SOFT = "opacity:0.75"
_CHIP = (
    "white-space:nowrap;border:1px solid currentColor;border-radius:9px;"
    "padding:0 6px;font-size:12px"
)
_LIST = "margin:4px 0 0;padding:0;list-style:none"
_ROW = "margin:3px 0"
_ROUND = "display:inline-block;width:8px;height:8px;border-radius:50%;margin-right:6px"
_DOTS = {
    "grounded": f"{_ROUND};background:currentColor",
    "ungrounded": f"{_ROUND};background:linear-gradient(90deg,currentColor 50%,transparent 50%);"
    "box-shadow:inset 0 0 0 1px currentColor",
    "unanswered": f"{_ROUND};box-shadow:inset 0 0 0 1px currentColor",
}


@singledispatch
def html(value: object) -> Safe:
    """Write a value as HTML."""
    return el("pre", plain(value), style="margin:0;white-space:pre-wrap;font-family:inherit")


@html.register
def _media(media: Media) -> Safe:
    picture = pictures.poster(media)
    return el(
        "div",
        el("img", src=picture, alt="", style="width:80px;border-radius:3px") if picture else None,
        el("div", _media_words(media)),
        style=f"{_BOX};display:flex;gap:12px;align-items:center",
    )


def _media_words(media: Media) -> list[Child]:
    """Name a media and say how it stands, as its card in the page does."""
    card = cards([media], ())[0]
    known = (words.kind(media.kind, media.name), card.length, card.line or card.state, card.reach)
    facts = " · ".join(part for part in known if part)
    told = [media.error] if media.error else list(card.notes)
    return [
        el("b", card.name),
        f" {facts}",
        *(el("div", note, style=_SOFT) for note in told),
    ]


@html.register
def _evidence(item: Evidence) -> Safe:
    return el("div", _place(item), style=_BOX)


def _place(item: Evidence) -> list[Child]:
    name = title(item.path)
    words_there = el("div", excerpt(item, QUOTE_CHARS), style="white-space:pre-line")
    return [_chip(item), f" {name} ", el("span", item.modality, style=_SOFT), words_there]


def _chip(item: Evidence) -> Safe:
    span = item.locator
    if isinstance(span, TimeSpan):
        return el("span", f"▶\u00a0{clock(span.start_s)}–{clock(span.end_s)}", style=_CHIP)
    return el("span", item.label.replace(" ", "\u00a0"), style=_CHIP)


@html.register
def _answer(answer: Answer) -> Safe:
    cited = {one for citation in answer.citations for one in citation.evidence}
    first = [item for item in answer.evidence if item.id in cited]
    shown = (first or list(answer.evidence))[:MOST_PLACES]
    word, meaning = STATES[answer.state]
    state = el("div", el("span", style=_DOTS[answer.state]), el("b", word), f" {meaning}")
    title = "Rests on" if first else "Closest places"
    return el(
        "div",
        state,
        el(
            "div",
            _cited(answer),
            style="margin:6px 0;font-size:15px;white-space:pre-wrap;overflow-wrap:anywhere",
        ),
        el("div", title, style=_SOFT) if shown else None,
        _list(_place(item) for item in shown),
        style=_BOX,
    )


def _cited(answer: Answer) -> list[Child]:
    """Cut the answer so that the places of each sentence stand behind it."""
    by_id = {item.id: item for item in answer.evidence}
    pieces: list[Child] = []
    done = 0
    for citation in sorted(answer.citations, key=lambda one: one.char_end):
        end = max(done, min(citation.char_end, len(answer.text)))
        pieces.append(answer.text[done:end])
        pieces += [[" ", _chip(by_id[one])] for one in citation.evidence[:3] if one in by_id]
        done = end
    return [*pieces, answer.text[done:]]


def _list(rows: Iterable[list[Child]]) -> Safe | None:
    written = [el("li", row, style=_ROW) for row in rows]
    return el("ul", written, style=_LIST) if written else None


@html.register
def _stats(stats: Stats) -> Safe:
    return el("div", plain(stats), style=_BOX)


@html.register
def _job(job: Job) -> Safe:
    done = words.share(job.progress) if job.progress is not None else None
    bar = el("progress", value=done, max=1, aria_label=plain(job), style="width:240px")
    return el("div", plain(job), el("br"), bar if job.state == "running" else None, style=_BOX)


@html.register
def _collection(collection: Collection) -> Safe:
    return el("div", plain(collection), style=_BOX)


def library_html(where: str, media: Sequence[Media], *, hint: bool = False) -> Safe:
    """Write what a library holds; with ``hint`` also what a notebook lacks for more."""
    more = len(media) - MOST_MEDIA
    return el(
        "div",
        el(
            "div",
            library_text(where, media) if not media else [el("b", totals(media)), f" {where}"],
        ),
        _list(_media_words(one) for one in media[:MOST_MEDIA]),
        el("div", f"and {more} more: lib.media()", style=_SOFT) if more > 0 else None,
        el("div", _HINT, style=_SOFT) if hint else None,
        style=_BOX,
    )


_HINT = 'Ask with lib.ask("…"). To ask and watch right here: pip install "memqa[notebook]"'
