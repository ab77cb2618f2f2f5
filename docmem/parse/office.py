"""What Word and PowerPoint files have in common: packages of XML parts, with what they carry along.

Knows how to hand such a package to its library without what could be run, fetched or be too large;
leaves to ``docx.py`` and ``pptx.py`` what the parts say.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

from docmem.parse.archive import Archive, open_archive

CONTENT_TYPES = "[Content_Types].xml"
_KEPT = (".xml", ".rels")
# Word writes this for a picture that it lost; python-docx then looks in vain for the part.
_LINK_TO_NOTHING = re.compile(rb"<Relationship\b[^<>]*\bTarget=\"[^\"<>]*\bNULL\"[^<>]*/>")
# Templates, full-screen shows and files with macros hold text like the plain form.
_AS_PLAIN: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    (
        re.compile(
            rb"application/vnd\.(?:openxmlformats-officedocument\.wordprocessingml\.template"
            rb"|ms-word\.(?:document\.macroEnabled|template\.macroEnabledTemplate))\.main\+xml"
        ),
        b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    ),
    (
        re.compile(
            rb"application/vnd\.(?:openxmlformats-officedocument\.presentationml\."
            rb"(?:slideshow|template)|ms-powerpoint\.(?:presentation|slideshow|template)"
            rb"\.macroEnabled)\.main\+xml"
        ),
        b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
    ),
)


def read_package(path: Path) -> tuple[io.BytesIO, tuple[str, ...]]:
    """Copy a package with its text alone, and give notes on what was left out.

    What is not XML (macros, films, other files inside) is emptied, so nothing in the copy can be
    run, and a library that loads every part loads no film. Links to the outside are never followed.

    Raises:
        LockedDocument: encrypted.
        UnreadableMedia: damaged, or too much in it.
    """
    with open_archive(path) as archive:
        return _without_ballast(archive), _notes(archive)


def _without_ballast(archive: Archive) -> io.BytesIO:
    copied = io.BytesIO()
    with zipfile.ZipFile(copied, "w") as copy:
        for name in archive.names:
            data = archive.read_xml(name) if name.lower().endswith(_KEPT) else b""
            if name.endswith(".rels"):
                data = _LINK_TO_NOTHING.sub(b"", data)
            if name == CONTENT_TYPES:
                for like, plain in _AS_PLAIN:
                    data = like.sub(plain, data)
            copy.writestr(name, data)
    copied.seek(0)
    return copied


def _notes(archive: Archive) -> tuple[str, ...]:
    if any(name.lower().endswith("vbaproject.bin") for name in archive.names):
        return ("Its macros were left alone; only the text was read.",)
    return ()
