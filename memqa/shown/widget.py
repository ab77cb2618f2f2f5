"""What the notebook's widget shows, as HTML: the media, a question with its answer, a page.

Pure functions; ``memqa.notebook`` asks the library and carries the result to the browser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from memqa.ui import words
from memqa.ui.cards import Card
from memqa.ui.excerpt import excerpt
from memqa.ui.markup import Child, Safe, el, icon
from memqa.ui.turns import MODALITIES, ShownTurn, answer_html, chip, short_names, state_html
from memqa.values import Answer, Evidence
from models.values import TimeSpan, clock

MOST_PLACES = 5
QUOTE_CHARS = 240


def item_html(card: Card, poster: str | None) -> Safe:
    """Write one media: whether it is asked, its picture, name and length, how far it has come."""
    facts = (words.kind(card.kind, card.name), card.length, card.reach)
    name = [
        _tick(card),
        el("img", src=poster, alt="", class_="poster") if poster else _blank(card),
        el("span", card.name, class_="name", title=card.path),
    ]
    moving = card.state in ("working", "paused")
    label = f"{card.name}: {card.line}"
    return el(
        "li",
        el("label", name) if card.can_be_asked else el("div", name),
        el("p", " · ".join(part for part in facts if part), class_="facts"),
        el("p", card.line, class_="facts") if card.line and not card.error else None,
        el("progress", value=card.share, max=1, aria_label=label) if moving else None,
        el("p", card.error, class_="problem") if card.error else None,
        class_=f"item {card.state}",
        data_key=card.key,
    )


def _tick(card: Card) -> Safe | None:
    if card.media_id is None or not card.can_be_asked:
        return None
    return el(
        "input",
        type="checkbox",
        checked=card.ticked,
        data_tick=card.media_id,
        title="Counts for the question",
        aria_label=f"Ask {card.name}",
    )


def _blank(card: Card) -> Safe:
    drawing = {"video": "film", "audio": "wave"}.get(card.kind or "", "page")
    return el("span", icon(drawing), class_="poster")


def turn_html(turn: ShownTurn, thumb: Callable[[Evidence], str | None]) -> Safe:
    """Write a question and what is known of its answer; ``thumb`` gives evidence its picture."""
    body = _unfinished(turn) if turn.answer is None else _answered(turn.answer, thumb)
    return el(
        "article",
        el("h3", turn.question),
        el("p", turn.scope, class_="facts") if turn.scope else None,
        body,
        class_="turn",
        data_key=turn.id,
        aria_busy="true" if turn.running else None,
    )


def _unfinished(turn: ShownTurn) -> list[Child]:
    if turn.error:
        return [el("p", turn.error, class_="problem")]
    word = "stopped" if turn.stopped else "writing" if turn.text else "looking…"
    kind = "state stopped" if turn.stopped else "state working"
    state = el("p", el("span", class_="dot"), word, class_=kind)
    return [state, el("div", turn.text, class_="answer") if turn.text else None]


def _answered(answer: Answer, thumb: Callable[[Evidence], str | None]) -> list[Child]:
    names = short_names(answer.evidence)
    cited = {one for citation in answer.citations for one in citation.evidence}
    first = [item for item in answer.evidence if item.id in cited]
    places = [_place(item, names, thumb(item)) for item in (first or answer.evidence)[:MOST_PLACES]]
    return [
        state_html(answer.state),
        el("div", answer_html(answer, names), class_="answer"),
        [el("p", note, class_="problem") for note in answer.fallbacks],
        el("div", class_="viewer", hidden=True),
        el("p", "Evidence" if first else "Closest places", class_="facts") if places else None,
        el("ul", places, class_="places") if places else None,
        el("p", answer.told_by, class_="facts") if answer.told_by else None,
    ]


def _place(item: Evidence, names: Mapping[str, str], picture: str | None) -> Safe:
    return el(
        "li",
        el("img", src=picture, alt="", class_="thumb") if picture else None,
        el(
            "div",
            el("p", chip(item, names), " ", MODALITIES[item.modality]),
            el("q", excerpt(item, QUOTE_CHARS)),
        ),
    )


def spoken(turn: ShownTurn) -> str:
    """Say how a question ended, for whoever listens to the page."""
    if turn.answer is None:
        return turn.error or "stopped"
    return f"{turn.answer.state}: {turn.answer.text}"


def caption(name: str, span: TimeSpan) -> str:
    """Name what a clip shows: ``talk.mp4 · 0:15–0:26``."""
    return f"{name} · {clock(span.start_s)}–{clock(span.end_s)}"


def scope(shelf: Sequence[Card]) -> tuple[list[str] | None, str]:
    """Give the ids that a question is asked of, None for all, and how that is worded."""
    able = [card for card in shelf if card.can_be_asked and card.media_id]
    ticked = [card.media_id for card in able if card.ticked and card.media_id]
    if not ticked or len(ticked) == len(able):
        return None, ""
    return ticked, f"asks {len(ticked)} of {len(able)} media"
