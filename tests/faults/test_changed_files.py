"""A file changed, cut or removed while it is indexed: no memory is called another file's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memqa.library import Library
from memqa.values import Outcome
from models.errors import MediaChanged, MediaGone, MemqaError
from models.values import Progress
from tests import media as made
from tests.faults.invariants import held, untrue
from tests.memqa.parts import FakeEngines, write_document

pytestmark = pytest.mark.timeout(600)
Deed = Callable[[Path], None]


def grown(file: Path) -> None:
    with file.open("ab") as out:
        out.write(b"\n# Chapter 9\n\nA kingfisher came later.")


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def replaced(file: Path) -> None:
    """Put another file of the same size and time in its place, as some copying programs do."""
    stat, words = file.stat(), file.read_bytes()
    other = file.with_name("other")
    other.write_bytes(words.replace(b"amber", b"onyxe"))
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)


def rewritten(file: Path) -> None:
    """Write other bytes of the same length into the file itself."""
    words = file.read_bytes().replace(b"amber", b"onyxe")
    with file.open("r+b") as out:
        out.write(words)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "home", engines=FakeEngines()) as library:
        yield library


def disturbed(library: Library, file: Path, deed: Deed, *, after: int, stage: str) -> Outcome:
    """Take a file in, to which something is done once so many segments of it are committed."""
    is_done = False

    def told(progress: Progress) -> None:
        nonlocal is_done
        rows = library.store.read.media_rows()
        at = max((r.committed_segment for r in rows if r.media.path == str(file)), default=-1)
        is_there = at >= after if after >= 0 else progress.stage == stage
        if not is_done and is_there and not any(r.media.status == "indexed" for r in rows):
            is_done = True
            deed(file)

    (outcome,) = library.index([file], on_progress=told)
    assert is_done, "nothing was done to the file"
    return outcome


@pytest.mark.parametrize(
    ("deed", "after"), [(grown, -1), (rewritten, -1), (cut, 0), (replaced, 0), (grown, 0)]
)
def test_a_document_that_changes_meanwhile_is_refused_and_then_taken_in_as_it_is(
    library: Library, tmp_path: Path, deed: Deed, after: int
) -> None:
    file = write_document(tmp_path / "story.md", chapters=2)
    outcome = disturbed(library, file, deed, after=after, stage="Checking the file")
    assert isinstance(outcome.error, MediaChanged), outcome
    assert "story.md was changed while it was being indexed" in str(outcome.error)
    assert library.media() == []
    assert untrue(library, held(library)) == []
    (again,) = library.index([file])
    assert again.status == "indexed"
    said = " ".join(m.text for m in library.store.read.memories(library.media()[0].id))
    assert ("onyxe" in said) == (deed in (replaced, rewritten))
    assert ("kingfisher" in said) == (deed is grown)


def test_a_document_that_is_removed_meanwhile_goes_on_once_it_is_back(
    library: Library, tmp_path: Path
) -> None:
    file = write_document(tmp_path / "story.md", chapters=2)
    aside = tmp_path / "aside"
    outcome = disturbed(library, file, lambda one: _moved(one, aside), after=0, stage="")
    assert isinstance(outcome.error, MediaGone), outcome
    assert f"put it back at {tmp_path}" in str(outcome.error)
    (media,) = library.media()
    assert media.status == "failed"
    assert media.memories > 0
    aside.rename(file)
    assert [one.status for one in library.index([file])] == ["indexed"]
    assert untrue(library, held(library)) == []


@pytest.mark.parametrize("deed", [cut, Path.unlink])
def test_a_video_that_is_cut_or_removed_meanwhile_is_not_called_damaged(
    library: Library, tmp_path: Path, deed: Deed
) -> None:
    file = made.video(tmp_path / "film.mp4", shots=(60, 60, 60), fps=2, tones=[(3.0, 6.0)])
    outcome = disturbed(library, file, deed, after=0, stage="")
    assert isinstance(outcome.error, MemqaError)
    expected = MediaChanged if deed is cut else MediaGone
    assert isinstance(outcome.error, expected), outcome.error
    assert [one.status for one in library.media()] == ([] if deed is cut else ["failed"])
    assert untrue(library, held(library)) == []


def test_what_lay_there_before_answers_on_where_its_next_state_changes_meanwhile(
    library: Library, tmp_path: Path
) -> None:
    file = write_document(tmp_path / "story.md", chapters=2)
    first = library.add(file).id
    grown(file)
    is_done = False

    def told(progress: Progress) -> None:
        nonlocal is_done
        if not is_done and len(library.store.read.media_rows()) == 2:
            is_done = True
            cut(file)

    (outcome,) = library.index([file], on_progress=told)
    assert isinstance(outcome.error, MediaChanged)
    assert [one.id for one in library.media()] == [first]
    assert library.search("zebrafinch", media=[first])


def _moved(file: Path, aside: Path) -> None:
    file.rename(aside)
