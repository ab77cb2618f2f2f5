from __future__ import annotations

import io
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from docmem.parse import DocumentInfo, Page, open_document, page_picture, read_pages
from models.errors import (
    EmptyMedia,
    IngestCancelled,
    InputError,
    LockedDocument,
    UnreadableMedia,
    UnsupportedMedia,
)
from models.values import Box, Picture, Progress, TextLine
from tests.documents import Ink, Sheet, lines, scan, write_pdf

BODY = (
    "The quick brown fox jumps over the lazy dog near the river bank.",
    "It was seen twice in March and once more in the following April.",
    "Nobody has been able to say where it went after the second visit.",
)


class Reader:
    """Reads the same line off every picture and remembers what it was shown."""

    signature = "test-reader/1"

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.shown: list[Picture] = []

    def read(self, picture: Picture) -> list[TextLine]:
        self.shown.append(picture)
        return [
            TextLine(text, Box(1, 0.1, 0.2 + 0.1 * n, 0.6, 0.25 + 0.1 * n), 0.9)
            for n, text in enumerate(self.texts)
        ]


def pages_of(path: Path, reader: Reader | None = None) -> list[Page]:
    return list(read_pages(open_document(path), reader=reader))


def test_lines_have_spans_and_boxes_where_they_are_drawn(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet(lines(*BODY)), Sheet(lines("Second page here."))])
    info = open_document(path)
    first, second = read_pages(info, reader=None)
    assert (info.format, info.pages) == ("pdf", 2)
    assert first.text == "\n".join(BODY)
    assert [first.line_text(line) for line in first.lines] == list(BODY)
    assert second.char_start == len(first.text) + 1
    assert second.line_text(second.lines[0]) == "Second page here."
    box = first.lines[0].box
    assert box is not None
    assert box.x0 == pytest.approx(72 / 612, abs=0.01)
    assert 1 - 732 / 792 < box.y0 < box.y1 <= 1 - 715 / 792
    assert [line.heading_level for line in first.lines] == [0, 0, 0]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_fall_on_the_ink_of_the_page_as_it_is_shown(tmp_path: Path, rotation: int) -> None:
    sheet = Sheet(lines(BODY[0], top=500), rotation=rotation, crop=(50, 100, 562, 700))
    path = write_pdf(tmp_path / "a.pdf", [sheet])
    (page,) = pages_of(path)
    box = page.lines[0].box
    assert box is not None
    with Image.open(io.BytesIO(page_picture(path, 1, width_px=900))) as picture:
        grey = np.asarray(picture.convert("L"))
    rows, columns = np.nonzero(grey < 128)
    height, width = grey.shape
    drawn = (columns.min() / width, rows.min() / height, columns.max() / width, rows.max() / height)
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx(drawn, abs=0.01)


def test_text_outside_the_crop_box_is_not_read(tmp_path: Path) -> None:
    ink = (*lines(BODY[0], top=500), Ink(72, 20, "printer's mark"))
    path = write_pdf(tmp_path / "a.pdf", [Sheet(ink, crop=(0, 100, 612, 792))])
    assert pages_of(path)[0].text == BODY[0]


def test_a_word_parted_at_the_line_end_is_joined_and_spans_still_meet(tmp_path: Path) -> None:
    drawn = lines("The committee postponed the dis-", "cussion to a meeting in May, when a self-")
    drawn += lines("service desk opens. Any self-service plan waits till then.", top=692)
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", [Sheet(drawn)]))
    assert "the discussion to a meeting" in page.text
    assert "a self-service desk opens" in page.text
    first, second, _ = page.lines
    assert first.char_end == second.char_start
    assert page.line_text(first).endswith("dis")
    assert page.line_text(second).startswith("cussion")


def test_columns_drawn_in_a_wild_order_are_read_one_after_the_other(tmp_path: Path) -> None:
    left = [f"Left column sentence number {n} stands here." for n in range(12)]
    right = [f"Right column sentence number {n} is there." for n in range(12)]
    scrambled = []
    for n in (5, 0, 11, 3, 8, 1, 10, 2, 7, 4, 9, 6):
        scrambled += [Ink(330, 692 - 16 * n, right[n], 9), Ink(60, 700 - 16 * n, left[n], 9)]
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", [Sheet(tuple(scrambled))]))
    assert page.text.split("\n") == left + right


