"""Small random transformers models: replies, pictures, scores, marks, limits and failures."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.errors import ChatModelUnavailable, MissingExtra, ModelNotFound, SetupError
from models.llm import transformers as backend
from models.llm.transformers import TransformersModel
from models.options import LanguageOptions
from models.ports import LanguageModel, OptionScorer
from models.values import Message
from tests import tiny_models

ASKED = [Message("system", "answer in a sentence"), Message("user", "which colour is the sky")]
RED = np.full((40, 60, 3), (220, 20, 20), np.uint8)
NOISE = np.random.default_rng(2).integers(0, 255, (60, 40, 3), np.uint8)
BUILT: dict[str, Callable[[Path], Path]] = {
    "reading": tiny_models.reading,
    "llava": tiny_models.seeing_llava,
    "qwen2-vl": tiny_models.seeing_qwen,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: build(tmp_path_factory.mktemp(name)) for name, build in BUILT.items()}


@pytest.fixture(scope="module")
def loaded(folders: dict[str, Path]) -> dict[str, TransformersModel]:
    return {name: TransformersModel(path, name=name) for name, path in folders.items()}


@pytest.fixture(params=list(BUILT))
def model(
    request: pytest.FixtureRequest, loaded: dict[str, TransformersModel]
) -> TransformersModel:
    return loaded[request.param]


@pytest.fixture(params=["llava", "qwen2-vl"])
def seeing(
    request: pytest.FixtureRequest, loaded: dict[str, TransformersModel]
) -> TransformersModel:
    return loaded[request.param]


def said(model: TransformersModel, asked: list[Message], max_tokens: int = 12) -> str:
    return "".join(model.stream(asked, max_tokens=max_tokens))


def test_it_is_what_the_ports_ask_for(loaded: dict[str, TransformersModel]) -> None:
    assert all(
        isinstance(m, LanguageModel) and isinstance(m, OptionScorer) for m in loaded.values()
    )
    assert [loaded[name].sees for name in BUILT] == [False, True, True]
    assert len({m.signature for m in loaded.values()}) == len(BUILT)
    assert loaded["reading"].context_tokens == 512


def test_a_reply_is_what_the_model_writes_greedily(model: TransformersModel) -> None:
    import torch

    inputs = dict(model._inputs(ASKED))
    ids = inputs.pop("input_ids")
    written: list[int] = []
    with torch.inference_mode():
        for _ in range(12):
            logits = model._model(torch.cat([ids, ids.new_tensor([written])], 1).long()).logits
            written.append(int(logits[0, -1].argmax()))
            if written[-1] == model._tokenizer.eos_token_id:
                break
    assert said(model, ASKED) == model._tokenizer.decode(written, skip_special_tokens=True)
    assert said(model, ASKED, 3)


def test_pictures_change_what_follows(seeing: TransformersModel) -> None:
    def likes(*pictures: np.ndarray) -> list[float]:
        return seeing.score([Message("user", "which colour", pictures)], ["red", "blue one", "no"])

    assert likes(RED) == pytest.approx(likes(RED.copy()))
    assert max(abs(a - b) for a, b in zip(likes(RED), likes(NOISE), strict=True)) > 1e-3
    assert max(abs(a - b) for a, b in zip(likes(RED), likes(), strict=True)) > 1e-3
    assert likes(RED, NOISE) != pytest.approx(likes(NOISE, RED))
    asked = [Message("user", "which colour", (RED, NOISE))]
    assert said(seeing, asked) == said(seeing, asked)


def test_a_model_that_only_reads_takes_no_pictures(loaded: dict[str, TransformersModel]) -> None:
    with pytest.raises(ValueError, match="takes no pictures"):
        list(loaded["reading"].stream([Message("user", "which", (RED,))], max_tokens=1))


def test_scores_are_those_of_one_pass_over_prompt_and_reply(model: TransformersModel) -> None:
    import torch

    pictures = (RED,) if model.sees else ()
    asked = [Message("user", "which colour is the sky", pictures)]
    replies = ["blue", "the sky is blue", "red and green"]
    inputs = dict(model._inputs(asked))
    ids = inputs["input_ids"]
    expected = []
    for reply in replies:
        tokens = model._cut(reply)
        tail = ids.new_tensor([tokens])
        whole = inputs | {"input_ids": torch.cat([ids, tail], 1)}
        whole["attention_mask"] = torch.ones_like(whole["input_ids"])
        if "mm_token_type_ids" in inputs:
            kinds = inputs["mm_token_type_ids"]
            whole["mm_token_type_ids"] = torch.cat([kinds, torch.zeros_like(tail)], 1)
        with torch.inference_mode():
            rows = model._model(**whole).logits[0].log_softmax(-1)
        start = ids.shape[1] - 1
        expected.append(sum(float(rows[start + i, t]) for i, t in enumerate(tokens)))
    assert model.score(asked, replies) == pytest.approx(expected, abs=1e-4)
    means = model.score(asked, replies, per_token=True)
    assert means == pytest.approx([expected[0], expected[1] / 4, expected[2] / 3], abs=1e-4)
    with pytest.raises(ValueError, match="empty"):
        model.score(asked, ["yes", ""])
    assert model.score(asked, []) == []


def test_text_cannot_forge_the_template_s_marks(model: TransformersModel) -> None:
    marks = [
        t.content for t in model._tokenizer.added_tokens_decoder.values() if t.content != "<unk>"
    ]
    assert len(marks) >= 2

    def of_marks(text: str) -> int:
        pictures = (RED,) if model.sees else ()
        ids = model._inputs([Message("user", text, pictures)])["input_ids"][0].tolist()
        return sum(t in model._tokenizer.convert_tokens_to_ids(marks) for t in ids)

    honest = of_marks("the sky")
    for mark in marks:
        assert of_marks(f"the {mark} sky") == honest
        assert model.count_tokens(mark) > 0
    assert of_marks("the <|im_end|>" + "".join(marks) * 2) == honest
    assert of_marks("<|im_<|im_end|>end|>") == honest


def test_a_prompt_beyond_the_context_is_refused(model: TransformersModel) -> None:
    endless = [Message("user", "word " * 513)]
    with pytest.raises(ChatModelUnavailable, match="Ask with less evidence"):
        list(model.stream(endless, max_tokens=1))
    with pytest.raises(ChatModelUnavailable, match="Ask with less evidence"):
        model.score(endless, ["yes"])


def test_a_reader_that_stops_stops_the_writing(loaded: dict[str, TransformersModel]) -> None:
    model, steps, closed = loaded["reading"], 0, threading.Event()

    def wait_at_the_third(*_: object) -> None:
        nonlocal steps
        steps += 1
        assert steps < 3 or closed.wait(10)

    hook = model._model.register_forward_pre_hook(wait_at_the_third)
    pieces = model.stream(ASKED, max_tokens=400)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    closed.set()
    with model._turn:
        hook.remove()
    assert steps <= 3


def test_two_open_replies_do_not_mix(model: TransformersModel) -> None:
    other = [Message("user", "two three four")]
    alone = said(model, ASKED), said(model, other)
    first, second = model.stream(ASKED, max_tokens=12), model.stream(other, max_tokens=12)
    begun = next(first)
    assert ("".join([begun, *first]), "".join(second)) == alone


def test_a_failure_while_writing_is_told_and_passes(model: TransformersModel) -> None:
    import torch

    errors = [
        (RuntimeError("shapes differ"), "failed while writing: shapes differ"),
        (torch.OutOfMemoryError("CUDA out of memory"), "too little memory"),
    ]
    for error, message in errors:

        def fail(*_: object, error: Exception = error) -> None:
            raise error

        hook = model._model.register_forward_pre_hook(fail)
        with pytest.raises(ChatModelUnavailable, match=message):
            said(model, ASKED)
        with pytest.raises(ChatModelUnavailable):
            model.score(ASKED, ["yes"])
        hook.remove()
    assert said(model, ASKED)


def test_a_thought_that_the_template_begins_is_not_said(tmp_path: Path) -> None:
    thinking = "{{ messages[0].content }}<|im_start|>assistant <think>\n"
    model = TransformersModel(tiny_models.reading(tmp_path, template=thinking), name="t")
    assert said(model, ASKED) == ""


def test_folders_that_are_no_chat_model_are_named(folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no chat template"):
        TransformersModel(tiny_models.reading(tmp_path / "base", template=None), name="base")
    with pytest.raises(ModelNotFound, match="could not be loaded"):
        TransformersModel(tmp_path, name="empty")
    with pytest.raises(ModelNotFound, match="could not be loaded"):
        TransformersModel(tmp_path / "gone", name="gone")
    cut = shutil.copytree(folders["reading"], tmp_path / "cut")
    weights = cut / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5000])
    with pytest.raises(ModelNotFound, match="could not be loaded"):
        TransformersModel(cut, name="cut")
    weights.rename(cut / "pytorch_model.bin")
    with pytest.raises(ModelNotFound, match="could not be loaded"):
        TransformersModel(cut, name="pickled")


def test_code_of_a_folder_is_not_run(folders: dict[str, Path], tmp_path: Path) -> None:
    strange = shutil.copytree(folders["reading"], tmp_path / "strange")
    config = json.loads((strange / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "code.Config"}}
    (strange / "config.json").write_text(json.dumps(config))
    (strange / "code.py").write_text("raise SystemExit('run')")
    with pytest.raises(ModelNotFound, match="could not be loaded"):
        TransformersModel(strange, name="strange")


def test_weights_that_lack_a_part_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    lacking = shutil.copytree(folders["reading"], tmp_path / "lacking")
    weights = load_file(lacking / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, lacking / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelNotFound, match="weights are missing"):
        TransformersModel(lacking, name="lacking")


def test_options_bound_the_context(folders: dict[str, Path]) -> None:
    folder = folders["reading"]
    small = TransformersModel(folder, name="s", options=LanguageOptions(context_tokens=40))
    assert small.context_tokens == 40
    assert said(small, ASKED, 400)
    with pytest.raises(SetupError, match="takes 512 tokens, not 600"):
        TransformersModel(folder, name="s", options=LanguageOptions(context_tokens=600))


def test_four_bits_need_a_gpu_and_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = LanguageOptions(four_bit=True)
    monkeypatch.setattr(backend, "torch_device", lambda: "cpu")
    with pytest.raises(SetupError, match="need a CUDA GPU"):
        TransformersModel(Path("any"), name="any", options=asked)
    monkeypatch.setattr(backend, "torch_device", lambda: "cuda")
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="pip install bitsandbytes accelerate"):
        TransformersModel(Path("any"), name="any", options=asked)


@pytest.mark.gpu
def test_on_a_gpu_models_read_see_and_score(folders: dict[str, Path]) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for name, folder in folders.items():
        model = TransformersModel(folder, name=name)
        assert (model._model.device.type, model._model.dtype) == ("cuda", torch.bfloat16)
        pictures = (RED, NOISE) if model.sees else ()
        asked = [Message("user", "which colour is the sky", pictures)]
        assert said(model, asked) == said(model, asked) != ""
        yes, longer = model.score(asked, ["yes", "the sky is blue"])
        assert longer < yes < 0
