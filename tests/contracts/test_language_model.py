"""What every LanguageModel promises."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import pytest

from models import catalog
from models.errors import ChatModelUnavailable
from models.ports import LanguageModel
from models.values import Message
from tests.fakes import FakeLanguageModel

BUILDERS = [
    pytest.param(lambda: FakeLanguageModel(["The sky is blue today."]), id="fake"),
    pytest.param(catalog.language_model, id="embedded", marks=pytest.mark.real_model),
]
ASKED = [Message("system", "Answer in one sentence."), Message("user", "Which colour is the sky?")]


@pytest.fixture(params=BUILDERS)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    build: Callable[[], LanguageModel] = request.param
    return build()


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
