"""Knows how a language model behind an OpenAI-compatible chat server is asked, and what it tells.

That is how Ollama, llama-server, vLLM, LM Studio and llama_cpp.server are spoken to.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Any

from pydantic import BaseModel, ValidationError

from models.errors import ChatModelUnavailable, ModelNotFound, SetupError
from models.llm.pictures import data_url
from models.llm.thinking import CLOSES, OPENS, spoken
from models.llm.wire import Wire
from models.options import PLAIN, LanguageOptions
from models.quoting import defused
from models.values import Message

logger = logging.getLogger(__name__)

SEES = "+images"
DEFAULT_CONTEXT_TOKENS = 4096
_DONE = b"[DONE]"
_BYTES_A_TOKEN = 4096  # an event repeats the model's name, an id and more for every token
_BYTES_AROUND = 2**18
_NAMED_MODELS = 20
_SIZES = ("n_vocab", "n_ctx_train", "n_embd", "n_params", "size")
_WITHOUT_THOUGHTS = {
    "reasoning_effort": "none",  # Ollama
    "chat_template_kwargs": {"enable_thinking": False},  # vLLM, llama-server
}


class ServerModel:
    """A LanguageModel and Chooser on a server: greedy, streamed, its thoughts left out.

    ``model`` is one that the server lists; empty takes the only one. What the server tells of its
    window and of seeing pictures is believed (llama-server, vLLM, Ollama); where it tells nothing,
    the window is 4096 tokens unless the options say otherwise, and ``+images`` after the model's
    name says that it sees. Tokens are counted by the server where it has ``/tokenize``
    (llama-server, vLLM), else estimated, rather too many than too few.

    ``signature`` is the address and the name, and what the server tells of the weights: their
    digest (Ollama), their sizes (llama-server), where they lie (vLLM). Where it tells nothing (LM
    Studio), other weights under the same name pass for the same model.

    Raises:
        SetupError: not an address, no choice among several models, or no such model.
        ChatModelUnavailable: the server is not there or does not speak this protocol.
    """

    def __init__(self, base_url: str, model: str, options: LanguageOptions = PLAIN) -> None:
        self._wire = Wire(base_url, timeout_s=options.timeout_s, api_key=options.api_key)
        if not self._wire.is_here:
            logger.warning(
                "The chat server at %s is not this machine: what is asked, found and shown is sent "
                "there, and with `tier --test` and `enrich` the texts and pictures of media.",
                self._wire.base,
            )
        listed = self._chosen(model.removesuffix(SEES).strip())
        self.name = str(listed["id"])
        window, sees = _told(self._wire, listed)
        weights = _weights_told(self._wire, listed)
        self.signature = f"{self._wire.base}#{self.name}" + (f"/{weights}" if weights else "")
        self.context_tokens = options.context_tokens or window or DEFAULT_CONTEXT_TOKENS
        self.sees = bool(sees)
        if model.endswith(SEES):
            if sees is False:
                raise SetupError(
                    f"The chat server at {self._wire.base} says that {self.name} takes no "
                    f"pictures. Leave {SEES} out, or take another model."
                )
            self.sees = True
        self._counts = self._counted_there("one two") is not None

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text: exactly where the server counts, else an estimate.

        Raises:
            ChatModelUnavailable: the server counted before and does no more.
        """
        if not text or not self._counts:
            return estimated_tokens(text)
        count = self._counted_there(text)
        if count is None:
            raise self._wire.failure("counts tokens no more. Ask again")
        return count

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
        """Yield the reply piece by piece, greedily decoded; closing it ends the request.

        Raises:
            ValueError: pictures for a model that does not see.
            ChatModelUnavailable: the prompt does not fit the context, or the server failed.
        """
        asked = self._asked(messages, max_tokens)
        yield from self._spoken([asked | _WITHOUT_THOUGHTS, asked], max_tokens)

    def choose(self, messages: Sequence[Message], replies: Sequence[str]) -> int:
        """Give the 0-based place of the reply that the model picks.

        The server is asked to decode by a JSON schema that lists the replies; as some servers
        take no schema or pass over it, the choice is checked.

        Raises:
            ValueError: no replies, an empty one, or pictures for a model that does not see.
            ChatModelUnavailable: the prompt does not fit the context, the server failed, or it
                did not keep to the replies.
        """
        if not replies or not all(replies):
            raise ValueError(f"replies to choose from must not be empty: {list(replies)}")
        schema = {
            "type": "object",
            "properties": {"reply": {"type": "string", "enum": list(dict.fromkeys(replies))}},
            "required": ["reply"],
            "additionalProperties": False,
        }
        named = {"name": "reply", "strict": True, "schema": schema}
        by_schema = {"response_format": {"type": "json_schema", "json_schema": named}}
        older = {"response_format": {"type": "json_object", "schema": schema}}
        # Characters that JSON escapes take up to six tokens; 32 more for the braces and spaces.
        most = 32 + max(len(json.dumps(reply)) for reply in replies)
        asked = self._asked(messages, most)
        bodies = [asked | by_schema | _WITHOUT_THOUGHTS, asked | by_schema, asked | older]
        said = "".join(self._spoken(bodies, most))
        try:
            return list(replies).index(_reply_in(said))
        except ValueError as exc:
            raise self._wire.failure(
                "did not keep to the replies to choose from (it takes no JSON schema, it seems). "
                "Take a model or a server that does. It said",
                said.encode(),
            ) from exc

    def _chosen(self, model: str) -> dict[str, Any]:
        """Find the model among those that the server lists."""
        answer = self._wire.get("models")
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, list):
            raise self._wire.failure(
                "lists no models the OpenAI way; its address may have to end in /v1"
            )
        listed = [e for e in data if isinstance(e, dict) and isinstance(e.get("id"), str)]
        names = ", ".join(e["id"] for e in listed[:_NAMED_MODELS]) or "none"
        if model:
            wanted = [e for e in listed if e["id"] in (model, f"{model}:latest")]
            if not wanted:
                raise ModelNotFound(
                    f"The chat server at {self._wire.base} has no model {model}. It has: {names}."
                )
            return wanted[0]
        if not listed:
            raise ModelNotFound(f"The chat server at {self._wire.base} has no model. Load one.")
        if len(listed) > 1:
            raise SetupError(
                f"The chat server at {self._wire.base} has several models; say which: {names}."
            )
        return listed[0]

    def _counted_there(self, text: str) -> int | None:
        body = {"model": self.name, "content": text, "prompt": text, "add_special_tokens": False}
        answer = self._wire.told("tokenize", body)
        tokens = answer.get("tokens")
        return len(tokens) if isinstance(tokens, list) else _positive(answer.get("count"))

    def _asked(self, messages: Sequence[Message], max_tokens: int) -> dict[str, Any]:
        needed = sum(self.count_tokens(message.content) for message in messages)
        if needed >= self.context_tokens:
            raise ChatModelUnavailable(
                f"The prompt has about {needed} tokens, {self.name} takes "
                f"{self.context_tokens}. Ask with less evidence or a shorter chat."
            )
        return {
            "model": self.name,
            "messages": [self._turn(message) for message in messages],
            "max_tokens": max_tokens,
            "temperature": 0,
            "seed": 0,
            "stream": True,
        }

    def _turn(self, message: Message) -> dict[str, Any]:
        """Write a message down; what it says cannot pass for the marks of well-known templates."""
        text = defused(message.content).encode(errors="replace").decode()
        if not message.pictures:
            return {"role": message.role, "content": text}
        if not self.sees:
            raise ValueError(f"{self.name} takes no pictures")
        parts: list[dict[str, Any]] = [
            {"type": "image_url", "image_url": {"url": data_url(picture)}}
            for picture in message.pictures
        ]
        return {"role": message.role, "content": [*parts, {"type": "text", "text": text}]}

    def _spoken(self, bodies: Sequence[dict[str, Any]], max_tokens: int) -> Iterator[str]:
        with closing(self._pieces(bodies, max_tokens)) as pieces:
            first = next(pieces, None)
            if first is None:
                return
            is_silent = True
            for piece in spoken(chain([first], pieces)):
                is_silent = False
                yield piece
        if is_silent:
            raise self._wire.failure(
                f"let {self.name} spend all its {max_tokens} tokens on thinking. Switch thinking "
                "off there, or take an instruct version of the model"
            )

    def _pieces(
        self, bodies: Sequence[dict[str, Any]], max_tokens: int
    ) -> Generator[str, None, None]:
        """Yield the reply as it comes, at most ``max_tokens`` pieces, thoughts between marks."""
        most_bytes = _BYTES_AROUND + max_tokens * _BYTES_A_TOKEN
        left, thinks = max_tokens, False
        with closing(self._wire.events("chat/completions", bodies, most_bytes)) as events:
            for data in events:
                if data == _DONE:
                    return
                choice = self._choice(data)
                if thought := choice.delta.reasoning_content or choice.delta.reasoning:
                    yield thought if thinks else OPENS + thought
                    thinks, left = True, left - 1
                if content := choice.delta.content:
                    yield CLOSES + content if thinks else content
                    thinks, left = False, left - 1
                if left <= 0 or choice.finish_reason is not None:
                    return
        if left < max_tokens:
            raise self._wire.failure("broke off in the middle of a reply. Ask again")
        raise self._wire.failure(
            "ended before the first word of a reply. If the prompt is longer than it takes, ask "
            "with less evidence or a shorter chat"
        )

    def _choice(self, data: bytes) -> _Choice:
        try:
            event = _Event.model_validate_json(data)
        except ValidationError as exc:
            raise self._wire.failure("sent something else than a reply", data) from exc
        if event.error:
            raise self._wire.failure("failed while writing", data)
        return event.choices[0] if event.choices else _Choice()


