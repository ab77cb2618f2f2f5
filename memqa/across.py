"""Questions that are put to each of several media: which of them, what each says, how they compare.

Read by rule from the words. Each media is then searched by itself, so that the words it lacks count
against it, and the best place of each that knows the matter is quoted with the file's name. A
question for one fact is none of these: its best place answers it, wherever that lies.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import PurePath

from memqa.cite import stem, stems
from memqa.cues import content_words, focus_of
from memqa.findings import MOST_EVIDENCE, Finding, joined, parts_of
from memqa.fuse import Found
from memqa.question import Question
from memqa.quotes import best_sentences
from memqa.retrieve import Finder
from memqa.trust import state_of
from memqa.values import AnswerState, Citation, Kind, Media
from models.values import TimeSpan

_LOOKED_AT = 12  # media that are searched one by one
_PLACES = 6  # of each
_MENTIONS = 30  # of each, among which those with the words come first
_QUOTED_WORDS = 45
_ONE = (
    r"(?:document|file|report|paper|book|video|recording|film|movie|clip|talk|lecture|meeting|"
    r"interview|article|transcript|presentation|filing|podcast)"
)
_SEVERAL = rf"(?:{_ONE}s|stories|media)"
_VERB = (
    r"(?:mention|discuss|talk|sa[yi]|contain|cover|describ|refer|show|includ|deal|tell|told|explain|"
    r"name|speak|spoke)\w*"
)
_LIST = re.compile(
    rf"^\W*(?:(?:in|of)\s+)?"
    rf"(?:(?:which|how many)\s+(?:of\s+\w+\s+)?(?:\w+\s+)??(?:{_SEVERAL}|{_ONE})|"
    rf"(?:what|list|name)\s+(?:all\s+)?(?:the\s+)?(?:\w+\s+)??{_SEVERAL})\s+(?:that\s+|which\s+)?"
    rf"(?:{_VERB}|is|are|has|have|do|does)\s+(?:(?:about|of|to|with|on)\s+)?(?P<matter>.+)",
    re.I | re.S,
)
_EACH = re.compile(
    rf"\b(?:each|every|all|both|across|two|three|four|five)\s+(?:of\s+)?(?:the(?:se)?\s+|those\s+|my\s+)?"
    rf"(?:\w+\s+)??(?:{_SEVERAL}|{_ONE})\b|"
    rf"^\W*(?:what|how)\s+(?:do|did|are|have)\s+(?:the|these|those|my|our)\s+(?:\w+\s+)??{_SEVERAL}\b",
    re.I,
)
_COMPARE = re.compile(
    r"^\W*(?:please\s+)?(?:compare|contrast)\b|\bdifferences?\s+between\b|"
    r"^\W*(?:how|where|in what)\b.*\b(?:differ|compare)\b",
    re.I,
)
_BOTH_SAY = re.compile(
    rf"^\W*(?:what|how)\s+(?:do|does|did|are|is|were|was)\s+(?P<names>[^?]+?\s+and\s+[^?]+?)\s+"
    rf"(?:both\s+)?{_VERB}",
    re.I,
)
_FRAME = re.compile(
    rf"^\W*(?:please\s+)?(?:compare|contrast)\b|\bdifferences?\s+between\b|\b(?:differ|compare)\b|"
    rf"^\W*(?:what|how|where)\s+(?:do|does|did|is|are|have)\b|\b(?:say|said|tell|talk|write)\b|"
    rf"\b(?:each|every|all|both|across|two|three|four|five|in|of|the|these|those|my|our)\s+"
    rf"(?:of\s+|the\s+|these\s+)?(?:{_SEVERAL}|{_ONE})\b|\b{_SEVERAL}\b",
    re.I,
)
_EDGES = re.compile(
    r"^(?:\W|\b(?:and|about|on|of|in|by|to|for|with|between|as|from)\b)+|[\s,?.!]+$", re.I
)
_KINDS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"\b(?:video|film|movie|clip)s?\b", re.I), "video"),
    (re.compile(r"\b(?:document|report|paper|book|article|filing)s?\b", re.I), "document"),
)
_WORD = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_SENSES = ("said", "read", "caption", "seen")


@dataclass(frozen=True, slots=True)
class Across:
    """A question as it is put to each of several media; ``is_list``: which of them is asked."""

    asked: Question
    media: Sequence[Media]
    is_list: bool = False

    @classmethod
    def of(cls, asked: Question, media: Sequence[Media]) -> Across | None:
        """Take a question apart; None where it is not put to each of several media."""
        if len(media) < 2 or asked.wants != "what" or asked.at_s is not None:
            return None
        if found := _LIST.search(asked.text):
            matter = _EDGES.sub("", found["matter"])
            return cls(_about(asked, matter), _of_kind(found[0], media), is_list=True)
        names = _named(asked.text, media)
        named = [item for item in media if item.id in names]
        compared = _COMPARE.search(asked.text) and len(media) <= MOST_EVIDENCE
        if len(named) < 2 and not compared and not _EACH.search(asked.text):
            return None
        matter = asked.text
        for name in names.values() if len(named) > 1 else ():
            matter = name.sub(" ", matter)
        matter = _EDGES.sub("", " ".join(_FRAME.sub(" ", matter).split()))
        return cls(_about(asked, matter), named if len(named) > 1 else _of_kind(asked.text, media))

    def look(self, finder: Finder) -> Spread:
        """Search each media by itself, at most a dozen: those that fit best."""
        order = {
            item.media.id: item.media for item in finder.find(self.asked, self.media, limit=10_000)
        }
        looked = list(order.values())[:_LOOKED_AT]
        found = {item.id: self._places(finder, item) for item in looked}
        states = {media_id: state_of(self.asked, one) for media_id, one in found.items()}
        return Spread(self, found, states, has_more=len(order) > len(looked))

    def _places(self, finder: Finder, media: Media) -> list[Found]:
        """Give a media's best places, first those with the words asked for as they follow there.

        Where it is asked which media mention a thing, each of its words counts as well.
        """
        found = finder.find(self.asked, [media], limit=_MENTIONS)
        words = stems(self.asked.text)

        def shared(item: Found) -> int:
            own = _in_order(item.memory.text)
            pairs = set(pairwise(own))
            known = set(own) if self.is_list else set()
            return sum(pair in pairs for pair in pairwise(words)) + sum(
                one in known for one in words
            )

        return sorted(found, key=lambda item: -shared(item))[:_PLACES]


@dataclass(frozen=True, slots=True)
class Spread:
    """What each media holds on a question, best place first, and how far it answers."""

    across: Across
    by_media: Mapping[str, Sequence[Found]]
    states: Mapping[str, AnswerState]
    has_more: bool

    @property
    def state(self) -> AnswerState:
        """The best state of any of them."""
        found: list[AnswerState] = ["grounded", "ungrounded"]
        return next((one for one in found if one in self.states.values()), "unanswered")

    @property
    def found(self) -> list[Found]:
        """The places in all of them: first the best one of each that answers, then the others."""
        first = [self.by_media[one][0] for one in self._telling()]
        known = {item.memory.id for item in first}
        rest = [item for one in self.by_media.values() for item in one]
        rest = sorted((item for item in rest if item.memory.id not in known), key=_rank)
        return [*sorted(first, key=_rank), *rest]

    @property
    def many(self) -> int:
        """How many media are told of."""
        return min(len(self._telling()), MOST_EVIDENCE)

    def told(self, found: Sequence[Found]) -> Finding:
        """Quote the first place of each media that answers, each with its file's name.

        Each line rests on its own place. Of media that are named, silence is told too.
        """
        telling = self._telling()
        best: dict[str, Found] = {}
        for item in found:
            best.setdefault(item.media.id, item)
        shown = [item for one, item in best.items() if one in telling][:MOST_EVIDENCE]
        if not shown:
            return Finding("", tuple(item.evidence() for item in found[:MOST_EVIDENCE]))
        lines = [self._head(shown)] if self.across.is_list else []
        cited = (
            [Citation(0, len(lines[0]), tuple(item.memory.id for item in shown))] if lines else []
        )
        for item in shown:
            start = len("\n".join([*lines, ""])) if lines else 0
            lines.append(_line(self.across.asked, item))
            cited.append(Citation(start, start + len(lines[-1]), (item.memory.id,)))
        if len(telling) > len(shown):
            lines.append(f"And {len(telling) - len(shown)} more; ask of fewer to hear of each.")
        if not self.across.is_list:
            silent = [
                item.name for item in self.across.media if self.states.get(item.id) == "unanswered"
            ]
            if silent and len(silent) <= MOST_EVIDENCE:
                lines.append(f"Nothing on it was found in {joined(silent)}.")
        evidence = tuple(item.evidence() for item in shown)
        return Finding("\n".join(lines), evidence, places=len(evidence), cited=tuple(cited))

    def _telling(self) -> list[str]:
        state = self.state
        if state == "unanswered":
            return []
        return [media_id for media_id, one in self.states.items() if one == state]

    def _head(self, shown: Sequence[Found]) -> str:
        many, of = len(self._telling()), len(self.across.media)
        least = "at least " if self.has_more and many == _LOOKED_AT else ""
        others = ["others"] if many > len(shown) else []
        names = joined([*(item.media.name for item in shown), *others])
        return f"Found in {least}{many} of {of} files: {names}."


def _about(asked: Question, matter: str) -> Question:
    """Ask for the matter alone; without one, for what each media is about."""
    if not content_words(matter):
        return replace(asked, wants="summary")
    return replace(asked, text=matter, focus=focus_of(matter))


def _named(text: str, media: Sequence[Media]) -> dict[str, re.Pattern[str]]:
    """Give the pattern by which a question names each media.

    By its file's name; where the words compare several or ask each, also by a word of the name that
    no other has. Elsewhere "climate" in a question means the climate and no file of that name.
    """
    is_framed = any(frame.search(text) for frame in (_COMPARE, _EACH, _BOTH_SAY))
    known = Counter(word for item in media for word in set(_words(item)))
    squeezed, named = _squeezed(text), {}
    for item in media:
        base = PurePath(item.name).stem
        own = sorted((one for one in _words(item) if known[one] == 1), key=len, reverse=True)
        whole = [base] if len(base) > 2 and (is_framed or _is_peculiar(base)) else []
        for name in (item.name, *whole, *(own if is_framed else ())):
            letters = _squeezed(name)
            if not letters or letters not in squeezed:
                continue
            spaced = r"[\s_-]*".join(map(re.escape, letters))
            pattern = re.compile(rf"(?:\bthe\s+)?(?<!\w){spaced}(?!\w)(?:['’]s)?", re.I)
            if pattern.search(text):
                named[item.id] = pattern
                break
    return named


def _is_peculiar(base: str) -> bool:
    """Tell a name that no plain word is: it has a number, a mark, or two words."""
    return re.fullmatch(r"[^\W\d_]+", base) is None


def _squeezed(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text.lower())


def _words(media: Media) -> list[str]:
    found = _LETTERS.findall(PurePath(media.name).stem.lower())
    return [word for word in found if len(word) > 2 and content_words(word)]


def _line(asked: Question, item: Found) -> str:
    """Quote one place under its file's name: the sentence that fits best, or what is shown."""
    wanted = set(stems(asked.text))
    text = item.memory.text
    if isinstance(item.memory.locator, TimeSpan):
        parts = parts_of(text)
        senses = ("caption", "seen", *_SENSES) if item.parts.seen > item.parts.words else _SENSES
        known = [parts[one] for one in senses if parts.get(one)]
        text = max(known, key=lambda part: len(wanted & set(stems(part))), default=text)
    quote = _cut(best_sentences(asked, text, most=1), wanted)
    return f"{item.media.name}, {item.evidence().label}: “{quote}”"


