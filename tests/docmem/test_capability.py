"""The test of a model: perfect, guessing, wordless and slow ones get the tiers they deserve."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from docmem.capability import Capability, Item, items_from, samples, try_out
from docmem.moments import Asked, Note, moments, moments_from
from docmem.prompts import LABELS
from docmem.samples import SAMPLES
from models import catalog
from models.values import Message
from tests.docmem.walks import read, text_of, tree_of
from tests.fakes import FakeLanguageModel, FakeScoringModel, FakeTextEncoder

ENCODE = FakeTextEncoder().encode
ANSWERS = {question: text for sample in SAMPLES for text, question in sample}


def question_of(prompt: str) -> str:
    return prompt.split("Question: ")[1].split("\n")[0]


def parts_of(prompt: str) -> list[str]:
    """The quoted texts of a prompt, in their order."""
    parts: list[str] = []
    quoting = False
    for line in prompt.split("\n"):
        if line.startswith("| "):
            parts[-1:] = [f"{parts[-1]} {line[2:]}"] if quoting else [*parts[-1:], line[2:]]
        quoting = line.startswith("| ")
    return parts


def right(prompt: str) -> int:
    return parts_of(prompt).index(ANSWERS[question_of(prompt)])


def reply(messages: Sequence[Message]) -> str:
    """A model that knows: it acts, it says yes and no, it copies."""
    prompt = messages[-1].content
    if "part should be opened" in prompt:
        return f"Reason: It says so.\nAction: {right(prompt)}"
    if "yes or no" in prompt:
        return "Yes." if ANSWERS.get(question_of(prompt)) in parts_of(prompt) else "No."
    words = parts_of(prompt)[0].split()
    return f"{words[0]} | {words[1]} | {words[2]}"


def likes(prompt: str, said: str) -> float:
    if said.lower() in ("yes", "no"):
        knows = ANSWERS.get(question_of(prompt)) in parts_of(prompt)
        return 0.0 if knows == (said.lower() == "yes") else -4.0
    return 0.0 if LABELS.index(said) == right(prompt) else -4.0


def test_a_model_that_knows_leads() -> None:
    found = try_out(FakeLanguageModel(reply), ENCODE)
    assert found.tier == "A", found
    assert found.passed == {"format", "triage", "reason", "refusal", "extraction"}
    assert found.items == 24
    assert not found.scores


def test_a_model_that_only_scores_well_has_its_scores_used() -> None:
    found = try_out(FakeScoringModel(["I think so."], likes=likes), ENCODE)
    assert found.tier == "B", found
    assert found.passed == {"triage", "refusal"}
    assert "legal replies 0.00" in found.why


def test_without_scores_there_is_no_tier_b() -> None:
    def badly_formatted(messages: Sequence[Message]) -> str:
        said = reply(messages)
        return said if "Reason" not in said else "Reason: It says so."

    plain = try_out(FakeLanguageModel(badly_formatted), ENCODE)
    assert plain.tier == "C"


@pytest.mark.parametrize("answer", ["Yes.", "No.", "Action: 0", "Reason: So.\nAction: 7"])
def test_one_answer_to_everything_earns_nothing(answer: str) -> None:
    found = try_out(FakeLanguageModel([answer]), ENCODE)
    assert found.tier == "C"
    assert "may not choose" in found.why


def test_to_be_no_better_than_retrieval_is_not_enough() -> None:
    def nearest_is_right(texts: Sequence[str]) -> object:
        rows = ENCODE(texts)
        rows[1 + texts[1:].index(ANSWERS[texts[0]])] = rows[0]
        return rows

    found = try_out(FakeLanguageModel(reply), nearest_is_right)  # type: ignore[arg-type]
    assert found.retrieval.value == found.triage.value == 1
    assert found.tier == "C"


def test_the_time_is_kept_and_few_items_decide_nothing() -> None:
    ticks = iter(range(0, 10_000, 7))
    found = try_out(FakeLanguageModel(reply), ENCODE, budget_s=60, clock=lambda: float(next(ticks)))
    assert found.items == 8
    ticks = iter(range(0, 10_000, 60))
    found = try_out(FakeLanguageModel(reply), ENCODE, budget_s=60, clock=lambda: float(next(ticks)))
    assert found.items == 3
    assert found.tier == "C"
    assert "too few" in found.why


def test_items_of_an_own_document_name_its_words_and_are_spread() -> None:
    items = items_from(tree_of(64), read)
    assert 8 <= len(items) <= 16
    assert {item.gold for item in items} == {0, 1, 2, 3}
    for item in items:
        assert len(set(item.parts)) == 4
    assert items_from(tree_of(5), read) == []
    assert items == items_from(tree_of(64), read)


def test_samples_are_balanced() -> None:
    golds = [item.gold for item in samples()]
    assert all(golds.count(at) == len(golds) / 4 for at in range(4))
    assert all(isinstance(item, Item) for item in samples())


def test_a_result_is_written_and_read_back() -> None:
    found = try_out(FakeLanguageModel(reply), ENCODE)
    assert Capability.from_json(json.loads(json.dumps(found.as_json()))) == found


# Several timed notes


def answer_of(prompt: str, asked: Sequence[Asked]) -> str:
    """What one who knows would say; the empty text where it is another prompt."""
    if "Not in the notes" not in prompt:
        return ""
    (one,) = [one for one in asked if one.question == question_of(prompt)]
    return f"It is {' and '.join(one.right)}." if one.right else "Not in the notes."


def knowing(messages: Sequence[Message]) -> str:
    return answer_of(messages[-1].content, moments()) or reply(messages)


def test_a_model_that_knows_may_answer_from_several_notes() -> None:
    found = try_out(FakeLanguageModel(knowing), ENCODE)
    assert found.may_answer
    assert (str(found.copies), str(found.keeps), str(found.declines)) == ("1.00 of 9",) * 3
    assert found.answering.startswith("It answers well from several")
    assert found.tier == "A"


def test_to_answer_and_to_lead_are_two_things() -> None:
    def only_notes(messages: Sequence[Message]) -> str:
        return answer_of(messages[-1].content, moments()) or "Hm."

    found = try_out(FakeLanguageModel(only_notes), ENCODE)
    assert (found.tier, found.may_answer) == ("C", True)
    found = try_out(FakeLanguageModel(reply), ENCODE)
    assert (found.tier, found.may_answer) == ("A", False)
    assert "below the bar" in found.answering


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("absent", "It is blue."),
        ("copy", "Not in the notes."),
        ("moment", "Not in the notes."),
    ],
)
def test_a_model_needs_every_kind(kind: str, said: str) -> None:
    def lacking(messages: Sequence[Message]) -> str:
        prompt = messages[-1].content
        told = answer_of(prompt, moments())
        lacks = [one.question for one in moments() if one.kind == kind]
        return said if told and question_of(prompt) in lacks else told or reply(messages)

    found = try_out(FakeLanguageModel(lacking), ENCODE)
    assert found.tier == "A"
    assert not found.may_answer


def test_all_notes_at_once_are_no_answer() -> None:
    def everything(messages: Sequence[Message]) -> str:
        return " ".join(parts_of(messages[-1].content))

    found = try_out(FakeLanguageModel(everything), ENCODE)
    assert found.keeps.right == 0
    assert found.copies.value < 0.5
    assert found.declines.right == 0


@pytest.mark.parametrize("asked", moments(), ids=lambda asked: asked.question)
def test_each_question_has_its_answer_in_one_note_or_in_none(asked: Asked) -> None:
    shown = [str(note) for note in asked.notes]
    assert sorted(note.at_s for note in asked.notes) == [note.at_s for note in asked.notes]
    if asked.kind == "absent":
        assert not asked.right
        assert not any(asked.is_answered_by(note) for note in shown)
    else:
        assert sum(asked.is_answered_by(note) for note in shown) == 1


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("The lighthouse is shown at 2:21.", True),
        ("It is shown at 12:21.", False),
        ("At 2:21 and at 0:12.", False),
        ("Not in the notes.", False),
    ],
)
def test_a_time_is_right_to_the_second_and_alone(said: str, right: bool) -> None:
    (asked,) = [one for one in moments() if one.question == "When is the lighthouse shown?"]
    assert asked.is_answered_by(said) is right


@pytest.mark.parametrize(
    ("said", "declines"),
    [
        ("Not in the notes.", True),
        ("The notes do not tell it.", True),
        ("It isn't mentioned.", True),
        ("The notes don't say.", True),
        ("He is not blue.", False),
        ("It is blue.", False),
        ("", False),
    ],
)
def test_to_decline_is_to_say_so(said: str, declines: bool) -> None:
    (asked,) = [one for one in moments() if one.question == "Which colour is the bicycle?"]
    assert asked.is_answered_by(said) is declines


def test_an_own_video_is_asked_about_in_its_own_words() -> None:
    notes = [Note(10.0 * n, "said", text_of(n)) for n in range(40)]
    asked = moments_from(notes)
    assert 8 <= len(asked) <= 12
    assert {one.kind for one in asked} == {"copy", "moment", "absent"}
    for one in asked:
        right = [note for note in one.notes if one.is_answered_by(str(note))]
        assert len(right) == (one.kind != "absent")
    assert moments_from(notes) == asked
    assert moments_from(notes[:9]) == []
    assert moments_from([Note(0.0, "said", "the same")] * 40) == []


def test_little_time_leaves_it_open_whether_it_may_answer() -> None:
    ticks = iter(range(0, 10_000, 60))
    clock = lambda: float(next(ticks))  # noqa: E731
    found = try_out(FakeLanguageModel(knowing), ENCODE, budget_s=60, clock=clock)
    assert not found.may_answer
    assert "too little was tried" in found.answering


@pytest.mark.real_model
def test_the_embedded_model_may_not_answer_from_several_notes() -> None:
    found = try_out(catalog.language_model(), ENCODE, budget_s=20)
    assert found.tier == "C"
    assert not found.may_answer
    assert found.declines.value < 0.5
