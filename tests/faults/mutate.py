"""How a whole file is damaged: its bytes, lengths and pieces, and what it says of itself.

A case is a number: the same number makes the same file again from the same seeds. Nothing here
opens or judges what it makes.
"""

from __future__ import annotations

import io
import random
import re
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.archives import bomb

MOST_BYTES = 3_000_000
_LENGTHS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 65_535, 1 << 24)
_BOXES = (
    b"moov trak mdia minf stbl stts stsc stsz stco co64 ctts stss tkhd mvhd mdhd stsd avc1 avcC "
    b"mp4a esds elst edts mdat ftyp moof traf trun hdlr udta meta ilst"
).split()
_EBML = (
    b"\xb0",
    b"\xba",
    b"\x44\x89",
    b"\xb5",
    b"\x9f",
    b"\x2a\xd7\xb1",
    b"\x83",
    b"\xa3",
    b"\xe7",
)
_CHUNKS = (b"strh", b"strf", b"avih", b"LIST", b"idx1", b"fmt ", b"data", b"fLaC", b"OggS", b"FLV")
_PDF_WORDS = (b"/Length", b"/Count", b"/Kids", b"/Parent", b"/MediaBox", b"/Size", b"/First", b"/N")
_DEEP = 20_000


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged file: what was done, to which seed, under which name."""

    number: int
    name: str
    how: str
    data: bytes


def case(number: int, kind: str, seeds: Sequence[Path], *, seed: int = 1) -> Case:
    """Make the damaged file of a number; ``kind`` is ``media`` or ``documents``."""
    rng = random.Random(f"{seed} {kind} {number}")
    path = seeds[rng.randrange(len(seeds))]
    data, how, ending = path.read_bytes(), [], path.suffix
    for _ in range(rng.choice((1, 1, 2, 3))):
        change = rng.choice(_changes(kind, path.suffix))
        other = seeds[rng.randrange(len(seeds))].read_bytes()
        data = change(data, other, rng)[:MOST_BYTES]
        how.append(change.__name__.strip("_"))
    if rng.random() < 0.1:
        ending = rng.choice([one.suffix for one in seeds])
        how.append(f"named {ending}")
    return Case(number, f"{kind}-{number}{ending}", f"{path.name}: {', '.join(how)}", data)


Change = Callable[[bytes, bytes, random.Random], bytes]


def _changes(kind: str, ending: str) -> list[Change]:
    if kind == "media":
        return [*_ANY, _lengths, _lengths, _told_facts, _told_facts, _time_stamps]
    if ending in (".docx", ".pptx", ".epub"):
        return [*_ANY, *[_unzipped] * 6, *_ZIPS]
    if ending == ".pdf":
        return [*_ANY, _pdf_numbers, _pdf_numbers, _pdf_rings, _pdf_objects_removed, _pdf_numbers]
    return [*_ANY, _many_of_one, _nested, _deep_markup, _long_line, _controls]


# --- any file ----------------------------------------------------------------------------------


def _bits(data: bytes, other: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 4, 32, 256)) if out else 0):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _head_bits(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return _bits(data[:512], other, rng) + data[512:]


def _removed(data: bytes, other: bytes, rng: random.Random) -> bytes:
    at, end = _stretch(data, rng)
    return data[:at] + data[end:]


def _doubled(data: bytes, other: bytes, rng: random.Random) -> bytes:
    at, end = _stretch(data, rng)
    return data[:end] + data[at:end] * rng.choice((1, 1, 20)) + data[end:]


def _blanked(data: bytes, other: bytes, rng: random.Random) -> bytes:
    at, end = _stretch(data, rng)
    return data[:at] + rng.choice((b"\0", b"\xff", b" ")) * (end - at) + data[end:]


def _swapped(data: bytes, other: bytes, rng: random.Random) -> bytes:
    at, end = _stretch(data, rng)
    middle = (at + end) // 2
    return data[:at] + data[middle:end] + data[at:middle] + data[end:]


def _cut_off(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _spliced(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _prefixed(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return other[: rng.choice((4, 16, 900))] + data


def _noise(data: bytes, other: bytes, rng: random.Random) -> bytes:
    at, end = _stretch(data, rng)
    return data[:at] + rng.randbytes(end - at) + data[end:]


def _stretch(data: bytes, rng: random.Random) -> tuple[int, int]:
    at = rng.randrange(len(data) + 1)
    return at, min(len(data), at + rng.choice((1, 4, 64, 1024, 65_536)))


_ANY: tuple[Change, ...] = (
    _bits,
    _head_bits,
    _removed,
    _doubled,
    _blanked,
    _swapped,
    _cut_off,
    _spliced,
    _prefixed,
    _noise,
)


# --- media -------------------------------------------------------------------------------------


def _lengths(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Set the length in front of a box, a chunk or an element to what it cannot be."""
    out = bytearray(data)
    for at in _places(data, _BOXES + list(_CHUNKS), rng):
        big = struct.pack(">I", rng.choice(_LENGTHS))
        if data[at : at + 4] in _BOXES and at >= 4:
            out[at - 4 : at] = big
        else:
            out[at + 4 : at + 8] = big[::-1]
    return bytes(out)


