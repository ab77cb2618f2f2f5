"""A question and its answer as the page shows them, from first step to tied evidence.

Pure functions of the values that ``Library.stream`` yields; nothing here asks the library.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from memqa.store.schema import Memory
from memqa.ui.leads import drawing, label, lead
from memqa.ui.markup import Safe, el, icon, join
from memqa.values import Answer, Citation, Evidence, Step
from models.values import TimeSpan, clock

STATES = {
    "grounded": ("grounded", "Each sentence rests on a place in your media."),
    "ungrounded": ("ungrounded", "Your media may not bear this out: look at the place."),
    "unanswered": ("not found", "Your media do not seem to say."),
}
_MODALITIES = {
    "seen": "seen",
    "said": "said",
    "read": "on screen",
    "text": "text",
    "summary": "summary",
}
MAX_CHIPS = 3  # after one sentence; the others stand in the list below the answer
MAX_PLACES = 5
MAX_OPTIONS = 6
_NO_OPTIONS: Mapping[str, Memory] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """One question with all that is known of its answer so far.

    ``scope`` says what was asked, such as ``2 of 3 media``. While ``running``, ``text`` is what the
    model has written; once ``answer`` is there, it alone counts.
    """

    id: str
    question: str
    steps: tuple[Step, ...] = ()
    text: str = ""
    answer: Answer | None = None
    error: str | None = None
    running: bool = False
    stopped: bool = False
    scope: str = ""


def turn_html(turn: ShownTurn, options: Mapping[str, Memory] = _NO_OPTIONS) -> Safe:
    """Write one turn; ``options`` holds the memories that its steps weighed, by ``option_ids``."""
    how = _how(turn, options)
    if turn.answer is None:
        body = [*_unfinished(turn), how]
    else:
        body = [*_answered(turn.answer), how, _byline(turn.answer)]
    return el(
        "article",
        el("h3", turn.question, class_="question"),
        el("p", turn.scope, class_="scope") if turn.scope else None,
        body,
        class_="turn running" if turn.running else "turn",
        data_key=turn.id,
        aria_busy="true" if turn.running else None,
    )


def _unfinished(turn: ShownTurn) -> list[Safe]:
    parts: list[Safe] = []
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
    done = ", ".join(dict.fromkeys(_step_name(step) for step in steps))
    return [el("span", class_="dot"), f"looking… {done}" if done else "looking…"]


def _answered(answer: Answer) -> list[Safe | None]:
    names = short_names(answer.evidence)
    return [
        state_html(answer.state),
        el("div", answer_html(answer, names), class_="answer"),
        *(el("p", note, class_="error") for note in answer.fallbacks),
        _places(answer, names),
    ]


def state_html(state: str) -> Safe:
    """Write the dot and the word of an answer's state, with what it means as its title."""
    word, meaning = STATES[state]
    return el(
        "p",
        el("span", class_="dot"),
        word,
        class_=f"state {state}",
        title=meaning,
        data_state=state,
    )


def answer_html(answer: Answer, names: Mapping[str, str]) -> Safe:
    """Write the answer's text with the chips of each citation behind the characters it covers."""
    by_id = {item.id: item for item in answer.evidence}
    pieces: list[str] = []
    done = 0
    for end, ids in _chips_by_end(answer.citations, len(answer.text)):
        pieces.append(answer.text[done:end])
        cited = [by_id[one] for one in ids if one in by_id]
        # With a space before it, a line can break in front of a chip.
        pieces.extend(Safe(f" {chip(item, names)}") for item in cited[:MAX_CHIPS])
        done = end
    pieces.append(answer.text[done:])
    return join(pieces)


def _chips_by_end(citations: Iterable[Citation], limit: int) -> list[tuple[int, list[str]]]:
    by_end: dict[int, list[str]] = {}
    for citation in sorted(citations, key=lambda one: one.char_end):
        ids = by_end.setdefault(min(citation.char_end, limit), [])
        ids.extend(one for one in citation.evidence if one not in ids)
    return list(by_end.items())


def short_names(evidence: Iterable[Evidence]) -> dict[str, str]:
    """Name each media shortly, or not at all where all evidence is of one media."""
    paths = {item.media_id: item.path for item in evidence}
    if len(paths) < 2:
        return {}
    stems = {
        key: path.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
        for key, path in paths.items()
    }
    return {key: stem if len(stem) <= 18 else f"{stem[:17]}…" for key, stem in stems.items()}


