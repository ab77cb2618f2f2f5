"""Knows how a GGUF model with a projector sees: pictures become ids and cells of its memory."""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ModelNotFound
from models.llm.gguf import check_projector
from models.llm.pictures import bounded
from models.llm.prefixes import Piece, Prompt
from models.llm.template import PICTURE
from models.threads import cpu_threads
from models.values import Picture


class Eyes:
    """A projector loaded beside its language model by llama.cpp's libmtmd."""

    def __init__(self, projector: Path, model: Any, *, on_gpu: bool) -> None:
        from llama_cpp import _logger, mtmd_cpp

        check_projector(projector)
        for quieten in (mtmd_cpp.mtmd_log_set, mtmd_cpp.mtmd_helper_log_set):
            quieten(_logger.llama_log_callback, ctypes.c_void_p(0))
        params = mtmd_cpp.mtmd_context_params_default()
        params.use_gpu = on_gpu
        params.print_timings = False
        params.n_threads = cpu_threads()
        self._context = mtmd_cpp.mtmd_init_from_file(str(projector).encode(), model.model, params)
        if self._context is None:
            raise ModelNotFound(
                f"The projector {projector} could not be loaded. Take the one that was published "
                "with the language model."
            )
        if not mtmd_cpp.mtmd_support_vision(self._context):
            mtmd_cpp.mtmd_free(self._context)
            raise ModelNotFound(f"The projector {projector} cannot see. Take one for pictures.")
        # It points into the language model, which is freed at the same time: last in, first out.
        atexit.register(mtmd_cpp.mtmd_free, self._context)
        self.keeps_pictures = not mtmd_cpp.mtmd_decode_use_mrope(self._context)

    def read(self, text: str, pictures: Sequence[Picture]) -> Prompt:
        """Cut a text in which ``PICTURE`` stands for each picture.

        Raises:
            RuntimeError: libmtmd refused it.
        """
        from llama_cpp import mtmd_cpp

        chunks = mtmd_cpp.mtmd_input_chunks_init()
        owner = _Chunks(chunks)
        weakref.finalize(owner, mtmd_cpp.mtmd_input_chunks_free, chunks)
        bitmaps = [_bitmap(picture) for picture in pictures]
        try:
            self._cut(chunks, text, bitmaps)
        finally:
            for bitmap in bitmaps:
                mtmd_cpp.mtmd_bitmap_free(bitmap)
        ids: list[int] = []
        seen: dict[int, Piece] = {}
        for place in range(mtmd_cpp.mtmd_input_chunks_size(chunks)):
            chunk = mtmd_cpp.mtmd_input_chunks_get(chunks, place)
            if mtmd_cpp.mtmd_input_chunk_get_type(chunk) == mtmd_cpp.MTMD_INPUT_CHUNK_TYPE_TEXT:
                count = ctypes.c_size_t()
                tokens = mtmd_cpp.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
                ids += tokens[: count.value] if tokens else []
            else:
                seen[len(ids)] = _Seen(self._context, chunk, owner)
                name = mtmd_cpp.mtmd_input_chunk_get_id(chunk) or b""
                ids += [_id_of(name, place)] * mtmd_cpp.mtmd_input_chunk_get_n_pos(chunk)
        cells = mtmd_cpp.mtmd_helper_get_n_tokens(chunks)
        return Prompt(np.asarray(ids, np.int64), max(cells, len(ids)), seen)

    def _cut(self, chunks: Any, text: str, bitmaps: Sequence[Any]) -> None:
        """Hand over text and pictures as parts, so that no text can pass for a picture's mark."""
        from llama_cpp import mtmd_cpp

        words = text.split(PICTURE)
        if len(words) != len(bitmaps) + 1:
            raise RuntimeError("the chat template left a picture out")
        parts, texts = [], []
        for place, said in enumerate(words):
            if said:
                spelled = said.encode()
                texts.append(mtmd_cpp.mtmd_input_text(spelled, len(spelled), False, True))
                parts.append(mtmd_cpp.mtmd_input_part(ctypes.pointer(texts[-1]), None))
            if place < len(bitmaps):
                parts.append(mtmd_cpp.mtmd_input_part(None, bitmaps[place]))
        kind = ctypes.POINTER(mtmd_cpp.mtmd_input_part)
        array = (kind * len(parts))(*(ctypes.pointer(part) for part in parts))
        failed = mtmd_cpp.mtmd_tokenize_from_parts(self._context, chunks, array, len(parts), False)
        if failed:
            raise RuntimeError(f"libmtmd could not cut the prompt ({failed})")


class _Chunks:
    """Owns what libmtmd made of a prompt: freed with the last piece that points into it."""

    def __init__(self, chunks: Any) -> None:
        self.chunks = chunks


@dataclass(frozen=True, slots=True)
class _Seen:
    context: Any
    chunk: Any
    owner: _Chunks

    def evaluate(self, model: Any, position: int) -> None:
        from llama_cpp import llama_cpp, mtmd_cpp

        end = llama_cpp.llama_pos(0)
        failed = mtmd_cpp.mtmd_helper_eval_chunk_single(
            self.context, model.ctx, self.chunk, position, 0, model.n_batch, False,
            ctypes.byref(end),
        )  # fmt: skip
        if failed:
            raise RuntimeError(f"a picture could not be read ({failed})")


def _bitmap(picture: Picture) -> Any:
    from llama_cpp import mtmd_cpp

    pixels = np.ascontiguousarray(bounded(picture))
    height, width = pixels.shape[:2]
    data = pixels.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
    bitmap = mtmd_cpp.mtmd_bitmap_init(width, height, data)
    name = hashlib.sha256(f"{width}x{height}".encode() + pixels.tobytes()).hexdigest()
    mtmd_cpp.mtmd_bitmap_set_id(bitmap, name.encode())
    return bitmap


def _id_of(name: bytes, place: int) -> int:
    """Give a picture a number below 0, another one at each place of a prompt."""
    digest = hashlib.sha256(name + place.to_bytes(4, "little")).digest()
    return -1 - int.from_bytes(digest[:7], "little")
