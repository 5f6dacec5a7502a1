"""Which characters reach the stored text, and where blocks end up in it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.characters import clean, one_line
from atrium.documents.parsing.models import BlockKind
from atrium.kernel.errors import IngestionFailed


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        ("a\r\nb\rc\u2028d\x0ce", "a\nb\nc\nd\ne"),
        ("nul\0 bell\x07 bom\ufeff", "nul bell bom"),
        ("non\xa0breaking", "non breaking"),
        ("soft\xadhyphen zero\u200bwidth di\ufffevided", "softhyphen zerowidth divided"),
        ("right\u202eto left", "rightto left"),
        ("hidden\U000e0049\U000e0067 tag", "hidden tag"),
        ("lone \ud83d surrogate", "lone \ufffd surrogate"),
        ("e\u0301", "é"),
        ("می\u200cخواهم 👩\u200d🔬", "می\u200cخواهم 👩\u200d🔬"),
    ],
)
def test_text_is_cleaned_of_what_nobody_sees(raw: str, stored: str) -> None:
    assert clean(raw) == stored


@given(st.text())
def test_cleaned_text_can_be_stored_and_stays_as_it_is(raw: str) -> None:
    cleaned = clean(raw)
    assert not set(cleaned) & {"\0", "\r"}
    assert unicodedata.is_normalized("NFC", cleaned)
    assert clean(cleaned.encode().decode()) == cleaned


def test_one_line_has_no_line_ends() -> None:
    assert one_line("  a \n\t b\xa0 c ") == "a b c"


@given(st.lists(st.tuples(st.sampled_from(BlockKind), st.text(max_size=30), st.booleans()), max_size=12))
def test_blocks_and_pages_are_where_the_builder_says(added: list[tuple[BlockKind, str, bool]]) -> None:
    builder = TextBuilder("text/plain", 10_000)
    builder.start_page(1)
    page, expected = 1, []
    for kind, text, new_page in added:
        if new_page:
            page += 1
            builder.start_page(page)
        builder.add(kind, text)
        if clean(text).strip():
            expected.append((kind, clean(text).strip(), page))
    if not expected:
        with pytest.raises(IngestionFailed) as failure:
            builder.finish()
        assert failure.value.kind == "empty-text"
        return
    document = builder.finish()
    assert [(block.kind, document.text[block.start : block.end], block.page) for block in document.blocks] == expected
    assert [span.number for span in document.pages] == list(range(1, page + 1))
    for block in document.blocks:
        span = document.pages[(block.page or 0) - 1]
        assert span.start <= block.start < block.end <= span.end


def test_text_beyond_the_limit_is_too_large() -> None:
    builder = TextBuilder("text/plain", 10)
    builder.add(BlockKind.PARAGRAPH, "ten chars.")
    with pytest.raises(IngestionFailed) as failure:
        builder.add(BlockKind.PARAGRAPH, "x")
    assert failure.value.kind == "too-large"
