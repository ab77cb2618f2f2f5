"""A question and its answer as the page shows them, from first step to tied evidence.

Pure functions of the values that ``Library.stream`` yields; nothing here asks the library. How it
was found is filled in once it is unfolded (``memqa.ui.way``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from memqa.addresses import title
from memqa.chats import EVERYTHING, Asked
from memqa.ui.excerpt import excerpt, quotes
from memqa.ui.leads import drawing, lead
from memqa.ui.markup import Safe, el, icon, join
from memqa.ui.transcript import chips_by_end, plain
from memqa.ui.way import in_words, summed_up
from memqa.ui.words import counted
from memqa.values import Answer, Evidence, Step
from models.values import TimeSpan, clock

STATES = {
    "grounded": ("grounded", "each sentence rests on a place in your media"),
    "ungrounded": ("ungrounded", "your media may not bear this out: look at the place"),
    "unanswered": ("not found", "your media do not seem to say"),
}
MODALITIES = {
    "seen": "seen",
    "said": "said",
    "read": "on screen",
    "text": "text",
    "summary": "summary",
}
MAX_CHIPS = 3  # after one sentence; the others stand in the list below the answer
MAX_PLACES = 5


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """One question with all that is known of its answer so far.

    ``scope`` says in words what was ``asked``, ``at`` when (ISO 8601, UTC). While ``running``,
    ``text`` is what the model has written; once ``answer`` is there, it alone counts. A turn that
    was kept goes by its id in the library from then on; ``was`` is the one it had before.
    """

    id: str
    question: str
    steps: tuple[Step, ...] = ()
    text: str = ""
    answer: Answer | None = None
    error: str | None = None
    running: bool = False
    stopped: bool = False
    asked: Asked = EVERYTHING
    scope: str = ""
    at: str = ""
    was: str = ""


def turn_html(turn: ShownTurn) -> Safe:
    """Write one turn."""
    body = _unfinished(turn) if turn.answer is None else _answered(turn.answer)
    is_done = not turn.running
    return el(
        "article",
        el("h2", turn.question, class_="question"),
        el("p", turn.scope, class_="scope") if turn.scope else None,
        body,
        _how(turn) if is_done else None,
        _foot(turn) if is_done else None,
        class_="turn running" if turn.running else "turn",
        data_key=turn.id,
        data_was=turn.was or None,
        data_question=turn.question,
        data_at=turn.asked.at_s,
        data_of=_one_of(turn.asked),
        aria_busy="true" if turn.running else None,
    )


def _unfinished(turn: ShownTurn) -> list[Safe | None]:
    parts: list[Safe | None] = []
    if turn.running and not turn.text:
        parts.append(el("p", _doing(turn.steps), class_="state working", role="status"))
    if turn.text:
        word = "writing" if turn.running else "stopped"
        parts.append(el("p", el("span", class_="dot"), word, class_=f"state {word}"))
        parts.append(el("div", turn.text, class_="answer"))
    elif turn.stopped:
        parts.append(el("p", el("span", class_="dot"), "stopped", class_="state stopped"))
    if turn.error:
        parts.append(el("p", turn.error, class_="error", role="alert"))
    return parts


def _doing(steps: Sequence[Step]) -> list[Safe | str]:
    done = in_words(steps[-1]) if steps else ""
    return [el("span", class_="dot"), el("span", f"looking… {done}" if done else "looking…")]


def _answered(answer: Answer) -> list[Safe | None]:
    names = short_names(answer.evidence)
    return [
        state_html(answer.state),
        el("div", answer_html(answer, names), class_="answer"),
        *(el("p", note, class_="note") for note in answer.fallbacks),
        *_places(answer, names),
    ]


def state_html(state: str) -> Safe:
    """Write the dot and the word of an answer's state, and what it means where one should know."""
    word, meaning = STATES[state]
    return el(
        "p",
        el("span", class_="dot"),
        el("span", el("b", word), f" · {meaning}" if state == "ungrounded" else None),
        class_=f"state {state}",
        title=meaning,
        data_state=state,
    )


def answer_html(answer: Answer, names: Mapping[str, str]) -> Safe:
    """Write the answer's text with the chips of each citation behind the characters it covers."""
    by_id = {item.id: item for item in answer.evidence}
    pieces: list[str] = []
    done, said = 0, quotes(answer)
    for end, ids in chips_by_end(answer):
        pieces.append(answer.text[done:end])
        cited = [by_id[one] for one in ids if one in by_id]
        # With a space before it, a line can break in front of a chip.
        pieces.extend(Safe(f" {chip(item, names, said)}") for item in cited[:MAX_CHIPS])
        done = end
    pieces.append(answer.text[done:])
    return join(pieces)


