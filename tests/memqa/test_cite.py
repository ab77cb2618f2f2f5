from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from docmem.sentences import sentence_spans
from memqa.cite import Source, citations, misquotes, numbers, rambles, stems, supports

SWAN = Source("m.e1", "Said: The black swan was bought by Oscar for 733 euros.")
SIGN = Source("m.e2", "Read: GATE 5")
ASKED = "For how many euros was the black swan bought?"


def test_a_borne_out_sentence_is_cited() -> None:
    text = "The black swan was bought for 733 euros."
    found = supports(text, ASKED, [SIGN, SWAN])
    assert found[0].borne_out
    (citation,) = citations(found)
    assert text[citation.char_start : citation.char_end] == text
    assert citation.evidence == ("m.e1",)


def test_a_wrong_number_is_never_borne_out() -> None:
    (support,) = supports("The black swan was bought for 734 euros.", ASKED, [SWAN, SIGN])
    assert not support.borne_out


def test_a_number_may_not_be_said_more_often_than_it_stands() -> None:
    source = Source("m.p1", "We kept 1,126 two-hop claims and 1,835 three-hop claims.")
    asked = "How many claims are there?"
    assert supports("There are 1,126 two-hop claims.", asked, [source])[0].borne_out
    twice = "There are 1,126 two-hop claims and 1,126 three-hop claims."
    assert not supports(twice, asked, [source])[0].borne_out


def test_repeating_the_question_claims_nothing() -> None:
    (support,) = supports("The black swan was bought for euros.", ASKED, [SWAN])
    assert not support.borne_out


def test_an_embellishment_is_not_borne_out() -> None:
    text = "The black swan was bought for 733 euros in Paris by rich collectors."
    assert not supports(text, ASKED, [SWAN])[0].borne_out


def test_a_clause_of_the_models_own_is_not_borne_out() -> None:
    source = Source("m.e3", "Water bottles are found at 0:15–0:26.")
    asked = "When are the water bottles shown?"
    assert supports("Water bottles are shown at 0:15–0:26.", asked, [source])[0].borne_out
    longer = "Water bottles are shown at 0:15–0:26, which is the end of the video."
    assert not supports(longer, asked, [source])[0].borne_out


def test_a_quotation_must_be_verbatim() -> None:
    source = Source("m.p1", "We use HOVER (Jiang et al., 2021) and FEVEROUS, and show gains.")
    assert misquotes("It says “We use HOVER (Jiang et al., 2021), and show gains”.", [source])
    assert not misquotes("It says “we use HOVER (Jiang et al., 2021) and FEVEROUS”.", [source])
    assert not misquotes("It quotes nothing.", [])


def test_no_evidence_bears_nothing_out() -> None:
    assert not supports("Anything 5.", "What?", [])[0].borne_out


def test_numbers_ignore_thousands_separators() -> None:
    assert numbers("3,500 of 12.5% at 7:30") == {"3500", "12.5", "7:30"}


def test_a_decimal_point_does_not_end_a_sentence() -> None:
    text = "Sales rose 10.9% to $3.5 billion. Costs fell."
    assert [text[a:b] for a, b in sentence_spans(text)] == [
        "Sales rose 10.9% to $3.5 billion.",
        "Costs fell.",
    ]


def test_a_looping_text_rambles() -> None:
    assert rambles("2023: " * 20)
    assert not rambles("The black swan was bought by Oscar for 733 euros in the year 1999.")


def test_stems_join_the_forms_of_a_word() -> None:
    assert stems("photographed") == stems("photographing")


@given(st.text(max_size=300))
def test_sentences_lie_in_order_inside_the_text(text: str) -> None:
    at = 0
    for start, end in sentence_spans(text):
        assert at <= start < end <= len(text)
        assert text[start:end].strip() == text[start:end]
        at = end
