from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from docx.oxml.ns import nsdecls

from docmem.parse import open_document, page_picture
from memqa.kinds import identify, may_be_media
from models.errors import (
    EmptyMedia,
    InputError,
    LockedDocument,
    UnreadableMedia,
    UnsupportedMedia,
)
from tests.archives import bomb, encrypt_flag, read_zip, tamper
from tests.docmem.office import assert_offsets, pages_of, slide, slides, word


def test_office_files_without_words_are_empty(tmp_path: Path) -> None:
    for path in (
        word(tmp_path / "a.docx"),
        word(tmp_path / "b.docx", lambda d: d.add_paragraph("* * *")),
        slides(tmp_path / "a.pptx"),
        slides(tmp_path / "b.pptx", lambda s: s.slides.add_slide(s.slide_layouts[6])),
    ):
        with pytest.raises(EmptyMedia, match="holds no words"):
            open_document(path)
    (tmp_path / "c.docx").write_bytes(b"")
    with pytest.raises(EmptyMedia, match="0 bytes"):
        open_document(tmp_path / "c.docx")


def a_docx(path: Path) -> Path:
    return word(path, lambda d: d.add_paragraph("Words."))


def test_macros_are_left_alone_and_templates_are_read(tmp_path: Path) -> None:
    plain = "openxmlformats-officedocument.wordprocessingml.document.main+xml"
    for like in (
        "ms-word.document.macroEnabled.main+xml",
        "openxmlformats-officedocument.wordprocessingml.template.main+xml",
    ):
        path = a_docx(tmp_path / "a.docm")
        types = read_zip(path)["[Content_Types].xml"].decode()
        tamper(path, {"[Content_Types].xml": types.replace(plain, like)})
        assert pages_of(path)[0].text == "Words."
        assert open_document(path).notes == ()
    tamper(path, {"word/vbaProject.bin": b"Sub AutoOpen()"})
    assert open_document(path).notes == ("Its macros were left alone; only the text was read.",)
    show = slides(tmp_path / "a.ppsx", slide("Title"))
    types = read_zip(show)["[Content_Types].xml"].decode()
    like = types.replace("presentationml.presentation.main", "presentationml.slideshow.main")
    assert pages_of(tamper(show, {"[Content_Types].xml": like}))[0].text == "Title"


def test_links_to_the_outside_are_not_followed(tmp_path: Path) -> None:
    path = a_docx(tmp_path / "a.docx")
    rels = read_zip(path)["word/_rels/document.xml.rels"].decode()
    kinds = ("attachedTemplate", "oleObject", "image")
    links = "".join(
        f'<Relationship Id="x{kind}" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        f'relationships/{kind}" Target="http://x.test/{kind}" TargetMode="External"/>'
        for kind in kinds
    )
    end = "</Relationships>"
    tamper(path, {"word/_rels/document.xml.rels": rels.replace(end, links + end)})
    assert pages_of(path)[0].text == "Words."


def test_a_picture_that_word_lost_does_not_cost_the_document(tmp_path: Path) -> None:
    path = a_docx(tmp_path / "a.docx")
    rels = read_zip(path)["word/_rels/document.xml.rels"].decode()
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"
    lost = f'<Relationship Id="x1" Type="{kind}" Target="../NULL"/></Relationships>'
    tamper(path, {"word/_rels/document.xml.rels": rels.replace("</Relationships>", lost)})
    assert pages_of(path)[0].text == "Words."


