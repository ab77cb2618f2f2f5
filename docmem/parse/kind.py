"""What a file is, told from its bytes and never from its name; refuses what is no document.

Leaves to the readers of each format whether the file is whole.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from stat import S_ISREG

from docmem.pages import Format
from docmem.parse.archive_kind import archive_format
from docmem.parse.limits import MAX_FILE_BYTES, MAX_TEXT_BYTES
from models.errors import (
    EmptyMedia,
    InputError,
    LockedDocument,
    UnreadableMedia,
    UnsupportedMedia,
)

_HEAD_BYTES = 65_536
_BLOCK_BYTES = 2**23
_PDF_HEADER_WITHIN = 1_024  # readers accept junk before the header up to here

# First bytes of what people rename or drop by mistake, with the words for the refusal.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"{\\rtf", "a rich text (RTF) document"),
    (b"%!PS", "a PostScript file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf'\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"RIFF", "a sound, picture or video file"),
    (b"OggS", "a sound or video file"),
    (b"ID3", "a sound file"),
    (b"\x1aE\xdf\xa3", "a video file"),
    (b"SQLite format 3\x00", "a database"),
)
_BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HTML_START = re.compile(r"<(?:!doctype\s+html|html|head|body)\b", re.I)
_BEFORE_HTML = (("<?xml", ">"), ("<!--", "-->"))  # what may stand before the first element
_HTML_TAG = re.compile(r"</(?:p|div|h[1-6]|li|table|tr|td|span|a|ul|section|article)\s*>", re.I)
_ATX_HEADING = re.compile(r"^#{1,6} +\S", re.M)
_MARKDOWN_SIGN = re.compile(
    r"^(?:```|~~~|\|.+\|\s*$|[*+-] +\S|> \S)|\[[^\[\]\n]{1,300}\]\([^)\n]{1,300}\)", re.M
)
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.I)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE = b"\xd0\xcf\x11\xe0"
_SRT_START = re.compile(r"\s*\d+[ \t]*(?:\r\n?|\n)[ \t]*\d+:\d{1,2}:\d{1,2}[,.]\d+[ \t]*-->")
_VTT_START = re.compile(r"\s*WEBVTT(?:\s|$)")
_NO_CHARSETS = ("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape")
_HALF = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def sniff(path: Path) -> Format:
    """Tell what document a file is from its first bytes.

    Raises:
        UnsupportedMedia: a folder, or a file that holds no document.
        LockedDocument: an Office document with a password.
        EmptyMedia: zero bytes, or nothing but white space.
        UnreadableMedia: the file is missing or may not be read, or is a damaged archive.
    """
    head = _head(path)
    if b"%PDF-" in head[:_PDF_HEADER_WITHIN]:
        return "pdf"
    if head.startswith(_ZIP):
        form, words = archive_format(path)
        if form is None:
            raise UnsupportedMedia(_not_a_document(path, words))
        return form
    if head.startswith(_OLE):
        raise _old_office(path)
    for signature, words in _SIGNATURES:
        if head.startswith(signature):
            raise UnsupportedMedia(_not_a_document(path, words))
    if head[4:8] == b"ftyp":
        raise UnsupportedMedia(_not_a_document(path, "a video or picture file"))
    text, _ = decode(head, path, is_part=True)
    if not text.strip() and path.stat().st_size <= len(head):
        raise EmptyMedia(f"{path.name} holds nothing but white space.")
    return _text_format(text, path.suffix.lower())


def read_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """Give the decoded text of a file, line ends as newlines, and notes on how it was read.

    Raises:
        UnsupportedMedia: the bytes are no text, or too many.
        UnreadableMedia: the file is missing or may not be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_TEXT_BYTES:
            raise UnsupportedMedia(
                f"{path.name} has {size / 1e6:.0f} MB of text; memqa reads up to "
                f"{MAX_TEXT_BYTES / 1e6:.0f} MB: split it first."
            )
        text, notes = decode(path.read_bytes(), path)
    except OSError as exc:
        raise UnreadableMedia(f"{path.name} cannot be read: {exc.strerror}.") from exc
    return text.replace("\r\n", "\n").replace("\r", "\n"), notes