def test_cells_of_a_row_make_one_line(tmp_path: Path) -> None:
    ink = (Ink(72, 600, "Net sales"), Ink(300, 600, "1,234"), Ink(400, 600, "1,100"))
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", [Sheet(ink)]))
    assert page.text == "Net sales 1,234 1,100"
    assert len(page.lines) == 1


def test_headings_are_told_by_size_weight_and_outline(tmp_path: Path) -> None:
    ink = (
        Ink(72, 720, "Annual Report", 24),
        Ink(72, 680, "Revenue", 14),
        *lines(*BODY, top=660),
        Ink(72, 610, "Segment results", 11, bold=True),
        *lines(*BODY, top=596),
        Ink(72, 540, "Notes to all this"),
        *lines(*BODY, top=526),
    )
    path = write_pdf(tmp_path / "a.pdf", [Sheet(ink)], outline=[("Notes to all this", 1)])
    (page,) = pages_of(path)
    headings = {page.line_text(line): line.heading_level for line in page.lines}
    assert headings["Annual Report"] == 1
    assert 1 < headings["Revenue"] <= 3
    assert headings["Segment results"] > headings["Revenue"]
    assert headings["Notes to all this"] == 1
    assert all(headings[text] == 0 for text in BODY)


def test_running_heads_and_page_numbers_are_marked(tmp_path: Path) -> None:
    sheets = [
        Sheet((Ink(72, 770, "ACME QUARTERLY", 14), *lines(*BODY), Ink(300, 20, f"Page {n}")))
        for n in range(1, 6)
    ]
    for page in pages_of(write_pdf(tmp_path / "a.pdf", sheets)):
        running = [page.line_text(line) for line in page.lines if line.is_running]
        assert running == ["ACME QUARTERLY", f"Page {page.number}"]
        assert not any(line.heading_level for line in page.lines)


def test_the_title_is_the_files_own_then_the_largest_line_then_the_name(tmp_path: Path) -> None:
    body = lines(*BODY, top=600)
    big = (Ink(72, 720, "A Field Guide to Foxes", 26), *body)
    own = write_pdf(tmp_path / "a.pdf", [Sheet(big)], title="Foxes of the North")
    poor = write_pdf(tmp_path / "b.pdf", [Sheet(big)], title="Microsoft Word - draft.doc")
    none = write_pdf(tmp_path / "c.pdf", [Sheet(body)])
    titles = [open_document(path).title for path in (own, poor, none)]
    assert titles == ["Foxes of the North", "A Field Guide to Foxes", "c"]


def test_a_page_without_text_is_read_off_its_picture(tmp_path: Path) -> None:
    sheets = [Sheet(lines(*BODY)), Sheet(jpeg=scan("hidden"))]
    reader = Reader("RECEIVED", "14 May 1998")
    first, second = pages_of(write_pdf(tmp_path / "a.pdf", sheets), reader)
    assert not first.by_ocr
    assert second.by_ocr
    assert second.text == "RECEIVED\n14 May 1998"
    assert [line.box and line.box.page for line in second.lines] == [2, 2]
    assert len(reader.shown) == 1
    assert max(reader.shown[0].shape) == 1600


def test_a_stamp_over_a_scan_does_not_hide_it_and_is_not_read_twice(tmp_path: Path) -> None:
    stamp = Ink(72, 774, "Case 2:18-cv-12857 filed 09/13/18", 9)
    path = write_pdf(tmp_path / "a.pdf", [Sheet((stamp,), jpeg=scan("hidden"))])
    (page,) = pages_of(path, Reader("COMPLAINT"))
    assert page.by_ocr
    assert page.text == "Case 2:18-cv-12857 filed 09/13/18\nCOMPLAINT"


def test_without_a_reader_a_scan_says_that_it_was_not_read(tmp_path: Path) -> None:
    (page,) = pages_of(write_pdf(tmp_path / "a.pdf", [Sheet(jpeg=scan("hidden"))]))
    assert page.text == ""
    assert "Page 1 was not read: it has no text layer" in page.notes[0]


def test_a_blank_page_stays_empty_and_is_not_shown_to_the_reader(tmp_path: Path) -> None:
    reader = Reader("nothing")
    blank, full = pages_of(write_pdf(tmp_path / "a.pdf", [Sheet(), Sheet(lines(*BODY))]), reader)
    assert blank.text == ""
    assert not reader.shown
    assert full.char_start == 1


