"""The walk in a library: its tier, the evidence it chooses, going on from a branch, its drawing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from memqa.capabilities import FILE
from memqa.cli.way import steps_tree
from memqa.library import Library
from memqa.settings import Settings
from memqa.values import Answer, Step
from models.errors import InputError, SetupError
from models.ports import LanguageModel
from models.values import Message
from tests.fakes import FakeLanguageModel, FakeScoringModel
from tests.memqa.parts import FakeEngines

CHAPTERS = (
    ("Harbour", "The ferry leaves the harbour at noon. Tickets cost 12 crowns at the pier."),
    ("Lamp", "Ingrid Holm kept the lighthouse. She trimmed its lamp for 31 years."),
    ("Storm", "A storm broke four panes of the lighthouse. The repair cost 640 crowns."),
    ("Solar", "Solar cells feed the lighthouse today. A boat visits the lighthouse twice a year."),
)
ASKED = "Who kept the lighthouse?"


class Speaking(FakeEngines):
    def __init__(self, model: FakeLanguageModel) -> None:
        super().__init__()
        self.model = model

    def language_model(self) -> LanguageModel:
        return self.model


def written(folder: Path) -> Path:
    """Twenty pages' worth of sections, so that the tree has three levels."""
    filler = " ".join(f"Gravel lies on the path near stone {n}." for n in range(30))
    lines = []
    for turn in range(5):
        for name, said in CHAPTERS:
            text = said if turn == 0 else f"Nothing happened here in year {turn}."
            lines += [f"# {name} {turn}", "", f"{text} {filler}", ""]
    path = folder / "island.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def library_with(tmp_path: Path) -> Iterator[Callable[..., Library]]:
    opened: list[Library] = []

    def make(model: FakeLanguageModel | None = None, tier: str = "auto") -> Library:
        settings = Settings(tier=tier)  # type: ignore[arg-type]
        engines = Speaking(model or FakeLanguageModel(["Ingrid Holm kept the lighthouse."]))
        library = Library(tmp_path / "home", settings, engines=engines)
        if not library.media():
            library.add(written(tmp_path))
        opened.append(library)
        return library

    yield make
    for library in opened:
        library.close()


def looks(answer: Answer) -> list[Step]:
    return [step for step in answer.walk if step.look is not None]


def test_an_untested_model_is_tier_c_and_evidence_is_retrievals(
    library_with: Callable[..., Library],
) -> None:
    library = library_with()
    answer = library.ask(ASKED)
    (tier,) = [step for step in answer.walk if step.name.startswith("tier")]
    assert tier.name == "tier C"
    assert "not tested" in tier.detail
    assert answer.tier == "C"
    read = [step.look for step in looks(answer) if step.name.startswith("read ")]
    found = [item.id.partition(".")[2] for item in library.search(ASKED, limit=4)]
    assert [look.node for look in read if look][:4] == found
    assert answer.evidence[0].id.endswith(f".{found[0]}")


def test_a_walk_is_kept_with_its_turn(library_with: Callable[..., Library]) -> None:
    answer = library_with().ask(ASKED)
    again = Answer.from_json(json.loads(json.dumps(answer.as_json())))
    kept, original = looks(again)[-1].look, looks(answer)[-1].look
    assert kept
    assert original
    assert kept.path == original.path
    assert kept.reason == original.reason
    step = [step for step in answer.as_json()["walk"] if "node" in step][-1]
    assert set(step) >= {"name", "detail", "scores", "elapsed_s", "node", "options", "chosen"}
    assert set(step) >= {"reason", "tokens", "ms"}


def test_a_picked_branch_is_all_that_counts(library_with: Callable[..., Library]) -> None:
    library = library_with()
    tree = library.outline("island.md")
    last = tree.node(tree.root).children[-1]
    answer = library.ask(ASKED, resume=last)
    first = tree.node(last).first_passage
    assert answer.evidence
    assert all(int(item.id.partition(".p")[2]) >= first for item in answer.evidence)
    assert answer.state != "grounded"
    with pytest.raises(InputError, match=r"no branch 'n9-9'.*such as n"):
        library.ask(ASKED, resume="n9-9")


