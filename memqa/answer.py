"""The answering loop: understand, find, tell, tie. Knows no page, no command line and no files.

The program decides what is true and quotes it; the language model phrases it; the model's words
stand only where every sentence of them is borne out by the evidence (tier C of the document
memory, document-memory design §6). A weak finding is no answer: the state is then "unanswered",
with the closest places as evidence.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from docmem.extracts import excerpt
from memqa import chronicle
from memqa.across import Across
from memqa.capabilities import tier_of
from memqa.choose import by_likeness, by_probability
from memqa.cite import (
    Source,
    citations,
    makes_citations,
    misquotes,
    names,
    numbers,
    proper_names,
    rambles,
    supports,
)
from memqa.compose import compose
from memqa.cues import asks_name, asks_number
from memqa.findings import Finding, finding
from memqa.followup import in_full
from memqa.fuse import Found
from memqa.look import look
from memqa.prompts import answer_messages
from memqa.question import Question, Turn, leans, understand
from memqa.retrieve import Finder
from memqa.scope import EVERYTHING, Scope
from memqa.stale import search_notes
from memqa.trust import state_of
from memqa.values import Answer, AnswerMode, Citation, Step, Token
from memqa.walks import Way, down_the_tree
from models.errors import ChatModelUnavailable, InputError, SetupError
from models.ports import OptionScorer
from models.values import clock

if TYPE_CHECKING:
    from docmem.steps import Tier
    from memqa.library import Library

_MOST_TOKENS = 64
_TIME_WORD = re.compile(
    r"\b(?:yesterday|today|tomorrow|tonight|ago|now|monday|tuesday|wednesday|thursday|friday|saturday|"
    r"sunday|january|february|march|april|may|june|july|august|september|october|november|december|"
    r"last|next|this|days?|weeks?|months?|years?|morning|evening|spring|summer|autumn|winter)\b",
    re.I,
)
_PAGE = re.compile(r"^[Pp]p?\. [\d–]+: ", re.M)
_REMEMBERED_TURNS = 6
_NO_MEDIA = "There is nothing to ask yet: add a video or a document first."
_UNANSWERED = "Nothing in your media supports an answer."


@dataclass(slots=True)
class _Course:
    """What piles up while an answer is made."""

    started: float = field(default_factory=time.perf_counter)
    steps: list[Step] = field(default_factory=list)
    timings_s: dict[str, float] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    tier: Tier = "C"

    def mark(self, name: str) -> float:
        """Note how long the question has been under way when a stage ends."""
        elapsed = time.perf_counter() - self.started
        self.timings_s[name] = elapsed
        return elapsed

    def step(self, name: str, detail: str, scores: Mapping[str, float] | None = None) -> Step:
        """Note a step that ends now."""
        return self.add(Step(name, detail, scores or {}, self.mark(name)))

    def add(self, step: Step) -> Step:
        """Note a step taken elsewhere."""
        self.steps.append(step)
        return step

    def taken(self, steps: Generator[Step, None, Way]) -> Generator[Step, None, Way]:
        """Note the steps of a walk as they are taken, and give what it came to."""
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                way: Way = end.value
                return way
            yield self.add(replace(step, elapsed_s=self.mark("walked")))

    def end(self, answer: Answer) -> Answer:
        """Give the answer with everything noted on the way."""
        self.mark("total")
        return replace(
            answer,
            walk=tuple(self.steps),
            tier=self.tier,
            models=self.models,
            timings_s=self.timings_s,
        )


def stream(
    library: Library,
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
    course = _Course()
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
        yield course.step("not all is searched", note)
    course.models |= {"image": finder.image.signature, "text": finder.text.signature}
    each = Across.of(asked, media) if resume is None else None
    if each is not None:
        asked, media = each.asked, list(each.media)
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
        state = "grounded" if _tells_the_kind(asked, told.text) else "ungrounded"
    answer = None if spread else (yield from look(library, course, asked, found))
    if answer is not None and answer.state != "unanswered":
        told = replace(told, text=answer.text)
    if answer is None and _may_compose(library, course, asked) and spread is None:
        answer = yield from _composed(library, course, asked, found)
    if answer is None and state == "grounded":
        written = yield from _phrase(library, course, asked, told)
        answer = _tie(asked, told, written)
        is_own = bool(written) and answer.text == written
        yield course.step("told", _told_by(course, is_own=is_own))
    elif answer is None:
        answer = _unsure(told) if state == "ungrounded" else _silent(told)
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
    library: Library, course: _Course, question: str, chat: str | None
) -> Generator[Step, None, str]:
    """Have a model that can be trusted write a follow-up in full; else leave it to rules."""
    turns = library.turns(chat) if chat else []
    if not turns or not leans(question) or tier_of(library)[0] not in ("A", "B"):
        return question
    try:
        text = in_full(library.engines.language_model(), turns, question)
    except ChatModelUnavailable as exc:
        yield course.step("follow-up read without the model", str(exc))
        return question
    if text is None:
        return question
    yield course.step("follow-up in full", text)
    return text


def _may_compose(library: Library, course: _Course, asked: Question) -> bool:
    """Tell whether the model is to answer itself: of what is told, and if it can read notes."""
    return course.tier in "AB" and asked.wants == "what" and library.may_answer()[0]


def _composed(
    library: Library, course: _Course, asked: Question, found: Sequence[Found]
) -> Generator[Token | Step, None, Answer | None]:
    """Have the language model answer from several places; None where it fails or goes astray."""
    engines = library.engines
    try:
        model = engines.language_model()
        course.models["language"] = model.name
        pieces = compose(model, engines.text_encoder(), asked, found)
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                answer: Answer | None = end.value
                break
            if "first_word" not in course.timings_s:
                course.mark("first_word")
            yield piece
    except (ChatModelUnavailable, SetupError) as exc:
        course.tier = "D"
        yield course.step("no language model", f"{exc} The finding is quoted as it stands.")
        return None
    course.mark("written")
    yield course.step("told", _told_by(course, is_own=answer is not None))
    return answer


def _told_by(course: _Course, *, is_own: bool) -> str:
    """Say whose words an answer is in."""
    model = course.models.get("language", "")
    if is_own:
        return f"in the words of {model}"
    return f"quoted; the words of {model} are not borne out" if model else "quoted"


def _phrase(
    library: Library, course: _Course, asked: Question, told: Finding
) -> Generator[Token | Step, None, str]:
    """Have the language model phrase a finding; without one, or if it fails, say so and go on."""
    pieces: list[str] = []
    if course.tier == "D":
        return ""
    try:
        model = library.engines.language_model()
        course.models["language"] = model.name
        messages = answer_messages(asked.text, [note.text for note in told.notes])
        for piece in model.stream(messages, max_tokens=_MOST_TOKENS) if told.notes else ():
            if not pieces:
                course.mark("first_word")
            pieces.append(piece)
            yield Token(piece)
    except (ChatModelUnavailable, SetupError) as exc:
        course.tier = "D"
        yield course.step("no language model", f"{exc} The finding is quoted as it stands.")
    course.mark("written")
    return "".join(pieces).strip().removeprefix("- ")


def _tie(asked: Question, told: Finding, written: str) -> Answer:
    """Keep the model's words where all of them are borne out, else take the finding's own."""
    # Only what the model was shown can bear its words out.
    sources = [*told.notes, *(Source(one.evidence_id, told.text) for one in told.notes[:1])]
    found = supports(written, asked.text, sources)
    sound = (
        written and "\n" not in written and not rambles(written) and not misquotes(written, sources)
    )
    sound = sound and not makes_citations(written)
    sound = sound and names(written, told.key)
    sound = sound and _of_the_kind_asked(asked, written, sources)
    if sound and all(item.borne_out for item in found):
        cited = [_whole(citation, told) for citation in citations(found)]
        return Answer(written, "grounded", told.evidence, tuple(cited))
    return replace(_unsure(told), state="grounded")


def _unsure(told: Finding) -> Answer:
    """Give a finding as it stands; what it names is cited, whether or not that answers."""
    whole = Citation(0, len(told.text), told.rests_on)
    return Answer(told.text, "ungrounded", told.evidence, told.cited or (whole,))


def _silent(told: Finding) -> Answer:
    return Answer(_UNANSWERED, "unanswered", told.evidence)


def _of_the_kind_asked(asked: Question, written: str, sources: Sequence[Source]) -> bool:
    """Tell whether an answer holds a number where one is asked for, and a name where one is known.

    Without this a model may answer "who was the keeper" with a true sentence about something else.
    """
    if asks_number(asked.text) and not numbers(written):
        return False
    known = {name for source in sources for name in proper_names(source.text)} - set(asked.words)
    return not (asks_name(asked.text) and known) or any(name in written.lower() for name in known)


def _tells_the_kind(asked: Question, text: str) -> bool:
    """Tell whether what a page says holds the kind of thing that was asked for at all."""
    said = _PAGE.sub("", text)
    if asks_number(asked.text) and not numbers(said) - numbers(asked.text):
        return False
    if asked.wants == "when" and not (numbers(said) or _TIME_WORD.search(said)):
        return False
    return not asks_name(asked.text) or bool(proper_names(f"… {said}") - set(asked.words))


def _whole(citation: Citation, told: Finding) -> Citation:
    """Let a sentence that rests on the finding's best place rest on all that the finding names."""
    best = citation.evidence == told.rests_on[:1]
    return replace(citation, evidence=told.rests_on) if best else citation


def _choose(
    library: Library, course: _Course, asked: Question, told: Finding, options: Sequence[str]
) -> Generator[Step, None, int]:
    """Choose the 0-based option that the evidence speaks for; the first on ties.

    A model that may judge does so by its probabilities, else the likeness to the finding decides.
    """
    text = library.engines.text_encoder()
    values = by_likeness(text, options, told.text)
    model = library.engines.language_model() if course.tier in "AB" else None
    if isinstance(model, OptionScorer):
        spans = [(item.text, excerpt(asked.text, item.text)) for item in told.evidence]
        notes = [text[start:end] for text, (start, end) in spans]
        try:
            values = by_probability(model, asked.text, options, notes)
        except ChatModelUnavailable as exc:
            yield course.step("options go without the model", str(exc))
    named = {option: float(value) for option, value in zip(options, values, strict=True)}
    best = int(np.argmax(values))
    yield course.step("options", f"nearest: {options[best]}", named)
    return best


def _last_turn(library: Library, chat: str | None) -> Turn | None:
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
