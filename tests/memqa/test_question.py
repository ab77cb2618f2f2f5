from __future__ import annotations

import math

import pytest

from memqa.cues import asks_lively, asks_many, asks_name, asks_number, content_words, thing_of
from memqa.question import Turn, leans, understand
from memqa.times import Stretch


@pytest.mark.parametrize(
    ("text", "wants", "focus"),
    [
        ("When does the photo of a solar panel appear?", "when", "solar panel"),
        ("List every time at which the picture of an owl is shown.", "when", "owl"),
        ("When is this scene shown: a dog runs on the beach", "when", "a dog runs on the beach"),
        ("How many times does the photo of a can opener appear?", "count", "can opener"),
        ("What is shown directly after the photo of a hare?", "after", "hare"),
        ("What comes before the red bus?", "before", "red bus"),
        ("What does the white sign over the photo of a vintage car say?", "what", "vintage car"),
        ("Summarise the meeting.", "summary", "Summarise the meeting"),
        ("What is this video about?", "summary", ""),
    ],
)
def test_a_question_is_taken_apart(text: str, wants: str, focus: str) -> None:
    question = understand(text)
    assert (question.wants, question.focus) == (wants, focus)


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("What is in the scene at 12:30?", 750.0),
        ("Which photo is shown at 1:05?", 65.0),
        ("Show the moment at 3:10", 190.0),
        ("What is shown in minute 4?", 240.0),
        ("When is this scene shown: a clock at 12:30 on a wall", None),
    ],
)
def test_a_time_of_day_behind_a_picture_is_a_moment(text: str, second: float | None) -> None:
    assert understand(text).at_s == second


@pytest.mark.parametrize(
    "text",
    [
        "How long does it take from the start to the dog?",
        "How long after the start is the dog shown?",
        "How many minutes between the dog and the end?",
    ],
)
def test_a_gap_with_one_thing_is_answered_by_its_times(text: str) -> None:
    question = understand(text)
    assert (question.wants, question.focus, question.others) == ("when", "dog", ())


def test_what_the_speaker_says_is_asked_of_speech() -> None:
    assert understand("What does the speaker say about whales?").sense == "said"
    assert understand("In which city was it taken, according to the speaker?").sense == "said"


def test_what_a_sign_says_is_read_not_heard() -> None:
    assert understand("What does the white sign over the photo of a car say?").sense == "read"
    question = understand("When is the sign EXIT 158 shown?")
    assert (question.wants, question.sense, question.focus) == ("when", "read", "sign EXIT 158")


def test_an_order_question_names_two_things() -> None:
    question = understand(
        "Which appears first: the photo of a can opener or the photo of a church?"
    )
    assert (question.wants, question.things) == ("order", ("can opener", "church"))
    assert question.pick == "first"
    assert understand("Which comes last, the bus or the train?").pick == "last"


@pytest.mark.parametrize(
    ("text", "wants", "things"),
    [
        (
            "In which order do the bus, the cat and the drum appear?",
            "order",
            ("bus", "cat", "drum"),
        ),
        ("In what order are a bus and a cat shown?", "order", ("bus", "cat")),
        ("What is shown between the bus and the cat?", "between", ("bus", "cat")),
        ("How much time passes between the bus and the cat?", "gap", ("bus", "cat")),
        ("How long after the bus does the cat appear?", "gap", ("bus", "cat")),
        ("How long before the bus is the cat shown?", "gap", ("cat", "bus")),
        ("How long is the bus shown?", "how_long", ("bus",)),
        ("For how many seconds is the red bus visible?", "how_long", ("red bus",)),
        ("How long is the video?", "how_long", ("",)),
        ("How long does talk.mp4 last?", "how_long", ("talk.mp4",)),
        ("How many times does the bus appear?", "count", ("bus",)),
    ],
)
def test_what_is_computed_is_recognised(text: str, wants: str, things: tuple[str, ...]) -> None:
    question = understand(text)
    assert (question.wants, question.things) == (wants, things)


@pytest.mark.parametrize(
    ("text", "pick", "focus"),
    [
        ("When does the bus first appear?", "first", "bus"),
        ("When is the bus shown for the last time?", "last", "bus"),
        ("When is the last time a red bus is seen?", "last", "red bus"),
        ("When does the bus appear?", "all", "bus"),
    ],
)
def test_the_first_or_last_of_several_can_be_meant(text: str, pick: str, focus: str) -> None:
    question = understand(text)
    assert (question.wants, question.pick, question.focus) == ("when", pick, focus)


@pytest.mark.parametrize(
    ("text", "at_s"),
    [
        ("What is happening now?", math.inf),
        ("What is on screen right now?", math.inf),
        ("What is being shown at the moment?", math.inf),
        ("What is the last thing shown?", math.inf),
        ("What is shown at the end of the video?", math.inf),
        ("What is shown first?", 0.0),
        ("What does the film begin with?", 0.0),
        ("What is he holding at minute 4?", 240.0),
        ("What is the company's revenue now?", None),
        ("What is the first name of the author?", None),
        ("What was the last price of the vase?", None),
    ],
)
def test_a_moment_may_be_now_or_an_end(text: str, at_s: float | None) -> None:
    assert understand(text).at_s == at_s


def test_a_stretch_says_what_counts() -> None:
    question = understand("How many times does the bus appear in the last 5 minutes?")
    assert (question.wants, question.focus, question.within) == (
        "count", "bus", Stretch(-300, math.inf),
    )  # fmt: skip
    question = understand("What is shown between 1:00 and 2:00?")
    assert (question.wants, question.within) == ("between", Stretch(60, 120))
    assert understand("What was revenue in the first half of 2023?").within is None


