"""The answering loop: understand, find, tell, tie. Knows no page, no command line and no files.

The program decides what is true. A weak finding is no answer: the state is then "unanswered", with
the closest places as evidence.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from docmem.extracts import excerpt
from memqa import chronicle
from memqa.across import Across
from memqa.capabilities import tier_of
from memqa.choose import by_likeness, by_model
from memqa.course import Course
from memqa.findings import Finding, finding
from memqa.followup import in_full
from memqa.fuse import Found
from memqa.question import Question, Turn, leans, understand
from memqa.retrieve import Finder
from memqa.scope import EVERYTHING, Scope, named_in_full
from memqa.stale import search_notes
from memqa.telling import tell, tells_the_kind
from memqa.trust import state_of
from memqa.values import Answer, AnswerMode, Step, Token
from memqa.walks import down_the_tree
from models.errors import ChatModelUnavailable, InputError
from models.ports import Chooser, OptionScorer
from models.values import clock

if TYPE_CHECKING:
    from memqa.asking import Asking

_REMEMBERED_TURNS = 6
_NO_MEDIA = "There is nothing to ask yet: add a video or a document first."


def stream(
    library: Asking,
    question: str,
    *,
    scope: Scope = EVERYTHING,
    at_s: float | None = None,
    mode: AnswerMode = "auto",
    options: Sequence[str] | None = None,
    chat: str | None = None,
    resume: str | None = None,
) -> Iterator[Step | Token | Answer]:
    """Answer a question: steps as they are taken, then tokens as written, then the Answer.

    The Answer's text is what counts: where the model's words are not borne out by the evidence,
    it is the program's own finding instead of what was streamed.

    Raises:
        InputError: ``mode`` is "moment" and neither ``at_s`` nor the words name one, there is no
            node ``resume``, or an option is empty or given twice.
        SetupError: the tier set by hand does not go with the model.
    """
    course = Course()
    wanted = scope.media_ids
    media = [item for item in library.media() if wanted is None or item.id in wanted]
    question = yield from _in_full(library, course, question, chat)
    asked = understand(question, at_s=at_s, mode=mode, before=_last_turn(library, chat))
    if mode == "moment" and asked.at_s is None:
        raise InputError("a question about a moment needs its time; give it with --at or at_s")
    _check(options or ())
    yield course.step("understood", _understood(asked))
    for note in scope.notes:
        yield course.step("two things of one name", note)
    if not media:
        yield course.end(Answer(_NO_MEDIA, "unanswered"))
        return
    engines = library.engines
    finder = Finder(library.store.read, engines.image_encoder(), engines.text_encoder())
    # Now that the encoders are loaded, all that is stale is known.
    media = [item for item in library.media() if wanted is None or item.id in wanted]
    for note in search_notes(media):
        yield course.lapse("not all is searched", note)
    course.models |= {"image": finder.image.signature, "text": finder.text.signature}
    each = Across.of(asked, media) if resume is None else None
    if each is not None:
        asked, media = each.asked, list(each.media)
    elif resume is None and (meant := named_in_full(asked.text, media)):
        media = meant
        yield course.step("asked of", ", ".join(item.name for item in meant))
    spread = each.look(finder) if each is not None and asked.wants == "what" else None
    found = spread.found if spread else chronicle.locate(asked, finder, media)
    yield course.step(
        "found", _summed_up(found), {item.memory.id: item.score for item in found[:8]}
    )
    steps = down_the_tree(
        library,
        finder,
        asked,
        found,
        media=media,
        options=options or (),
        collection=scope.collection,
        resume=resume,
        each=spread.many if spread else 0,
    )
    way = yield from course.taken(steps)
    found, course.tier = way.found, way.tier
    told = spread.told(found) if spread else finding(asked, found)
    state = spread.state if spread else state_of(asked, found)
    state = state if told.text else "unanswered"
    if state == "grounded" and found[0].memory.level == "passage":
        state = "grounded" if tells_the_kind(asked, told.text) else "ungrounded"
    answer = yield from tell(
        library, course, asked, found, told, state, is_of_several=spread is not None
    )
    if answer.state != "unanswered":
        told = replace(told, text=answer.text)
    # An option is the nearest one, whatever the state: choosing is asked for, the state warns.
    option = None
    if options and told.text:
        option = yield from _choose(library, course, asked, told, options)
    yield course.end(replace(answer, option=option))


def _check(options: Sequence[str]) -> None:
    """Refuse options among which there is no choosing."""
    if not all(option.strip() for option in options):
        raise InputError("one of the options is empty; give each of them some words")
    if len(set(options)) < len(options):
        raise InputError("two of the options are the same; give each of them once")


def _in_full(
    library: Asking, course: Course, question: str, chat: str | None
) -> Generator[Step, None, str]:
    """Have a model that can be trusted write a follow-up in full; else leave it to rules."""
    turns = library.turns(chat) if chat else []
    if not turns or not leans(question) or tier_of(library)[0] not in ("A", "B"):
        return question
    try:
        text = in_full(library.engines.language_model(), turns, question)
    except ChatModelUnavailable as exc:
        yield course.lapse("follow-up read without the model", str(exc))
        return question
    if text is None:
        return question
    yield course.step("follow-up in full", text)
    return text


def _choose(
    library: Asking, course: Course, asked: Question, told: Finding, options: Sequence[str]
) -> Generator[Step, None, int]:
    """Choose the 0-based option that the evidence speaks for; the first on ties.

    A model that may judge does so, else the likeness to the finding decides.
    """
    text = library.engines.text_encoder()
    values = by_likeness(text, options, told.text)
    model = library.engines.language_model() if course.tier in "AB" else None
    if isinstance(model, OptionScorer | Chooser):
        spans = [(item.text, excerpt(asked.text, item.text)) for item in told.evidence]
        notes = [text[start:end] for text, (start, end) in spans]
        try:
            values = by_model(model, asked.text, options, notes)
        except ChatModelUnavailable as exc:
            yield course.lapse("options go without the model", str(exc))
    named = {option: float(value) for option, value in zip(options, values, strict=True)}
    best = int(np.argmax(values))
    yield course.step("options", f"nearest: {options[best]}", named)
    return best


def _last_turn(library: Asking, chat: str | None) -> Turn | None:
    """Give what a follow-up may lean on: the last turn, itself completed from those before it."""
    before: Turn | None = None
    for turn in library.turns(chat)[-_REMEMBERED_TURNS:] if chat else ():
        question = understand(turn.question, before=before)
        cited = turn.answer.evidence if turn.answer.state != "unanswered" else ()
        before = Turn(question.text, question.focus, cited[0].id if cited else None)
    return before


def _understood(asked: Question) -> str:
    parts = [f"asks for: {asked.wants}"]
    if asked.focus:
        parts.append(f"looks for: {' and '.join(asked.things)}")
    if asked.at_s is not None:
        parts.append("at the end" if math.isinf(asked.at_s) else f"at {clock(asked.at_s)}")
    return "; ".join(parts)


def _summed_up(found: Sequence[Found]) -> str:
    if not found:
        return "nothing"
    best = found[0].evidence()
    return f"{len(found)} places, best {best.label} in {found[0].media.name}"
