"""The development documents beside the project, read as a person would add them."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from docmem.pages import Page
from docmem.parse import open_document, read_pages
from docmem.passages import Passage, cut
from docmem.sentences import count_words
from models.values import PageSpan

DOCS = Path(__file__).resolve().parents[2] / "../shared/data/docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason=f"no development documents at {DOCS}")

# Kept short: together they show filings, an article in two columns, slides-like pages and forms.
PDFS = (
    "financebench/ULTABEAUTY_2023Q4_EARNINGS.pdf",
    "financebench/AMCOR_2023Q4_EARNINGS.pdf",
    "financebench/PEPSICO_2023_8K_dated-2023-05-05.pdf",
    "financebench/FOOTLOCKER_2022_8K_dated-2022-05-20.pdf",
    "mmlongbench/2023.acl-long.386.pdf",
    "mmlongbench/e79deb02a0c0e87511080836c5d4347b.pdf",
)


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DOCS / name).read_text("utf-8").splitlines()]


def pages_of(file: str) -> list[Page]:
    return list(read_pages(open_document(DOCS / file), reader=None))


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def span(passage: Passage) -> PageSpan:
    assert isinstance(passage.locator, PageSpan)
    return passage.locator


@pytest.mark.parametrize("file", PDFS)
def test_pages_and_passages_hold_together(file: str) -> None:
    pages = pages_of(file)
    document = "\n".join(page.text for page in pages)
    for page in pages:
        assert document[page.char_start : page.char_end] == page.text
        assert [line.char_start for line in page.lines] == sorted(
            line.char_start for line in page.lines
        )
        assert all(line.box is not None and line.box.page == page.number for line in page.lines)
    passages = list(cut(pages))
    for one, two in pairwise(passages):
        assert span(one).char_end <= span(two).char_start
    for passage in passages:
        assert span(passage).page == span(passage).page_end
        assert passage.boxes
        assert count_words(passage.text) <= 400
        own = document[span(passage).char_start : span(passage).char_end]
        assert passage.text.replace("\n", " ").endswith(own.replace("\n", " ").strip()[-40:])


@pytest.mark.parametrize("file", PDFS[:4])
def test_quoted_evidence_is_read_on_its_page(file: str) -> None:
    (doc_id,) = [row["doc_id"] for row in rows("docs.jsonl") if row["file"] == file]
    pages = {page.number: words(page.text) for page in pages_of(file)}
    quotes = [
        quote
        for row in rows("questions.jsonl")
        if row["doc_id"] == doc_id and row["source"] == "financebench"
        for quote in row["evidence"]["texts"]
    ]
    assert quotes
    for quote in quotes:
        wanted = words(quote["text"])
        found = sum((wanted & pages[quote["page"]]).values())
        assert found / sum(wanted.values()) > 0.97


@pytest.mark.parametrize("name", ["locomo/locomo-conv-30", "qmsum/qmsum-covid_6"])
def test_turns_stay_whole(name: str) -> None:
    passages = [passage.text for passage in cut(pages_of(f"{name}.txt"))]
    turns = [f"{row['speaker']}: {row['text']}" for row in rows(f"{name}.turns.jsonl")]
    whole = [any(turn in text for text in passages) for turn in turns]
    parted = [turn for turn, is_whole in zip(turns, whole, strict=True) if not is_whole]
    assert all(count_words(turn) > 200 for turn in parted)


def test_the_sessions_of_a_chat_are_its_headings() -> None:
    heads = {passage.heading for passage in cut(pages_of("locomo/locomo-conv-30.txt"))}
    assert "Session 1 (4:04 pm on 20 January, 2023)" in heads
    assert all(head.startswith("Session ") for head in heads)


def test_every_text_is_covered_by_its_passages() -> None:
    for path in sorted(DOCS.glob("*/*.txt")):
        pages = list(read_pages(open_document(path), reader=None))
        document = "\n".join(page.text for page in pages)
        assert document == path.read_text("utf-8").replace("\f", "\n")
        covered = sum(span(passage).char_end - span(passage).char_start for passage in cut(pages))
        assert covered > 0.97 * len(document.strip())
