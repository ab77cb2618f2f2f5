"""A change of models: what it makes stale is told and not mixed up, and only that is made anew."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import memqa
from memqa.alone import leased
from memqa.cli.app import app
from memqa.cli.words import reindexed_line, state
from memqa.library import Library
from memqa.reindex import Reindexed
from memqa.reindex import reindex as reindex_of
from memqa.stale import indexed_with_others, search_notes
from memqa.values import Media, Step
from models.errors import InputError, StoreConflict, StoreMismatch, UnreadableMedia
from models.ports import ImageEncoder, LanguageModel
from models.values import Progress
from tests import media as made
from tests.documents import Sheet, scan, write_pdf
from tests.fakes import COLOURS, FakeLanguageModel
from tests.memqa.others import ENCODERS, Others, stored
from tests.memqa.parts import write_document
from tests.memqa.test_resume import ROOT

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_document(tmp_path_factory.mktemp("files") / "story.md", chapters=4)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give 150 s in six shots, with a tone in each minute and a text: three segments."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    tones = [(5.0, 8.0), (70.0, 73.0), (130.0, 133.0)]
    texts = ["", "WELCOME TO THE PIER", "", "", "GATE 7", ""]
    made.video(path, shots=(50,) * 6, fps=2, pan=3, tones=tones, texts=texts)
    return path


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory, story: Path, film: Path) -> dict[str, Path]:
    """Give a library with the story and one with the film, both by the usual models."""
    found = {}
    for file in (story, film):
        found[file.name] = tmp_path_factory.mktemp("home") / file.name
        with Library(found[file.name], engines=Others(())) as library:
            library.add(file)
    return found


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, story: Path, film: Path) -> dict[Any, Any]:
    """Give what the story and the film become when other models take them in."""
    found = {}
    for file, others in [
        (story, ("text",)),
        *((film, (one,)) for one in ENCODERS),
        (film, ENCODERS),
    ]:
        with Library(tmp_path_factory.mktemp("home"), engines=Others(others)) as library:
            library.add(file)
            found[file.name, others] = stored(library)
    return found


def opened(home: Path, tmp_path: Path, others: tuple[str, ...]) -> Library:
    """Open a copy of a library, with other models than made it."""
    shutil.copytree(home, tmp_path / "home")
    return Library(tmp_path / "home", engines=Others(others))


def counts_of(library: Library) -> Any:
    assert isinstance(library.engines, Others)
    return library.engines.counts


def tables_of(library: Library) -> set[str]:
    tables = library.store.read._tables
    return {tables.signature_of(table) for table in tables.all_vectors()}


@pytest.mark.parametrize("others", [("text",), ("image",), ENCODERS, ("speech",), ("reading",)])
def test_a_media_tells_what_other_models_made(
    tmp_path: Path, homes: dict[str, Path], others: tuple[str, ...]
) -> None:
    with opened(homes["film.mp4"], tmp_path, others) as library:
        (media,) = library.media()
        assert media.stale == others
        assert library.show("film.mp4").stale == others
        (check,) = [check for check in library.doctor() if check.name == "media"]
        assert (check.finding, check.remedy) == ("note", "memqa reindex")
        assert not counts_of(library)
    with Library(tmp_path / "home", engines=Others(())) as library:
        assert library.media()[0].stale == ()
        (check,) = [check for check in library.doctor() if check.name == "media"]
        assert check.finding == "ok"


def test_what_cannot_be_told_is_not_called_stale(homes: dict[str, Path]) -> None:
    engines = Others(ENCODERS)
    engines.signatures = lambda: {"speech": "fake-tones/1"}  # type: ignore[method-assign]
    with Library(homes["film.mp4"], engines=engines) as library:
        (media,) = library.media()
        assert (media.stale, media.unsure) == ((), ("text", "image", "reading"))
        assert "perhaps by other models" in state(media)
        assert "text encoder and picture encoder and text reader" in indexed_with_others(media)
        (check,) = [check for check in library.doctor() if check.name == "media"]
        assert (check.finding, check.remedy) == ("note", "memqa reindex")


class _Lazy(Others):
    """Others whose picture encoder tells its signature once it was loaded, as open_clip's does."""

    def signatures(self) -> dict[str, str]:
        told = super().signatures()
        return told if self.counts["loaded"] else {k: v for k, v in told.items() if k != "image"}

    def image_encoder(self) -> ImageEncoder:
        self.counts["loaded"] += sys._getframe(1).f_code.co_name != "signatures"
        return super().image_encoder()