def short_names(evidence: Iterable[Evidence]) -> dict[str, str]:
    """Name each media shortly, or not at all where all evidence is of one media."""
    paths = {item.media_id: item.path for item in evidence}
    if len(paths) < 2:
        return {}
    names = {key: title(path) for key, path in paths.items()}
    stems = {key: name if "://" in name else name.rsplit(".", 1)[0] for key, name in names.items()}
    if len(set(stems.values())) < len(stems):
        stems = names
    return {key: stem if len(stem) <= 18 else f"{stem[:17]}…" for key, stem in stems.items()}


def chip(item: Evidence, names: Mapping[str, str], quoted: Sequence[str] = ()) -> Safe:
    """Write the anchor that leads to a piece of evidence: ``▶ 12:04`` or ``p. 37``."""
    name = names.get(item.media_id, "")
    return el(
        "a",
        icon(drawing(item.locator)),
        f"{name} {item.label}" if name else item.label,
        class_="chip",
        data_evidence=item.id,
        data_quote=excerpt(item, 200, quoted),
        data_thumbnail=item.thumbnail or None,
        aria_label=f"{MODALITIES[item.modality]}, {_spoken(item)}: show",
        **lead(item.media_id, item.locator, item.boxes),
    )


def _spoken(item: Evidence) -> str:
    name = title(item.path)
    where = "at" if isinstance(item.locator, TimeSpan) else "on"
    return f"{name} {where} {item.label}"


def _places(answer: Answer, names: Mapping[str, str]) -> list[Safe]:
    """List the evidence, the cited first and what else was found folded.

    Of an answer that rests on nothing, the closest places.
    """
    cited = {one for citation in answer.citations for one in citation.evidence}
    first = [item for item in answer.evidence if item.id in cited]
    others = [item for item in answer.evidence if item.id not in cited]
    if not first:
        return [_section("Closest places", others[:MAX_PLACES], names)] if others else []
    shown = [_section("Evidence", first[:MAX_PLACES], names, quotes(answer))]
    if more := [*first[MAX_PLACES:], *others][:MAX_PLACES]:
        title = f"See also {counted(len(more), 'more place', 'more places')}"
        rows = el("ul", [_place(item, names) for item in more])
        shown.append(el("details", el("summary", title), rows, class_="places more-places"))
    return shown


def _section(
    title: str, items: Sequence[Evidence], names: Mapping[str, str], quoted: Sequence[str] = ()
) -> Safe:
    rows = el("ul", [_place(item, names, quoted) for item in items])
    return el("section", el("h3", title), rows, class_="places")


def _place(item: Evidence, names: Mapping[str, str], quoted: Sequence[str] = ()) -> Safe:
    return el(
        "li",
        chip(item, names, quoted),
        el("span", MODALITIES[item.modality], class_="modality"),
        el("q", excerpt(item, 160, quoted), class_="quote"),
    )


def steps_of(turn: ShownTurn) -> Sequence[Step]:
    """Give the steps taken so far."""
    return turn.answer.walk if turn.answer is not None else turn.steps


def _how(turn: ShownTurn) -> Safe | None:
    steps = steps_of(turn)
    if not steps:
        return None
    title = [el("span", "How I found it"), el("span", summed_up(steps), class_="far")]
    return el(
        "details",
        el("summary", title),
        el("div", class_="way", aria_live="off"),
        class_="how",
        data_way=turn.id,
        data_key=f"how-{turn.id}",
    )


def _foot(turn: ShownTurn) -> Safe:
    """Write whose words it is, and what can be done with a finished turn."""
    copied = plain(turn.answer) if turn.answer is not None else turn.text
    return el(
        "footer",
        el("p", _byline(turn.answer) if turn.answer else "", class_="byline"),
        _act("Copy", "copy", text=copied) if copied else None,
        _act("Ask again", "again"),
        class_="turn-foot",
    )


def _act(label: str, does: str, text: str | None = None) -> Safe:
    return el("button", label, type="button", data_act=does, data_text=text)


def _byline(answer: Answer) -> str:
    total = answer.timings_s.get("total")
    parts = [answer.told_by, f"{total:.1f}\u00a0s" if total else ""]
    return " · ".join(part for part in parts if part)


def _one_of(asked: Asked) -> str | None:
    """Give the media whose moment was asked about."""
    is_one = asked.at_s is not None and asked.media is not None and len(asked.media) == 1
    return asked.media[0] if is_one and asked.media else None


def when(at_s: float | None) -> str:
    """Word the moment that a question is asked at."""
    return f"at {clock(at_s)}" if at_s is not None else ""
