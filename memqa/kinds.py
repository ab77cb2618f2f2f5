"""What a file is: a document, a video, a recording, or nothing that can be remembered.

Told from its bytes. A name that claims a video, picture or PDF over plain text is refused, since a
download page or an error message saved under that name is not what the person meant.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from models.errors import MemqaError, UnreadableMedia, UnsupportedMedia

if TYPE_CHECKING:
    from docmem.parse import DocumentInfo
    from vidmem.values import MediaInfo

    Found: TypeAlias = DocumentInfo | MediaInfo


_DOCUMENT_ENDINGS = (
    *(".pdf", ".docx", ".docm", ".dotx", ".dotm", ".doc", ".odt", ".rtf"),
    *(".xlsx", ".xls", ".ods"),
    *(".pptx", ".pptm", ".ppsx", ".potx", ".ppt", ".odp", ".epub", ".srt", ".vtt"),
    *(".txt", ".md", ".markdown", ".html", ".htm"),
)
_OF_TEXT = ("text", "markdown", "html", "subtitles")  # what an error page or a log may be taken for
_PICTURES = ("image/jpeg", "image/png", "image/tiff", "image/bmp", "image/svg+xml")


def identify(path: Path) -> Found:
    """Open a file as what it is.

    Raises:
        UnsupportedMedia: neither a document nor a video or recording.
        UnreadableMedia: missing, or damaged beyond use.
        LockedDocument: an encrypted document.
        EmptyMedia: nothing in it.
    """
    if not path.exists():
        raise UnreadableMedia(f"there is no file {path}; check its name")
    from docmem.parse import open_document

    try:
        document = open_document(path)
    except UnsupportedMedia as no_document:
        return _video(path, no_document)
    if document.format in _OF_TEXT and _claims_otherwise(path):
        raise UnsupportedMedia(
            f"{path.name} holds plain text although its name ends in {path.suffix}; "
            "rename it if it is meant as text"
        )
    return document


def is_named_as_media(name: str) -> bool:
    """Say by its name alone whether something is worth being fetched."""
    suffix = PurePosixPath(name).suffix.lower()
    told = mimetypes.guess_type(f"x{suffix}")[0] or ""
    return suffix in _DOCUMENT_ENDINGS or told.startswith(("video/", "audio/"))


def may_be_media(path: Path) -> bool:
    """Say whether a file found in a folder is worth a job: True but for what is surely no media.

    Quick for most files: what is named as a video is not opened. A damaged file is worth a job,
    since whoever put it there wants to hear of the damage.
    """
    from docmem.parse.kind import sniff

    named = mimetypes.guess_type(path.name)[0] or ""
    try:
        form = sniff(path)
    except UnsupportedMedia:
        if named.startswith(("video/", "audio/")):
            return True
        return named not in _PICTURES and _can_be_watched(path)
    except MemqaError:
        return True
    return form not in _OF_TEXT or not _claims_otherwise(path)


def _can_be_watched(path: Path) -> bool:
    from vidmem.video import probe

    try:
        probe(path)
    except UnsupportedMedia:
        return False
    except MemqaError:
        return True
    return True


def _video(path: Path, no_document: UnsupportedMedia) -> MediaInfo:
    if path.is_dir():
        raise no_document
    from vidmem.video import probe

    try:
        return probe(path)
    except UnsupportedMedia as no_video:
        # Who names a file .pdf wants to hear why it is no document, everybody else why no video.
        named_document = path.suffix.lower() in _DOCUMENT_ENDINGS
        raise (no_document if named_document else no_video) from None


def _claims_otherwise(path: Path) -> bool:
    claimed = mimetypes.guess_type(path.name)[0] or ""
    return claimed.startswith(("video/", "audio/", "image/")) or claimed == "application/pdf"
