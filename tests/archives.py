"""Archives made for tests: ZIP files with any entries, books, and Office files tampered with."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path


def write_zip(path: Path, entries: Mapping[str, str | bytes]) -> Path:
    """Write a ZIP file of these entries."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in entries.items():
            out.writestr(name, data)
    return path


def read_zip(path: Path) -> dict[str, bytes]:
    """Give the entries of a ZIP file."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def tamper(path: Path, changes: Mapping[str, str | bytes | None]) -> Path:
    """Put other bytes in place of entries, add entries, or take them out (None)."""
    entries = {**read_zip(path), **changes}
    return write_zip(path, {name: data for name, data in entries.items() if data is not None})


def encrypt_flag(path: Path) -> Path:
    """Mark every entry of a ZIP file as encrypted."""
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(mark, at + 4)
    path.write_bytes(bytes(data))
    return path


def chapter(body: str, *, head: str = "<title>x</title>") -> str:
    """XHTML around a body."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head>{head}</head><body>{body}</body></html>"
    )


def book_entries(
    chapters: Mapping[str, str | bytes],
    *,
    spine: Sequence[str] | None = None,
    title: str = "A Book",
) -> dict[str, str | bytes]:
    """Give the entries of an EPUB; ``spine`` names chapters in reading order."""
    items = "".join(
        f'<item id="i{n}" href="{escape(name)}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(chapters)
    )
    order = [list(chapters).index(name) for name in (chapters if spine is None else spine)]
    refs = "".join(f'<itemref idref="i{n}"/>' for n in order)
    return {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": (
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
            '<rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
        ),
        "OEBPS/book.opf": (
            '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata '
            'xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<dc:title>{escape(title)}</dc:title></metadata>"
            f"<manifest>{items}</manifest><spine>{refs}</spine></package>"
        ),
        **{f"OEBPS/{name}": body for name, body in chapters.items()},
    }


def write_book(path: Path, chapters: Mapping[str, str | bytes]) -> Path:
    """Write an EPUB whose spine is the chapters in this order."""
    return write_zip(path, book_entries(chapters))


def bomb(mega: int) -> bytes:
    """Give XML of so many megabytes that packs to next to nothing."""
    out = io.BytesIO()
    out.write(b"<a>")
    for _ in range(mega):
        out.write(b" " * 1_000_000)
    out.write(b"</a>")
    return out.getvalue()