def test_in_tier_a_what_the_model_chose_comes_first(library_with: Callable[..., Library]) -> None:
    def reply(messages: Sequence[Message]) -> str:
        asked = messages[-1].content
        if "should be read in full" in asked:
            return "Reason: Solar.\nRead: 3"
        if "Action: -2" in asked:
            return "Reason: It says so.\nAction: -2\nAnswer: Solar cells."
        return "Solar cells feed the lighthouse today."

    model = FakeLanguageModel(reply, context_tokens=8000)
    library = library_with(model, "A")
    answer = library.ask("What feeds the lighthouse?")
    assert answer.tier == "A"
    assert answer.evidence[0].id.endswith(".p3")
    assert "Solar." in looks(answer)[0].detail


def test_a_model_that_fails_on_the_way_leaves_the_walk_to_retrieval(
    library_with: Callable[..., Library],
) -> None:
    answer = library_with(FakeLanguageModel([None]), "A").ask(ASKED)
    assert any(step.name == "walk goes on without the model" for step in answer.walk)
    assert answer.evidence[0].id.endswith(".p1")
    assert answer.state != "unanswered"


def test_a_tier_set_by_hand_needs_what_it_needs(library_with: Callable[..., Library]) -> None:
    with pytest.raises(SetupError, match="tier B needs"):
        library_with(FakeLanguageModel(), "B").ask(ASKED)
    silent = FakeLanguageModel(["Ingrid Holm kept the lighthouse."])
    answer = library_with(silent, "D").ask(ASKED)
    assert answer.tier == "D"
    assert not silent.asked


def test_the_test_of_a_model_is_kept_and_belongs_to_its_weights(
    library_with: Callable[..., Library],
) -> None:
    def likes(prompt: str, reply: str) -> float:
        return 0.0 if reply.lower() in ("a", "yes") else -2.0

    library = library_with(FakeScoringModel(["Hm."], likes=likes))
    found = library.test_model()
    assert found.items > 24  # the shipped ones and some from the island
    assert found.tier == "C"
    assert library.tier() == ("C", f"fake-scorer: {found.why}")
    assert "legal replies 0.00" in library.tier()[1]
    other = library_with(FakeLanguageModel(name="another"))
    assert "not tested" in other.tier()[1]
    (library.home / FILE).write_text("{", encoding="utf-8")
    assert "not tested" in library.tier()[1]


def test_the_whole_is_read_from_the_top(library_with: Callable[..., Library]) -> None:
    answer = library_with().ask("What is this document about?")
    first = looks(answer)[0].look
    assert first
    assert first.reason.startswith("The whole is asked about")
    assert [option.id for option in first.options if option.chosen] == [
        option.id for option in first.options
    ]


def test_what_is_read_of_the_whole_is_drawn_below_its_part(
    library_with: Callable[..., Library],
) -> None:
    answer = library_with().ask("Summarise what is said about the lighthouse.")
    read = [step.look.node for step in looks(answer) if step.look and step.name.startswith("read")]
    drawn = _drawn(answer)
    assert read
    assert all(any(f"✓ {leaf} " in line for line in drawn) for leaf in read)


def _drawn(answer: Answer) -> list[str]:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(steps_tree(answer.walk))
    return captured.get().splitlines()


def test_the_walk_is_drawn_as_the_tree_it_went(library_with: Callable[..., Library]) -> None:
    library = library_with()
    lines = _drawn(library.ask(ASKED))
    tree = library.outline("island.md")
    levels = {
        name: line.index("▸")
        for line in lines
        for name in [line.partition("▸ ")[2].split(" ")[0]]
        if name
    }
    root = levels.pop(tree.root)
    assert levels
    assert all(at == root + 4 * (len(tree.path(name)) - 1) for name, at in levels.items())
    assert any("✓ p1 " in line and "Ingrid Holm" in line for line in lines)
    assert sum("the walk:" in line for line in lines) == 1