def _in_order(text: str) -> list[str]:
    """Give the stems of all words of a text, each as often as it comes."""
    return [stem(word) for word in _WORD.findall(text.lower())]


def _cut(quote: str, wanted: set[str]) -> str:
    """Keep of a long sentence, as tables make them, the stretch with most of the words wanted."""
    words = quote.strip("“”").split()
    if len(words) <= _QUOTED_WORDS:
        return " ".join(words)
    fits = [int(bool(wanted & set(stems(word)))) for word in words]
    # Words that follow each other name the thing, each alone may be of another.
    fits = [one + 2 * (one and beside) for one, beside in zip(fits, [*fits[1:], 0], strict=True)]
    close = [sum(fits[at : at + len(wanted)]) for at in range(len(words))]
    # It begins a little before them, so that what they belong to can be read.
    best = max(0, close.index(max(close)) - _QUOTED_WORDS // 4)
    best = min(best, len(words) - _QUOTED_WORDS)
    end = best + _QUOTED_WORDS
    told = " ".join(words[best:end])
    return f"{'… ' if best else ''}{told}{' …' if end < len(words) else ''}"


def _of_kind(text: str, media: Sequence[Media]) -> Sequence[Media]:
    """Keep the videos where videos are asked for, and the documents where documents are."""
    for words, kind in _KINDS:
        if words.search(text):
            return [item for item in media if item.kind == kind] or media
    return media


def _rank(item: Found) -> tuple[float, str, str]:
    return -item.score, item.media.name, item.memory.id
