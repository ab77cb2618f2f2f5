"""Language models of a few thousand random weights, with their own tokenizers, written to folders.

They say nothing sensible; they show that what goes in and what comes out has the right shape.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

WORDS = (
    "the sky is blue red green a one two three four five word train cat sat on mat and then "
    "depot opened closed in answer which colour sentence user assistant system yes no maybe"
).split()
IMAGE = "<image>"
_TEXT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
)
_SEEING_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }} {% for part in m.content %}"
    "{% if part.type == 'image' %}MARK{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
)


def tokenizer(*marks: str, template: str | None = _TEXT_TEMPLATE) -> Any:
    """A tokenizer that knows WORDS, one token each, and a few marks."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    specials = ["<unk>", "<|im_start|>", "<|im_end|>", *marks]
    vocabulary = {word: place for place, word in enumerate([*specials, *WORDS])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=plain,
        unk_token="<unk>",
        pad_token="<unk>",
        eos_token="<|im_end|>",
        extra_special_tokens=["<|im_start|>", *marks],
        chat_template=template,
    )


def _body(cut: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(cut),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.5,
        "bos_token_id": None,
        "eos_token_id": cut.eos_token_id,
        "pad_token_id": cut.pad_token_id,
    }


def reading(folder: Path, *, template: str | None = _TEXT_TEMPLATE) -> Path:
    """A small OLMo 2 that only reads."""
    import torch
    from transformers import Olmo2Config, Olmo2ForCausalLM

    torch.manual_seed(5)
    cut = tokenizer("<think>", template=template)
    model = Olmo2ForCausalLM(Olmo2Config(**_body(cut)))
    marks = list(cut.added_tokens_decoder)
    model.lm_head.weight.data[marks] = 0  # it never ends by itself
    model.save_pretrained(folder)
    cut.save_pretrained(folder)
    return folder


def seeing_llava(folder: Path) -> Path:
    """A small LLaVA: pictures are cropped to one size, 4 tokens each."""
    import torch
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    torch.manual_seed(6)
    cut = tokenizer(IMAGE, template=None)
    sight = CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        projection_dim=24,
    )
    config = LlavaConfig(
        vision_config=sight,
        text_config=LlamaConfig(**_body(cut)),
        image_token_index=cut.convert_tokens_to_ids(IMAGE),
        image_seq_length=4,
        vision_feature_layer=-1,
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    side = {"height": 28, "width": 28}
    LlavaProcessor(
        image_processor=CLIPImageProcessor(size={"shortest_edge": 28}, crop_size=side),
        tokenizer=cut,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_SEEING_TEMPLATE.replace("MARK", IMAGE),
    ).save_pretrained(folder)
    return folder


def seeing_qwen(folder: Path) -> Path:
    """A small Qwen2-VL: pictures keep their shape, tokens have places in three dimensions."""
    import torch
    from transformers import (
        Qwen2VLConfig,
        Qwen2VLForConditionalGeneration,
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    torch.manual_seed(7)
    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    cut = tokenizer(*marks, template=None)
    start, end, image, video = cut.convert_tokens_to_ids(list(marks))
    text = _body(cut) | {
        "rope_parameters": {
            "rope_type": "default",
            "mrope_section": [1, 1, 2],
            "rope_theta": 10_000.0,
        }
    }
    config = Qwen2VLConfig(
        text_config=text,
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
        },
        vision_start_token_id=start,
        vision_end_token_id=end,
        image_token_id=image,
        video_token_id=video,
    )
    Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    few = {"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 16}
    Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=few),
        tokenizer=cut,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=_SEEING_TEMPLATE.replace("MARK", "".join((marks[0], marks[2], marks[1]))),
    ).save_pretrained(folder)
    return folder
