"""What every LanguageModel promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from models import catalog
from models.errors import ChatModelUnavailable
from models.llm.server import ServerModel
from models.llm.transformers import TransformersModel
from models.options import LanguageOptions
from models.ports import LanguageModel
from models.values import Message
from tests import tiny_models
from tests.chat_server import embedded_weights, llama_cpp_server
from tests.fakes import FakeLanguageModel

_OF_2048 = LanguageOptions(context_tokens=2048)
BUILDERS = [
    pytest.param(lambda _: FakeLanguageModel(["The sky is blue today."]), id="fake"),
    pytest.param(lambda _: catalog.language_model(), id="embedded", marks=pytest.mark.real_model),
    pytest.param(
        lambda request: ServerModel(request.getfixturevalue("served"), "", _OF_2048),
        id="server",
        marks=pytest.mark.real_model,
    ),
    pytest.param(
        lambda request: TransformersModel(request.getfixturevalue("tiny"), name="tiny"),
        id="transformers",
    ),
]
ASKED = [Message("system", "Answer in one sentence."), Message("user", "Which colour is the sky?")]


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with llama_cpp_server(embedded_weights()) as url:
        yield url


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.reading(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(params=BUILDERS)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    build: Callable[[pytest.FixtureRequest], LanguageModel] = request.param
    return build(request)


def test_it_is_a_language_model(model: LanguageModel) -> None:
    assert isinstance(model, LanguageModel)
    assert model.name
    assert model.signature
    assert model.context_tokens > 0


def test_tokens_are_counted(model: LanguageModel) -> None:
    assert model.count_tokens("") == 0
    assert 0 < model.count_tokens("one two") < model.count_tokens("one two three four five")


def test_the_reply_comes_in_pieces_and_is_the_same_each_time(model: LanguageModel) -> None:
    first = list(model.stream(ASKED, max_tokens=12))
    assert 1 < len(first) <= 13
    assert "".join(first).strip()
    assert list(model.stream(ASKED, max_tokens=12)) == first


def test_no_more_tokens_than_asked_for(model: LanguageModel) -> None:
    assert len(list(model.stream(ASKED, max_tokens=2))) <= 3


def test_a_stream_closed_early_leaves_the_model_usable(model: LanguageModel) -> None:
    whole = list(model.stream(ASKED, max_tokens=8))
    cut = model.stream(ASKED, max_tokens=8)
    assert list(islice(cut, 2)) == whole[:2]
    del cut
    assert list(model.stream(ASKED, max_tokens=8)) == whole


def test_a_prompt_beyond_the_context_is_refused(model: LanguageModel) -> None:
    endless = [Message("user", "word " * (model.context_tokens + 1))]
    with pytest.raises(ChatModelUnavailable, match=r"[Aa]sk with less"):
        list(model.stream(endless, max_tokens=1))