def _told_facts(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Lie in the fields behind a name: sizes, rates, channels, counts of frames."""
    out = bytearray(data)
    names = _BOXES if data[4:8] == b"ftyp" else [*_EBML, *_CHUNKS]
    for at in _places(data, names, rng):
        field = at + 4 + 2 * rng.randrange(20)
        written = struct.pack(rng.choice((">I", "<I")), rng.choice(_LENGTHS))
        out[field : field + len(written)] = written
    return bytes(out[: len(data)])


def _time_stamps(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Lie about durations, edits and the times of frames."""
    out = bytearray(data)
    names = [b"stts", b"ctts", b"elst", b"mvhd", b"mdhd", b"trun", b"\x44\x89", b"\xe7", b"OggS"]
    for at in _places(data, names, rng):
        for field in range(at + 4, min(len(data) - 8, at + 44), 4):
            if rng.random() < 0.4:
                out[field : field + 4] = struct.pack(">I", rng.choice(_LENGTHS))
    return bytes(out)


def _places(data: bytes, names: Sequence[bytes], rng: random.Random) -> list[int]:
    """Give a few places where one of the names stands."""
    found = [
        mark.start()
        for name in rng.sample(list(names), min(len(names), 12))
        for mark in list(re.finditer(re.escape(name), data[:200_000]))[:40]
    ]
    return rng.sample(found, min(len(found), rng.choice((1, 2, 5))))


# --- archives ----------------------------------------------------------------------------------


def _unzipped(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Damage one part of an archive whose wrapping stays whole."""
    parts = _parts(data)
    if not parts:
        return _bits(data, other, rng)
    name = rng.choice(sorted(parts))
    change = rng.choice((*_ANY, _xml_bomb, _outside_entity, _deep_markup, _many_of_one, _nested))
    return _zip([*(parts | {name: change(parts[name], other, rng)}).items()])


def _twice(data: bytes, other: bytes, rng: random.Random) -> bytes:
    parts = [*_parts(data).items()]
    return _zip([*parts, *rng.sample(parts, min(3, len(parts)))])


def _climbing(data: bytes, other: bytes, rng: random.Random) -> bytes:
    names = ("../../../tmp/climbed", "/etc/climbed", "..\\..\\climbed", "a/../../b", "C:\\climbed")
    parts = [*_parts(data).items()]
    renamed = [(rng.choice(names) if rng.random() < 0.2 else name, part) for name, part in parts]
    return _zip([*renamed, *((name, b"<a/>") for name in names)])


def _swollen(data: bytes, other: bytes, rng: random.Random) -> bytes:
    parts = _parts(data)
    name = rng.choice(sorted(parts) or ["a.xml"])
    return _zip([*(parts | {name: bomb(rng.choice((20, 70)))}).items()])


def _crowded(data: bytes, other: bytes, rng: random.Random) -> bytes:
    parts = [*_parts(data).items()]
    return _zip([*parts, *((f"word/media/{n}.xml", b"") for n in range(11_000))])


def _left_out(data: bytes, other: bytes, rng: random.Random) -> bytes:
    parts = [*_parts(data).items()]
    return _zip([one for one in parts if rng.random() < 0.8])


_ZIPS: tuple[Change, ...] = (_twice, _climbing, _swollen, _crowded, _left_out)


def _xml_bomb(data: bytes, other: bytes, rng: random.Random) -> bytes:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    return _with_doctype(data, f'<!ENTITY e0 "ha">{levels}', "&e11;")


def _outside_entity(data: bytes, other: bytes, rng: random.Random) -> bytes:
    where = rng.choice(("file:///etc/passwd", "http://192.0.2.1/x", "file:///dev/zero"))
    return _with_doctype(data, f'<!ENTITY e SYSTEM "{where}">', "&e;")


def _with_doctype(data: bytes, entities: str, use: str) -> bytes:
    body = re.sub(rb"^\s*<\?xml[^>]*>", b"", data)
    at = body.rfind(b"</")
    doctype = f'<?xml version="1.0"?><!DOCTYPE a [{entities}]>'.encode()
    return doctype + body[: max(at, 0)] + use.encode() + body[max(at, 0) :]


def _parts(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # it was damaged before: the caller does something else
        return {}


def _zip(entries: Sequence[tuple[str, bytes]]) -> bytes:
    import warnings

    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, part in entries:
            # a time of its own would make another file of the same number
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return out.getvalue()


# --- PDF ---------------------------------------------------------------------------------------


def _pdf_numbers(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Put numbers that cannot be in place of lengths, counts and boxes."""
    values = (b" -1", b" 0", b" 99999999", b" 4294967295", b" 1e30", b" 1 0 R", b" []")

    def changed(mark: re.Match[bytes]) -> bytes:
        return mark[1] + rng.choice(values) if rng.random() < 0.3 else mark[0]

    words = b"|".join(re.escape(word) for word in _PDF_WORDS)
    return re.sub(rb"(%s)\b\s*[\[\d][\d. ]*" % words, changed, data)


def _pdf_rings(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Point references at other objects, so that some lead to themselves."""
    numbers = [mark[1] for mark in re.finditer(rb"\n(\d+) 0 obj", data)] or [b"1"]

    def changed(mark: re.Match[bytes]) -> bytes:
        return b"%s 0 R" % rng.choice(numbers) if rng.random() < 0.2 else mark[0]

    return re.sub(rb"\d+ 0 R\b", changed, data)


def _pdf_objects_removed(data: bytes, other: bytes, rng: random.Random) -> bytes:
    def changed(mark: re.Match[bytes]) -> bytes:
        return b"null" if rng.random() < 0.1 else mark[0]

    return re.sub(rb"<<[^<>]*>>", changed, data)


# --- text --------------------------------------------------------------------------------------


def _many_of_one(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """Put in what costs a careless reader the square of its length, or worse."""
    mark = rng.choice(
        (
            b"<!---->", b"<!--", b"<![CDATA[", b"<a ", b"</", b"<?", b"[", b"[](", b"*", b"#", b"|",
            b"<v ", b"{\\", b"&#", b"&amp", b"<td>", b"\n\n", b"Mr. ", b"-\n", b"00:00:01,000 --> ",
            b"a:" , b"\xcc\x88", b"(((", b"1. ",
        )
    )  # fmt: skip
    at = rng.choice((0, len(data) // 2, len(data)))
    return data[:at] + mark * (rng.choice((40, 2_000, 200_000)) // len(mark)) + data[at:]


def _nested(data: bytes, other: bytes, rng: random.Random) -> bytes:
    mark = rng.choice((b"<div>", b"> ", b"<table><tr><td>", b"<ul><li>", b"[", b"  - "))
    return data + mark * rng.choice((50, _DEEP)) + b" deep"


def _deep_markup(data: bytes, other: bytes, rng: random.Random) -> bytes:
    at = max(data.rfind(b"</"), 0)
    deep = rng.choice((300, _DEEP))
    name = rng.choice((b"a", b"w:sdt", b"w:ins", b"div"))
    return data[:at] + b"<%s>" % name * deep + b"x" + b"</%s>" % name * deep + data[at:]


def _long_line(data: bytes, other: bytes, rng: random.Random) -> bytes:
    word = rng.choice((b"x", b"word ", b"A. ", b"\xe2\x80\xae", b"0"))
    return data + word * (300_000 // len(word))


def _controls(data: bytes, other: bytes, rng: random.Random) -> bytes:
    hostile = (b"\x1b]8;;http://a\x07x", b"\x1b[2J", b"\0", b"\r", b"\x07", b"\xc2\x9b31m")
    out = data
    for _ in range(rng.choice((1, 5))):
        at = rng.randrange(len(out) + 1)
        out = out[:at] + rng.choice(hostile) + out[at:]
    return out
