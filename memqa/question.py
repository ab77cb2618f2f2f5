"""What a question asks for: the thing, the sense, the time and the relation; by rule, no model.

Read from the words alone: nothing here looks at a library. English cues; a question in another
language keeps its words and simply goes through retrieval without them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from memqa.values import AnswerMode

Sense: TypeAlias = Literal["seen", "said", "read", "any"]
Wants: TypeAlias = Literal["what", "when", "count", "order", "after", "before", "now", "summary"]

# Words that ask or that name the medium; what is left of a question is what it is about.
_ASKING = frozenset(
    "when where what which who whom whose why how does do did is are was were be been being has "
    "have had can could will would shall should may might must there here please tell me us show "
    "list give find name say says said many much often long every all each time times moment "
    "moments point and or then also exactly directly just right immediately according speaker "
    "narrator "
    "i you we they it that this these those he she him her his hers them my your our one someone "
    "anyone somebody anybody".split()
)
_MEDIUM = frozenset(
    "photo photos photograph picture pictures image images scene scenes shot shots clip clips "
    "video film footage frame frames screen recording document page pages appear appears appeared "
    "appearing shown shows showing seen see sees visible displayed display happens happen happened "
    "occur occurs occurred comes come came displays begin begins start starts end ends".split()
)
_SMALL = frozenset("a an the of in on at over to for from by with about as into its their".split())

_PICTURE_OF = re.compile(
    r"\b(?:photo(?:graph)?|picture|image|shot|clip|scene|footage)s?\s+(?:of|with|showing)\s+", re.I
)
_SCENE_COLON = re.compile(
    r"\b(?:scene|picture|photo|image|moment)\b[^:]{0,30}:\s*(.+)$", re.I | re.S
)
_SEEN = re.compile(
    r"\b(photo|picture|image|scene|shot|appears?|appeared|shown|seen|visible|see|"
    r"look(?:s|ing)? like|colou?r|wear(?:s|ing)?|on (?:the )?screen|in view)\b",
    re.I,
)
_SAID = re.compile(
    r"\b(say|says|said|saying|speaks?|speaker|spoken|spoke|mention(?:s|ed)?|talk(?:s|ed|ing)?|"
    r"tell(?:s)?|told|voice|narrator|hear|heard|according to (?:the )?(?:speaker|narrator|voice)|"
    r"announce[sd]?|explain(?:s|ed)?|quote[sd]?)\b",
    re.I,
)
_READ = re.compile(
    r"\b(sign|caption|subtitle|title|headline|lettering|plate|label|poster|banner|slide|written|"
    r"reads?|text)\b",
    re.I,
)
_WHEN = re.compile(
    r"^\W*(?:when\b|what time|at (?:what|which) (?:time|point|moment|minute)|"
    r"(?:list|give|name) (?:every|all|each)[^.?]*\btimes?\b|"
    r"show me (?:when|where)|find (?:when|where|the (?:moment|scene)))",
    re.I,
)
_COUNT = re.compile(r"^\W*how (?:many times|often)\b", re.I)
_ORDER = re.compile(
    r"\bwhich\b.*\b(?:first|earlier|before|later|last)\b[^:?]*[:,]?\s+(?:the\s+)?(.+?)\s+or\s+(.+?)\s*\?*$",
    re.I | re.S,
)
_RELATION = re.compile(
    r"\b(after|following|before|preceding|previous to|prior to)\b\s*(.*)$", re.I | re.S
)
_SUMMARY = re.compile(
    r"\b(summar(?:y|ise|ize)|overview|gist|main (?:points?|topics?|themes?|ideas?)|plot|"
    r"(?:is|are|was) (?:it|they|(?:this|the)(?: \w+)?) about)\b",
    re.I,
)
_FOLLOW_UP = re.compile(
    r"^\W*(?:and|what about|how about|also|but|then|or|so)\b|"
    r"\b(?:it|its|there|then|he|she|him|her|they|them|those|these)\b|"
    r"\b(?:this|that)\W*$",
    re.I,
)
_NUMBER_ASKED = re.compile(
    r"\bhow (?:many|much|old|long|far|high|large|big)\b|"
    r"\b(?:what|which)\b(?:\s+\w+){0,3}?\s+(?:year|percentage|percent|share|number|amount|date|price)\b",
    re.I,
)
_STILL = re.compile(
    r"\b(?:photo(?:graph)?|picture|image|poster|drawing|painting|slide|map|screenshot)s?\b", re.I
)
_LIVELY = re.compile(r"\b(?:scene|clip|footage|action)s?\b", re.I)
_THING = re.compile(r"\b(?:the|an?|this|that|his|her|its|their)\s+(.+)", re.I | re.S)
# A participle ends the name of a thing: "the vase | bought for 20 euros".
_DONE = re.compile(
    r".{3,}ed|bought|brought|built|caught|cost|costs|drawn|driven|eaten|found|given|held|kept|known|"
    r"lost|made|met|named|paid|sold|sung|taken|told|won|worn",
    re.I,
)
_NAME_ASKED = re.compile(
    r"\b(?:who|whom|whose|(?:which|what) (?:city|town|country|place|street|person|man|woman))\b|"
    r"\bwhat\b.*\b(?:called|named|name of)\b|\bwhat is \S+ name\b",
    re.I,
)
_NOW = re.compile(
    r"\b(?:(?:right |just |as of )?now|currently|at (?:the|this) (?:very )?moment)\b", re.I
)
_GOING_ON = re.compile(r"\b(?:being|going on|happening|doing|talking)\b", re.I)
_CLOCK = r"(?:(\d{1,2}):)?(\d{1,3}):(\d{2})"
_AT_CLOCK = re.compile(rf"\b(?:at|around|about|near)\s+{_CLOCK}\b", re.I)
_AT_UNIT = re.compile(
    r"\b(?:at|around|near)\s+(?:(minute|second)\s+(\d+(?:\.\d+)?)|"
    r"(\d+(?:\.\d+)?)\s*(s|sec|secs|seconds?|min|mins|minutes?))\b",
    re.I,
)
_WORD = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart.

    ``wants`` is the form of the answer, ``sense`` where it was perceived, as far as the words tell.
    ``focus`` is what to look for, ``other`` the second thing of an order question. ``at_s`` is the
    moment a breakpoint question hangs on, infinite for the end: the "now" of a live source.
    ``anchor_id`` is set when a follow-up means the evidence of the answer before ("and after
    that?").
    """

    text: str
    focus: str
    wants: Wants = "what"
    sense: Sense = "any"
    other: str = ""
    at_s: float | None = None
    later: bool = False
    anchor_id: str | None = None

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
    if at_s is None and mode != "global":
        at_s = moment_named(text)
        if at_s is None and _asks_of_now(text):
            at_s = math.inf
    question = _classify(text, None if mode == "global" else at_s)
    return _lean_on(question, before) if before else question


