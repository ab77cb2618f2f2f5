"""EPUB: which of its files are the chapters, in which order, and which of them can be read.

A page is a chapter: an entry of the book's spine with words in it. Leaves to ``html.py`` what a
reader sees of each; nothing is run, and nothing is fetched from outside the book.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from docmem.pages import DocumentInfo, Page
from docmem.parse.archive import Archive, open_archive
from docmem.parse.blocks import page_of
from docmem.parse.html import render
from docmem.parse.kind import decode
from docmem.parse.limits import MAX_DEPTH
from models.errors import EmptyMedia, LockedDocument, UnreadableMedia, UnsupportedMedia

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_TEXTS = ("application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document")
_NCX = "application/x-dtbncx+xml"
_ENTITY = re.compile(rb"<!ENTITY", re.I)
_LONGEST_PAGE = 60_000  # about twenty printed pages; some books are one single file


@dataclass(frozen=True, slots=True)
class _Chapter:
    lines: tuple[tuple[str, int], ...]  # with their heading levels


@dataclass(frozen=True, slots=True)
class _Book:
    title: str
    chapters: tuple[_Chapter, ...]
    missing: int


def open_epub(path: Path) -> DocumentInfo:
    """Open a book; its title is what its package says.

    Raises:
        LockedDocument: its chapters are encrypted.
        UnreadableMedia: damaged, or too much in it.
        EmptyMedia: there are no words in it.
    """
    book = _read(path)
    if not book.chapters:
        raise EmptyMedia(f"{path.name} holds no words.")
    notes: tuple[str, ...] = ()
    if book.missing:
        parts = "1 part is" if book.missing == 1 else f"{book.missing} parts are"
        notes = (f"{parts} missing in the book or could not be read.",)
    title = book.title or path.stem
    return DocumentInfo(path, "epub", title, len(book.chapters), notes, not book.missing)


def read_epub_pages(info: DocumentInfo) -> Iterator[Page]:
    """Yield the chapters in the order of the spine."""
    char_start = 0
    for number, chapter in enumerate(_read(info.path).chapters, 1):
        page = page_of(chapter.lines, number=number, char_start=char_start)
        yield page
        char_start = page.char_end + 1


def _read(path: Path) -> _Book:
    with open_archive(path) as archive:
        package = _package_name(archive)
        root = _xml(archive, package)
        names = _spine(root, posixpath.dirname(package))
        locked = _locked(archive)
        if any(name in locked for name in names):
            raise LockedDocument(f"{path.name} is protected against reading by other programs.")
        titles = _titles(archive, root, posixpath.dirname(package))
        chapters: list[_Chapter] = []
        missing = 0
        for name in names:
            lines = _lines(archive, name)
            missing += lines is None
            chapters += _chapters(_headed(lines or [], titles.get(name, "")))
        return _Book(_title(root), tuple(chapters), missing)


def _package_name(archive: Archive) -> str:
    for file in _xml(archive, _CONTAINER).iter():
        if _plain(file) == "rootfile" and (name := file.get("full-path")):
            return _inside("", name)
    raise UnreadableMedia(f"{archive.path.name} is a damaged book: it does not say what is in it.")


def _spine(root: ElementTree.Element, folder: str) -> list[str]:
    """Give the names of the files that are read one after the other, each once."""
    items = {
        item.get("id", ""): item
        for item in root.iter()
        if _plain(item) == "item" and item.get("media-type", "").lower() in _TEXTS
    }
    wanted = [ref.get("idref", "") for ref in root.iter() if _plain(ref) == "itemref"]
    found = [items[one] for one in dict.fromkeys(wanted) if one in items]
    return list(dict.fromkeys(_inside(folder, item.get("href", "")) for item in found))


def _inside(folder: str, address: str) -> str:
    """Give the entry that an address in the book means; addresses outside are no entry's name."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return address
    return posixpath.normpath(posixpath.join(folder, unquote(parts.path)))


