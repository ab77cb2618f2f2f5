"""What a question asks for: the form of its answer, its relation to time; by rule, no model.

`memqa.cues` knows the words for things and senses, `memqa.times` those for times. Read from the
words alone: nothing here looks at a library.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from memqa.cues import Sense, content_words, describes, focus_of, sense_of
from memqa.times import Stretch, as_of, moment_named, stretch_named, without_moment, without_now
from memqa.values import AnswerMode

Wants: TypeAlias = Literal[
    "what",
    "when",
    "count",
    "order",
    "after",
    "before",
    "between",
    "now",
    "how_long",
    "gap",
    "summary",
]
Pick: TypeAlias = Literal["all", "first", "last"]

_WHEN = re.compile(
    r"^\W*(?:when\b|what time|at (?:what|which) (?:time|point|moment|minute)|"
    r"(?:list|give|name) (?:every|all|each)[^.?]*\btimes?\b|"
    r"show me (?:when|where)|find (?:when|where|the (?:moment|scene)))",
    re.I,
)
_COUNT = re.compile(r"^\W*how (?:many times|often)\b", re.I)
_ORDER = re.compile(
    r"\bwhich\b.*?\b(?:first|earlier|before|later|last)\b(?:[^:,?]*[:,]\s*|\s+)"
    r"(.+?)\s+or\s+(.+?)\s*\?*$",
    re.I | re.S,
)
_IN_ORDER = re.compile(
    r"\b(?:in (?:what|which) order|what is the order)\b[^:?]*?(?:\bdo(?:es)?\b|\bare\b|\bof\b|:)\s*"
    r"(?P<things>.+?)\s*(?:appear|come|occur|shown|seen|happen)?\w*\s*\?*$",
    re.I | re.S,
)
_BETWEEN = re.compile(
    r"^\W*(?:and\s+)?(?:what|who|which)\b.*?\bbetween\s+(?P<one>.+?)\s+and\s+(?P<two>.+?)\W*$",
    re.I | re.S,
)
_GAP = re.compile(
    r"\bhow (?:long|much time|many (?:seconds|minutes|hours))\b.*?"
    r"(?:\b(?:between|from)\s+(?P<one>.+?)\s+(?:and|to|until|till)\s+(?P<two>.+?)"
    r"|\b(?P<side>after|before)\s+(?P<anchor>.+?)\s+(?:is|are|was|were|do|does|did|until)\s+(?P<thing>.+?)"
    r")\W*$",
    re.I | re.S,
)
_HOW_LONG = re.compile(
    r"^\W*(?:for\s+)?(?:how long|how much time|how many (?:seconds|minutes|hours))\b", re.I
)
_PICK = re.compile(
    r"\b(?:(first|last)(?: time| moment)?|for the (first|last) time)\b(?!\s+(?:name|half))", re.I
)
_EDGE = re.compile(
    r"^\W*(?:what|who)\b.*\b(?:first|last|at the (?:very )?(?:start|beginning|end)|"
    r"(?:starts?|begins?|ends?) with)\b",
    re.I,
)
_RELATION = re.compile(
    r"\b(after|following|before|preceding|previous to|prior to)\b\s*(.*)$", re.I | re.S
)
_SUMMARY = re.compile(
    r"\b(summar(?:y|ise|ize)|overview|gist|main (?:points?|topics?|themes?|ideas?)|plot|"
    r"(?:is|are|was) (?:it|they|(?:this|the)(?: \w+)?) about)\b",
    re.I,
)
# "… in the meeting" names where, and is no topic; nor is "the whole report".
_WHERE = re.compile(r"\s+(?:in|of|from|during|at|by) (?:this|the|that)(?: \w+){1,2}\W*$", re.I)
_TOPIC = re.compile(
    r"\b(?:about|on|regarding|concerning|around|towards?|discussions? of)\s+(?P<topic>.+)$",
    re.I | re.S,
)
_WHOLE = frozenset(
    "whole entire full main key meeting video film movie talk lecture conversation document report "
    "paper article story book chapter page file text recording presentation this that it".split()
)
_FOLLOW_UP = re.compile(
    r"^\W*(?:and|what about|how about|also|but|then|or|so)\b|"
    r"\b(?:it|its|there|then|he|she|him|her|they|them|those|these)\b|"
    r"\b(?:this|that)\W*$",
    re.I,
)
_QUOTED = re.compile(r"[“„\"][^“”„\"]+[”“\"]|«[^«»]+»|(?<!\w)['‘][^'‘’]+['’](?!\w)")
# "Where does it say EXIT B?": whatever says it, none that was spoken of before.
_IT_SAYS = re.compile(
    r"\b(?:(?:do|does|did)\s+it\s+(?:say|read|show|stand)|(?:is|was)\s+it\s+(?:said|written|shown))\s+"
    r"(?:that\s+)?(?:the\s+)?(?:(?:words?|text|name|number)\s+)?"
    r"(?=[“„\"«‘']|\d|(?-i:[A-ZÀ-ÖØ-ÞΑ-ΩА-Я]))"
    r"|\bwhere\s+(?:does|did)\s+it\s+(?:say|read|stand)\s+(?:that\s+)?(?=(?:the|an?|no)\s+\w)",
    re.I,
)
_LASTING = re.compile(
    r"^(?:time\s+)?|\b(?:last|lasts|long|remain|remains|stay|stays|take|takes|run|runs|in total|"
    r"altogether)\b",
    re.I,
)
_EDGE_WORDS = re.compile(
    r"\b(?:first|last|very|start|starts|beginning|begins|end|ends|thing|things|film|movie|talk|"
    r"stream|with|being)\b",
    re.I,
)
_SO_FAR = re.compile(r"\s+(?:so far|(?:up to|until|till|by) now)\b", re.I)
_GOING_ON = re.compile(r"\b(?:being|going on|happening|doing|talking)\b", re.I)


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart.

    ``wants`` is the form of the answer, ``sense`` where it was perceived, as far as the words tell.
    ``focus`` is what to look for, ``others`` the further things of a question about several.
    ``at_s`` is the moment a breakpoint question hangs on, infinite for the end: the "now" of a live
    source. ``within`` is the stretch that counts, ``pick`` which of several moments.
    ``anchor_id`` is set when a follow-up means the evidence of the answer before ("and after
    that?").
    """

    text: str
    focus: str
    wants: Wants = "what"
    sense: Sense = "any"
    others: tuple[str, ...] = ()
    at_s: float | None = None
    within: Stretch | None = None
    pick: Pick = "all"
    anchor_id: str | None = None

    @property
    def things(self) -> tuple[str, ...]:
        """All that is looked for; each is needed where there are several."""
        return self.focus, *self.others

    @property
    def words(self) -> tuple[str, ...]:
        """The content words of the question, lower case."""
        return content_words(self.text)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a chat remembers of an earlier question: its words, its focus, where it was answered."""

    question: str
    focus: str
    anchor_id: str | None = None


def understand(
    text: str,
    *,
    at_s: float | None = None,
    mode: AnswerMode = "auto",
    before: Turn | None = None,
) -> Question:
    """Take a question apart; ``before`` is the chat's last turn, which a follow-up leans on."""
    text = " ".join(text.split())
    if at_s is None and mode != "global" and not describes(text):
        at_s = moment_named(text)
        if at_s is None and _asks_of_now(text):
            at_s = math.inf
    question = _classify(text, None if mode == "global" else at_s)
    return _lean_on(question, before) if before else question