def asks_number(text: str) -> bool:
    """Tell whether only a number can answer ("how many", "in which year")."""
    return bool(_NUMBER_ASKED.search(text))


def asks_lively(text: str) -> bool | None:
    """Tell whether something that moves is looked for, or something still; None: either."""
    named = re.split(r":", text, maxsplit=1)[0]  # what follows a colon describes what it shows
    if _LIVELY.search(named):
        return True
    return False if _STILL.search(named) else None


def asks_name(text: str) -> bool:
    """Tell whether a name answers best ("who was", "what was the ship called")."""
    return bool(_NAME_ASKED.search(text))


def _asks_of_now(text: str) -> bool:
    """Tell whether a question is about now and about nothing else."""
    return bool(_NOW.search(text)) and not content_words(_GOING_ON.sub("", _NOW.sub("", text)))


def content_words(text: str) -> tuple[str, ...]:
    """Give the words that say what a text is about, lower case, in order, each once."""
    words = (word.lower() for word in _WORD.findall(text))
    return tuple(dict.fromkeys(w for w in words if w not in _ASKING | _MEDIUM | _SMALL))


def moment_named(text: str) -> float | None:
    """Give the second that a question names ("at 12:30", "at minute 4"), or None."""
    if match := _AT_CLOCK.search(text):
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return hours * 3600.0 + minutes * 60 + seconds
    if match := _AT_UNIT.search(text):
        unit, amount = (match[1], match[2]) if match[1] else (match[4], match[3])
        return float(amount) * (60 if unit.lower().startswith("min") else 1)
    return None


