"""Documents made for tests: a small writer of PDFs, also turned, cropped, scanned and locked."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_FILE_ID = b"0123456789abcdef"
_PERMISSIONS = -4


@dataclass(frozen=True, slots=True)
class Ink:
    """A string drawn at (x, y) in points from the lower left corner."""

    x: float
    y: float
    text: str
    size: float = 11
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page; ``jpeg`` fills it behind the ink."""

    ink: tuple[Ink, ...] = ()
    width: float = 612
    height: float = 792
    rotation: int = 0
    crop: tuple[float, float, float, float] | None = None
    jpeg: bytes | None = None


def lines(
    *texts: str, x: float = 72, top: float = 720, size: float = 11, leading: float = 14
) -> tuple[Ink, ...]:
    """Ink for lines of text under each other."""
    return tuple(Ink(x, top - leading * n, text, size) for n, text in enumerate(texts))


def scan(*texts: str, width: int = 1240, height: int = 1600) -> bytes:
    """A JPEG that shows lines of text, as a scanner would give it."""
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=44)
    for number, text in enumerate(texts):
        draw.text((120, 140 + 80 * number), text, fill="black", font=font)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def write_pdf(
    path: Path,
    sheets: Sequence[Sheet],
    *,
    title: str = "",
    password: str | None = None,
    outline: Sequence[tuple[str, int]] = (),
) -> Path:
    """Write a PDF; ``password`` None leaves it open, "" encrypts it so that anyone may open it.

    ``outline`` gives bookmarks as (title, 1-based page).
    """
    bodies = _objects(sheets, title, outline)
    key = b"" if password is None else _key(password)
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, (dictionary, stream) in enumerate(bodies, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number
        if stream is None:
            out += dictionary
        else:
            data = _sealed(stream, key, number)
            out += b"<< %s /Length %d >>\nstream\n" % (dictionary, len(data))
            out += data + b"\nendstream"
        out += b"\nendobj\n"
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"/Size %d /Root 1 0 R /Info 3 0 R /ID [<%s> <%s>]" % (
        len(bodies) + 1,
        _FILE_ID.hex().encode(),
        _FILE_ID.hex().encode(),
    )
    if password is not None:
        trailer += b" /Encrypt << /Filter /Standard /V 1 /R 2 /P %d /O <%s> /U <%s> >>" % (
            _PERMISSIONS,
            _owner().hex().encode(),
            _rc4(key, _PADDING).hex().encode(),
        )
    out += b"trailer\n<< %s >>\nstartxref\n%d\n%%%%EOF\n" % (trailer, table)
    path.write_bytes(bytes(out))
    return path


def _objects(
    sheets: Sequence[Sheet], title: str, outline: Sequence[tuple[str, int]]
) -> list[tuple[bytes, bytes | None]]:
    """The objects of the file, numbered from 1: catalogue, pages, info, fonts, then the sheets'."""
    first = 6
    kids = [first + 3 * n for n in range(len(sheets))]
    marks = first + 3 * len(sheets)
    catalogue = b"<< /Type /Catalog /Pages 2 0 R%s >>" % (
        b" /Outlines %d 0 R" % marks if outline else b""
    )
    found: list[tuple[bytes, bytes | None]] = [
        (catalogue, None),
        (
            b"<< /Type /Pages /Count %d /Kids [%s] >>"
            % (len(sheets), b" ".join(b"%d 0 R" % kid for kid in kids)),
            None,
        ),
        (b"<< /Title %s >>" % _string(title) if title else b"<< >>", None),
        *(
            (
                b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>" % n,
                None,
            )
            for n in (b"Helvetica", b"Helvetica-Bold")
        ),
    ]
    for number, sheet in zip(kids, sheets, strict=True):
        found += _sheet(sheet, number)
    if outline:
        found += _outline(outline, marks, kids)
    return found


def _sheet(sheet: Sheet, number: int) -> list[tuple[bytes, bytes | None]]:
    crop = b" /CropBox [%g %g %g %g]" % sheet.crop if sheet.crop else b""
    images = b" /XObject << /Scan %d 0 R >>" % (number + 2) if sheet.jpeg else b""
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %g %g]%s /Rotate %d /Contents %d 0 R "
        b"/Resources << /Font << /F0 4 0 R /F1 5 0 R >>%s >> >>"
        % (sheet.width, sheet.height, crop, sheet.rotation, number + 1, images)
    )
    drawn = [b"q %g 0 0 %g 0 0 cm /Scan Do Q" % (sheet.width, sheet.height)] if sheet.jpeg else []
    drawn += [
        b"BT /F%d %g Tf %g %g Td %s Tj ET" % (ink.bold, ink.size, ink.x, ink.y, _string(ink.text))
        for ink in sheet.ink
    ]
    if sheet.jpeg:
        width, height = Image.open(io.BytesIO(sheet.jpeg)).size
        image = (
            b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB "
            b"/BitsPerComponent 8 /Filter /DCTDecode" % (width, height)
        )
        return [(page, None), (b"", b"\n".join(drawn)), (image, sheet.jpeg)]
    return [(page, None), (b"", b"\n".join(drawn)), (b"null", None)]


def _outline(
    outline: Sequence[tuple[str, int]], first: int, kids: Sequence[int]
) -> list[tuple[bytes, bytes | None]]:
    last = first + len(outline)
    found: list[tuple[bytes, bytes | None]] = [
        (
            b"<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>"
            % (first + 1, last, len(outline)),
            None,
        )
    ]
    for number, (title, page) in enumerate(outline, first + 1):
        after = b" /Next %d 0 R" % (number + 1) if number < last else b""
        mark = b"<< /Title %s /Parent %d 0 R /Dest [%d 0 R /Fit]%s >>"
        found.append((mark % (_string(title), first, kids[page - 1], after), None))
    return found


def _string(text: str) -> bytes:
    raw = text.encode("cp1252")
    for mark in (b"\\", b"(", b")"):
        raw = raw.replace(mark, b"\\" + mark)
    return b"(" + raw + b")"


def _key(password: str) -> bytes:
    """The 40-bit key of the standard security handler, revision 2 (PDF 1.7, algorithm 2)."""
    seed = (password.encode() + _PADDING)[:32] + _owner()
    seed += (_PERMISSIONS & 0xFFFFFFFF).to_bytes(4, "little") + _FILE_ID
    return hashlib.md5(seed).digest()[:5]


def _owner() -> bytes:
    return _rc4(hashlib.md5((b"owner" + _PADDING)[:32]).digest()[:5], _PADDING)


def _sealed(data: bytes, key: bytes, number: int) -> bytes:
    if not key:
        return data
    own = hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10]
    return _rc4(own, data)


def _rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
