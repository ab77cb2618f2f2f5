"""Knows how a transformers model runs inside this process: one that reads, or also sees pictures.

It is asked for what needs a GPU to be quick; a GGUF file by llama.cpp is quicker on CPUs.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from models.errors import ChatModelUnavailable, MissingExtra, ModelNotFound, SetupError
from models.llm.pictures import bounded
from models.llm.thinking import OPENS, spoken
from models.options import PLAIN, LanguageOptions
from models.threads import limit_torch_threads, torch_device
from models.values import Message
from models.weights import print_of

DEFAULT_CONTEXT_TOKENS = 8192


class TransformersModel:
    """A LanguageModel and OptionScorer from a folder of this machine.

    Its config tells whether it sees pictures. It runs in bfloat16 on a CUDA GPU, else in float32.
    Only safetensors are read, and no code of the folder is run. One reply is written at a time, by
    a thread that goes on when the reader pauses and ends when the reader stops.

    Raises:
        ModelNotFound: files are missing, damaged, without a chat template, or of an unknown kind.
        SetupError: no 4-bit weights without a GPU, or a window that the model does not have.
        MissingExtra: a package for 4-bit weights is missing.
    """

    def __init__(self, folder: Path, *, name: str, options: LanguageOptions = PLAIN) -> None:
        quantised = _four_bit() if options.four_bit else {}
        made_of = print_of(folder / "config.json", *sorted(folder.glob("*.safetensors")))
        self.name = name
        self.signature = f"{name}/{made_of}" + ("/4-bit" if quantised else "")
        config, self._processor, self._model, self.sees = _load(folder, quantised)
        self._tokenizer = self._processor.tokenizer if self.sees else self._processor
        if not self._processor.chat_template:
            raise ModelNotFound(
                f"{folder} carries no chat template. Take an instruct (chat) version of the model."
            )
        self.context_tokens = _window(config, options.context_tokens, name)
        self._model.generation_config = _greedy(self._model, self._tokenizer)
        self._turn = threading.Lock()

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a text as this model cuts it."""
        return len(self._cut(text))

    def stream(self, messages: Sequence[Message], *, max_tokens: int) -> Iterator[str]:
        """Yield the reply piece by piece, greedily decoded, without the thoughts before it.

        Raises:
            ValueError: pictures for a model that does not see.
            ChatModelUnavailable: the prompt does not fit the context, or the model failed.
        """
        inputs = self._inputs(messages)
        room = self._room_after(inputs, 1)
        # Some templates begin the reply with a thought themselves.
        tail = self._tokenizer.decode(inputs["input_ids"][0, -8:]).rstrip()
        begun = [OPENS] if tail.endswith(OPENS) else []
        with closing(self._written(inputs, min(max_tokens, room))) as pieces:
            yield from spoken(chain(begun, pieces))

    def score(
        self, messages: Sequence[Message], replies: Sequence[str], *, per_token: bool = False
    ) -> list[float]:
        """Give the log-probability of each reply as the beginning of the assistant's turn, in nats.

        The prompt is read once for the first tokens of all replies, and once more for each reply
        of several tokens. With ``per_token`` the mean of a token.

        Raises:
            ValueError: a reply is empty, or pictures for a model that does not see.
            ChatModelUnavailable: prompt and reply do not fit the context, or the model failed.
        """
        import torch

        cut = [self._cut(reply) for reply in replies]
        if not all(cut):
            raise ValueError("an empty reply has no probability")
        inputs = self._inputs(messages)
        self._room_after(inputs, max(map(len, cut), default=1))
        totals = []
        with self._turn, self._translated("reading"), torch.inference_mode():
            first = self._log_probabilities(inputs, 1)
            for tokens in cut:
                rows = first
                if len(tokens) > 1:
                    rows = self._log_probabilities(_followed(inputs, tokens[:-1]), len(tokens))
                totals.append(sum(float(row[t]) for row, t in zip(rows, tokens, strict=True)))
        return [
            total / len(tokens) if per_token else total
            for total, tokens in zip(totals, cut, strict=True)
        ]

    def _cut(self, text: str) -> list[int]:
        tokens = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return list(tokens)

    def _inputs(self, messages: Sequence[Message]) -> Mapping[str, Any]:
        """Lay out the turns; what a turn says can never pass for the template's own marks."""
        import jinja2

        switch = {"enable_thinking": False}
        if "enable_thinking" not in str(self._processor.chat_template):
            switch = {}
        turns = [self._laid_out(message) for message in messages]
        try:
            inputs = self._processor.apply_chat_template(
                turns,
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                sanitize_control_tokens=True,
                **switch,
            )
        except (jinja2.TemplateError, ValueError, TypeError, LookupError, RuntimeError) as exc:
            raise ChatModelUnavailable(
                f"The chat template of {self.name} takes no such conversation: {exc}."
            ) from exc
        if self.sees:
            return dict(inputs.to(self._model.device, dtype=self._model.dtype))
        return dict(inputs.to(self._model.device))

    def _laid_out(self, message: Message) -> dict[str, Any]:
        if not self.sees:
            if message.pictures:
                raise ValueError(f"{self.name} takes no pictures")
            return {"role": message.role, "content": message.content}
        parts: list[dict[str, Any]] = [
            {"type": "image", "image": bounded(picture)} for picture in message.pictures
        ]
        return {
            "role": message.role,
            "content": [*parts, {"type": "text", "text": message.content}],
        }

    def _room_after(self, inputs: Mapping[str, Any], least: int) -> int:
        length = int(inputs["input_ids"].shape[1])
        room = self.context_tokens - length
        if room < least:
            raise ChatModelUnavailable(
                f"The prompt has {length} tokens, {self.name} takes "
                f"{self.context_tokens}. Ask with less evidence or a shorter chat."
            )
        return room

    def _written(self, inputs: Mapping[str, Any], max_tokens: int) -> Generator[str, None, None]:
        """Yield what a thread of its own writes; closing stops it at its next token."""
        import torch

        streamer = _transformers().TextIteratorStreamer(
            self._tokenizer, skip_prompt=True, skip_special_tokens=True
        )
        closed = threading.Event()
        failed: list[Exception] = []

        def is_closed(tokens: Any, *_: Any, **__: Any) -> Any:
            return torch.full((len(tokens),), closed.is_set(), device=tokens.device)

        def write() -> None:
            try:
                with self._turn:
                    if not closed.is_set():
                        self._model.generate(
                            **inputs,
                            max_new_tokens=max_tokens,
                            streamer=streamer,
                            stopping_criteria=[is_closed],
                        )
            except Exception as exc:  # raised again where the reply is read
                failed.append(exc)
            finally:
                streamer.end()

        threading.Thread(target=write, name=f"reply of {self.name}", daemon=True).start()
        try:
            yield from (piece for piece in streamer if piece)
        finally:
            closed.set()
        if failed:
            with self._translated("writing"):
                raise failed[0]

    def _log_probabilities(self, inputs: Mapping[str, Any], rows: int) -> Any:
        """Give the log-probabilities [rows, V] of the next token after each of the last tokens."""
        logits = self._model(**inputs, use_cache=False, logits_to_keep=rows).logits
        return logits[0, -rows:].float().log_softmax(-1).cpu()

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        import torch

        try:
            yield
        except torch.OutOfMemoryError as exc:
            torch.cuda.empty_cache()
            raise ChatModelUnavailable(
                f"The GPU has too little memory for {self.name} and this prompt. Ask with less "
                "evidence, or take a smaller model or 4-bit weights."
            ) from exc
        except Exception as exc:  # any layer of a model may fail in its own way
            raise ChatModelUnavailable(
                f"The language model {self.name} failed while {doing}: {exc}. Ask again."
            ) from exc


