"""MemWalker proper, for a model that can read and reason (tier A): triage, turning back, a leaf.

Chen, Pasunuru, Weston, Celikyilmaz 2023 (arXiv 2310.05029, §3.2): from node to node the model gives
a reason and then an action, until a passage answers. Changed: children already left are not offered
again (a set of rejected ones per node); after one retry with the error named, an action is chosen
instead of asked for (by the model's own probabilities where it gives them, else by retrieval), so
that no reply can end a walk; passages that help are kept as extracts. A document whose gists fit
the window is not walked but shown at once (ReadAgent, Lee et al. 2024, arXiv 2402.09727, §3).
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from docmem import prompts
from docmem.extracts import extract
from docmem.steps import PARAMS, RETRIEVAL, Extract, Query, Read, Stop, WalkParams, WalkStep
from docmem.summarise import telling_sentences
from docmem.tree import Tree
from docmem.voice import Voice
from docmem.worth import NOTHING, Worth, leaves_under
from models.quoting import as_data
from models.values import Message

# A line that begins with a bar is quoted from the document, in a reply too.
_START = r"^[^\w|\n]*"
_ACTION = re.compile(rf"{_START}action\W*?\s*(-?\d+)\b", re.I | re.M)
_READ = re.compile(rf"{_START}read\W*?\s*(\d+(?:\D{{1,5}}\d+)*)", re.I | re.M)
_REASON = re.compile(rf"{_START}reason\W+(.+)$", re.I | re.M)
_ANSWER = re.compile(rf"{_START}answer\W+(.+)$", re.I | re.M)
_MEMORY_SHARE, _MEMORY_TOKENS = 0.15, 600
_NOTE_SENTENCES = 2
_CALLS_PER_LEAF = 8
_FIT = 0.8  # of the window that gists may fill
_NUMBER_TOKENS = 8  # what the number and the marks around a gist take


@dataclass(slots=True)
class WorkingMemory:
    """A walk's working memory: the path from the root to here, then rejected passages newest first.

    One to two sentences each, with ids. The path is never dropped, only shortened; rejected
    passages stay as long as there is room. At most 15 % of the window, 600 tokens.
    """

    tree: Tree
    voice: Voice
    rejected: list[tuple[str, str]] = field(default_factory=list)

    @property
    def budget_tokens(self) -> int:
        """How many tokens it may take in a prompt."""
        return min(_MEMORY_TOKENS, int(_MEMORY_SHARE * self.voice.model.context_tokens))

    def reject(self, passage: str, held: str) -> None:
        """Note what a passage held that did not answer."""
        self.rejected.insert(0, (passage, _brief(held)))

    def text(self, node: str) -> str:
        """Write it out for a prompt at a node."""
        path = [(at, _brief(self.tree.node(at).text)) for at in self.tree.path(node)]
        left = self.budget_tokens
        lines: list[str] = []
        for place, (at, said) in enumerate(path):
            line = self._line(at, said, left // (len(path) - place))
            lines.append(line)
            left -= self._cost(line)
        for passage, held in self.rejected:
            line = self._line(f"{passage} (did not answer)", held, self.budget_tokens)
            left -= self._cost(line)
            if left < 0:
                break
            lines.append(line)
        return "\n".join(lines)

    def _line(self, name: str, said: str, tokens: int) -> str:
        head = f"| {name}: "
        return (head + self.voice.fit(as_data(said), tokens - self._cost(head))).rstrip()

    def _cost(self, line: str) -> int:
        return self.voice.model.count_tokens(line + "\n")


class MemWalker:
    """One walk of one question: ``walk`` or ``pick``, then what they came to in the attributes."""

    def __init__(
        self,
        tree: Tree,
        query: Query,
        *,
        voice: Voice,
        read: Read,
        worth: Worth,
        params: WalkParams = PARAMS,
        seen: frozenset[str] = frozenset(),
    ) -> None:
        """``seen`` are passages of an earlier try, which are not offered again."""
        self.tree, self.query, self.voice, self.worth = tree, query, voice, worth
        self.read, self.params = read, params
        self.memory = WorkingMemory(tree, voice)
        self.rejected: dict[str, set[str]] = defaultdict(set)
        self.leaves: list[str] = []
        self.kept: list[Extract] = []
        self.stop: Stop = "nothing left"
        self.answer = ""
        self._seen = seen
        self._calls = 0

    def walk(self, start: str, floor: str) -> Iterator[WalkStep]:
        """Walk from ``start``, never above ``floor``; yield each step as it is taken.

        Raises:
            ChatModelUnavailable: the model failed.
        """
        at = start
        while not self._enough():
            options = self._open_children(at)
            if not options:
                if at == floor:
                    return
                yield WalkStep(at, (), (), "Every part of it was looked at; one up.")
                at = self._leave(at)
                continue
            began, tokens = time.perf_counter(), self.voice.tokens
            action, reason = self._triage(at, options, may_go_back=at != floor)
            chosen = () if action == prompts.BACK else (options[action],)
            shown = tuple((option, self.worth.share(option)) for option in options)
            yield self._step(at, shown, chosen, reason, began, tokens)
            if not chosen:
                at = self._leave(at)
            elif self.tree.is_node(chosen[0]):
                at = chosen[0]
            else:
                yield self._visit(chosen[0], at)
                self.rejected[at].add(chosen[0])

    def pick(self, start: str) -> Iterator[WalkStep] | None:
        """Show the gists of all passages below a node at once; None where they do not fit."""
        leaves = [leaf for leaf in leaves_under(self.tree, start) if leaf not in self._seen]
        most = self.voice.room(self.query.text, *self.query.options) * _FIT
        gists: list[str] = []
        for leaf in leaves:
            gists.append(_brief(self.read(leaf), most=1))
            most -= self.voice.model.count_tokens(gists[-1]) + _NUMBER_TOKENS
            if most < 0:
                return None
        return self._picked(start, leaves, gists) if leaves else None

    def _picked(
        self, start: str, leaves: Sequence[str], gists: Sequence[str]
    ) -> Iterator[WalkStep]:
        began, tokens = time.perf_counter(), self.voice.tokens
        messages = prompts.gists(self.query, gists, most=self.params.leaves)
        numbers, reason = self._numbers(messages, len(leaves))
        chosen = [leaves[number] for number in numbers] or self._best(leaves)
        shown = tuple((leaf, self.worth.share(leaf)) for leaf in leaves)
        yield self._step(start, shown, tuple(chosen), reason, began, tokens)
        for leaf in chosen:
            if self._enough():
                return
            node = next(node.id for node in self.tree.nodes if leaf in node.children)
            yield self._visit(leaf, node)

    def _best(self, leaves: Sequence[str]) -> list[str]:
        return self.worth.highest(leaves, self.params.leaves) or list(leaves[:1])

    def _enough(self) -> bool:
        if self.stop == "sure":
            return True
        if len(self.leaves) >= self.params.leaves or self._calls >= self._most_calls:
            self.stop = "enough"
        return self.stop != "nothing left"

    @property
    def _most_calls(self) -> int:
        return _CALLS_PER_LEAF * self.params.leaves

    def _open_children(self, node: str) -> list[str]:
        children = self.tree.node(node).children
        return [
            child
            for child in children
            if child not in self.rejected[node]
            and (self.tree.is_node(child) or child not in self._seen)
        ]

    def _leave(self, node: str) -> str:
        parent = self.tree.node(node).parent
        assert parent is not None, "a walk never goes above its floor"
        self.rejected[parent].add(node)
        return parent

    def _triage(self, at: str, options: Sequence[str], *, may_go_back: bool) -> tuple[int, str]:
        """Give the number of the option to open, or BACK, and why."""
        memory = self.memory.text(at)
        texts = [self._text(option) for option in options]
        shown = self.voice.fit_all(texts, memory, self.query.text, *self.query.options)
        messages = prompts.triage(self.query, memory, shown, may_go_back=may_go_back)
        legal = {*range(len(options)), *([prompts.BACK] if may_go_back else [])}
        action, reply = self._act(messages, legal)
        if action is not None:
            return action, _reason(reply)
        return self._constrained(options, texts)

    def _constrained(self, options: Sequence[str], texts: Sequence[str]) -> tuple[int, str]:
        """Choose by 0.3 of retrieval and 0.7 of the model's probabilities, if it gives them."""
        weight = RETRIEVAL["A"]
        model, agreed = [0.0] * len(options), False
        if self.voice.scorer:
            self._calls += 2
            model, agreed = self.voice.choose(self.query.text, texts)
        weight = weight if agreed else 1.0
        values = [
            weight * self.worth.share(option) + (1 - weight) * liked
            for option, liked in zip(options, model, strict=True)
        ]
        best = max(range(len(options)), key=lambda at: (values[at], -at))
        by = "the model's probabilities" if agreed else "retrieval"
        return best, f"No legal action in two replies; chosen by {by}."

    def _visit(self, passage: str, node: str) -> WalkStep:
        """Read a passage in full; keep what it says if it answers, else note what it held."""
        began, tokens = time.perf_counter(), self.voice.tokens
        text, memory = self.read(passage), self.memory.text(node)
        fits = self.voice.room(memory, self.query.text, *self.query.options)
        messages = prompts.leaf(self.query, memory, self.voice.fit(text, fits))
        action, reply = self._act(messages, {prompts.COMMIT, prompts.BACK})
        reason = _reason(reply)
        if action is None:
            action, reason = self._judged(passage, text)
        self.leaves.append(passage)
        if action == prompts.BACK:
            self.memory.reject(passage, text)
            return self._step(passage, (), (), reason, began, tokens)
        self.kept.append(extract(self.tree, passage, self.query.text, text))
        answer = _first(_ANSWER, reply)
        self.answer = self.answer or answer
        reason = f"{reason} It says: {answer}" if answer else reason
        if not self.query.many:
            self.stop = "sure"
        return self._step(passage, (), (passage,), reason, began, tokens)

    def _judged(self, passage: str, text: str) -> tuple[int, str]:
        """Say without a reply whether a passage answers: by yes and no, else by retrieval alone."""
        if self.voice.scorer:
            self._calls += 2
            odds = self.voice.yes(self.query.text, text)
            helps, by = odds > self.params.sure, f"yes by log-odds {odds:+.2f}"
        else:
            score = self.worth.best[passage]
            left = [at for at in leaves_under(self.tree, self.tree.root) if at not in self.leaves]
            helps = NOTHING < score >= max(self.worth.best[at] for at in left)
            by = "retrieval"
        return (
            prompts.COMMIT if helps else prompts.BACK,
            f"No legal action in two replies; judged by {by}.",
        )

    def _act(self, messages: list[Message], legal: set[int]) -> tuple[int | None, str]:
        """Have the model act; one retry with the error named; None if it still names nothing."""
        error = f"The line 'Action: N' must name one of {', '.join(map(str, sorted(legal)))}."
        reply = ""
        for _ in range(2):
            reply = self._say(messages)
            found = _ACTION.findall(reply)
            if found and int(found[-1]) in legal:
                return int(found[-1]), reply
            messages = prompts.once_more(messages, reply, error)
        return None, reply

    def _numbers(self, messages: list[Message], count: int) -> tuple[list[int], str]:
        """Have the model name passages; none if it names nothing legal in two replies."""
        error = f"The line 'Read: …' must name numbers from 0 to {count - 1}."
        for _ in range(2):
            reply = self._say(messages)
            named = [int(number) for number in re.findall(r"\d+", _first(_READ, reply))]
            legal = list(dict.fromkeys(number for number in named if number < count))
            if legal:
                return legal[: self.params.leaves], _reason(reply)
            messages = prompts.once_more(messages, reply, error)
        return [], "No legal numbers in two replies; chosen by retrieval."

    def _say(self, messages: Sequence[Message]) -> str:
        self._calls += 1
        return self.voice.say(messages)

    def _text(self, place: str) -> str:
        """Give a node's summary, or the beginning of a passage."""
        if self.tree.is_node(place):
            return self.tree.node(place).text
        return _brief(self.read(place))

    def _step(
        self,
        node: str,
        options: tuple[tuple[str, float], ...],
        chosen: tuple[str, ...],
        reason: str,
        began: float,
        tokens: int,
    ) -> WalkStep:
        spent_ms = 1000 * (time.perf_counter() - began)
        return WalkStep(node, options, chosen, reason, self.voice.tokens - tokens, spent_ms)


def _brief(text: str, *, most: int = _NOTE_SENTENCES) -> str:
    """Give the one or two sentences of a text that tell most."""
    (found,) = telling_sentences([text], per_text=most)
    return " ".join(found)


def _reason(reply: str) -> str:
    return _first(_REASON, reply) or "No reason given."


def _first(pattern: re.Pattern[str], reply: str) -> str:
    found = pattern.search(reply)
    return " ".join(found[1].split()) if found else ""