def test_entities_are_neither_fetched_nor_swollen(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha" * 10}">' for n in range(9))
    outside = f'<!ENTITY x SYSTEM "file://{secret}">'
    path = a_docx(tmp_path / "a.docx")
    xml = read_zip(path)["word/document.xml"].decode()
    start = xml.index("<w:document")
    for declared, used in ((outside, "&x;"), (laughs, "&l8;")):
        body = xml[start:].replace("Words.", f"Words.{used}")
        bad = f'<?xml version="1.0"?><!DOCTYPE d [{declared}]>{body}'
        tamper(path, {"word/document.xml": bad})
        try:
            text = pages_of(path)[0].text
        except UnreadableMedia:
            continue
        assert "SECRET" not in text
        assert len(text) < 100


def test_pictures_and_films_are_not_unpacked(tmp_path: Path) -> None:
    path = tamper(a_docx(tmp_path / "a.docx"), {"word/media/film.mp4": bytes(150_000_000)})
    assert pages_of(path)[0].text == "Words."


def test_hostile_and_damaged_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    deep = "<w:p>" * 5_000 + "</w:p>" * 5_000
    chain = "<a>" * 3
    cases: tuple[tuple[dict[str, str | bytes | None], str], ...] = (
        ({"word/document.xml": bomb(61)}, "unpacks to more than 60 MB"),
        ({f"x/{n}": b"" for n in range(10_001)}, "more than 10,000 files"),
        ({"word/document.xml": "<a/>" * 8_000_001}, "more than 500 times its size"),
        ({"word/document.xml": None}, "damaged"),
        ({"word/document.xml": chain}, "damaged"),
        ({"word/document.xml": ""}, "damaged"),
        ({"word/document.xml": "<a/>"}, "damaged"),
        ({"word/document.xml": f"<w:document {nsdecls('w')}>{deep}</w:document>"}, "damaged"),
        ({"word/styles.xml": bytes(range(256))}, "damaged"),
        ({"_rels/.rels": "<Relationships/>"}, "damaged"),
        ({"docProps/core.xml": "<"}, "damaged"),
    )
    for changes, words in cases:
        with pytest.raises(UnreadableMedia, match=words) as caught:
            open_document(tamper(a_docx(path), changes))
        assert str(caught.value).startswith("a.docx ")
        assert str(caught.value).count("\n") == 0


def test_a_file_cut_off_or_garbled_anywhere_is_refused_or_read(tmp_path: Path) -> None:
    part = tmp_path / "part.pptx"
    whole = slides(tmp_path / "a.pptx", slide("Title", "Words.")).read_bytes()
    for end in range(4, len(whole), len(whole) // 25):
        part.write_bytes(whole[:end])
        with pytest.raises(UnreadableMedia, match="damaged"):
            open_document(part)
    for at in range(0, len(whole), len(whole) // 40):
        part.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with suppress(InputError):  # and no other error
            assert_offsets(pages_of(part))


def test_a_size_that_lies_is_no_way_past_the_bound(tmp_path: Path) -> None:
    path = tamper(a_docx(tmp_path / "a.docx"), {"word/document.xml": bomb(3)})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"word/document.xml"))
    data[at + 24 : at + 28] = (1_000).to_bytes(4, "little")  # the size when unpacked
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableMedia, match="damaged"):
        open_document(path)
    end = data.rfind(b"PK\x05\x06")
    data[end + 12 : end + 16] = (0xF0000000).to_bytes(4, "little")  # the length of its list
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableMedia, match="damaged"):
        open_document(path)


def test_locked_old_and_foreign_documents_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LockedDocument, match="locked with a password"):
        open_document(encrypt_flag(a_docx(tmp_path / "a.docx")))
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000)
    (tmp_path / "b.docx").write_bytes(ole + "EncryptedPackage".encode("utf-16-le") + bytes(500))
    with pytest.raises(LockedDocument, match="save it without one"):
        open_document(tmp_path / "b.docx")
    (tmp_path / "c.doc").write_bytes(ole)
    with pytest.raises(UnsupportedMedia, match=r"save it as \.docx"):
        open_document(tmp_path / "c.doc")
    plain = "wordprocessingml.document.main+xml"
    path = a_docx(tmp_path / "d.xlsx")
    types = read_zip(path)["[Content_Types].xml"].decode()
    tamper(path, {"[Content_Types].xml": types.replace(plain, "spreadsheetml.sheet.main+xml")})
    with pytest.raises(UnsupportedMedia, match="a spreadsheet"):
        open_document(path)
    path = a_docx(tmp_path / "e.docx")
    rels = read_zip(path)["_rels/.rels"].decode()
    strict = rels.replace("http://schemas.openxmlformats.org", "http://purl.oclc.org/ooxml")
    with pytest.raises(UnsupportedMedia, match="Strict Open XML"):
        open_document(tamper(path, {"_rels/.rels": strict}))


def test_the_library_takes_office_files_by_what_is_in_them(tmp_path: Path) -> None:
    for path in (a_docx(tmp_path / "a.pdf"), slides(tmp_path / "b.pptx", slide("Title"))):
        assert may_be_media(path)
        assert identify(path).path == path
    with pytest.raises(UnsupportedMedia, match="only PDF pages can be drawn"):
        page_picture(path, 1)
    damaged = tmp_path / "c.docx"
    damaged.write_bytes(b"PK\x03\x04 and no more")
    assert may_be_media(damaged)
    with pytest.raises(UnreadableMedia, match=r"^c\.docx is damaged"):
        identify(damaged)
    old = tmp_path / "d.doc"
    old.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(900))
    with pytest.raises(UnsupportedMedia, match=r"save it as \.docx"):
        identify(old)
