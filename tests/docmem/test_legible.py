from __future__ import annotations

import codecs

import pytest

from docmem.parse.legible import (
    doubled_share,
    joined_share,
    vowel_share,
    why_illegible,
    word_share,
)

PROSE = (
    "Net sales include product and service sales. Product sales represent revenue from the sale of "
    "products and related shipping fees and digital media content where we record revenue gross. "
    "Service sales represent third-party seller fees earned (including commissions) and related "
    "shipping fees, AWS sales, digital content subscriptions, certain advertising services, "
    "and our co-branded credit card agreements. Net sales information is as follows (in millions): "
)
GERMAN = (
    "Die Umsatzerlöse enthalten Erlöse aus Produkten und Dienstleistungen. Die Gesellschaft hat im "
    "Geschäftsjahr die Beteiligungsverhältnisse der Tochtergesellschaften geprüft und die "
    "Verbindlichkeiten gegenüber Kreditinstituten zurückgeführt. Rechnungsabgrenzungsposten wurden "
    "in Höhe von 12,4 Mio. Euro gebildet, davon entfallen auf das Vorjahr 3,1 Mio. Euro. "
)
TABLE = "\n".join(
    f"Segment {n} $ {n},234 {n * 7}.5% (1,{n}22) — 14-00-01-{n} ITAB# 84{n}" for n in range(20)
)
CODE = "def parse(path):\n    for line in open(path):\n        if not line.strip(): continue\n" * 6
CHINESE = "本公司二零二三年度净销售额较上年增长百分之十二主要由于云服务收入增加所致" * 8
HEBREW = "החברה דיווחה על עלייה בהכנסות ברבעון השלישי של השנה לעומת התקופה המקבילה אשתקד. " * 4


@pytest.mark.parametrize("text", [PROSE, GERMAN, TABLE, CODE, CHINESE, HEBREW, "Figure 3", ""])
def test_what_people_write_is_legible(text: str) -> None:
    assert why_illegible(text) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\ufffd" * 300, "its characters are not told"),
        ("".join(chr(0xE100 + ord(c)) for c in PROSE), "its characters are not told"),
        ("".join(chr(ord(c) - 29) if c > " " else "\x03" for c in PROSE), "not told|no words"),
        ("".join(chr(ord(c) - 29) if c > " " else c for c in PROSE), "not told|no words"),
        ("".join(chr(ord(c) + 3) if c.isalpha() else c for c in PROSE), "no words"),
        (codecs.encode(PROSE, "rot13"), "no words"),
        ("".join(c * 2 if c.isalpha() else c for c in PROSE), "doubled"),
        (PROSE.replace(" ", ""), "not parted"),
    ],
)
def test_what_nobody_can_search_for_is_not(text: str, why: str) -> None:
    assert any(part in why_illegible(text) for part in why.split("|"))


def test_shares() -> None:
    assert doubled_share("wwoorrdd llaarrggee plain " * 20) == pytest.approx(2 / 3)
    assert joined_share("a" * 30 + " " + "b" * 29) == pytest.approx(59 / 60)
    assert vowel_share("banana split") == pytest.approx(4 / 11)
    assert word_share("word w0rd wrd XKCD " * 20) == pytest.approx(2 / 4)
