"""The words by which a question shows what it is about: its thing, its sense, the kind of answer.

English cues; a question in another language keeps its words and goes through retrieval with them.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Sense: TypeAlias = Literal["seen", "said", "read", "any"]

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
_SAY_NOTHING = _ASKING | _MEDIUM | _SMALL

_PICTURE_OF = re.compile(
    r"\b(?:photo(?:graph)?|picture|image|shot|clip|scene|footage)s?\s+(?:of|with|showing)\s+", re.I
)
_COLON = r"(?<!\d):(?!\d)"  # of a sentence; "12:30" is a time
_SCENE_COLON = re.compile(
    rf"\b(?:scene|picture|photo|image|moment)\b[^:]{{0,30}}{_COLON}\s*(.+)$", re.I | re.S
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
_NUMBER_ASKED = re.compile(
    r"\bhow (?:many|much|old|long|far|high|large|big)\b|"
    r"\b(?:what|which)\b(?:\s+\w+){0,3}?\s+(?:year|percentage|percent|share|number|amount|date|price)\b",
    re.I,
)
_MANY = re.compile(
    r"\b(?:list|all|every|each|both|compare|comparison|differ\w*|which of|"
    r"summar(?:y|i[sz]e)|overview|discussions?|debates?|main (?:points|topics|themes|ideas)|"
    r"(?:what|which)(?: \w+)? \w{2,}[^s\W]s (?:is|are|was|were|do|does|did|has|have))\b",
    re.I,
)
_ACCOUNT = re.compile(
    r"\bwhy\b|\bhow\b(?! (?:many|much|long|old|far|often|high|large|big|tall|fast)\b)|"
    r"\b(?:describe|explain|discuss(?:ed|ion)?|opinions?|think|thoughts?|reasons?)\b",
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
# In lower case: signs forbid in capitals.
_NEGATED = re.compile(
    r"\b(?:not|never)\s+(?:being\s+)?(?:shown|seen|visible|heard|said|there|on)\b"
    r"|\b(?:is|are|was|were|does|do|did)n['’]t\b"
)
_WHETHER = re.compile(r"^\W*(?:is|are|was|were|do|does|did|can|could|has|have|had)\b", re.I)
# What hardly any speech tells of what is shown: looks, clothes, postures, places in the picture.
_TO_LOOK = re.compile(
    r"\b(?:colou?r(?:s|ed)?|wear(?:s|ing)?|dressed|hold(?:s|ing)|carry(?:ing)?|carries|"
    r"look(?:s|ing)? like|appearance|facial|expression|gestur\w+|hair\w*|beard\w*|shape|"
    r"standing|sitting|lying|smil\w+|facing|background|foreground|"
    r"(?:on|to|at) the (?:left|right)|(?:top|bottom|upper|lower) (?:left|right|half|corner)|"
    r"(?:is|are) (?:\w+ ){1,6}doing|"
    r"in (?:the|this) (?:picture|image|photo|frame|shot)|made of)\b"
    r"|\bhow many\b(?! times)[^?]*\b(?:visible|seen|see|shown|in view|on (?:the )?screen)\b"
    r"|\bhow many (?:\w+ ){1,3}(?:is|are) (?:there|here)\b",
    re.I,
)
_NAME_WORDS = 5
_WORD = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")


def asks_number(text: str) -> bool:
    """Tell whether only a number can answer ("how many", "in which year")."""
    return bool(_NUMBER_ASKED.search(text))


def asks_many(text: str) -> bool:
    """Tell whether one place may not be all of the answer: lists, comparisons, counts."""
    return bool(_MANY.search(text))


def asks_account(text: str) -> bool:
    """Tell whether more than a fact is asked for: why, how, what somebody thinks of it."""
    return bool(_ACCOUNT.search(text))


def asks_lively(text: str) -> bool | None:
    """Tell whether something that moves is looked for, or something still; None: either."""
    named = re.split(_COLON, text, maxsplit=1)[0]  # what follows a colon describes what it shows
    if _LIVELY.search(named):
        return True
    return False if _STILL.search(named) else None


def asks_to_look(text: str) -> bool:
    """Tell whether only a look at the picture answers ("what colour", "who is on the left")."""
    return bool(_TO_LOOK.search(text))


def is_negated(text: str) -> bool:
    """Tell whether it is asked when something is not there."""
    return bool(_NEGATED.search(text))


def asks_whether(text: str) -> bool:
    """Tell whether yes or no would answer ("is there a bus")."""
    return bool(_WHETHER.search(text))


def asks_name(text: str) -> bool:
    """Tell whether a name answers best ("who was", "what was the ship called")."""
    return bool(_NAME_ASKED.search(text))


def content_words(text: str) -> tuple[str, ...]:
    """Give the words that say what a text is about, lower case, in order, each once."""
    words = (word.lower() for word in _WORD.findall(text))
    return tuple(dict.fromkeys(w for w in words if w not in _SAY_NOTHING))


def sense_of(text: str) -> Sense:
    """Say where what is asked for was perceived, as far as the words tell."""
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
    skip = _SAY_NOTHING
    # After "photo of" the thing is named at once: "can opener" starts with no asking word.
    lead = _SMALL if picture_of else skip
    while words and words[0].group().lower() in lead:
        del words[0]
    while words and words[-1].group().lower() in skip:
        del words[-1]
    return text[words[0].start() : words[-1].end()] if words else ""


def describes(text: str) -> bool:
    """Tell whether a scene is described behind a colon; times in there are none of the video."""
    return bool(_SCENE_COLON.search(text))


def is_description(focus: str) -> bool:
    """Tell whether what is looked for is described in a sentence and not named."""
    return len(focus.split()) > _NAME_WORDS


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
            if word.lower() in _SAY_NOTHING or (words and _DONE.fullmatch(word)):
                break
            words.append(word)
        name = " ".join(words[:4]) or name
    return name or focus_of(text)