class _Delta(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None  # llama-server, older vLLM
    reasoning: str | None = None  # Ollama, newer vLLM


class _Choice(BaseModel):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Event(BaseModel):
    choices: list[_Choice] = []
    error: Any = None


def estimated_tokens(text: str) -> int:
    """Estimate the tokens of a text without its tokenizer, rather too many than too few.

    A word counts one for each four letters begun, a digit or mark one, a run of spaces one, and
    what is not ASCII one for each two bytes.
    """
    words = sum(-(-len(word) // 4) for word in re.findall(r"[A-Za-z]+", text))
    marks = len(re.findall(r"[!-@\[-`{-~\n\t]| {2,}", text))
    beyond = sum(len(char.encode(errors="replace")) for char in text if not char.isascii())
    return words + marks + -(-beyond // 2)


def _told(wire: Wire, listed: dict[str, Any]) -> tuple[int | None, bool | None]:
    """Give the window and whether the model sees, None for what the server does not tell."""
    if window := _positive(listed.get("max_model_len")):  # vLLM
        return window, None
    if props := wire.told("props"):  # llama-server
        vision = _within(props, "modalities", "vision")
        window = _positive(_within(props, "default_generation_settings", "n_ctx"))
        return window, vision if isinstance(vision, bool) else None
    shown = wire.told("api/show", {"model": listed["id"]})  # Ollama
    capabilities = shown.get("capabilities")
    num_ctx = re.search(r"^num_ctx\s+(\d{1,9})$", str(shown.get("parameters")), re.MULTILINE)
    return (
        int(num_ctx[1]) if num_ctx else None,
        "vision" in capabilities if isinstance(capabilities, list) else None,
    )


def _weights_told(wire: Wire, listed: dict[str, Any]) -> str:
    """Give what tells a model's weights from others under its name, empty where nothing does."""
    if isinstance(root := listed.get("root"), str):  # vLLM
        told = root
    elif isinstance(meta := listed.get("meta"), dict):  # llama-server
        told = json.dumps([meta.get(key) for key in _SIZES])
    else:  # Ollama
        tags = wire.told("api/tags").get("models")
        tags = tags if isinstance(tags, list) else []
        digests = [_within(tag, "digest") for tag in tags if _within(tag, "name") == listed["id"]]
        told = str(digests[0] or "") if digests else ""
    return hashlib.sha256(told.encode(errors="replace")).hexdigest()[:16] if told else ""


def _within(found: Any, *names: str) -> Any:
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _positive(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if is_count else None


def _reply_in(said: str) -> str:
    """Find the reply in the JSON that the schema asks for; other words stand for themselves."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return said.strip()
    reply = _within(found, "reply")
    return reply if isinstance(reply, str) else said.strip()
