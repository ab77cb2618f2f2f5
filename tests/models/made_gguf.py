"""GGUF files made for tests: tiny, with random weights and the embedded model's first words."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import gguf
import numpy as np

WIDTH, VOCABULARY = 32, 1024
SIDE_PX, PATCH_PX = 28, 14


def write_model(path: Path, words: Path, *, template: str | None = None, parts: int = 0) -> None:
    """Write a llama of one layer; with ``parts`` a file for every so many tensors.

    Without a ``template`` it carries the embedded model's own, with an empty one none.
    """
    split = {"split_max_tensors": parts} if parts else {}
    writer = gguf.GGUFWriter(path, "llama", **split)
    _copy_words(writer, words, template)
    writer.add_context_length(1024)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(VOCABULARY)
    shapes = {
        "token_embd.weight": (VOCABULARY, WIDTH),
        "output.weight": (VOCABULARY, WIDTH),
        "blk.0.attn_q.weight": (WIDTH, WIDTH),
        "blk.0.attn_k.weight": (WIDTH, WIDTH),
        "blk.0.attn_v.weight": (WIDTH, WIDTH),
        "blk.0.attn_output.weight": (WIDTH, WIDTH),
        "blk.0.ffn_gate.weight": (2 * WIDTH, WIDTH),
        "blk.0.ffn_up.weight": (2 * WIDTH, WIDTH),
        "blk.0.ffn_down.weight": (WIDTH, 2 * WIDTH),
        "output_norm.weight": (WIDTH,),
        "blk.0.attn_norm.weight": (WIDTH,),
        "blk.0.ffn_norm.weight": (WIDTH,),
    }
    _write(writer, shapes)


def write_projector(path: Path, *, width: int = WIDTH) -> None:
    """Write a CLIP of one layer with a LLaVA projector of two; a picture is four tokens."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    for key, number in (
        ("image_size", SIDE_PX),
        ("patch_size", PATCH_PX),
        ("embedding_length", WIDTH),
        ("feed_forward_length", 2 * WIDTH),
        ("projection_dim", width),
        ("block_count", 1),
        ("attention.head_count", 2),
    ):
        writer.add_uint32(f"clip.vision.{key}", number)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    places = (SIDE_PX // PATCH_PX) ** 2 + 1
    shapes: dict[str, tuple[int, ...]] = {
        "v.class_embd": (WIDTH,),
        "v.patch_embd.weight": (WIDTH, 3, PATCH_PX, PATCH_PX),
        "v.position_embd.weight": (places, WIDTH),
    }
    for name in ("v.pre_ln", "v.post_ln", "v.blk.0.ln1", "v.blk.0.ln2"):
        shapes |= {f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)}
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        shapes |= {f"v.blk.0.{name}.weight": (WIDTH, WIDTH), f"v.blk.0.{name}.bias": (WIDTH,)}
    shapes |= {"v.blk.0.ffn_up.weight": (2 * WIDTH, WIDTH), "v.blk.0.ffn_up.bias": (2 * WIDTH,)}
    shapes |= {"v.blk.0.ffn_down.weight": (WIDTH, 2 * WIDTH), "v.blk.0.ffn_down.bias": (WIDTH,)}
    shapes |= {"mm.0.weight": (width, WIDTH), "mm.0.bias": (width,)}
    shapes |= {"mm.2.weight": (width, width), "mm.2.bias": (width,)}
    _write(writer, shapes)


def write_header(path: Path, architecture: str, **keys: str | int | bool) -> None:
    """Write a file that has nothing but a few keys."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in keys.items():
        name = key.replace("__", ".")
        if isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        else:
            writer.add_string(name, value)
    _write(writer, {})


def _copy_words(writer: gguf.GGUFWriter, words: Path, template: str | None) -> None:
    tokens, kinds, merges, own = _words(words)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if template != "":
        writer.add_chat_template(template or own)


@cache
def _words(path: Path) -> tuple[list[str], list[int], list[str], str]:
    fields = gguf.GGUFReader(path).fields
    first = slice(VOCABULARY)
    tokens = fields["tokenizer.ggml.tokens"].contents(first)
    kinds = fields["tokenizer.ggml.token_type"].contents(first)
    merges = fields["tokenizer.ggml.merges"].contents(first)
    known = set(tokens)
    merges = [merge for merge in merges if merge.replace(" ", "") in known]
    return tokens, kinds, merges, fields["tokenizer.chat_template"].contents()


def _write(writer: gguf.GGUFWriter, shapes: dict[str, tuple[int, ...]]) -> None:
    rng = np.random.default_rng(7)
    for name, shape in shapes.items():
        writer.add_tensor(name, rng.normal(0, 0.3, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