def chip(item: Evidence, names: Mapping[str, str]) -> Safe:
    """Write the anchor that leads to a piece of evidence: ``▶ 12:04`` or ``p. 37``."""
    name = names.get(item.media_id, "")
    return el(
        "a",
        icon(drawing(item.locator)),
        f"{name} {item.label}" if name else item.label,
        class_="chip",
        data_evidence=item.id,
        data_quote=_quote(item, 200),
        data_thumbnail=item.thumbnail or None,
        aria_label=f"{_MODALITIES[item.modality]}, {_spoken(item)}: show",
        **lead(item.media_id, item.locator, item.boxes),
    )


def _spoken(item: Evidence) -> str:
    name = item.path.replace("\\", "/").rsplit("/", 1)[-1]
    where = "at" if isinstance(item.locator, TimeSpan) else "on"
    return f"{name} {where} {item.label}"


def _quote(item: Evidence, limit: int) -> str:
    """Shorten what was found, keeping the lines in which an event tells what was seen and said."""
    text = "\n".join(" ".join(line.split()) for line in item.text.splitlines() if line.strip())
    if item.kind == "document":
        text = text.replace("\n", " ")
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"


def _places(answer: Answer, names: Mapping[str, str]) -> Safe | None:
    """List the evidence in full, the cited first; of an unanswered question, the nearest places."""
    cited = {one for citation in answer.citations for one in citation.evidence}
    first = [item for item in answer.evidence if item.id in cited]
    shown = (first or list(answer.evidence))[:MAX_PLACES]
    if not shown:
        return None
    title = "Evidence" if first else "Closest places"
    rows = [
        el(
            "li",
            chip(item, names),
            el("span", _MODALITIES[item.modality], class_="modality"),
            el("q", _quote(item, 160), class_="quote"),
        )
        for item in shown
    ]
    return el("section", el("h4", title), el("ul", rows), class_="places")


def option_ids(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """Tell which memory ids the scores of some steps may stand for.

    A step names memories by their ids, or, on the way down a tree, nodes and leaves by their local
    names; those belong to the media that was named last. A leaf of a video's tree is an event.
    """
    media, found = "", dict[str, tuple[str, ...]]()
    for key in (key for step in steps for key in step.scores):
        start, dot, _ = key.partition(".")
        if dot:
            media, found[key] = media or start, (key,)
        elif media:
            found[key] = (f"{media}.{key}", f"{media}.e{key[1:]}")
    return found


def _how(turn: ShownTurn, options: Mapping[str, Memory]) -> Safe | None:
    steps = turn.answer.walk if turn.answer is not None else turn.steps
    if not steps:
        return None
    return el(
        "details",
        el("summary", f"How I found it ({len(steps)})"),
        el("ol", [_step(step, options) for step in steps]),
        class_="how",
        data_key=f"how-{turn.id}",
    )


def _step(step: Step, options: Mapping[str, Memory]) -> Safe:
    best = sorted(step.scores.items(), key=lambda pair: -pair[1])[:MAX_OPTIONS]
    top = max((value for _, value in best), default=0.0)
    bars = [
        el(
            "li",
            _option(key, options.get(key)),
            el(
                "meter",
                value=round(max(value, 0.0), 4),
                min=0,
                max=round(top, 4) or 1,
                aria_label="score",
            ),
            el("span", f"{value:.2f}", class_="score"),
        )
        for key, value in best
    ]
    return el(
        "li",
        el("p", el("b", _step_name(step))),
        el("p", step.detail, class_="detail") if step.detail else None,
        el("ul", bars, class_="scores") if bars else None,
    )


def _step_name(step: Step) -> str:
    return "walk" if step.name.startswith("walk ") else step.name


def _option(key: str, memory: Memory | None) -> Safe:
    if memory is None:
        return el("span", key, class_="option")
    gist = " ".join(memory.text.split())[:80]
    attributes = lead(memory.media_id, memory.locator, memory.boxes)
    return el("a", f"{label(memory.locator)} {gist}", class_="option", **attributes)


def _byline(answer: Answer) -> Safe | None:
    total = answer.timings_s.get("total")
    parts = [answer.told_by, f"{total:.1f}\u00a0s" if total else ""]
    line = " · ".join(part for part in parts if part)
    return el("p", line, class_="byline") if line else None


def when(at_s: float | None) -> str:
    """Word the moment that a question is asked at."""
    return f"at {clock(at_s)}" if at_s is not None else ""
