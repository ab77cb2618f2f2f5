"""Summaries in a model's words: taken and dropped, stopped and resumed, searched, edited."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from memqa.alone import leased
from memqa.cli.app import app
from memqa.enrich import Enriched
from memqa.library import Library
from memqa.settings import Settings, TierSetting
from memqa.store.schema import Memory
from memqa.store.write import Writer
from models.errors import (
    ChatModelUnavailable,
    IngestCancelled,
    InputError,
    SetupError,
    StoreConflict,
    StoreMismatch,
)
from models.ports import LanguageModel, TextEncoder
from models.values import Message, Progress
from tests import media as made
from tests.fakes import FakeLanguageModel, FakeTextEncoder
from tests.memqa.parts import FakeEngines

SECTIONS = 72


class Speaking(FakeEngines):
    def __init__(self, model: FakeLanguageModel) -> None:
        super().__init__()
        self.model = model
        self.encoder = FakeTextEncoder()

    def language_model(self) -> LanguageModel:
        return self.model

    def text_encoder(self) -> TextEncoder:
        return self.encoder


def written(path: Path, changed: int = -1) -> Path:
    """Write sections that end with what no extract takes and the model will say."""
    lines = []
    for n in range(SECTIONS):
        rest = " ".join(
            f"Gravel lies near stone {n}-{m} of heap {n * m} by Gate {m}." for m in range(18)
        )
        told = f"the {'dull' if n == changed else 'old'} pier of bay {n} is mended"
        lines += [f"# Bay {n}", "", f"{rest} Then {told}.", ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def pier(messages: Sequence[Message]) -> str:
    """Say what the first source says of a pier, and one thing that is not true."""
    (told,) = re.findall(r"the \w+ pier of bay \d+ is mended", messages[-1].content, re.I)[:1]
    return f"{told[0].upper()}{told[1:]}. It cost 987654 crowns."


def speaker() -> FakeLanguageModel:
    return FakeLanguageModel(pier, context_tokens=8192)


LibraryWith = Callable[..., Library]


@pytest.fixture
def library_with(tmp_path: Path) -> Iterator[LibraryWith]:
    opened: list[Library] = []

    def make(model: FakeLanguageModel, tier: TierSetting = "A") -> Library:
        library = Library(tmp_path / "home", Settings(tier=tier), engines=Speaking(model))
        opened.append(library)
        return library

    yield make
    for library in opened:
        library.close()


def summaries(library: Library, media: str) -> list[Memory]:
    return library.store.read.memories(media, levels=["summary"])


def test_what_the_children_hold_is_taken_and_what_is_invented_is_dropped(
    library_with: LibraryWith, tmp_path: Path
) -> None:
    model = speaker()
    library = library_with(model)
    media = library.add(written(tmp_path / "bays.md"))
    before = summaries(library, media.id)
    assert not library.store.read.search_text('"is mended"', levels=["summary"])
    outcome = library.enrich("bays.md")
    after = summaries(library, media.id)
    assert outcome == Enriched(len(before), 0, len(before))
    assert len(model.asked) == len(before) > 8  # more than one commit
    assert [node.id for node in after] == [node.id for node in before]
    assert [node.parent_id for node in after] == [node.parent_id for node in before]
    for old, new in zip(before, after, strict=True):
        headings, _, said = new.text.partition("\n")
        assert headings == old.text.partition("\n")[0]
        assert re.fullmatch(r"The old pier of bay \d+ is mended\.", said)
        assert (old.method, new.method) == ("", "fake-script")
    # A parent's sources are what its children say now.
    assert "| Bay 0" in model.asked[-1][-1].content
    tree = library.outline(media.id)
    assert {node.written_by for node in tree.nodes} == {"fake-script"}


def test_the_new_words_are_searched_by_word_and_by_meaning(
    library_with: LibraryWith, tmp_path: Path
) -> None:
    library = library_with(speaker())
    media = library.add(written(tmp_path / "bays.md"))
    library.enrich(media.id)
    read, encoder = library.store.read, FakeTextEncoder()
    vectors = read.media_vectors(encoder.signature, media.id)
    for node in summaries(library, media.id):
        assert np.allclose(vectors[node.id], encoder.encode([node.text])[0], atol=1e-3)
    hits = read.search_text("pier mended", levels=["summary"], limit=100)
    assert {hit.memory.id for hit in hits} == {node.id for node in summaries(library, media.id)}
    assert read.search_text("gravel", levels=["summary"]) == []
    assert library_with(speaker(), "D").ask("Which pier is mended?", media=media.id).evidence
    stored = library.show(media.id)
    assert stored.status == "indexed"
    assert stored.memories == media.memories
    assert stored.bytes == read.sizes(media.id).total


def test_the_extract_stands_where_nothing_is_true(
    library_with: LibraryWith, tmp_path: Path
) -> None:
    library = library_with(FakeLanguageModel(["The repair cost 987654 crowns. All was well."]))
    media = library.add(written(tmp_path / "bays.md"))
    before = summaries(library, media.id)
    outcome = library.enrich(media.id)
    assert outcome == Enriched(0, len(before), 2 * len(before))
    now = summaries(library, media.id)
    assert now == before


def test_a_second_run_asks_nothing_and_another_model_begins_with_the_extracts(
    library_with: LibraryWith, tmp_path: Path
) -> None:
    first = speaker()
    library = library_with(first)
    media = library.add(written(tmp_path / "bays.md"))
    extracts = summaries(library, media.id)
    outcome = library.enrich(media.id)
    after, row = summaries(library, media.id), library.store.read.media_row(media.id)
    asked = len(first.asked)
    assert library.enrich(media.id) == outcome
    assert len(first.asked) == asked
    assert library.store.read.media_row(media.id) == row
    other = FakeLanguageModel(["No such thing 5."], name="other")
    assert library_with(other).enrich(media.id).rewritten == 0
    assert len(other.asked) == len(after)
    assert summaries(library, media.id) == extracts


@pytest.mark.parametrize("how", ["stop", "failure"])
def test_a_run_that_ended_early_goes_on_at_the_next_summary(
    library_with: LibraryWith, tmp_path: Path, how: str
) -> None:
    begun = FakeLanguageModel(
        lambda messages: None if stops() else pier(messages), context_tokens=8192
    )
    done = 0

    def stops() -> bool:
        return how == "failure" and done >= 3

    def watch(progress: Progress) -> None:
        nonlocal done
        done = int(progress.done)

    library = library_with(begun)
    media = library.add(written(tmp_path / "bays.md"))
    whole = len(summaries(library, media.id))
    error = IngestCancelled if how == "stop" else ChatModelUnavailable
    with pytest.raises(error):
        library.enrich(media.id, on_progress=watch, should_stop=lambda: how == "stop" and done >= 3)
    assert [bool(node.method) for node in summaries(library, media.id)].count(True) == 3
    assert library.outline(media.id).root
    assert library_with(speaker(), "D").ask("Which pier is mended?").evidence
    model = speaker()
    assert library_with(model).enrich(media.id).rewritten == whole
    assert len(model.asked) == whole - 3


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 7, 8, 9])
def test_a_run_that_died_between_two_writes_is_made_good(
    library_with: LibraryWith, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: int
) -> None:
    library = library_with(speaker())
    media = library.add(written(tmp_path / "bays.md"))
    extracts = summaries(library, media.id)
    writes = 0

    def dying(method: str) -> None:
        plain = getattr(Writer, method)

        def write(*args: object) -> None:
            nonlocal writes
            if writes >= lost:
                raise KeyboardInterrupt
            writes += 1
            plain(*args)

        monkeypatch.setattr(Writer, method, write)

    for method in ("_write_memories", "_write_vectors", "_write_states"):
        dying(method)
    with pytest.raises(KeyboardInterrupt):
        library.enrich(media.id)
    monkeypatch.undo()
    left = summaries(library, media.id)
    assert [node.id for node in left] == [node.id for node in extracts]
    assert library.enrich(media.id).rewritten == len(extracts)
    vectors = library.store.read.media_vectors("fake-words/1", media.id)
    for node in summaries(library, media.id):
        assert "is mended" in node.text
        assert np.allclose(vectors[node.id], FakeTextEncoder().encode([node.text])[0], atol=1e-3)
    other = FakeLanguageModel(["No such thing 5."], name="other")
    library_with(other).enrich(media.id)
    assert summaries(library, media.id) == extracts


def test_an_edited_file_keeps_the_words_above_what_did_not_change(
    library_with: LibraryWith, tmp_path: Path
) -> None:
    model = speaker()
    library = library_with(model)
    file = written(tmp_path / "bays.md")
    whole = library.enrich(library.add(file).id).rewritten
    media = library.add(written(file, changed=SECTIONS - 1))
    plain = [node for node in summaries(library, media.id) if not node.method]
    assert 0 < len(plain) < whole / 2
    assert all("Gravel" in node.text for node in plain)
    asked = len(model.asked)
    assert library.enrich(media.id).rewritten == whole
    assert len(model.asked) - asked == len(plain)
    edited = [node.text for node in summaries(library, media.id)]
    fresh = Library(tmp_path / "fresh", Settings(tier="A"), engines=Speaking(model))
    with fresh:
        afresh = fresh.add(file)
        extracts = [node.text for node in summaries(fresh, afresh.id)]
        fresh.enrich(afresh.id)
        assert [node.text for node in summaries(fresh, afresh.id)] == edited
    library_with(FakeLanguageModel(["No such thing 5."], name="other")).enrich(media.id)
    assert [node.text for node in summaries(library, media.id)] == extracts


@pytest.mark.parametrize("tier", ["auto", "C", "D"])
def test_a_model_that_did_not_pass_is_refused(
    library_with: LibraryWith, tmp_path: Path, tier: TierSetting
) -> None:
    model = speaker()
    library = library_with(model, tier)
    media = library.add(written(tmp_path / "bays.md"))
    with pytest.raises(SetupError, match=r"tier [CD] .* `memqa tier --test`"):
        library.enrich(media.id)
    assert not model.asked


def test_a_media_in_the_making_is_refused(library_with: LibraryWith, tmp_path: Path) -> None:
    library = library_with(speaker())
    media = library.add(written(tmp_path / "bays.md"))
    with leased(library.home, media.id), pytest.raises(StoreConflict):
        library.enrich(media.id)
    other = written(tmp_path / "other.md", changed=0)
    begun = False

    def stop() -> bool:
        nonlocal begun
        rows = library.store.read.media_rows()
        begun = any(row.media.path == str(other) and row.committed_segment >= 0 for row in rows)
        return begun

    list(library.index([other], should_stop=stop))
    assert begun
    with pytest.raises(InputError, match="not indexed to its end"):
        library.enrich("other.md")


def test_vectors_of_two_encoders_are_not_mixed(library_with: LibraryWith, tmp_path: Path) -> None:
    library = library_with(speaker())
    media = library.add(written(tmp_path / "bays.md"))
    assert isinstance(library.engines, Speaking)
    library.engines.encoder.signature = "fake-words/2"
    with pytest.raises(StoreMismatch):
        library.enrich(media.id)


def test_a_video_s_summaries_are_of_its_events(library_with: LibraryWith, tmp_path: Path) -> None:
    model = FakeLanguageModel(["Seen: red. Said: tone 990 hertz."], context_tokens=8192)
    library = library_with(model)
    film = made.video(tmp_path / "film.mp4", shots=(25,) * 3, fps=5, pan=3)
    media = library.add(film)
    before = summaries(library, media.id)
    others = [one for one in library.store.read.memories(media.id) if one.level != "summary"]
    events = library.store.read.memories(media.id, levels=["event"])
    assert library.enrich("film.mp4") == Enriched(len(before), 0, len(before))
    assert summaries(library, media.id)[-1].text == "Seen: red."
    assert events[0].text in model.asked[0][-1].content
    after = library.store.read.memories(media.id)
    assert [one for one in after if one.level != "summary"] == others
    assert library.show(media.id).status == media.status
    asked = len(model.asked)
    library.enrich("film.mp4")
    assert len(model.asked) == asked


def test_the_command_tells_what_became_of_each_file(
    library_with: LibraryWith, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = library_with(speaker())
    media = library.add(written(tmp_path / "bays.md"))
    count = len(summaries(library, media.id))
    monkeypatch.setattr("memqa.open", lambda home: library)
    run = CliRunner().invoke
    plain = run(app, ["show", "bays.md", "--memory"])
    assert "written by" not in plain.stdout
    done = run(app, ["enrich", "bays.md"])
    assert done.exit_code == 0
    told = f"{count} of {count} summaries in the model's words, {count} sentences dropped"
    assert told in done.stdout
    assert "bays.md: Shortening summaries" in done.stderr
    again = json.loads(run(app, ["enrich", media.id[:8], "--json"]).stdout)
    assert again == {
        "id": media.id,
        "path": media.path,
        "rewritten": count,
        "kept": 0,
        "dropped_sentences": count,
        "captions": 0,
        "without_caption": 0,
        "notes": [],
    }
    shown = run(app, ["show", "bays.md", "--memory"])
    assert "(written by fake-script)" in " ".join(shown.stdout.split())
    wrong = run(app, ["enrich", "bays.md", "nothing.md"])
    assert isinstance(wrong.exception, InputError)
