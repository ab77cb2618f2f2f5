"""A language model as a walk uses it: short replies, scores, texts cut to fit, tokens counted."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from docmem import prompts
from docmem.sentences import sentence_spans
from models.ports import LanguageModel, OptionScorer
from models.values import Message

REPLY_TOKENS = 80
_MARGIN_TOKENS = 240  # what the chat template, the instructions and a second try may take


class Voice:
    """Asks one model and counts the tokens it was given to read."""

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.scorer = model if isinstance(model, OptionScorer) else None
        self.tokens = 0

    def say(self, messages: Sequence[Message], *, max_tokens: int = REPLY_TOKENS) -> str:
        """Have the model reply in a few words.

        Raises:
            ChatModelUnavailable: the model failed, or the prompt does not fit.
        """
        self._count(messages)
        return "".join(self.model.stream(messages, max_tokens=max_tokens)).strip()

    def choose(self, question: str, parts: Sequence[str]) -> tuple[list[float], bool]:
        """Give each part's probability of holding the answer, and whether the model is of one mind.

        The log-probabilities of the parts' letters, over the legal letters only, averaged over the
        order and its reverse, since small models prefer first and last places (document-memory
        design §6.2). Where both orders name another part, the model abstains. One part needs no
        choice.
        """
        if len(parts) == 1:
            return [1.0], True
        parts = parts[: len(prompts.LABELS)]
        shown = self.fit_all(parts, question)
        forward = self._letters(question, shown)
        backward = self._letters(question, shown[::-1])[::-1]
        agreed = _place_of_best(forward) == _place_of_best(backward)
        mean = [(one + two) / 2 for one, two in zip(forward, backward, strict=True)]
        return [exp(value) for value in _normalised(mean)], agreed

    def yes(self, question: str, text: str) -> float:
        """Give the log-odds that a text answers a question, above those for no question at all.

        Contextual calibration (Zhao et al. 2021, arXiv 2102.09690): what the model would say
        anyway is taken off.
        """
        text = self.fit(text, self.room(question))
        return self._odds(question, text) - self._odds("N/A", text)

    def room(self, *others: str) -> int:
        """Say how many tokens of text still fit beside other texts and a reply."""
        taken = sum(self.model.count_tokens(text) for text in others)
        return max(32, self.model.context_tokens - 2 * REPLY_TOKENS - _MARGIN_TOKENS - taken)

    def fit(self, text: str, tokens: int) -> str:
        """Cut a text to a number of tokens, at a sentence end where one is near, else at a word."""
        kept = ""
        for _, end in sentence_spans(text):
            if self.model.count_tokens(text[:end]) > tokens:
                break
            kept = text[:end]
        if kept or self.model.count_tokens(text) <= tokens:
            return kept or text
        words = text.split()
        low, high = 0, len(words)
        while low < high:
            middle = (low + high + 1) // 2
            fits = self.model.count_tokens(" ".join(words[:middle])) <= tokens
            low, high = (middle, high) if fits else (low, middle - 1)
        return " ".join(words[:low])

    def fit_all(self, texts: Sequence[str], *others: str) -> list[str]:
        """Cut texts so that all fit, each to the same share at most."""
        share = self.room(*others) // max(1, len(texts)) - 8
        return [self.fit(text, max(8, share)) for text in texts]

    def _letters(self, question: str, parts: Sequence[str]) -> list[float]:
        assert self.scorer is not None, "only a model that scores options chooses"
        messages = prompts.choice(question, parts)
        self._count(messages)
        return _normalised(self.scorer.score(messages, prompts.LABELS[: len(parts)]))

    def _odds(self, question: str, text: str) -> float:
        assert self.scorer is not None, "only a model that scores options says how sure it is"
        messages = prompts.helps(question, text)
        self._count(messages)
        yes, no, yes_small, no_small = self.scorer.score(messages, ("Yes", "No", "yes", "no"))
        return _log_sum((yes, yes_small)) - _log_sum((no, no_small))

    def _count(self, messages: Sequence[Message]) -> None:
        self.tokens += sum(self.model.count_tokens(message.content) for message in messages)


def _normalised(values: Sequence[float]) -> list[float]:
    total = _log_sum(values)
    return [value - total for value in values]


def _log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top + log(sum(exp(value - top) for value in values))


def _place_of_best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda place: (values[place], -place))