def _locked(archive: Archive) -> frozenset[str]:
    """Give the names of encrypted entries; fonts often are, which does not matter."""
    if _ENCRYPTION not in archive.names:
        return frozenset()
    marks = [one for one in _xml(archive, _ENCRYPTION).iter() if _plain(one) == "CipherReference"]
    return frozenset(_inside("", mark.get("URI", "")) for mark in marks)


def _lines(archive: Archive, name: str) -> list[tuple[str, int]] | None:
    """Give a chapter's visible lines with their heading levels; None where it cannot be read."""
    if name not in archive.names:
        return None
    try:
        source, _ = decode(archive.read(name), archive.path)
    except UnsupportedMedia:
        return None
    text, levels, _ = render(source.replace("\r\n", "\n").replace("\r", "\n"))
    return list(zip(text.split("\n"), levels, strict=True)) if text else []


def _titles(archive: Archive, root: ElementTree.Element, folder: str) -> dict[str, str]:
    """Give what the table of contents calls the files, its first word on each; {} where broken."""
    names = [
        _inside(folder, item.get("href", ""))
        for item in root.iter()
        if _plain(item) == "item"
        and ("nav" in item.get("properties", "").split() or item.get("media-type", "") == _NCX)
    ]
    found: dict[str, str] = {}
    for name in names:
        try:
            contents = _xml(archive, name) if name in archive.names else None
        except (ElementTree.ParseError, UnreadableMedia):
            continue
        for address, title in _entries(contents) if contents is not None else ():
            found.setdefault(_inside(posixpath.dirname(name), address), title)
    return found


def _entries(contents: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """Yield addresses and titles: links of EPUB 3, points of EPUB 2."""
    for one in contents.iter():
        if _plain(one) == "a" and (address := one.get("href", "")):
            yield address, " ".join("".join(one.itertext()).split())
        elif _plain(one) == "navPoint":
            labels = [part for part in one if _plain(part) == "navLabel"]
            places = [part.get("src", "") for part in one if _plain(part) == "content"]
            if labels and places:
                yield places[0], " ".join("".join(labels[0].itertext()).split())


def _headed(lines: list[tuple[str, int]], title: str) -> list[tuple[str, int]]:
    """Give a chapter without headings the one that the table of contents has for it."""
    if not title or not lines or any(level for _, level in lines):
        return lines
    first = next((at for at, (line, _) in enumerate(lines) if line.strip()), 0)
    if lines[first][0].strip().casefold() == title.casefold():
        return [*lines[:first], (lines[first][0], 1), *lines[first + 1 :]]
    return [(title, 1), ("", 0), *lines]


def _chapters(lines: list[tuple[str, int]]) -> Iterator[_Chapter]:
    """Make one page of a chapter, and several only of a book that is one single file."""
    part: list[tuple[str, int]] = []
    length = 0
    for line, level in lines:
        if part and length + len(line) > _LONGEST_PAGE:
            yield _Chapter(tuple(part))
            part, length = [], 0
        part.append((line, level))
        length += len(line) + 1
    if any(re.search(r"\w", line) for line, _ in part):
        yield _Chapter(tuple(part))


def _title(root: ElementTree.Element) -> str:
    titles = (one.text or "" for one in root.iter() if _plain(one) == "title")
    return next((" ".join(title.split()) for title in titles if title.strip()), "")


def _xml(archive: Archive, name: str) -> ElementTree.Element:
    data = archive.read_xml(name)
    if _ENTITY.search(data):  # a book has no need of them, and they can swell without end
        raise UnreadableMedia(f"{archive.path.name} is no sound book: {name} defines entities.")
    return ElementTree.fromstring(data, ElementTree.XMLParser(target=_Shallow(archive.path.name)))


class _Shallow(ElementTree.TreeBuilder):
    """Builds a tree that is no deeper than any document."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name, self._depth = name, 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnreadableMedia(
                f"{self._name} is no sound book: it is nested more than {MAX_DEPTH} times."
            )
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def _plain(element: ElementTree.Element) -> str:
    """Give an element's name without its namespace, which old books leave out."""
    return str(element.tag).rpartition("}")[2]