def leans(text: str) -> bool:
    """Tell whether a question may lean on the one before it: a pronoun, "and …", "what about".

    What it quotes leans on nothing, nor does the "it" of 'where does it say "EXIT B"?'.
    """
    return bool(_FOLLOW_UP.search(_QUOTED.sub(" ", _IT_SAYS.sub(" ", text))))


def _asks_of_now(text: str) -> bool:
    """Tell whether a question is about now and about nothing else."""
    rest = without_now(text)
    return rest is not None and not content_words(_GOING_ON.sub("", rest))


def _classify(text: str, at_s: float | None) -> Question:
    within, rest = (None, text) if describes(text) else stretch_named(text)
    if within and at_s is not None and math.isfinite(at_s):
        within = as_of(within, at_s)
    rest = _SO_FAR.sub(" ", rest)
    looked_for = rest if at_s is None else without_moment(rest)
    plain = Question(text=text, focus=focus_of(looked_for), sense=sense_of(text), within=within)
    if _SUMMARY.search(text) and not _topic_of(text):
        return replace(plain, wants="summary", at_s=at_s)
    computed = _computed(plain, rest)
    if computed is None and within and not plain.focus:
        return replace(plain, wants="between")
    if at_s is None:
        return computed or _beside(plain, rest) or _when(plain, rest) or _at_an_edge(plain, rest)
    if computed is None and plain.focus:
        computed = _when(plain, looked_for)
    if computed:  # what has been up to that moment counts
        return replace(computed, within=within or Stretch(0.0, at_s))
    return _at_moment(replace(plain, at_s=at_s))