def test_what_cannot_be_told_is_found_out_where_it_counts(
    tmp_path: Path, homes: dict[str, Path]
) -> None:
    shutil.copytree(homes["film.mp4"], tmp_path / "home")
    with Library(tmp_path / "home", engines=_Lazy(("image",))) as library:
        assert library.media()[0].unsure == ("image",)
        with pytest.raises(StoreMismatch, match="memqa reindex"):
            library.density("red", media="film.mp4")
    with Library(tmp_path / "home", engines=_Lazy(("image",))) as library:
        steps = [one for one in library.stream("What is red?") if isinstance(one, Step)]
        assert (
            "another picture encoder"
            in {one.name: one.detail for one in steps}["not all is searched"]
        )
    with Library(tmp_path / "home", engines=_Lazy(("image",))) as library:
        list(reindex_of(library, []))  # tidies, and must take nothing for settled that it knows not
        (outcome,) = library.reindex()
        assert (outcome.status, outcome.renewed) == ("reindexed", ("image",))
        assert library.density("red", media="film.mp4")


def test_stale_media_are_found_by_words_and_it_is_said(
    tmp_path: Path, homes: dict[str, Path]
) -> None:
    with opened(homes["story.md"], tmp_path, ("text",)) as library:
        assert "zebrafinch" in library.search("zebrafinch")[0].text
        steps = [one for one in library.stream("Where did a zebrafinch nest?")]
        told = [one.detail for one in steps if isinstance(one, Step) and "searched" in one.name]
        assert len(told) == 1
        assert told[0].startswith("story.md was indexed with another text encoder")
        list(library.reindex())
        steps = [one for one in library.stream("Where did a zebrafinch nest?")]
        assert not [one for one in steps if isinstance(one, Step) and "searched" in one.name]


def test_many_names_are_cut_short() -> None:
    media = [Media(str(n), f"/f{n}.md", "document", "indexed", stale=("text",)) for n in range(9)]
    (note,) = search_notes(media)
    assert note.startswith("f0.md, f1.md, f2.md and 6 more were indexed")
    assert search_notes([]) == []


def test_the_time_line_of_other_pictures_is_not_asked(
    tmp_path: Path, homes: dict[str, Path]
) -> None:
    with opened(homes["film.mp4"], tmp_path, ("image",)) as library:
        with pytest.raises(StoreMismatch, match="memqa reindex"):
            library.density("red", media="film.mp4")
        list(library.reindex())
        assert library.density("red", media="film.mp4")