def test_a_huge_page_is_drawn_within_bounds(tmp_path: Path) -> None:
    sheet = Sheet(lines(BODY[0], top=14_000), width=100, height=14_400)
    path = write_pdf(tmp_path / "a.pdf", [sheet])
    with Image.open(io.BytesIO(page_picture(path, 1, width_px=2_000))) as picture:
        assert picture.width * picture.height <= 30_500_000


@pytest.mark.parametrize("share", [0.1, 0.5, 0.98])
def test_a_cut_off_pdf_is_refused(tmp_path: Path, share: float) -> None:
    data = write_pdf(tmp_path / "a.pdf", [Sheet(lines(*BODY))] * 9).read_bytes()
    part = tmp_path / "part.pdf"
    part.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableMedia, match=r"part\.pdf is cut off"):
        open_document(part)


def test_a_pdf_that_needs_a_password_is_refused(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet(lines(*BODY))], password="secret")
    with pytest.raises(LockedDocument, match=r"a\.pdf is encrypted"):
        open_document(path)


def test_a_damaged_pdf_after_an_encrypted_one_is_called_damaged(tmp_path: Path) -> None:
    locked = write_pdf(tmp_path / "a.pdf", [Sheet(lines(*BODY))], password="secret")
    with pytest.raises(LockedDocument):
        open_document(locked)
    empty = write_pdf(tmp_path / "b.pdf", [])
    with pytest.raises((UnreadableMedia, EmptyMedia)):
        open_document(empty)


def test_an_encrypted_pdf_that_anyone_may_open_is_read(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet(lines(*BODY))], password="")
    assert pages_of(path)[0].text == "\n".join(BODY)


def test_junk_behind_a_pdf_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"endobj startxref 0 %%EOF")
    with pytest.raises(UnreadableMedia, match="damaged"):
        open_document(path)


def test_no_such_page(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet(lines(*BODY))])
    with pytest.raises(InputError, match="1 pages; there is no page 2"):
        page_picture(path, 2)
    text = tmp_path / "a.txt"
    text.write_text("words")
    with pytest.raises(UnsupportedMedia, match="no PDF"):
        page_picture(text, 1)


def test_progress_is_told_and_a_stop_is_obeyed_between_pages(tmp_path: Path) -> None:
    info = open_document(write_pdf(tmp_path / "a.pdf", [Sheet(lines(*BODY))] * 3))
    told: list[Progress] = []
    pages = read_pages(
        info, reader=None, on_progress=told.append, should_stop=lambda: len(told) >= 2
    )
    assert [next(pages).number, next(pages).number] == [1, 2]
    with pytest.raises(IngestCancelled, match="before page 3"):
        next(pages)
    assert [(each.done, each.total) for each in told] == [(1, 3), (2, 3)]


def test_a_pdf_with_too_many_pages_is_not_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet(lines(*BODY))] * 3)
    assert open_document(path).is_whole
    monkeypatch.setattr("docmem.parse.pdf.MAX_PAGES", 2)
    info = open_document(path)
    assert (info.pages, info.is_whole) == (2, False)
    assert info.notes == ("Only the first 2 of 3 pages are read.",)


def test_reading_from_a_later_page_gives_the_same_offsets(tmp_path: Path) -> None:
    info = open_document(write_pdf(tmp_path / "a.pdf", [Sheet(lines(*BODY))] * 3))
    everything = list(read_pages(info, reader=None))
    assert list(read_pages(info, reader=None, first_page=3)) == everything[2:]


def test_threads_may_read_at_once(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [Sheet(lines(*BODY))] * 6)
    info: DocumentInfo = open_document(path)
    expected = list(read_pages(info, reader=None))
    results: list[list[Page]] = []

    def work() -> None:
        results.append(list(read_pages(info, reader=None)))
        page_picture(path, 3, width_px=200)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 6


@pytest.mark.real_model
def test_a_scan_is_read_by_the_embedded_reader(tmp_path: Path) -> None:
    from models import catalog

    path = write_pdf(
        tmp_path / "a.pdf",
        [Sheet(jpeg=scan("The meeting was adjourned", "at a quarter past nine"))],
    )
    info = open_document(path)
    (page,) = read_pages(info, reader=catalog.text_reader("embedded"))
    assert "meeting was adjourned" in page.text
    assert "quarter past nine" in page.text
    box = page.lines[0].box
    assert box is not None
    assert box.y0 == pytest.approx(140 / 1600, abs=0.03)