def _transformers() -> Any:
    """The library itself; it comes half typed."""
    import transformers

    return transformers


def _four_bit() -> dict[str, Any]:
    """Give the arguments that load weights in 4 bits (NF4, Dettmers et al. 2023)."""
    if torch_device() != "cuda":
        raise SetupError("4-bit weights need a CUDA GPU, and there is none. Leave them off.")
    missing = [p for p in ("bitsandbytes", "accelerate") if importlib.util.find_spec(p) is None]
    if missing:
        raise MissingExtra(f"4-bit weights need more. Install it: pip install {' '.join(missing)}")
    import torch

    quantisation = _transformers().BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
    )
    return {"quantization_config": quantisation, "device_map": {"": 0}}


def _load(folder: Path, quantised: dict[str, Any]) -> tuple[Any, Any, Any, bool]:
    """Give config, tokenizer or processor, model, and whether it sees; they come untyped."""
    import torch
    from safetensors import SafetensorError

    hf = _transformers()
    seeing = hf.models.auto.modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    limit_torch_threads()
    here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    dtype = torch.bfloat16 if torch_device() == "cuda" else torch.float32
    try:
        config = hf.AutoConfig.from_pretrained(folder, **here)
        sees = config.model_type in seeing
        cutter = hf.AutoProcessor if sees else hf.AutoTokenizer
        kind = hf.AutoModelForImageTextToText if sees else hf.AutoModelForCausalLM
        processor = cutter.from_pretrained(folder, **here)
        if sees and not hasattr(processor, "tokenizer"):
            raise ValueError("the settings for pictures are missing")
        model, info = kind.from_pretrained(
            folder, use_safetensors=True, dtype=dtype, output_loading_info=True, **quantised, **here
        )
        if missing := sorted(info["missing_keys"]):
            raise ValueError(f"weights are missing, {missing[0]} for one")
        if not quantised:
            model = model.to(torch_device())
    except (
        OSError,
        ValueError,
        RuntimeError,
        ImportError,
        LookupError,
        TypeError,
        AttributeError,
        SafetensorError,
    ) as exc:
        raise ModelNotFound(f"The language model in {folder} could not be loaded: {exc}") from exc
    return config, processor, model.eval(), sees


def _window(config: Any, asked: int, name: str) -> int:
    own = getattr(config.get_text_config(), "max_position_embeddings", None) or asked
    if own and asked > own:
        raise SetupError(f"{name} takes {own} tokens, not {asked}. Set a smaller context.")
    return asked or min(own or DEFAULT_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS)


def _greedy(model: Any, tokenizer: Any) -> Any:
    """Keep of the model's own settings for writing only what ends a reply."""
    ends = model.generation_config.eos_token_id
    found = {*(ends if isinstance(ends, list) else [ends]), tokenizer.eos_token_id} - {None}
    pad = tokenizer.pad_token_id
    return _transformers().GenerationConfig(
        do_sample=False,
        eos_token_id=sorted(found) or None,
        pad_token_id=pad if pad is not None else min(found, default=None),
    )


def _followed(inputs: Mapping[str, Any], tokens: list[int]) -> dict[str, Any]:
    """Put tokens after the prompt; masks and kinds of tokens [1, N] grow with it."""
    import torch

    ids = inputs["input_ids"]
    grown = dict(inputs)
    for key, value in inputs.items():
        if value.shape == ids.shape:
            more = {"input_ids": tokens, "attention_mask": [1] * len(tokens)}
            tail = more.get(key, [0] * len(tokens))
            grown[key] = torch.cat([value, value.new_tensor([tail])], 1)
    return grown
