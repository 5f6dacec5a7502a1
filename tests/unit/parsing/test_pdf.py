"""PDF: pages, paragraphs, headings, furniture, encryption, damage."""

from functools import partial
from io import BytesIO

import pytest
from reportlab.pdfgen.canvas import Canvas

from atrium.documents.parsing.limits import ParserLimits
from atrium.documents.parsing.models import BlockKind, ExtractedText, OutlineEntry
from atrium.documents.parsing.pdf import PdfExtractor
from atrium.documents.parsing.registry import ParseOptions
from atrium.kernel.errors import IngestionFailed
from tests.fixtures.make_fixtures import FOLDER
from tests.unit.parsing.samples import outcome, pdf

_PROSE = (
    "The pump is inspected every morning before the first shift begins, and the result is\n"
    "written into the log that hangs beside the door. A pump that leaks is taken out of use\n"
    "at once, and nobody starts it again before the engineer has signed."
)


def _extract(data: bytes, **options: object) -> ExtractedText:
    return PdfExtractor().extract(data, ParseOptions(**options))  # type: ignore[arg-type]


def _texts(document: ExtractedText, kind: BlockKind) -> list[str]:
    return [document.text[block.start : block.end] for block in document.blocks if block.kind is kind]


def _kind_of(data: bytes, **options: object) -> str:
    with pytest.raises(IngestionFailed) as failure:
        _extract(data, **options)
    return failure.value.kind


def _sized(*lines: tuple[float, str], outline: tuple[tuple[str, int], ...] = ()) -> bytes:
    """A page of lines in given letter sizes, with an outline that leads to it."""
    target = BytesIO()
    canvas = Canvas(target, invariant=1)
    y = 780.0
    for size, text in lines:
        canvas.setFont("Helvetica", size)
        for line in text.split("\n"):
            y -= size * 1.4
            canvas.drawString(72, y, line)
        y -= 14
    for title, level in outline:
        canvas.bookmarkPage(title)
        canvas.addOutlineEntry(title, title, level)
    canvas.save()
    return target.getvalue()


def test_every_page_knows_its_text() -> None:
    document = _extract(pdf("The first page", "", "The third page"))
    assert [document.text[page.start : page.end] for page in document.pages] == ["The first page", "", "The third page"]
    assert [(block.page, document.text[block.start : block.end]) for block in document.blocks] == [
        (1, "The first page"),
        (3, "The third page"),
    ]
    assert document.warnings == ("No text on pages 2",)


def test_lines_of_a_paragraph_are_joined_and_paragraphs_are_not() -> None:
    document = _extract(_sized((11, _PROSE), (11, _PROSE)))
    assert _texts(document, BlockKind.PARAGRAPH) == [_PROSE.replace("\n", " ")] * 2


def test_headings_are_found_by_their_size() -> None:
    document = _extract(
        _sized((24, "Pumps"), (11, _PROSE), (15, "Daily inspection"), (11, _PROSE), (15, "Repairs"), (11, _PROSE))
    )
    headings = [
        (document.text[block.start : block.end], block.level) for block in document.blocks if block.kind is BlockKind.HEADING
    ]
    assert headings == [("Pumps", 1), ("Daily inspection", 2), ("Repairs", 2)]
    assert document.title == "Pumps"


def test_an_outline_names_the_headings_whatever_their_size() -> None:
    lines = ((11, "1 Pumps"), (11, _PROSE), (11, "1.1 Daily inspection"), (11, _PROSE), (20, "Not a heading"))
    document = _extract(_sized(*lines, outline=(("Pumps", 0), ("Daily inspection", 1))))
    headings = [
        (document.text[block.start : block.end], block.level) for block in document.blocks if block.kind is BlockKind.HEADING
    ]
    assert headings == [("1 Pumps", 1), ("1.1 Daily inspection", 2)]


def test_an_outline_that_names_nothing_on_the_page_is_ignored() -> None:
    document = _extract(_sized((24, "Pumps"), (11, _PROSE), outline=(("Slide 1", 0), ("Slide 2", 0))))
    assert _texts(document, BlockKind.HEADING) == ["Pumps"]


def test_list_items_stand_alone() -> None:
    document = _extract(_sized((11, f"{_PROSE}\n• a bucket\n• a wrench\n1. first the bucket\n2. then the wrench")))
    assert _texts(document, BlockKind.LIST_ITEM) == ["• a bucket", "• a wrench", "1. first the bucket", "2. then the wrench"]


def test_what_repeats_on_every_page_is_furniture() -> None:
    pages = [f"Pump manual\n\n{_PROSE}\n\nPage {number}" for number in range(1, 5)]
    document = _extract(pdf(*pages))
    assert _texts(document, BlockKind.PAGE_FURNITURE) == [
        line for number in range(1, 5) for line in ("Pump manual", f"Page {number}")
    ]


def test_rows_of_a_table_keep_their_lines() -> None:
    document = _extract((FOLDER / "field-service-handbook.pdf").read_bytes())
    assert "\nS1 | Danger to people or an uncontrolled discharge | 15 minutes | 4 hours\n" in document.text


def test_an_inspection_says_pages_title_and_outline() -> None:
    inspection = PdfExtractor().inspect((FOLDER / "field-service-handbook.pdf").read_bytes(), ParseOptions())
    assert (inspection.pages, inspection.encrypted, inspection.title) == (5, False, "Field Service Handbook")
    assert inspection.outline[1:3] == (OutlineEntry("Warranty", 1, 2), OutlineEntry("Warranty of the instruments", 2, 2))


def test_encryption_without_a_password_is_no_obstacle() -> None:
    data = pdf("Locked, but open", password="")
    assert _extract(data).text == "Locked, but open"
    assert PdfExtractor().inspect(data, ParseOptions()).encrypted


def test_a_password_is_needed_and_opens() -> None:
    data = pdf("Locked", password="sesame")
    for password, detail in ((None, "opens only with a password"), ("wrong", "password does not open")):
        with pytest.raises(IngestionFailed, match=detail) as failure:
            _extract(data, password=password)
        assert failure.value.kind == "encrypted"
    assert _extract(data, password="sesame").text == "Locked"
    assert PdfExtractor().inspect(data, ParseOptions(password="sesame")).encrypted


def test_files_that_cannot_be_read_say_why() -> None:
    assert _kind_of(pdf("", "")) == "empty-text"
    assert _kind_of(pdf("a", "b", "c"), limits=ParserLimits(max_pages=2)) == "too-many-pages"
    assert _kind_of(pdf("a" * 50), limits=ParserLimits(max_text_chars=20)) == "too-large"
    assert _kind_of(b"%PDF-1.7\nnothing follows") == "corrupt"


def test_a_file_cut_short_is_read_or_corrupt() -> None:
    data = (FOLDER / "field-service-handbook.pdf").read_bytes()
    for length in range(200, len(data), 997):
        found = outcome(partial(_extract, data[:length]))
        assert found in {"corrupt", "empty-text"} or (isinstance(found, ExtractedText) and found.text)
