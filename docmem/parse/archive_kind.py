"""Which document a ZIP file is, told from its parts; leaves other archives to the refusal."""

from __future__ import annotations

import re
from pathlib import Path

from docmem.pages import Format
from docmem.parse.archive import Archive, open_archive
from docmem.parse.limits import MAX_CONTENTS_BYTES
from docmem.parse.office import CONTENT_TYPES
from models.errors import UnreadableMedia, UnsupportedMedia

_ENDINGS = (".docx", ".docm", ".dotx", ".dotm", ".pptx", ".pptm", ".ppsx", ".potx", ".epub")
_CONTAINER = "META-INF/container.xml"
_MAIN: tuple[tuple[bytes, Format], ...] = (
    (rb"(?:wordprocessingml|ms-word)\.[\w.]{1,80}\.main\+xml", "docx"),
    (rb"(?:presentationml|ms-powerpoint)\.[\w.]{1,80}\.main\+xml", "pptx"),
)
_OTHER = "a ZIP archive or an Office document"
_SHEET = re.compile(rb"(?:spreadsheetml|ms-excel)\.[\w.]{1,80}\.main(?:\+xml)?")


def archive_format(path: Path) -> tuple[Format | None, str]:
    """Tell the format of a document in a ZIP file, or None and the words for what else it is.

    Raises:
        UnsupportedMedia: a document of a kind that is not read; the message says what to do.
        UnreadableMedia: named as a document, but damaged.
    """
    try:
        with open_archive(path) as archive:
            return _format(archive)
    except UnreadableMedia:
        # A broken archive may be anything; only its name tells that a document was meant.
        if path.suffix.lower() in _ENDINGS:
            raise
        return None, _OTHER


def _format(archive: Archive) -> tuple[Format | None, str]:
    kind = archive.read("mimetype").strip() if "mimetype" in archive.names else b""
    if kind.startswith(b"application/epub") or (not kind and _CONTAINER in archive.names):
        return "epub", ""
    if kind.startswith(b"application/vnd.oasis.opendocument"):
        raise UnsupportedMedia(
            f"{archive.path.name} is an OpenDocument file; save it as .docx, .pptx or PDF."
        )
    if CONTENT_TYPES not in archive.names:
        return None, _OTHER
    types = archive.read(CONTENT_TYPES)[:MAX_CONTENTS_BYTES]
    for pattern, form in _MAIN:
        if re.search(pattern, types):
            _refuse_strict(archive)
            return form, ""
    return None, "a spreadsheet" if _SHEET.search(types) else _OTHER


def _refuse_strict(archive: Archive) -> None:
    """Refuse the ISO strict form, whose names the Office libraries do not know."""
    if b"purl.oclc.org/ooxml" in archive.read("_rels/.rels"):
        raise UnsupportedMedia(
            f"{archive.path.name} is saved as “Strict Open XML”; save it as an ordinary "
            "Word document or presentation."
        )