def test_texts_are_encoded_without_the_file(
    tmp_path: Path, homes: dict[str, Path], fresh: dict[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(homes["story.md"], tmp_path, ("text",)) as library:
        monkeypatch.setattr("docmem.parse.read_pages", None)
        monkeypatch.setattr("memqa.reindex.identify", None)
        stages: list[Progress] = []
        (outcome,) = library.reindex(on_progress=stages.append)
        assert (outcome.status, outcome.renewed, outcome.left) == ("reindexed", ("text",), ())
        assert {"Encoding texts", "Making the outline"} <= {one.stage for one in stages}
        assert stored(library) == fresh["story.md", ("text",)]
        assert tables_of(library) == {"fake-words/2"}
        counts_of(library).clear()
        assert list(library.reindex()) == []
        (outcome,) = library.reindex("story.md")
        assert (outcome.status, outcome.renewed) == ("unchanged", ())
        assert not counts_of(library)


@pytest.mark.parametrize("others", [("text",), ("image",), ENCODERS])
def test_a_video_is_as_if_taken_in_afresh_and_is_not_heard_or_read_again(
    tmp_path: Path, homes: dict[str, Path], fresh: dict[Any, Any], others: tuple[str, ...]
) -> None:
    with opened(homes["film.mp4"], tmp_path, others) as library:
        (outcome,) = library.reindex()
        assert (outcome.status, outcome.renewed) == ("reindexed", others)
        counts = counts_of(library)
        assert not counts["heard"] + counts["read"]
        assert ("image" in others) == bool(counts["pictures"])
        found, wanted = stored(library), fresh["film.mp4", others]
        assert found["rows"] == wanted["rows"]
        assert found == wanted
        assert len(tables_of(library)) == 2
        assert library.search("red")
        assert list(library.reindex()) == []


def test_a_media_can_be_asked_while_it_is_brought_up_to_date(
    tmp_path: Path, homes: dict[str, Path]
) -> None:
    with (
        opened(homes["story.md"], tmp_path, ("text",)) as library,
        Library(tmp_path / "home", engines=Others(())) as older,
    ):
        before = older.ask("Where did a zebrafinch nest?")

        def ask(progress: Progress) -> None:
            if progress.stage != "Loading models" and not asked:
                asked.append(older.ask("Where did a zebrafinch nest?").text)
                asked.append(library.ask("Where did a zebrafinch nest?").text)

        asked: list[str] = []
        list(library.reindex(on_progress=ask))
        assert asked[0] == before.text
        assert asked[1]
        # Its own table is gone, and so it finds by words.
        assert older.media()[0].stale == ("text",)
        assert "zebrafinch" in older.search("zebrafinch")[0].text


def test_there_and_back_again(tmp_path: Path, homes: dict[str, Path]) -> None:
    with (
        opened(homes["film.mp4"], tmp_path, ENCODERS) as library,
        Library(tmp_path / "home", engines=Others(())) as older,
    ):
        before = stored(older)
        assert [one.status for one in library.reindex()] == ["reindexed"]
        assert [one.status for one in older.reindex()] == ["reindexed"]
        assert stored(older) == before
        assert older.search("red")
        assert [one.status for one in library.reindex()] == ["reindexed"]
        assert library.search("red")


@pytest.mark.parametrize("name", ["story.md", "film.mp4"])
def test_a_stopped_run_goes_on_and_does_nothing_twice(
    tmp_path: Path, homes: dict[str, Path], fresh: dict[Any, Any], name: str
) -> None:
    others = ("text",) if name == "story.md" else ENCODERS
    with opened(homes[name], tmp_path, others) as library:
        before = stored(library)["rows"]
        texts, runs = [row["text"] for row in before], 0
        for allowed in (1, 2, 3, 4):
            asked = 0

            def stop(allowed: int = allowed) -> bool:
                nonlocal asked
                asked += 1
                return asked > allowed

            (outcome,) = library.reindex(should_stop=stop)
            assert outcome.status == "cancelled"
            assert library.media()[0].stale == others
            assert [row["text"] for row in stored(library)["rows"]] == texts
            runs += 1
        pictures = counts_of(library)["pictures"]
        assert [one.status for one in library.reindex()] == ["reindexed"]
        assert stored(library) == fresh[name, others]
        assert runs == 4
        assert pictures == 0 or counts_of(library)["pictures"] > pictures


# While texts are encoded, and at each step of the switch.
STEPS = [("add_vectors", 0), ("commit", 0), ("_write_vectors", 1), ("_write_memories", 0)]
STEPS += [("_write_switched", 0), ("_drop_replaced", 1), ("tidy", 0)]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("name", ["story.md", "film.mp4"])
@pytest.mark.parametrize(("step", "number"), STEPS)
def test_a_killed_run_is_finished_by_the_next(
    tmp_path: Path,
    homes: dict[str, Path],
    fresh: dict[Any, Any],
    name: str,
    step: str,
    number: int,
) -> None:
    with opened(homes[name], tmp_path, ENCODERS) as library:
        arguments = [str(library.home), step, str(number)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.memqa.others", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
        assert library.search("zebrafinch" if name == "story.md" else "tone")
        list(library.reindex())
        assert stored(library) == fresh[name, ("text",) if name == "story.md" else ENCODERS]


def test_without_its_file_a_video_keeps_its_pictures(
    tmp_path: Path, film: Path, fresh: dict[Any, Any]
) -> None:
    file = tmp_path / "film.mp4"
    shutil.copy(film, file)
    with Library(tmp_path / "home", engines=Others(())) as library:
        library.add(file)
    file.unlink()
    with Library(tmp_path / "home", engines=Others()) as library:
        (outcome,) = library.reindex()
        assert (outcome.status, outcome.renewed, outcome.left) == ("partial", ("text",), ("image",))
        assert isinstance(outcome.error, UnreadableMedia)
        assert str(outcome.error).startswith(f"the file at {file} is missing")
        assert library.media()[0].stale == ("image",)
        assert library.search("tone")
        (outcome,) = library.reindex()
        assert (outcome.status, outcome.left) == ("failed", ("image",))
        file.write_bytes(b"another film")
        (outcome,) = library.reindex()
        assert "is another one than was indexed" in str(outcome.error)
        shutil.copy(film, file)
        (outcome,) = library.reindex()
        assert (outcome.status, outcome.renewed) == ("reindexed", ("image",))
        assert stored(library) == fresh["film.mp4", ENCODERS]


@pytest.mark.parametrize("others", [("speech",), ("reading",)])
def test_what_is_heard_or_read_otherwise_is_taken_in_again(
    tmp_path: Path, homes: dict[str, Path], film: Path, others: tuple[str, ...]
) -> None:
    with opened(homes["film.mp4"], tmp_path, others) as library:
        (before,) = library.media()
        (outcome,) = library.reindex()
        assert (outcome.status, outcome.renewed) == ("reindexed", others)
        assert "as a whole" in outcome.notes[0]
        assert counts_of(library)["heard" if others == ("speech",) else "read"]
        (after,) = library.media()
        assert (after.id, after.added_at, after.stale) == (before.id, before.added_at, ())
        found = stored(library)
    with Library(tmp_path / "fresh", engines=Others(others)) as library:
        library.add(film)
        assert found == stored(library)


def test_taking_in_again_can_be_stopped_and_loses_nothing(
    tmp_path: Path, homes: dict[str, Path], film: Path
) -> None:
    with opened(homes["film.mp4"], tmp_path, ("speech",)) as library:
        library.collect("films", "film.mp4")
        outcome = next(iter(library.reindex(should_stop=lambda: True)))
        assert outcome.status == "cancelled"
        assert outcome.notes[0].endswith(f"memqa index {film}")
        assert library.show("film.mp4").status == "cancelled"
        (refused,) = library.reindex("films")
        assert isinstance(refused.error, InputError)
        (outcome2,) = library.index([film])
        assert outcome2.status == "indexed"
        assert library.media()[0].stale == ()


def test_scans_are_read_again_by_another_reader(tmp_path: Path) -> None:
    file = write_pdf(tmp_path / "scan.pdf", [Sheet(jpeg=scan("Page one was scanned"))])
    with Library(tmp_path / "home", engines=Others(())) as library:
        library.add(file)
    with Library(tmp_path / "home", engines=Others(("reading",))) as library:
        assert library.media()[0].stale == ("reading",)
        (outcome,) = library.reindex()
        assert outcome.status == "reindexed"
        assert counts_of(library)["read"] == 1
        assert library.media()[0].stale == ()


def test_only_what_needs_it_is_touched(
    tmp_path: Path, homes: dict[str, Path], story: Path, film: Path
) -> None:
    with opened(homes["film.mp4"], tmp_path, ("image",)) as library:
        library.add(story)
        assert [one.media.name for one in library.reindex()] == ["film.mp4"]
        with leased(library.home, library.show("story.md").id):
            assert list(library.reindex()) == []


def test_a_media_that_another_works_on_is_left_to_it(
    tmp_path: Path, homes: dict[str, Path]
) -> None:
    with opened(homes["story.md"], tmp_path, ("text",)) as library:
        with leased(library.home, library.media()[0].id):
            (outcome,) = library.reindex()
        assert outcome.status == "failed"
        assert isinstance(outcome.error, StoreConflict)


def test_index_says_that_a_known_file_is_stale(
    tmp_path: Path, homes: dict[str, Path], story: Path
) -> None:
    with opened(homes["story.md"], tmp_path, ("text",)) as library:
        (outcome,) = library.index([story])
        assert outcome.status == "unchanged"
        assert outcome.media is not None
        assert "another text encoder" in outcome.media.notes[-1]
        assert "memqa reindex" in outcome.media.notes[-1]
        assert library.show("story.md").notes == ()
        list(library.reindex())
        (outcome,) = library.index([story])
        assert outcome.media is not None
        assert outcome.media.notes == ()


@pytest.fixture
def cli(
    tmp_path: Path, homes: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[CliRunner]:
    with opened(homes["story.md"], tmp_path, ("text",)) as library:
        monkeypatch.setattr(memqa, "open", lambda home=None: library)
        yield CliRunner()


def test_the_command_line_tells_and_mends(cli: CliRunner) -> None:
    assert "indexed, text by other models" in cli.invoke(app, ["list"]).stdout
    assert "another text encoder" in cli.invoke(app, ["show", "story.md"]).stdout
    assert "searched by words only" in cli.invoke(app, ["search", "zebrafinch"]).stderr
    done = cli.invoke(app, ["reindex", "--json"])
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert (told["status"], told["renewed"], told["error"]) == ("reindexed", ["text"], None)
    done = cli.invoke(app, ["reindex"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert "up to date" in done.stderr
    done = cli.invoke(app, ["reindex", "story.md"])
    assert done.stdout.startswith("unchanged")
    assert "ready" in cli.invoke(app, ["list"]).stdout
    assert cli.invoke(app, ["reindex", "nothing.md"]).exit_code != 0


def test_vectors_of_texts_are_not_lost_where_their_encoder_was_not_told(
    tmp_path: Path, homes: dict[str, Path]
) -> None:
    with opened(homes["film.mp4"], tmp_path, ENCODERS) as library:
        before = stored(library)
        told = library.engines.signatures()
        library.engines.signatures = lambda: (
            told
            | {  # type: ignore[method-assign]
                "text": "fake-words/1"
            }
        )
        (outcome,) = library.reindex()
        assert isinstance(outcome.error, StoreMismatch)
        assert stored(library)["rows"] == before["rows"]


def test_a_note_of_reindex_cannot_move_the_cursor() -> None:
    media = Media("a" * 64, "/f.md", "document", "indexed")
    error = UnreadableMedia("bad \x1b[2J")
    line = reindexed_line(Reindexed(media, "partial", notes=("gone \x1b[2J",), error=error))
    assert "\x1b" not in line


def test_captions_that_are_let_go_are_counted(tmp_path: Path) -> None:
    film = made.coloured(tmp_path / "film.mp4", [COLOURS[one] for one in ("red", "green", "blue")])
    engines = _Captioning(())
    with Library(tmp_path / "home", engines=engines) as library:
        library.add(film)
        written = library.enrich("film.mp4").captions
        assert written
        engines.reader.signature = "fake-signs/2"
        (outcome,) = library.reindex()
        assert f"{written} captions were let go" in outcome.notes[1]


class _Captioning(Others):
    """Others with a model that describes pictures."""

    def captioner(self) -> LanguageModel:
        return FakeLanguageModel(lambda messages: "A wall.", sees=True, name="eyes")
