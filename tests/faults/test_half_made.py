"""Tables whose making was cut short: the next who needs one makes it whole, nobody else minds."""

from __future__ import annotations

from pathlib import Path

import lancedb
import pytest

from memqa.library import Library
from memqa.store import schema
from memqa.store.tables import KEY
from tests.memqa.parts import FakeEngines, write_document


def bare(home: Path, name: str, *, is_begun: bool) -> None:
    """Leave of a table what a kill leaves: its folders, or with ``is_begun`` all but its key."""
    if is_begun:
        declared = {"media": schema.MEDIA, "memories": schema.MEMORIES}
        lancedb.connect(home / "tables").create_table(name, schema=declared[name])
    else:
        (home / "tables" / f"{name}.lance" / "_versions").mkdir(parents=True)


@pytest.mark.parametrize("is_begun", [False, True])
@pytest.mark.parametrize("name", ["media", "memories"])
def test_a_half_made_table_is_made_whole(tmp_path: Path, name: str, is_begun: bool) -> None:
    bare(tmp_path / "home", name, is_begun=is_begun)
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        library.add(write_document(tmp_path / "story.md", chapters=1))
        assert library.search("amber")
        tables = library.store.read._tables
        assert KEY in tables.media.schema.field("id").metadata
        assert KEY in tables.memories.schema.field("id").metadata


@pytest.mark.parametrize("is_begun", [False, True])
def test_half_made_vectors_are_in_nobodys_way(tmp_path: Path, is_begun: bool) -> None:
    story = write_document(tmp_path / "story.md", chapters=1)
    signature = FakeEngines().text_encoder().signature
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        assert not library.media()
        name = schema.vectors_table(signature)
        if is_begun:
            declared = schema.vectors_schema(signature, "cosine", 256)
            lancedb.connect(tmp_path / "home" / "tables").create_table(name, schema=declared)
        else:
            bare(tmp_path / "home", name, is_begun=False)
        library.add(story)
        assert KEY in library.store.read._tables.all_vectors()[0].schema.field("id").metadata
        bare(tmp_path / "home", "vectors_of_another", is_begun=False)
        assert library.search("amber")
        assert [one.status for one in library.export(tmp_path / "out")] == ["exported"]
        library.forget("story.md")
        assert not library.media()
