"""Several media in one question: the walk over them, and answers that tell of each of them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from memqa.across import Across
from memqa.cli.way import steps_tree
from memqa.library import Library
from memqa.listening import Listener
from memqa.outline import OutlineTools, outline_commits
from memqa.question import understand
from memqa.settings import Settings
from memqa.store.read import Reader
from memqa.store.schema import Commit, MediaRow
from memqa.values import Answer, Look, Media
from models.errors import InputError
from models.values import Message
from tests.fakes import FakeLanguageModel, FakeTextEncoder
from tests.memqa.parts import FakeEngines
from tests.memqa.test_answer import FILM, film_commit
from tests.memqa.test_walks import Speaking, written

TEXTS = {
    "north.md": "# North\n\nThe ferry to the north leaves at nine. Tickets cost 12 crowns.",
    "south.md": "# South\n\nThe ferry to the south leaves at noon. A blue wagon waits there.",
    "tower.md": "# Tower\n\nThe tower was built of granite. Gulls nest on its roof.",
}
FERRY = "When does the ferry to the south leave?"


def filled(library: Library, folder: Path) -> Library:
    """Three documents and a film with an outline."""
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
        library.add(folder / name)
    library.store.write.begin(MediaRow(FILM))
    commit = film_commit()
    library.store.write.commit(commit)
    events = [memory for memory in commit.memories if memory.level == "event"]
    encoder = FakeTextEncoder()
    tools = OutlineTools(encoder, Listener())
    for outline in outline_commits(FILM, events, first_segment=1, done=(), tools=tools):
        library.store.write.commit(outline)
    library.store.write.settle(FILM)
    return library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        yield filled(library, tmp_path)


def looks(answer: Answer) -> list[Look]:
    return [step.look for step in answer.walk if step.look is not None]


def ids(library: Library, *names: str) -> list[str]:
    return [library.show(name).id for name in names]


def test_a_question_that_names_a_file_is_asked_of_it_alone(library: Library) -> None:
    answer = library.ask("Summarise tower.md.")
    assert {item.path.rsplit("/", 1)[-1] for item in answer.evidence} == {"tower.md"}
    assert "ferry" not in answer.text


# The walk


def test_the_walk_begins_at_the_node_of_all_media(library: Library) -> None:
    answer = library.ask("Which wagon waits for the ferry at noon?")
    first, *others = looks(answer)
    assert (first.node, first.path, first.media) == ("library", ("library",), "")
    assert first.place == "4 files"
    assert first.text == "3 documents and 1 video"
    scores = [option.score for option in first.options]
    assert scores == sorted(scores, reverse=True)
    assert first.options[0].id == "south.md:n1-0"
    assert first.options[0].media == ids(library, "south.md")[0]
    assert "ferry to the south" in first.options[0].text
    assert first.chosen == tuple(option.id for option in first.options[:3])
    # A document and the film are walked alike, each below its own root.
    opened = {look.path[1] for look in others}
    assert opened == set(first.chosen)
    assert f"{FILM.name}:n1-0" in opened
    assert all(look.path[0] == "library" and look.media for look in others)
    assert {look.path[1].partition(":")[0] for look in others} == {
        next(one.name for one in library.media() if one.id == look.media) for look in others
    }
    # Scores go by ids, so that the page can lead to each place.
    scored = [key for step in answer.walk if step.look for key in step.scores]
    assert set(scored) == set(library.store.read.memories_by_id(scored))
    # Its evidence is retrieval's own.
    found = [item.id for item in library.search("Which wagon waits for the ferry at noon?")]
    assert [item.id for item in answer.evidence] == found[: len(answer.evidence)]


def test_the_node_bears_the_collections_name(library: Library) -> None:
    library.collect("Ferries", ["north.md", "south.md"])
    answer = library.ask("Which ferry leaves at noon?", media="ferries")
    first = looks(answer)[0]
    assert first.node == "Ferries"
    assert "walk Ferries" in [step.name for step in answer.walk]
    assert len(first.options) == 2


def test_ties_go_by_name_and_three_are_opened(tmp_path: Path) -> None:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        for name in "dbeca":
            path = tmp_path / f"{name}.md"
            path.write_text(f"The heron sleeps on one leg. {name}", encoding="utf-8")
            library.add(path)
        answer = library.ask("Where is the heron?")
        first = looks(answer)[0]
        assert [one.id.partition(":")[0] for one in first.options] == [f"{c}.md" for c in "abcde"]
        assert [one.partition(":")[0] for one in first.chosen] == ["a.md", "b.md", "c.md"]


def test_a_single_media_is_walked_by_plain_names(library: Library) -> None:
    answer = library.ask("Which ferry leaves at noon?", media="south.md")
    assert [look.node for look in looks(answer)] == ["n1-0", "p0"]
    assert {look.media for look in looks(answer)} == set(ids(library, "south.md"))
    again = library.ask("Which ferry leaves at noon?", media="south.md", resume="n1-0")
    assert [look.node for look in looks(again)] == ["n1-0", "p0"]


def test_a_branch_is_picked_among_several_media(library: Library) -> None:
    answer = library.ask("Which ferry leaves at noon?", resume="north.md:n1-0")
    assert {item.media_id for item in answer.evidence} == set(ids(library, "north.md"))
    assert looks(answer)[0].node == "north.md:n1-0"
    by_id = f"{ids(library, 'north.md')[0][:8]}:n1-0"
    assert library.ask("Which ferry leaves at noon?", resume=by_id).evidence == answer.evidence
    alone = library.ask("Which ferry?", media="north.md", resume="north.md:n1-0")
    assert looks(alone)[0].node == "n1-0"
    with pytest.raises(InputError, match=r"4 files are asked.*such as \S+:n1-0"):
        library.ask("Which ferry leaves at noon?", resume="n1-0")
    with pytest.raises(InputError, match="fits none of the files asked"):
        library.ask("Which ferry?", media=["north.md", "south.md"], resume="tower.md:n1-0")
    with pytest.raises(InputError, match=r"no branch 'n9-9'.*north.md:p0"):
        library.ask("Which ferry leaves at noon?", resume="north.md:n9-9")


def test_two_files_of_one_name_are_told_apart_by_their_ids(
    library: Library, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    path = tmp_path / "other" / "south.md"
    path.write_text("No ferry leaves at noon on Sundays.", encoding="utf-8")
    other = library.add(path)
    answer = library.ask("Which ferry leaves at noon?")
    options = {one.media: one for one in looks(answer)[0].options}
    assert options[other.id].id == f"{other.id[:8]}:n1-0"
    assert options[other.id].text.startswith("south.md: ")
    resumed = library.ask("Which ferry leaves at noon?", resume=options[other.id].id)
    assert {item.media_id for item in resumed.evidence} == {other.id}
    with pytest.raises(InputError, match="fits 2 of the files asked"):
        library.ask("Which ferry leaves at noon?", resume="south.md:n1-0")


def test_the_walk_is_drawn_as_one_tree_and_kept(library: Library) -> None:
    from rich.console import Console

    answer = library.ask("Which ferry leaves at noon?")
    kept = Answer.from_json(json.loads(json.dumps(answer.as_json())))
    assert [look.path for look in looks(kept)] == [look.path for look in looks(answer)]
    assert [look.media for look in looks(kept)] == [look.media for look in looks(answer)]
    console = Console(width=200)
    with console.capture() as captured:
        console.print(steps_tree(kept.walk))
    lines = captured.get().splitlines()
    (root,) = [line.index("▸ library") for line in lines if "▸ library" in line]
    (south,) = [line for line in lines if "▸ south.md:n1-0" in line]
    (leaf,) = [line for line in lines if "✓ p0" in line and "ferry to the south" in line]
    assert (south.index("▸"), leaf.index("✓")) == (root + 4, root + 8)


def test_a_media_without_outline_is_not_opened(library: Library) -> None:
    bare = Media("e" * 64, "/films/ferry.mp4", "video", "indexing", remembered_s=1)
    library.store.write.begin(MediaRow(bare))
    answer = library.ask("Which ferry leaves at noon?")
    assert looks(answer)[0].place == "5 files"
    assert not any("ferry.mp4" in option.id for option in looks(answer)[0].options)


def test_a_model_looks_into_two_media_at_most(tmp_path: Path) -> None:
    def reply(messages: Sequence[Message]) -> str:
        return "Reason: No.\nAction: -1" if "Action:" in messages[-1].content else "No."

    model = FakeLanguageModel(reply, context_tokens=8000)
    settings = Settings(tier="A")
    with Library(tmp_path / "home", settings, engines=Speaking(model)) as library:
        filled(library, tmp_path)
        answer = library.ask("Which ferry leaves at noon?")
        first = looks(answer)[0]
        assert len(first.chosen) == 3
        walked = [one for one in model.asked if "from notes on" not in one[0].content]
        told = [message.content for one in walked for message in one]
        texts = [re.sub(r"^# \w+\s+", "", text)[:30] for text in TEXTS.values()]
        read = [text for text in texts if any(text in one for one in told)]
        assert 1 <= len(read) <= 2
        assert {look.path[1] for look in looks(answer)[1:]} == set(first.chosen)


def test_walking_over_several_media_searches_no_more_than_once(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = []
    once = Reader.search_text
    monkeypatch.setattr(
        Reader, "search_text", lambda *args, **more: searched.append(1) or once(*args, **more)
    )
    assert len(looks(library.ask("Which ferry leaves at noon?"))) > 3
    assert len(searched) == 1


# Answers


def across(question: str, *names: str) -> Across | None:
    media = [
        Media(str(n) * 64, f"/d/{name}", _kind(name), "indexed") for n, name in enumerate(names)
    ]
    return Across.of(understand(question), media)


def _kind(name: str) -> str:
    return "video" if name.endswith("mp4") else "document"


@pytest.mark.parametrize(
    ("question", "matter"),
    [
        ("Which reports mention the layoffs?", "layoffs"),
        ("Which of these reports is about layoffs?", "layoffs"),
        ("How many reports mention layoffs?", "layoffs"),
        ("In which files are water bottles shown?", "water bottles shown"),
        ("What do the reports say about layoffs?", "layoffs"),
        ("What does each report say about layoffs?", "layoffs"),
        ("What do annual and quarter say about layoffs?", "layoffs"),
        ("What do annual.pdf and Quarter.pdf say on layoffs?", "layoffs"),
        ("Compare layoffs in annual.pdf and quarter.pdf.", "layoffs"),
        ("How do the two reports differ on layoffs?", "layoffs"),
    ],
)
def test_questions_to_each_media_are_known_by_their_words(question: str, matter: str) -> None:
    found = across(question, "acme_annual.pdf", "acme_quarter.pdf", "acme_talk.mp4")
    assert found
    assert matter in found.asked.text
    assert not re.search(r"report|annual|quarter|compare|say|differ", found.asked.text, re.I)


@pytest.mark.parametrize(
    "question",
    [
        "Who kept the lighthouse?",
        "What were net sales compared to last year?",
        "Which book did she read in the garden?",
        "How much was net revenue?",
        "What does the annual report say about layoffs?",
        "When does the bus appear?",
    ],
)
def test_questions_for_one_fact_stay_so(question: str) -> None:
    assert across(question, "acme_annual.pdf", "acme_quarter.pdf", "acme_talk.mp4") is None


def test_a_thousand_files_are_looked_through_at_once() -> None:
    names = [f"acme_{n:04d}_minutes.pdf" for n in range(1000)] + ["___.txt", "gala.mp4", "flood.md"]
    started = time.perf_counter()
    found = across("What do gala and flood say about the mayor? " + "and so on " * 2000, *names)
    assert time.perf_counter() - started < 2
    assert found
    assert [one.name for one in found.media] == ["gala.mp4", "flood.md"]


def test_one_media_is_never_several() -> None:
    assert across("Which reports mention layoffs?", "annual.pdf") is None


def test_media_that_are_named_are_those_asked() -> None:
    found = across("Compare fees in annual and talk", "acme_annual.pdf", "b.pdf", "acme_talk.mp4")
    assert found
    assert [one.name for one in found.media] == ["acme_annual.pdf", "acme_talk.mp4"]
    videos = across("Which videos show a bus?", "annual.pdf", "talk.mp4", "walk.mp4")
    assert videos
    assert [one.name for one in videos.media] == ["talk.mp4", "walk.mp4"]


def test_which_media_mention_a_thing_is_told_with_a_place_of_each(library: Library) -> None:
    answer = library.ask("Which files mention the ferry?")
    head, *lines = answer.text.splitlines()
    assert head == "Found in 2 of 4 files: north.md and south.md."
    assert lines == [
        "north.md, p. 1: “The ferry to the north leaves at nine.”",
        "south.md, p. 1: “The ferry to the south leaves at noon.”",
    ]
    assert answer.state == "grounded"
    told = [answer.text[one.char_start : one.char_end] for one in answer.citations]
    assert told == [head, *lines]
    assert [len(one.evidence) for one in answer.citations] == [2, 1, 1]
    by_id = {item.id: item.media_id for item in answer.evidence}
    assert [by_id[one.evidence[0]] for one in answer.citations[1:]] == ids(
        library, "north.md", "south.md"
    )


def test_documents_and_videos_are_compared_alike(library: Library) -> None:
    answer = library.ask("What do south.md and film.mp4 say about the blue wagon?")
    assert answer.state == "grounded"
    assert "south.md, p. 1: “A blue wagon waits there.”" in answer.text
    assert "film.mp4, 0:20: “The blue wagon was bought by Oscar for 733 euros.”" in answer.text
    assert {item.media_id for item in answer.evidence} == set(ids(library, "south.md", "film.mp4"))


def test_silence_of_a_file_that_is_named_is_told(library: Library) -> None:
    answer = library.ask("Compare what north.md and tower.md say about granite.")
    assert "tower.md, p. 1: “The tower was built of granite.”" in answer.text
    assert "Nothing on it was found in north.md." in answer.text
    assert len(answer.citations) == 1


def test_what_no_file_mentions_is_unanswered(library: Library) -> None:
    answer = library.ask("Which files mention xylophones?")
    assert answer.state == "unanswered"
    assert answer.citations == ()


def test_a_comparison_of_nothing_in_particular_sums_each_up(library: Library) -> None:
    answer = library.ask("Compare north.md and south.md")
    assert [line.partition(":")[0] for line in sorted(answer.text.splitlines())] == [
        "north.md",
        "south.md",
    ]


def test_long_rows_of_tables_are_cut_around_what_is_asked(tmp_path: Path) -> None:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        filler = [f"item {n} cost {n}" for n in range(60)]
        for name in ("one", "two"):
            row = " ".join([*filler, f"dividends {name} paid", *filler])
            (tmp_path / f"{name}.txt").write_text(row, encoding="utf-8")
            library.add(tmp_path / f"{name}.txt")
        answer = library.ask("What do both files say about dividends?")
        for line in answer.text.splitlines():
            assert "dividends" in line
            assert len(line.split()) < 60


def test_a_file_of_twenty_pages_is_walked_below_the_collection(tmp_path: Path) -> None:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        library.add(written(tmp_path))
        (tmp_path / "tower.md").write_text(TEXTS["tower.md"], encoding="utf-8")
        library.add(tmp_path / "tower.md")
        answer = library.ask("Who kept the lighthouse?")
        inner = [look for look in looks(answer) if look.node.startswith("island.md:n1-")]
        assert inner
        assert inner[0].path[:2] == ("library", "island.md:n2-0") or len(inner[0].path) > 3
        again = library.ask("Who kept the lighthouse?", resume=inner[0].node)
        assert {item.media_id for item in again.evidence} == {looks(answer)[1].media}


def test_a_file_whose_outline_is_half_made_stands_in_no_way(library: Library) -> None:
    media = library.show("north.md")
    rows = library.store.read.memories(media.id, levels=["summary"])
    other = replace(rows[-1], id=f"{rows[-1].id}x", parent_id=None, order=99)
    row = library.store.read.media_row(media.id)
    assert row is not None
    commit = Commit(row.committed_segment + 1, media, memories=[other])
    library.store.write.commit(commit)
    assert media.id not in library.store.read.roots([one.id for one in library.media()])
    assert library.ask(FERRY).text


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("How does climate policy affect energy prices?", ("climate.pdf", "energy.pdf")),
        ("Who wrote the annual report?", ("who.pdf", "annual-2019.pdf")),
    ],
)
def test_words_that_name_a_file_by_chance_part_no_question(
    question: str, names: tuple[str, ...]
) -> None:
    media = [
        Media(str(at) * 64, f"/x/{name}", "document", "indexed")
        for at, name in enumerate((*names, "notes.pdf"))
    ]
    assert Across.of(understand(question), media) is None
