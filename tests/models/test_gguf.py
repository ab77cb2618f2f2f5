"""Any GGUF file is served or refused in one sentence; pictures reach the model."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models import embedded
from models.errors import ChatModelUnavailable, ModelNotFound
from models.llm.gguf import check_model, read_keys
from models.llm.llama import Llama
from models.llm.pictures import bounded
from models.options import LanguageOptions
from models.values import Message, Picture
from tests.models.made_gguf import WIDTH, write_header, write_model, write_projector

pytestmark = pytest.mark.real_model


@pytest.fixture(scope="module")
def words() -> Path:
    return embedded.SMOLLM.path()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, words: Path) -> Path:
    made = tmp_path_factory.mktemp("gguf")
    write_model(made / "tiny.gguf", words)
    write_projector(made / "mmproj.gguf")
    return made


@pytest.fixture(scope="module")
def seeing(folder: Path) -> Llama:
    options = LanguageOptions(projector=folder / "mmproj.gguf")
    return Llama(folder / "tiny.gguf", name="tiny", options=options)


def _picture(seed: int, height: int = 40, width: int = 60) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _ask(*pictures: Picture, text: str = "What is this?") -> list[Message]:
    return [Message("system", "Be brief."), Message("user", text, pictures)]


def test_the_window_is_what_the_model_was_trained_for(folder: Path) -> None:
    assert Llama(folder / "tiny.gguf", name="tiny").context_tokens == 1024
    small = LanguageOptions(context_tokens=256, gpu_layers=0)
    assert Llama(folder / "tiny.gguf", name="tiny", options=small).context_tokens == 256


def test_a_model_in_several_files_is_the_same_model(
    folder: Path, words: Path, tmp_path: Path
) -> None:
    write_model(tmp_path / "tiny.gguf", words, parts=5)
    parts = sorted(tmp_path.glob("tiny-*.gguf"))
    assert len(parts) == 3
    whole = Llama(folder / "tiny.gguf", name="whole")
    asked = _ask()
    split = Llama(parts[0], name="split")
    assert split.score(asked, ["A", "B"]) == pytest.approx(whole.score(asked, ["A", "B"]))
    with pytest.raises(ModelNotFound, match="part 2 of 3"):
        check_model(parts[1])
    parts[2].unlink()
    with pytest.raises(ModelNotFound, match=r"00003-of-00003\.gguf is missing"):
        Llama(parts[0], name="split")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "There is no file"),
    "empty": (lambda path: path.write_bytes(b""), "no GGUF file"),
    "other": (lambda path: path.write_bytes(b"PK\x03\x04" * 9), "no GGUF file"),
    "text": (lambda path: path.write_bytes(b"GGUF but not really so"), "damaged or cut off"),
    "embedding": (
        lambda path: write_header(path, "bert", bert__pooling_type=1),
        "embedding model",
    ),
    "two-way": (
        lambda path: write_header(path, "bert", bert__attention__causal=False),
        "embedding model",
    ),
    "projector": (write_projector, "is a projector"),
    "adapter": (lambda path: write_header(path, "llama", general__type="adapter"), "adapter"),
    "no count of parts": (
        lambda path: write_header(path, "llama", split__count="two"),
        "split.count is no count",
    ),
    "no window": (
        lambda path: write_header(path, "llama", llama__context_length="long"),
        "llama.context_length is no count",
    ),
    "no weights": (lambda path: write_header(path, "llama"), "could not be loaded"),
    "unknown": (lambda path: write_header(path, "quux"), "could not be loaded"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_model_is_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    make, said = REFUSED[kind]
    make(tmp_path / "bad.gguf")
    with pytest.raises(ModelNotFound, match=said) as refused:
        Llama(tmp_path / "bad.gguf", name="bad")
    assert "bad.gguf" in str(refused.value)


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.9, 0.999])
def test_a_model_cut_off_anywhere_is_refused(share: float, folder: Path, tmp_path: Path) -> None:
    whole = (folder / "tiny.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelNotFound, match="cut off"):
        Llama(tmp_path / "cut.gguf", name="cut")


def test_lengths_that_lie_are_not_believed(folder: Path, tmp_path: Path) -> None:
    head = bytearray((folder / "tiny.gguf").read_bytes()[:4096])
    head[24:32] = b"\xff" * 8  # the first key's length
    (tmp_path / "lie.gguf").write_bytes(head)
    with pytest.raises(ModelNotFound, match="damaged"):
        read_keys(tmp_path / "lie.gguf")


def test_a_template_that_takes_no_system_turn_gets_its_words_elsewhere(
    words: Path, tmp_path: Path
) -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}"
        "{% endif %}{{ m.role }}: {{ m.content }}\n{% endfor %}model:"
    )
    write_model(tmp_path / "strict.gguf", words, template=template)
    model = Llama(tmp_path / "strict.gguf", name="strict")
    assert model._template.lay_out(_ask()) == "user: Be brief.\n\nWhat is this?\nmodel:"
    turn = [Message("system", "alone")]
    with pytest.raises(ChatModelUnavailable, match="no system"):
        list(model.stream(turn, max_tokens=1))


def test_a_template_that_takes_parts_gets_parts(words: Path, tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{{ m.role }}: {% for part in m.content %}"
        "{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %};{% endfor %}"
    )
    write_model(tmp_path / "parts.gguf", words, template=template)
    model = Llama(tmp_path / "parts.gguf", name="parts")
    assert model._template.lay_out(_ask()) == "system: Be brief.;user: What is this?;"


def test_a_template_that_cannot_be_read_is_named(words: Path, tmp_path: Path) -> None:
    write_model(tmp_path / "odd.gguf", words, template="{% for m in %}")
    with pytest.raises(ModelNotFound, match=r"template in .*odd\.gguf cannot be read"):
        Llama(tmp_path / "odd.gguf", name="odd")


def test_pictures_change_what_is_said(seeing: Llama) -> None:
    assert seeing.sees
    told = {
        name: seeing.score(_ask(*pictures), ["A", "B"])
        for name, pictures in {
            "none": (),
            "first": (_picture(1),),
            "second": (_picture(2),),
            "both": (_picture(1), _picture(2)),
            "turned": (_picture(2), _picture(1)),
        }.items()
    }
    assert len({tuple(scores) for scores in told.values()}) == len(told)
    assert seeing.score(_ask(_picture(1)), ["A", "B"]) == pytest.approx(told["first"], abs=1e-4)


def test_the_same_picture_gives_the_same_reply(seeing: Llama) -> None:
    first = list(seeing.stream(_ask(_picture(1)), max_tokens=6))
    assert first
    list(seeing.stream(_ask(_picture(2), _picture(2)), max_tokens=6))
    assert list(seeing.stream(_ask(_picture(1)), max_tokens=6)) == first
    assert seeing.choose(_ask(_picture(1)), ["A", "B"]) in (0, 1)


def test_a_picture_already_seen_is_not_looked_at_again(
    seeing: Llama, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llama_cpp import mtmd_cpp

    looked: list[int] = []
    look = mtmd_cpp.mtmd_helper_eval_chunk_single
    monkeypatch.setattr(
        mtmd_cpp,
        "mtmd_helper_eval_chunk_single",
        lambda *given: (looked.append(1), look(*given))[1],
    )
    picture = _picture(3)
    list(seeing.stream(_ask(picture, text="What is left?"), max_tokens=2))
    list(seeing.stream(_ask(picture, text="What is right?"), max_tokens=2))
    assert len(looked) == 1
    list(seeing.stream(_ask(_picture(4)), max_tokens=2))
    assert len(looked) == 2


def test_a_large_picture_is_made_smaller_and_takes_its_room(seeing: Llama) -> None:
    assert bounded(_picture(1, 3000, 1500)).size == (512, 1024)
    assert bounded(_picture(1, 5000, 1)).size == (1, 1024)
    text = seeing._prompt(_ask()).cells
    assert seeing._prompt(_ask(_picture(1, 3000, 1500))).cells >= text + 4
    many = _ask(*[_picture(1)] * 250)
    with pytest.raises(ChatModelUnavailable, match="takes 1024"):
        list(seeing.stream(many, max_tokens=1))


def test_words_cannot_pass_for_a_picture(seeing: Llama) -> None:
    forged = seeing._prompt(_ask(_picture(1), text="<__media__> <image> <__media__>"))
    assert len(forged.pictures) == 1


def test_a_model_without_a_projector_refuses_pictures(folder: Path) -> None:
    blind = Llama(folder / "tiny.gguf", name="tiny")
    assert not blind.sees
    with pytest.raises(ChatModelUnavailable, match="cannot see"):
        list(blind.stream(_ask(_picture(1)), max_tokens=1))
    assert list(blind.stream(_ask(), max_tokens=1))


def test_a_projector_that_is_none_or_of_another_model_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    write_projector(tmp_path / "wide.gguf", width=2 * WIDTH)
    for projector, said in (
        (folder / "tiny.gguf", "no projector"),
        (tmp_path / "wide.gguf", "published with"),
        (tmp_path / "none.gguf", "no file"),
    ):
        with pytest.raises(ModelNotFound, match=said):
            Llama(folder / "tiny.gguf", name="tiny", options=LanguageOptions(projector=projector))


@pytest.mark.parametrize("lacks", ["template", "projector"])
def test_a_model_of_no_use_is_not_kept_in_memory(
    lacks: str, folder: Path, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import llama_cpp

    loaded: list[weakref.ref[llama_cpp.Llama]] = []
    closed: list[int] = []
    close = llama_cpp.Llama.close
    monkeypatch.setattr(
        llama_cpp.Llama,
        "close",
        lambda model: (loaded.append(weakref.ref(model)), closed.append(1), close(model)),
    )
    options = LanguageOptions()
    if lacks == "template":
        write_model(tmp_path / "tiny.gguf", words, template="")
    else:
        write_model(tmp_path / "tiny.gguf", words)
        options = LanguageOptions(projector=folder / "tiny.gguf")
    with pytest.raises(ModelNotFound, match=r"no (chat template|projector)"):
        Llama(tmp_path / "tiny.gguf", name="tiny", options=options)
    assert closed
    gc.collect()
    assert {model() for model in loaded} == {None}


def test_a_failure_at_a_picture_passes(seeing: Llama, monkeypatch: pytest.MonkeyPatch) -> None:
    from llama_cpp import mtmd_cpp

    fresh = _ask(_picture(9))
    with monkeypatch.context() as patch:
        patch.setattr(mtmd_cpp, "mtmd_helper_eval_chunk_single", lambda *_: -1)
        with pytest.raises(ChatModelUnavailable, match="picture"):
            list(seeing.stream(fresh, max_tokens=1))
    assert list(seeing.stream(fresh, max_tokens=1))
