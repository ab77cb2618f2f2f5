from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memqa.rank import Pool, words_of
from memqa.store.schema import Memory, memory_id
from models.values import PageSpan

_MEDIA = "a" * 64


def _passage(order: int, text: str, *, media: str = _MEDIA) -> Memory:
    return Memory(
        memory_id(media, f"p{order}"),
        media,
        0,
        "passage",
        "text",
        PageSpan(1, 1, 0, len(text)),
        text,
        order,
    )


def _pool(*texts: str) -> Pool:
    return Pool.of([_passage(order * 2, text) for order, text in enumerate(texts)])


def test_a_word_that_few_candidates_share_weighs_more():
    pool = _pool("the store sold lamps", "the store sold chairs", "the store sold chairs again")
    assert pool.worth("lamp") > pool.worth("chair") > pool.worth("store")


def test_words_in_the_order_asked_for_win_over_the_same_words_apart():
    pool = _pool("income of the year was net of taxes", "net income of the year and of taxes")
    fits = pool.fits("What was the net income?", [0.0, 0.0])
    assert fits[1] > fits[0]


def test_meaning_decides_where_no_word_is_shared():
    pool = _pool("one about cats", "one about dogs", "one about birds")
    fits = pool.fits("Which puppies bark?", [0.1, 0.8, 0.3])
    assert fits.argmax() == 1


def test_a_passage_takes_on_what_stands_beside_it():
    texts = ["revenue grew by a tenth", "nothing much", "nothing much", "nothing much"]
    pool = Pool.of([_passage(order, text) for order, text in enumerate(texts)])
    fits = pool.fits("How much did revenue grow?", [0.0] * 4)
    assert fits[0] > fits[1] > fits[2] == fits[3]


def test_what_stands_beside_it_in_another_document_does_not_count():
    one, other = _passage(3, "revenue grew"), _passage(4, "nothing much", media="b" * 64)
    assert Pool.of([one, other]).fits("revenue", [0.0, 0.0])[1] == 0


def test_a_question_without_any_known_word_fits_nothing():
    assert not _pool("alpha", "beta").fits("gamma", [0.0, 0.0]).any()
    assert _pool().fits("gamma", []).shape == (0,)


def test_numbers_are_words_and_possessives_are_not():
    assert words_of("The company’s 1,234.5 employees") == ("the", "compani", "1,234.5", "employe")


@given(
    st.lists(st.text(alphabet="abc ", max_size=12), min_size=1, max_size=8),
    st.text(alphabet="abc ?", max_size=10),
    st.data(),
)
def test_fits_are_shares_and_the_same_each_time(texts, question, data):
    meanings = data.draw(
        st.lists(st.floats(-1, 1, width=32), min_size=len(texts), max_size=len(texts))
    )
    fits = _pool(*texts).fits(question, meanings)
    assert fits.shape == (len(texts),)
    assert np.all((fits >= 0) & (fits <= 1))
    assert np.array_equal(fits, _pool(*texts).fits(question, meanings))


def test_where_one_page_may_not_be_all_others_come_sooner():
    pages = (4, 4, 4, 7)
    passages = [
        replace(_passage(order, "text"), locator=PageSpan(page, page, 0, 4))
        for order, page in enumerate(pages)
    ]
    spread = Pool.of(passages).spread(np.array([0.8, 1.0, 0.9, 0.75]))
    assert np.allclose(spread, [0.8 * 0.64, 1.0, 0.9 * 0.8, 0.75])


def test_what_no_candidate_knows_is_told():
    pool = _pool("Acme sold lamps in 2013", "Acme sold chairs in 2014")
    known = pool.support("How many lamps has Acme sold in 2013?", [0, 1])
    assert known.unknown == 0
    assert not known.strange_name
    assert not known.strange_number
    other = pool.support("How many lamps has Globex sold in 2022?", [0, 1])
    assert other.unknown > 0
    assert other.strange_name
    assert other.strange_number


def test_what_is_said_of_another_person_counts_against_it():
    said = "Ann: I shut down my bank account for the business.\nBob: Sorry. I like your courage."
    pool = _pool(said)
    of_ann = pool.support("Why did Ann shut down her bank account?", [0]).of_whom
    of_bob = pool.support("Why did Bob shut down his bank account?", [0]).of_whom
    assert of_ann is not None
    assert of_bob is not None
    assert of_ann > 0.8 > 0.2 > of_bob
    assert pool.support("Why was the account shut?", [0]).of_whom is None
    assert pool.support("Do Ann and Bob like it?", [0]).of_whom is None


def test_coverage_counts_what_words_are_worth():
    pool = _pool("the store sold lamps", "the store sold chairs", "the store sold chairs again")
    lamps, *chairs = pool.covered("Which store sold lamps?")
    assert lamps == 1.0
    assert all(share < 0.5 for share in chairs)


def test_an_article_is_no_speaker():
    said = "A: Where is it?\nB: I keep the spare key under the blue flowerpot."
    assert _pool(said).support("Is there a spare key under a flowerpot?", [0]).of_whom is None
