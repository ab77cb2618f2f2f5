"""Answers in a strong model's own words: what it reads, and what of its words stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from memqa.followup import in_full
from memqa.library import Library
from memqa.settings import Settings
from memqa.values import Answer
from models.errors import ChatModelUnavailable
from models.ports import LanguageModel
from models.values import Message
from tests.fakes import FakeLanguageModel
from tests.memqa.parts import FakeEngines

REPORT = """# Harbour

The ferry leaves the harbour at noon. Tickets cost 12 crowns at the pier.

# Lamp

Ingrid Holm kept the lighthouse. She trimmed its lamp for 31 years.

# Storm

A storm broke four panes of the lighthouse. The repair cost 640 crowns.
"""
WALKS = ("should be read in full", "Action: -2", "Read:", "Reason:")


class Composing(FakeEngines):
    """A model that leads a walk to wherever and then says what the test wants."""

    def __init__(self, reply: str | None, context_tokens: int = 8000) -> None:
        super().__init__()
        self.prompts: list[Sequence[Message]] = []
        self.reply = reply
        self.model = FakeLanguageModel(self._say, context_tokens=context_tokens)

    def language_model(self) -> LanguageModel:
        return self.model

    def _say(self, messages: Sequence[Message]) -> str | None:
        if "from notes on" in messages[0].content:
            self.prompts.append(messages)
            return self.reply
        if "Rewrite the last question" in messages[0].content:
            self.prompts.append(messages)
            return self.reply
        return "Reason: It fits.\nRead: 0"


@pytest.fixture
def asked_with(tmp_path: Path) -> Iterator[Callable[..., tuple[Answer, Composing]]]:
    opened: list[Library] = []

    def ask(
        question: str, reply: str | None, *, context_tokens: int = 8000
    ) -> tuple[Answer, Composing]:
        engines = Composing(reply, context_tokens)
        library = Library(tmp_path / "home", Settings(tier="A"), engines=engines)
        opened.append(library)
        if not library.media():
            file = tmp_path / "report.md"
            file.write_text(REPORT, encoding="utf-8")
            library.add(file)
        return library.ask(question), engines

    yield ask
    for library in opened:
        library.close()


def test_each_sentence_cites_the_note_that_bears_it_out(
    asked_with: Callable[..., tuple[Answer, Composing]],
) -> None:
    told = "Ingrid Holm kept the lighthouse for 31 years. The repair cost 640 crowns."
    answer, _ = asked_with("Who kept the lighthouse, and what did the repair cost?", told)
    assert (answer.text, answer.state) == (told, "grounded")
    texts = {item.id: item.text for item in answer.evidence}
    first, second = answer.citations
    assert "Ingrid Holm" in texts[first.evidence[0]]
    assert "640 crowns" in texts[second.evidence[0]]
    assert told[first.char_start : first.char_end].endswith("31 years.")


@pytest.mark.parametrize(
    "made_up", ["The repair cost 950 crowns.", "Olaf Berg kept the lighthouse for 31 years."]
)
def test_a_sentence_with_another_number_or_name_has_no_evidence_and_is_warned_of(
    asked_with: Callable[..., tuple[Answer, Composing]], made_up: str
) -> None:
    said = f"Ingrid Holm kept the lighthouse. {made_up}"
    answer, _ = asked_with("Who kept the lighthouse?", said)
    assert answer.state == "ungrounded"
    assert [said[c.char_start : c.char_end] for c in answer.citations] == [
        said.split(" Olaf")[0].split(" The repair")[0]
    ]


def test_words_that_nothing_bears_out_give_way_to_the_quote(
    asked_with: Callable[..., tuple[Answer, Composing]],
) -> None:
    answer, _ = asked_with("Who kept the lighthouse?", "Elephants wander through Tokyo at 5 am.")
    assert "Elephants" not in answer.text
    assert "Ingrid Holm" in answer.text
    assert any("not borne out" in step.detail for step in answer.walk if step.name == "told")


def test_a_model_that_finds_no_answer_in_the_notes_leaves_it_unanswered(
    asked_with: Callable[..., tuple[Answer, Composing]],
) -> None:
    answer, _ = asked_with("Who kept the lighthouse?", "Not in the notes.")
    assert answer.state == "unanswered"
    assert answer.evidence
    assert not answer.citations


def test_brackets_of_the_model_are_no_citations(
    asked_with: Callable[..., tuple[Answer, Composing]],
) -> None:
    answer, _ = asked_with(
        "Who kept the lighthouse?", "Ingrid Holm kept the lighthouse [7] (p. 99)."
    )
    assert answer.text == "Ingrid Holm kept the lighthouse."
    assert answer.state == "grounded"


def test_a_model_that_fails_leaves_the_quote_and_says_so(
    asked_with: Callable[..., tuple[Answer, Composing]],
) -> None:
    answer, _ = asked_with("Who kept the lighthouse?", None)
    assert "Ingrid Holm" in answer.text
    assert answer.state == "grounded"
    assert any(step.name == "no language model" for step in answer.walk)


def test_notes_stand_in_the_files_order_and_within_the_window(
    asked_with: Callable[..., tuple[Answer, Composing]],
) -> None:
    question = "What did the repair cost, who kept the lighthouse, when does the ferry leave?"
    _, wide = asked_with(question, "The ferry leaves the harbour at noon.")
    notes = wide.prompts[0][1].content
    assert notes.index("ferry") < notes.index("Ingrid") < notes.index("640")
    _, narrow = asked_with(question, "The ferry leaves at noon.", context_tokens=420)
    assert all(sum(len(m.content.split()) for m in prompt) < 420 - 256 for prompt in narrow.prompts)


def test_the_reply_says_which_model_it_is_of(
    asked_with: Callable[..., tuple[Answer, Composing]],
) -> None:
    answer, _ = asked_with("Who kept the lighthouse?", "Ingrid Holm kept the lighthouse.")
    assert answer.models["language"] == "fake-script"
    assert [step.detail for step in answer.walk if step.name == "told"] == [
        "in the words of fake-script"
    ]


def test_a_follow_up_is_asked_in_full_only_in_words_of_the_chat(tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    file.write_text(REPORT, encoding="utf-8")
    engines = Composing("Ingrid Holm kept the lighthouse.")
    with Library(tmp_path / "home", Settings(tier="A"), engines=engines) as library:
        library.add(file)
        library.ask("Who kept the lighthouse?", chat="one")
        turns = library.turns("one")
    model = FakeLanguageModel(["How long did Ingrid Holm keep the lighthouse?"])
    assert in_full(model, turns, "How long did she keep it?") == (
        "How long did Ingrid Holm keep the lighthouse?"
    )
    stranger = FakeLanguageModel(["How long did Olaf Berg steal from the bank?"])
    assert in_full(stranger, turns, "How long did she keep it?") is None


def test_a_number_in_brackets_is_no_citation(
    asked_with: Callable[..., tuple[Answer, Composing]],
) -> None:
    said = "Ingrid Holm kept the lighthouse for years (31)."
    answer, _ = asked_with("Who kept the lighthouse?", said)
    assert answer.text == said


def test_a_server_that_stopped_costs_the_model_and_not_the_answer(tmp_path: Path) -> None:
    class Gone(Composing):
        def language_model(self) -> LanguageModel:
            raise ChatModelUnavailable("http://127.0.0.1:1/v1 does not answer. Start it.")

    with Library(tmp_path / "home", Settings(tier="A"), engines=Gone("")) as library:
        file = tmp_path / "report.md"
        file.write_text(REPORT, encoding="utf-8")
        library.add(file)
        answer = library.ask("Who kept the lighthouse?", chat="one")
        assert "Ingrid Holm" in answer.text
        assert answer.tier == "D"
        assert any("does not answer" in step.detail for step in answer.walk)
        assert len(library.turns("one")) == 1
