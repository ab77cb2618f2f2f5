"""The test of a model: perfect, guessing, wordless and slow ones get the tiers they deserve."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from docmem.capability import Capability, Item, items_from, samples, try_out
from docmem.prompts import LABELS
from docmem.samples import SAMPLES
from models.values import Message
from tests.docmem.walks import read, tree_of
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