def test_times_in_a_description_are_no_times_of_the_video() -> None:
    question = understand("When is this scene shown: a man waves at 3:10, falls in the last second")
    assert (question.wants, question.within, question.at_s) == ("when", None, None)


def test_a_count_as_of_a_moment_counts_up_to_it() -> None:
    question = understand("How many times has the bus appeared?", at_s=90.0)
    assert (question.wants, question.at_s, question.within) == ("count", None, Stretch(0, 90))


def test_global_mode_ignores_a_time_in_the_words() -> None:
    assert understand("What happens at 12:30?", mode="global").at_s is None


def test_at_a_moment_the_question_is_about_now() -> None:
    assert understand("What is on the screen at this moment?", at_s=9.0).wants == "now"
    assert understand("What was shown just before this?", at_s=9.0).wants == "before"


def test_a_bare_follow_up_keeps_the_anchor_of_the_answer_before() -> None:
    before = Turn("When does the photo of a cat appear?", "cat", anchor_id="m.e4")
    question = understand("And after that?", before=before)
    assert (question.wants, question.anchor_id) == ("after", "m.e4")


def test_what_about_asks_the_same_of_another_thing() -> None:
    before = Turn("When does the photo of a cat appear?", "cat")
    question = understand("What about the bus?", before=before)
    assert (question.wants, question.focus) == ("when", "bus")


def test_a_whole_question_leans_on_nothing() -> None:
    before = Turn("When does the photo of a cat appear?", "cat")
    asked = "When does the photo of a dog appear?"
    assert understand(asked, before=before) == understand(asked)


@pytest.mark.parametrize(
    "asked",
    [
        'Where does it say "EXIT B"?',
        "Where does it say EXIT B?",
        "When does it show Angela Merkel?",
        "Where did it read “No Entry”?",
        "Where does it say that Hanna left?",
        "Where is it written 'closed'?",
        "Where does it say that the rent is due?",
        "When is “then they came back” said?",
    ],
)
def test_what_it_says_somewhere_leans_on_nothing(asked: str) -> None:
    before = Turn("When does the photo of a cat appear?", "cat")
    assert not leans(asked)
    assert understand(asked, before=before) == understand(asked)


@pytest.mark.parametrize(
    "asked",
    [
        "What does it say then?",
        "What does it say?",
        "Where does it say that?",
        "What does it show on the left?",
        "What does it say about ferries?",
        'Is "EXIT B" written on it?',
        'And where does it say "EXIT B"?',
    ],
)
def test_what_it_says_that_was_spoken_of_is_a_follow_up(asked: str) -> None:
    before = Turn("When does the photo of a cat appear?", "cat")
    assert leans(asked)
    assert "cat" in understand(asked, before=before).text


def test_content_words_leave_out_asking_and_medium() -> None:
    assert content_words("When does the photo of a Black Swan appear?") == ("black", "swan")


@pytest.mark.parametrize("text", ["?", "…", "when when when", "a" * 20_000, "()[]|*+"])
def test_odd_questions_are_understood_as_something(text: str) -> None:
    assert understand(text).text == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("For how many euros was the red vase bought?", "red vase"),
        ("What is the catalogue number of the siamese cat?", "siamese cat"),
        ("In which city was the swan photographed, according to the speaker?", "swan"),
        ("What happened next?", "next"),
    ],
)
def test_the_thing_that_is_told_of_is_the_last_one_named(text: str, thing: str) -> None:
    assert thing_of(text) == thing


@pytest.mark.parametrize(
    ("text", "lively"),
    [
        ("When is this scene shown: a man looks at a photo", True),
        ("When does the photo of a cat appear?", False),
        ("When does the cat appear?", None),
    ],
)
def test_a_scene_is_lively_and_a_photo_is_still(text: str, lively: bool | None) -> None:
    assert asks_lively(text) is lively


def test_what_kind_of_word_answers() -> None:
    assert asks_name("Who was the keeper of the lighthouse?")
    assert asks_name("In which city was it built?")
    assert asks_number("What is the catalogue number of the gong?")
    assert not asks_name("How much was paid?")
    assert not asks_number("Who was the keeper?")


def test_a_stretch_and_a_time_are_as_of_the_moment_asked_at() -> None:
    last = understand("What happened in the last ten seconds?", at_s=20.0)
    assert (last.wants, last.within) == ("between", Stretch(10, 20))
    half = understand("How long is the bus shown in the first half?", at_s=60.0)
    assert half.within == Stretch(0, 30)
    when = understand("When is the bus shown?", at_s=10.0)
    assert (when.wants, when.within) == ("when", Stretch(0, 10))
    count = understand("How many times has the bus been shown so far?", at_s=30.0)
    assert (count.focus, count.within) == ("bus", Stretch(0, 30))


def test_both_things_of_an_order_keep_all_their_words() -> None:
    question = understand("Which comes first, the water bottle or the red bus?")
    assert question.things == ("water bottle", "red bus")


@pytest.mark.parametrize(
    "text",
    [
        "Summarize the discussion about hourly rates in the meeting.",
        "What are the main points about the budget?",
        "Summarise the debate on fishing quotas.",
    ],
)
def test_a_summary_of_a_topic_is_looked_for_and_is_not_the_whole(text: str) -> None:
    assert understand(text).wants == "what"
    assert asks_many(text)


@pytest.mark.parametrize(
    "text",
    [
        "Summarise the whole meeting.",
        "What is the plot of the story?",
        "Give an overview of the report.",
        "What is this paper about?",
        "Summarise what is said in the meeting.",
    ],
)
def test_a_summary_without_a_topic_is_of_the_whole(text: str) -> None:
    assert understand(text).wants == "summary"