def _topic_of(text: str) -> str:
    """Give the topic that a summary is asked of; empty where the whole is meant."""
    match = _TOPIC.search(_WHERE.sub("", text))
    topic = match["topic"] if match else ""
    return topic if set(content_words(topic)) - _WHOLE else ""


def _computed(plain: Question, text: str) -> Question | None:
    """Recognise what is answered by a number, or by an order of several things."""
    if things := _things_in_order(text):
        pick: Pick = "last" if re.search(r"\b(?:later|last)\b", text, re.I) else "first"
        return replace(plain, wants="order", focus=things[0], others=things[1:], pick=pick)
    if (match := _GAP.search(text)) and (gap := _gap(match)):
        if len(gap) == 1:  # the other one is the start or the end of all
            return replace(plain, wants="when", focus=gap[0])
        return replace(plain, wants="gap", focus=gap[0], others=gap[1:])
    if _HOW_LONG.search(text):
        return replace(
            plain, wants="how_long", focus=focus_of(_LASTING.sub(" ", _HOW_LONG.sub("", text)))
        )
    if _COUNT.search(text):
        return replace(plain, wants="count")
    return None


def _things_in_order(text: str) -> tuple[str, ...]:
    """Give the things whose order is asked for, none where it is not."""
    if match := _ORDER.search(text):
        return focus_of(match[1]), focus_of(match[2])
    if match := _IN_ORDER.search(text):
        parts = re.split(r",\s*(?:and\s+)?|\s+and\s+", match["things"])
        things = tuple(focus for part in parts if (focus := focus_of(part)))
        return things if len(things) > 1 else ()
    return ()


def _gap(match: re.Match[str]) -> tuple[str, ...]:
    """Give the earlier and the later of two things, the time between which is asked for."""
    if match["one"]:
        return tuple(filter(None, (focus_of(match["one"]), focus_of(match["two"]))))
    things = tuple(filter(None, (focus_of(match["anchor"]), focus_of(match["thing"]))))
    return things if match["side"].lower() == "after" else things[::-1]


def _beside(plain: Question, text: str) -> Question | None:
    """Recognise a question for what lies after, before or between things."""
    if match := _BETWEEN.search(text):
        things = focus_of(match["one"]), focus_of(match["two"])
        return replace(plain, wants="between", focus=things[0], others=things[1:])
    match = _RELATION.search(text)
    if match and re.match(r"\W*(?:and|what|who|which|then)\b", text, re.I):
        after = match[1].lower() in ("after", "following")
        return replace(plain, wants="after" if after else "before", focus=focus_of(match[2]))
    return None


def _when(plain: Question, text: str) -> Question | None:
    if not _WHEN.search(text):
        return None
    picked = _PICK.search(text)
    if not picked:
        return replace(plain, wants="when")
    pick: Pick = "last" if "last" in picked[0].lower() else "first"
    return replace(plain, wants="when", pick=pick, focus=focus_of(_PICK.sub(" ", text)))


def _at_an_edge(plain: Question, text: str) -> Question:
    """Recognise a question for what comes first or last of all."""
    match = _EDGE.search(text)
    if not match or content_words(_EDGE_WORDS.sub(" ", text)) or plain.sense in ("said", "read"):
        return plain
    is_end = re.search(r"\b(?:last|end|ends)\b", text, re.I)
    return replace(plain, wants="now", at_s=math.inf if is_end else 0.0)


def _at_moment(question: Question) -> Question:
    if re.search(r"\bbefore\b", question.text, re.I):
        return replace(question, wants="before")
    if re.search(r"\b(?:after|next)\b", question.text, re.I):
        return replace(question, wants="after")
    return question if question.sense in ("said", "read") else replace(question, wants="now")


def _lean_on(question: Question, before: Turn) -> Question:
    """Complete a follow-up: a relation keeps the anchor before it, a pronoun the focus."""
    if question.wants == "summary":
        return question
    if question.wants in ("after", "before") and not question.focus and question.at_s is None:
        return replace(question, focus=before.focus, anchor_id=before.anchor_id)
    if not leans(question.text) or not before.focus:
        return question
    if not question.focus:
        return replace(question, focus=before.focus, text=f"{question.text} {before.focus}")
    if len(content_words(question.text)) <= 4 and re.match(
        r"^\W*(?:what|how) about\b", question.text, re.I
    ):
        return _swap_focus(question, before)
    return replace(question, text=f"{question.text} ({before.focus})")


def _swap_focus(question: Question, before: Turn) -> Question:
    """Ask the question before again about another thing ("what about the bus?")."""
    if before.focus in before.question:
        return _classify(before.question.replace(before.focus, question.focus), question.at_s)
    return question
