"""Extracted documents of every shape, for hypothesis and by hand."""

import unicodedata
from itertools import pairwise

from hypothesis import strategies as st

from atrium.documents.parsing.models import Block, BlockKind, ExtractedText, PageSpan

_WORDS = [
    "word ", "ends. ", "Dr. No ", "Über ", "e\u0301\u0323 ", "x\u0338\u0327 ", "漢字。", "日本語のテキスト",
    "한국어 ", "\u1112\u1161\u11ab",
    "ﷺ ", "مرحبا بالعالم؟ ", "שלום ", "नमस्ते। ", "ไทยน้ำ", "👩‍👩‍👧‍👦", "👩🏽‍🔬 ", "🇩🇪🇫🇷🇯🇵", "1.5 ", "x" * 70, "  ", "a\u200cb ",
]  # fmt: skip
_LINES = ["\n", "\n\n", "\n- ", " | "]


def texts(most: int = 12) -> st.SearchStrategy[str]:
    """Prose of many scripts."""
    return st.lists(st.sampled_from(_WORDS + _LINES), min_size=1, max_size=most).map("".join)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A header row, and rows of cells."""
    rows = draw(
        st.lists(st.lists(st.sampled_from(["12", "Berlin", "漢", "e\u0301"]), min_size=2, max_size=3), min_size=1, max_size=40)
    )
    return "\n".join(["Name | Value", *(" | ".join(row) for row in rows)])


@st.composite
def documents(draw: st.DrawFn) -> ExtractedText:
    """Blocks of every kind with and without text between them, on pages or without; in NFC."""
    text = ""
    blocks: list[Block] = []
    starts: list[int] = []
    for _ in range(draw(st.integers(0, 10))):
        if draw(st.booleans()):
            starts.append(len(text))
        kind = draw(st.sampled_from(BlockKind))
        many = draw(st.sampled_from([1, 1, 1, 30])) if kind not in {BlockKind.TABLE, BlockKind.PAGE_FURNITURE} else 1
        content = draw(tables()) if kind is BlockKind.TABLE else draw(texts(4 if kind is BlockKind.PAGE_FURNITURE else 12)) * many
        start, text = len(text), text + unicodedata.normalize("NFC", content)
        if draw(st.integers(0, 5)):
            page = len(starts) or None
            blocks.append(Block(kind, start, len(text), draw(st.integers(1, 4)), draw(st.sampled_from([None, page]))))
        text += draw(st.sampled_from(["\n", "\n\n", "\n\n", "\n stray words \n"]))
    pages = tuple(PageSpan(number, *span) for number, span in enumerate(pairwise([*starts, len(text)]), 1)) if starts else ()
    return ExtractedText(text, tuple(blocks), pages, draw(st.sampled_from([None, "Title", "漢" * 200, "t " * 150])))


def document(*blocks: tuple[BlockKind, str, int | None], title: str | None = None) -> ExtractedText:
    """Blocks with a blank line between them."""
    text, spans = "", []
    for kind, content, level in blocks:
        start = len(text) + (2 if text else 0)
        text += ("\n\n" if text else "") + content
        spans.append(Block(kind, start, len(text), level))
    return ExtractedText(text, tuple(spans), title=title)


def heading(text: str, level: int = 1) -> tuple[BlockKind, str, int | None]:
    return BlockKind.HEADING, text, level


def paragraph(words: int, name: str = "word") -> tuple[BlockKind, str, int | None]:
    return BlockKind.PARAGRAPH, " ".join([name] * words) + ".", None


def prose(sentences: int) -> tuple[BlockKind, str, int | None]:
    return BlockKind.PARAGRAPH, " ".join(f"Sentence {number} has a few words." for number in range(sentences)), None


def items(count: int) -> list[tuple[BlockKind, str, int | None]]:
    return [(BlockKind.LIST_ITEM, f"- item {number} of some words", 0) for number in range(count)]
