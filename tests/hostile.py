"""PDFs written by hand to break a reader: any objects, whether they make sense or not."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << %s >> >>"
)
FONT = b"/Font << /F0 5 0 R >>"
HELVETICA = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def shown(text: str, *, x: float = 72, y: float = 700, before: str = "") -> bytes:
    """A content stream that shows lines of Latin text."""
    drawn = [f"BT /F0 11 Tf {before} 14 TL {x} {y} Td"]
    drawn += [
        f"({line.translate({40: None, 41: None, 92: None})}) Tj T*" for line in text.split("\n")
    ]
    return "\n".join([*drawn, "ET"]).encode("latin-1")


def stream(data: bytes, entries: bytes = b"", *, packed: bool = False) -> bytes:
    """A stream object, deflated if wanted."""
    if packed:
        data, entries = zlib.compress(data, 9), entries + b" /Filter /FlateDecode"
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(data), data)


def bomb(byte: bytes, megabytes: int) -> bytes:
    """Deflate many megabytes of one byte without holding them."""
    packer = zlib.compressobj(9)
    out = b"".join(packer.compress(byte * 1_000_000) for _ in range(megabytes))
    return out + packer.flush()


def one_page(content: bytes, *, resources: bytes = FONT, page: bytes = PAGE) -> dict[int, bytes]:
    """The objects of a file with one page, to be changed at will."""
    return {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        3: page % resources if b"%s" in page else page,
        4: content if b"endstream" in content else stream(content),
        5: HELVETICA,
    }


def write(path: Path, objects: Mapping[int, bytes]) -> Path:
    """Write numbered objects with a table that finds them; object 1 is the catalogue."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table, size = len(out), max(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        out += (
            b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 65535 f \n"
        )
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, table)
    path.write_bytes(bytes(out))
    return path
