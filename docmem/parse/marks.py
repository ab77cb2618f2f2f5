"""What a PDF's page is known by when it comes again: its glyphs, and how it would be read.

Knows PDFium's text pages, in the process that may crash.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from hashlib import sha256

import pypdfium2 as pdfium  # type: ignore[import-untyped]
import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]

from docmem.parse.limits import MAX_PAGE_CHARS
from docmem.parse.styles import Styles

_READING = 2  # raise it when pages come to be read otherwise: kept ones are known by it
_LEAST_CHARS = 200
_MARKED_EACH = 16


def manner(styles: Styles) -> bytes:
    """Say by what pages are read: those read by another manner are read again.

    Bookmarks name pages by number, which an inserted page shifts: only their titles count.
    """
    titles = sorted({mark.title for mark in styles.outline})
    plain = replace(styles, running=frozenset(), outline=())
    return sha256(repr((_READING, plain, sorted(styles.running), titles)).encode()).digest()


def mark_of(pdf: pdfium.PdfDocument, number: int, by: bytes) -> bytes:
    """Give a hash of a page's shape, text, and the place and type of every 16th glyph.

    It takes a twentieth of the time of reading the page. Nothing for a page that PDFium cannot
    load, or with so little text that it may be a picture.
    """
    try:
        with closing(pdf[number - 1]) as page, closing(page.get_textpage()) as textpage:
            count = textpage.count_chars()
            if not _LEAST_CHARS < count <= MAX_PAGE_CHARS:
                return b""
            mark = sha256(by)
            mark.update(repr((page.get_bbox(), page.get_size(), page.get_rotation())).encode())
            mark.update(textpage.get_text_range(errors="replace").encode(errors="replace"))
            box, glyphs = pdfium_c.FS_RECTF(), textpage.raw
            for index in range(0, count, _MARKED_EACH):
                pdfium_c.FPDFText_GetLooseCharBox(glyphs, index, box)
                mark.update(bytes(box))
                mark.update(b"%d" % pdfium_c.FPDFText_GetFontWeight(glyphs, index))
            return mark.digest()
    except pdfium.PdfiumError:
        return b""
