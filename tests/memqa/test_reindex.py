"""An edited document: what still stands is taken over, the rest is made anew, nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memqa.ingest import Ingest
from memqa.library import Library
from models.ports import TextEncoder
from models.values import Features, Picture, Progress, TextLine
from tests.documents import Sheet, lines, scan, write_pdf
from tests.fakes import FakeTextEncoder, FakeTextReader
from tests.memqa.parts import FakeEngines, write_document


class Counting(FakeEngines):
    """Fake engines that note what they were asked to encode and to read."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded: list[str] = []
        self.pictures = 0
        self.reader = _CountingReader(self)

    def text_encoder(self) -> TextEncoder:
        return _CountingEncoder(self)


class _CountingEncoder(FakeTextEncoder):
    def __init__(self, engines: Counting) -> None:
        self._engines = engines

    def encode(self, texts: Sequence[str]) -> Features:
        self._engines.encoded += texts
        return super().encode(texts)


class _CountingReader(FakeTextReader):
    def __init__(self, engines: Counting) -> None:
        super().__init__()
        self._engines = engines

    def read(self, picture: Picture) -> list[TextLine]:
        self._engines.pictures += 1
        return super().read(picture)


def sheet(number: int, word: str = "plain") -> Sheet:
    said = [
        f"Line {line} of sheet {number * 37 % 101} has {word} words on topic {number * line}."
        for line in range(30)
    ]
    return Sheet(lines(*said))


def rows(library: Library) -> list[dict[str, Any]]:
    """Give all memories with their vectors, without what names the media or the segment."""
    (media,) = library.media()
    tables = library.store.read._tables
    found = tables.memories.search().limit(100_000).to_list()
    vectors = {r["id"]: r["vector"] for t in tables.all_vectors() for r in t.to_arrow().to_pylist()}
    told = []
    for row in sorted(found, key=lambda row: str(row["id"])):
        kept = {key: value for key, value in row.items() if key not in ("media_id", "segment")}
        for key in ("id", "parent_id"):
            kept[key] = (row[key] or "").partition(".")[2]
        told.append(kept | {"vector": vectors[row["id"]]})
    assert {row["media_id"] for row in found} == {media.id}
    return told


@pytest.mark.parametrize("how", ["change", "insert", "delete"])
def test_an_edited_pdf_is_as_if_taken_in_afresh_and_costs_little(tmp_path: Path, how: str) -> None:
    file, engines = tmp_path / "report.pdf", Counting()
    sheets = [sheet(n) for n in range(60)]
    with Library(tmp_path / "home", engines=engines) as library:
        library.add(write_pdf(file, sheets))
        first = len(engines.encoded)
        engines.encoded.clear()
        if how == "change":
            sheets[31] = sheet(31, "treasured")
        else:
            sheets[31:32] = [sheet(500), sheets[31]] if how == "insert" else []
        media = library.add(write_pdf(file, sheets))
        assert (media.status, media.pages) == ("indexed", len(sheets))
        assert len(engines.encoded) < first / 4
        assert len(library.media()) == 1
        edited = rows(library)
    with Library(tmp_path / "fresh", engines=FakeEngines()) as library:
        library.add(file)
        fresh = rows(library)
    assert [row["id"] for row in edited] == [row["id"] for row in fresh]
    for one, two in zip(edited, fresh, strict=True):
        assert one == two


def test_an_edited_text_takes_its_vectors_over(tmp_path: Path) -> None:
    file, engines = tmp_path / "story.md", Counting()
    write_document(file, chapters=2)
    with Library(tmp_path / "home", engines=engines) as library:
        library.add(file)
        first = len(engines.encoded)
        engines.encoded.clear()
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("zebrafinch", "kingfisher"), encoding="utf-8")
        library.add(file)
        assert 0 < len(engines.encoded) < first / 2
        assert any("kingfisher" in text for text in engines.encoded)
        assert "kingfisher" in library.store.read.search_text("kingfisher")[0].memory.text
        assert library.store.read.search_text("zebrafinch") == []


def test_a_picture_of_a_page_is_not_read_twice(tmp_path: Path) -> None:
    file, engines = tmp_path / "scanned.pdf", Counting()
    pages = [Sheet(jpeg=scan(f"Page {n} was scanned")) for n in range(3)] + [sheet(9)]
    with Library(tmp_path / "home", engines=engines) as library:
        library.add(write_pdf(file, pages))
        assert engines.pictures == 3
        pages[1] = Sheet(jpeg=scan("Page 1 was scanned anew"))
        library.add(write_pdf(file, pages))
        assert engines.pictures == 4


def test_the_earlier_state_answers_until_the_new_one_is_done(tmp_path: Path) -> None:
    file = tmp_path / "story.md"
    write_document(file, chapters=2)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        library.add(file)
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("zebrafinch", "kingfisher"), encoding="utf-8")

        def stop() -> bool:
            return any(row.media.status == "indexing" for row in library.store.read.media_rows())

        (outcome,) = library.index([file], should_stop=stop)
        assert outcome.status == "cancelled"
        hit = library.store.read.search_text("zebrafinch")[0]
        assert library.outline(hit.memory.media_id).root
        library.add(file)
        assert len(library.media()) == 1
        assert library.store.read.search_text("zebrafinch") == []


def test_a_run_that_died_before_replacing_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "story.md"
    write_document(file, chapters=1)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        old = library.add(file)
        write_document(file, chapters=1, seed=2)
        with monkeypatch.context() as patch:
            patch.setattr(Ingest, "_replace_earlier", lambda *_: False)
            new = library.add(file)
        assert {media.id for media in library.media()} == {old.id, new.id}
        library.add(file)
        assert [media.id for media in library.media()] == [new.id]


def test_a_stopped_outline_goes_on_where_it_was(tmp_path: Path) -> None:
    file, engines = tmp_path / "story.md", Counting()
    write_document(file, chapters=30)
    with Library(tmp_path / "home", engines=engines) as library:
        stops = False

        def watch(progress: Progress) -> None:
            nonlocal stops
            assert progress.total is not None or progress.stage != "Making the outline"
            if progress.stage == "Making the outline" and progress.total:
                stops = progress.done > progress.total * 0.9

        (outcome,) = library.index([file], on_progress=watch, should_stop=lambda: stops)
        assert outcome.status == "cancelled"
        (media,) = library.media()
        read = library.store.read
        begun = read.memories(media.id, levels=["summary"])
        assert len(begun) >= 64
        hit = read.search_text("zebrafinch")[0]
        assert "zebrafinch" in hit.memory.text
        assert library.ask("Where did a zebrafinch nest?").evidence
        engines.encoded.clear()
        stops = False
        library.add(file)
        ended = {node.id: node for node in read.memories(media.id, levels=["summary"])}
        assert all(ended[node.id].text == node.text for node in begun)
        assert len(ended) > len(begun)
        begun_texts = {node.text for node in begun}
        assert not begun_texts & set(engines.encoded)
        whole = rows(library)
    with Library(tmp_path / "fresh", engines=FakeEngines()) as library:
        library.add(file)
        fresh = rows(library)
    assert all(np.array_equal(a["vector"], b["vector"]) for a, b in zip(whole, fresh, strict=True))
    assert whole == fresh
