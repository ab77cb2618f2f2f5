from __future__ import annotations

import pytest

from docmem.rewrite import RewriteParams, is_supported, rewrite_key, shorten
from models.errors import ChatModelUnavailable
from tests.fakes import FakeLanguageModel

SOURCES = (
    "The board met in Oslo on 3 May. Revenue rose to 1,250 million crowns. Ida Holm was chair.",
    "The plant in Bergen was not closed. It makes 40 turbines a year for the North Sea.",
)


def test_what_the_sources_hold_stays_and_the_rest_is_dropped() -> None:
    model = FakeLanguageModel(
        [
            "Revenue rose to 1250 million crowns. Revenue rose to 1,300 million crowns. "
            "The plant in Bergen makes 40 turbines a year. Ida Berg was chair. "
            "Everybody was delighted with these splendid results. The plant in Bergen makes"
        ]
    )
    made = shorten("The extract.", SOURCES, model)
    assert made.how == "llm"
    assert made.text == (
        "Revenue rose to 1250 million crowns. The plant in Bergen makes 40 turbines a year."
    )
    assert made.dropped == (
        "Revenue rose to 1,300 million crowns.",
        "Ida Berg was chair.",
        "Everybody was delighted with these splendid results.",
        "The plant in Bergen makes",
    )
    assert (made.model, made.prompt_version) == ("fake-script", "shorten/2")


def test_the_extract_stays_where_nothing_is_supported() -> None:
    made = shorten("The extract.", SOURCES, FakeLanguageModel(["The moon is made of cheese."]))
    assert (made.how, made.text) == ("extract", "The extract.")


@pytest.mark.parametrize(
    ("sentence", "fine"),
    [
        ("The plant in Bergen was not closed.", True),
        ("It makes 41 turbines a year.", False),
        ("It never makes 40 turbines a year.", False),
        ("For the North Sea it makes 40 turbines a year.", True),
        ("Sea North the for year a turbines 40 makes.", False),
    ],
)
def test_support_is_numbers_names_negations_words_and_their_order(
    sentence: str, fine: bool
) -> None:
    assert is_supported(sentence, SOURCES[1]) is fine


def test_a_sentence_mixed_of_two_sources_is_supported_by_neither() -> None:
    assert not any(is_supported("Revenue rose to 40 turbines.", source) for source in SOURCES)


def test_sources_that_do_not_fit_the_model_are_cut_evenly() -> None:
    model = FakeLanguageModel(["Revenue rose."], context_tokens=400)
    sources = [f"Text {n} begins. " + "word " * 400 for n in range(4)]
    shorten("x", sources, model, params=RewriteParams(words=30))
    (asked,) = model.asked
    assert all(f"Text {n} begins." in asked[-1].content for n in range(4))


def test_the_key_changes_with_what_the_rewrite_hangs_on() -> None:
    one = FakeLanguageModel()
    keys = {
        rewrite_key(SOURCES, one),
        rewrite_key(SOURCES[:1], one),
        rewrite_key(SOURCES, FakeLanguageModel(name="other")),
        rewrite_key(SOURCES, one, RewriteParams(words=10)),
    }
    assert len(keys) == 4
    assert shorten("x", SOURCES, one).inputs == rewrite_key(SOURCES, one)


def test_a_model_that_fails_or_nothing_to_shorten_is_said() -> None:
    with pytest.raises(ChatModelUnavailable):
        shorten("x", SOURCES, FakeLanguageModel([None]))
    with pytest.raises(ValueError, match="at least one text"):
        shorten("x", [" "], FakeLanguageModel())
    with pytest.raises(ValueError, match="not a way"):
        RewriteParams(words=0)