def _classify(text: str, at_s: float | None) -> Question:
    plain = Question(text=text, focus=focus_of(text), sense=_sense(text), at_s=at_s)
    if _SUMMARY.search(text):
        return replace(plain, wants="summary")
    if at_s is not None:
        return _at_moment(plain)
    if match := _ORDER.search(text):
        later = bool(re.search(r"\b(later|last)\b", text, re.I))
        return replace(
            plain, wants="order", focus=focus_of(match[1]), other=focus_of(match[2]), later=later
        )
    if _COUNT.search(text):
        return replace(plain, wants="count")
    if (match := _RELATION.search(text)) and re.match(
        r"\W*(?:and|what|who|which|then)\b", text, re.I
    ):
        after = match[1].lower() in ("after", "following")
        return replace(plain, wants="after" if after else "before", focus=focus_of(match[2]))
    if _WHEN.search(text):
        return replace(plain, wants="when")
    return plain


def _at_moment(question: Question) -> Question:
    if re.search(r"\bbefore\b", question.text, re.I):
        return replace(question, wants="before")
    if re.search(r"\b(?:after|next)\b", question.text, re.I):
        return replace(question, wants="after")
    return question if question.sense in ("said", "read") else replace(question, wants="now")


def _sense(text: str) -> Sense:
    if _READ.search(text) and not re.search(r"\b(speaker|narrator|voice)\b", text, re.I):
        return "read"
    if _SAID.search(text):
        return "said"
    if _SEEN.search(text):
        return "seen"
    return "any"


def focus_of(text: str) -> str:
    """Cut a question down to its thing: "When does the photo of a cat appear?" gives "cat"."""
    if match := _SCENE_COLON.search(text):
        return match[1].strip(" .?!\"'")
    picture_of = _PICTURE_OF.search(text)
    if picture_of:
        text = text[picture_of.end() :]
    words = list(_WORD.finditer(text))
    skip = _ASKING | _MEDIUM | _SMALL
    # After "photo of" the thing is named at once: "can opener" starts with no asking word.
    lead = _SMALL if picture_of else skip
    while words and words[0].group().lower() in lead:
        del words[0]
    while words and words[-1].group().lower() in skip:
        del words[-1]
    return text[words[0].start() : words[-1].end()] if words else ""


def thing_of(text: str) -> str:
    """Give the last thing that a question names: "What did the red vase cost?" gives "red vase".

    What is told of a thing is often told while it is shown. Without one, the focus.
    """
    text = re.split(r"\baccording to\b", text, maxsplit=1, flags=re.I)[0]
    name, rest = "", text
    while match := _THING.search(rest):
        rest = match[1]
        words: list[str] = []
        for word in _WORD.findall(rest.split(",")[0]):
            if word.lower() in _SMALL | _ASKING | _MEDIUM or (words and _DONE.fullmatch(word)):
                break
            words.append(word)
        name = " ".join(words[:4]) or name
    return name or focus_of(text)


def _lean_on(question: Question, before: Turn) -> Question:
    """Complete a follow-up: a relation keeps the anchor before it, a pronoun the focus."""
    if question.wants == "summary":
        return question
    if question.wants in ("after", "before") and not question.focus and question.at_s is None:
        return replace(question, focus=before.focus, anchor_id=before.anchor_id)
    if not _FOLLOW_UP.search(question.text) or not before.focus:
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
