"""Knows how turns are laid out by the chat template that a GGUF file carries.

What a turn says can never pass for the template's own marks: a mark in a text is broken up.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.errors import ChatModelUnavailable, ModelNotFound
from models.values import Message

PICTURE = f"<picture {secrets.token_hex(16)}>"  # no text can name it; it never reaches a model


class Template:
    """Writes a conversation as the text that the model was trained on.

    A template that takes no system turn gets its words at the beginning of the person's first
    turn. One that takes the parts of a turn as a list gets a list. Models that can think first
    are asked not to: a short reply has no room for it.
    """

    def __init__(self, model: Any, weights: Path) -> None:
        import llama_cpp
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        source = model.metadata.get("tokenizer.chat_template")
        if source is None:
            raise ModelNotFound(
                f"{weights} carries no chat template. Take an instruct (chat) version of the model."
            )
        vocab = model._model.vocab  # the public class has no list of its special tokens
        control = [t for t in range(model.n_vocab()) if llama_cpp.llama_vocab_is_control(vocab, t)]
        self.ends = frozenset(t for t in control if llama_cpp.llama_vocab_is_eog(vocab, t))
        marks = [_spelled(model, token) for token in control]
        longest_first = sorted((m for m in marks if len(m) > 1), key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        bos = _spelled(model, model.token_bos())
        self._begin = bos if llama_cpp.llama_vocab_get_add_bos(vocab) else ""
        eos = _spelled(model, model.token_eos())
        self._render: Any = Jinja2ChatFormatter(source, bos_token=bos, eos_token=eos)
        self._takes_lists = self._asks_for_lists()

    def lay_out(self, messages: Sequence[Message]) -> str:
        """Write the turns down; ``PICTURE`` stands where a picture is.

        Raises:
            ChatModelUnavailable: the template takes no such conversation.
        """
        try:
            text = self._written(messages)
        except Exception as first:  # a template's own code may fail in any way
            try:
                text = self._written(_without_system(messages))
            except Exception:
                raise ChatModelUnavailable(
                    f"The model's chat template does not take these turns: {first}."
                ) from first
        return text if text.startswith(self._begin) else self._begin + text

    def defuse(self, text: str) -> str:
        """Break up every mark in a text."""
        return self._marks.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text)

    def _written(self, messages: Sequence[Message]) -> str:
        turns = [{"role": m.role, "content": self._content(m)} for m in messages]
        return str(self._render(messages=turns, enable_thinking=False).prompt)

    def _content(self, message: Message) -> str | list[dict[str, str]]:
        text = f"{PICTURE}\n" * len(message.pictures) + self.defuse(message.content)
        return [{"type": "text", "text": text}] if self._takes_lists else text

    def _asks_for_lists(self) -> bool:
        """Whether the words of a turn are lost unless they come as a list of parts."""
        self._takes_lists = False
        try:
            return "probe" not in self._written([Message("user", "probe")])
        except Exception:  # as above; what is wrong is told when it is used
            return True


def _spelled(model: Any, token: int) -> str:
    if token < 0:  # this vocabulary has no such token
        return ""
    return str(model.detokenize([token], special=True).decode(errors="replace"))


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """Put the words of a system turn at the beginning of the turn that follows."""
    if len(messages) < 2 or messages[0].role != "system":
        return list(messages)
    told, asked = messages[:2]
    joined = Message(asked.role, f"{told.content}\n\n{asked.content}", asked.pictures)
    return [joined, *messages[2:]]