def decode(data: bytes, path: Path, *, is_part: bool = False) -> tuple[str, tuple[str, ...]]:
    """Decode text by its byte order mark, as UTF-8, by its declared charset, or as Windows-1252.

    Raises:
        UnsupportedMedia: the bytes are no text.
    """
    for encoding, note in _candidates(data):
        try:
            # A head that was cut out of a file may end inside a character: incremental, not final.
            text = codecs.getincrementaldecoder(encoding)().decode(data, final=not is_part)
        except (UnicodeError, LookupError):
            continue
        if _HALF.search(text):  # UTF-7 and its like can write what no file may hold
            continue
        if len(_CONTROL.findall(text)) > len(text) * 0.01:
            break
        return text, (note,) if note else ()
    raise UnsupportedMedia(_not_a_document(path, "binary data"))


def _candidates(data: bytes) -> list[tuple[str, str]]:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return [(encoding, "")]
    candidates = [("utf-8", "")]
    if match := _CHARSET.search(data[:2_048]):
        name = match.group(1).decode("ascii")
        if _is_charset(name):
            candidates.append((name, f"The text is {name}, as it declares."))
    # cp1252 leaves five bytes undefined; binary data nearly always hits one of them or a control.
    candidates.append(("cp1252", "The text is not UTF-8; it was read as Windows-1252."))
    return candidates


def _is_charset(name: str) -> bool:
    """Tell a charset from Python's other codecs, which unpack archives or run escapes."""
    try:
        b"words".decode(name)  # it refuses what is no codec of texts
    except LookupError:
        return False
    except UnicodeError:
        pass  # a charset in which these bytes are no words
    return codecs.lookup(name).name.replace("_", "-") not in _NO_CHARSETS


def _head(path: Path) -> bytes:
    if path.is_dir():
        raise UnsupportedMedia(f"{path} is a folder; name the files in it, or add it recursively.")
    try:
        stat = path.stat()
        if not S_ISREG(stat.st_mode):  # opening a pipe would wait for who writes into it
            raise UnsupportedMedia(f"{path.name} is a pipe or a device and no file; copy it first.")
        size = stat.st_size
        if size == 0:
            raise EmptyMedia(f"{path.name} is empty (0 bytes).")
        if size > MAX_FILE_BYTES:
            raise UnsupportedMedia(f"{path.name} is larger than {MAX_FILE_BYTES / 1e9:.0f} GB.")
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as exc:
        raise UnreadableMedia(f"{path.name} cannot be read: {exc.strerror}.") from exc


def _old_office(path: Path) -> InputError:
    """Say what a file of the old Office form is; it also wraps new ones that have a password."""
    if _holds(path, "EncryptedPackage".encode("utf-16-le")):
        return LockedDocument(f"{path.name} is locked with a password; save it without one.")
    return UnsupportedMedia(
        f"{path.name} is an old Office document; save it as .docx, .pptx or PDF, since memqa "
        "reads no older documents."
    )


def _holds(path: Path, mark: bytes) -> bool:
    """Look for a mark, piece by piece: a mapped file that shrinks meanwhile would end memqa."""
    before = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if mark in before + block:
                return True
            before = block[-len(mark) :]
    return False


def _text_format(text: str, suffix: str) -> Format:
    if _VTT_START.match(text) or _SRT_START.match(text):
        return "subtitles"
    if _HTML_START.match(text, _start_of_markup(text)) or len(_HTML_TAG.findall(text)) >= 5:
        return "html"
    headings = len(_ATX_HEADING.findall(text))
    # A lone "# …" may be a comment; the suffix only settles what the content leaves open.
    is_script = text.startswith("#!")
    if headings and not is_script and (headings > 1 or _MARKDOWN_SIGN.search(text)):
        return "markdown"
    return "markdown" if suffix in (".md", ".markdown") else "text"


def _start_of_markup(text: str) -> int:
    """Give where the first element may stand: behind blanks, a declaration and comments.

    Step by step, since one pattern for all of it would try every way to part a run of comments.
    """
    at = 0
    while True:
        at += len(text[at:]) - len(text[at:].lstrip())
        end = next((end for start, end in _BEFORE_HTML if text.startswith(start, at)), "")
        closed = text.find(end, at) if end else -1
        if closed < 0:
            return at
        at = closed + len(end)


def _not_a_document(path: Path, words: str) -> str:
    claim = f" although its name ends in {path.suffix}" if path.suffix else ""
    return (
        f"{path.name} is {words}{claim}; memqa reads PDF, Word, PowerPoint, EPUB, subtitles, "
        "plain text, Markdown and HTML documents."
    )
