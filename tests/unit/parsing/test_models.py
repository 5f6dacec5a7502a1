"""The shapes that parsing hands on: same after JSON, never wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.parsing.models import Block, BlockKind, ExtractedText, Inspection, OutlineEntry, PageSpan

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))
_LEVEL = st.none() | st.integers(0, 9)


@st.composite
def documents(draw: st.DrawFn) -> ExtractedText:
    text = draw(_TEXT)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    spans = list(zip(places[::2], places[1::2], strict=False))
    blocks = tuple(Block(draw(st.sampled_from(BlockKind)), start, end, draw(_LEVEL), draw(_LEVEL)) for start, end in spans)
    pages = tuple(PageSpan(number, start, end) for number, (start, end) in enumerate(spans, 1))
    return ExtractedText(text, blocks, pages, draw(st.none() | _TEXT), "text/plain", tuple(draw(st.lists(_TEXT, max_size=2))))


@given(documents())
def test_an_extracted_text_is_the_same_after_a_trip_through_json(document: ExtractedText) -> None:
    assert ExtractedText.from_json(document.to_json()) == document
    assert ExtractedText.from_json(document.to_json().encode()) == document


def test_an_inspection_is_the_same_after_a_trip_through_json() -> None:
    inspection = Inspection("application/pdf", 3, True, "Über", (OutlineEntry("A", 1, 2), OutlineEntry("B", 2)))
    assert Inspection.from_json(inspection.to_json()) == inspection


@pytest.mark.parametrize("text", ["a\0b", "a\r\nb", "a\ud800b"])
def test_text_that_cannot_be_stored_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="stored text"):
        ExtractedText(text)


@pytest.mark.parametrize("spans", [[(0, 9)], [(2, 1)], [(0, 2), (1, 3)], [(-1, 2)]])
def test_blocks_and_pages_stay_in_order_and_within_the_text(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="blocks"):
        ExtractedText("abc", blocks=tuple(Block(BlockKind.PARAGRAPH, *span) for span in spans))
    with pytest.raises(ValueError, match="pages"):
        ExtractedText("abc", pages=tuple(PageSpan(1, *span) for span in spans))


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"text": 1}',
        json.dumps({"text": "a", "blocks": [["paragraph", 0]], "pages": [], "title": None, "content_type": "", "warnings": []}),
        json.dumps(
            {"text": "a", "blocks": [["song", 0, 1, None, None]], "pages": [], "title": None, "content_type": "", "warnings": []}
        ),
        json.dumps({"text": "\ud800", "blocks": [], "pages": [], "title": None, "content_type": "", "warnings": []}),
        "[" * 100_000,
    ],
)
def test_what_a_parser_could_not_have_written_is_a_value_error(broken: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ExtractedText.from_json(broken)


def test_no_title_is_longer_than_300_characters() -> None:
    huge = "Title " * 10_000
    entry = OutlineEntry(huge, 1)
    shapes: list[OutlineEntry | Inspection | ExtractedText] = [
        entry,
        Inspection("text/html", title=huge, outline=(entry,)),
        ExtractedText("text", title=huge),
    ]

    assert [len(each.title or "") for each in shapes] == [299, 299, 299]
    told = {"content_type": "text/html", "pages": None, "encrypted": False, "title": huge, "outline": [[huge, 1, None]]}
    assert Inspection.from_json(json.dumps(told)) == Inspection("text/html", title=entry.title, outline=(entry,))
