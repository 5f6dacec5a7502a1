"""Tables in PDFs: ruled and not, wrapped cells, over pages; and what is no table."""

from collections.abc import Sequence
from io import BytesIO

import pytest
from reportlab.lib import colors
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Table, TableStyle

from atrium.documents.parsing.models import BlockKind, ExtractedText
from atrium.documents.parsing.pdf import PdfExtractor
from atrium.documents.parsing.registry import ParseOptions
from tests.conformance.real_data import DATA, needs_data

_BODY = getSampleStyleSheet()["BodyText"]
_PLAIN = TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP")])
_GRID = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("VALIGN", (0, 0), (-1, -1), "TOP")])
_SENTENCE = "The pump is inspected every morning before the first shift begins, and the result is written into the log. "
_ROWS = [
    ["Level", "What it means", "Answer", "Repair"],
    ["S1", "Danger to people or an uncontrolled discharge", "15 minutes", "4 hours"],
    ["S2", "Loss of a measurement", "1 hour", "8 hours"],
    ["S3", "All else", "1 day", "5 days"],
]
_WIDTHS = [40, 180, 110, 80]


def _story(*parts: Flowable) -> bytes:
    target = BytesIO()
    SimpleDocTemplate(target, invariant=1).build(list(parts))
    return target.getvalue()


def _prose(sentences: int = 4) -> Paragraph:
    return Paragraph(_SENTENCE * sentences, _BODY)


def _wrapped(rows: Sequence[Sequence[str]], style: TableStyle) -> Table:
    return Table([[Paragraph(cell, _BODY) for cell in row] for row in rows], colWidths=_WIDTHS, style=style)


def _extract(data: bytes) -> ExtractedText:
    return PdfExtractor().extract(data, ParseOptions())


def _tables(data: bytes) -> list[tuple[int | None, list[list[str]]]]:
    document = _extract(data)
    return [
        (block.page, [line.split(" | ") for line in document.text[block.start : block.end].split("\n")])
        for block in document.blocks
        if block.kind is BlockKind.TABLE
    ]


@pytest.mark.parametrize("style", [_PLAIN, _GRID], ids=["spaces", "rules"])
def test_rows_are_lines_with_the_header_first(style: TableStyle) -> None:
    data = _story(_prose(), Table(_ROWS, style=style), _prose())
    assert _tables(data) == [(1, _ROWS)]
    kinds = [block.kind for block in _extract(data).blocks]
    assert kinds == [BlockKind.PARAGRAPH, BlockKind.TABLE, BlockKind.PARAGRAPH]


@pytest.mark.parametrize("style", [_PLAIN, _GRID], ids=["spaces", "rules"])
def test_cells_of_several_lines_stay_one_cell(style: TableStyle) -> None:
    rows = [
        _ROWS[0],
        *([row[0], f"{row[1]}, {row[1].lower()}, and more", f"{row[2]} after the call", row[3]] for row in _ROWS[1:] * 2),
    ]
    assert _tables(_story(_prose(), _wrapped(rows, style), _prose())) == [(1, rows)]


def test_rules_tell_rows_whose_first_cell_is_open() -> None:
    rows = [_ROWS[0], ["S1", "North", "one hour", "day"], ["", "South", "", ""], ["S2", "East", "two hours", "night"]] * 2
    assert _tables(_story(_prose(), Table(rows, colWidths=_WIDTHS, style=_GRID), _prose())) == [(1, rows)]


def test_a_table_that_crosses_a_page_has_its_header_there_too() -> None:
    rows = [[f"S{number}", f"Meaning {number}", f"{number} hours", f"{number} days"] for number in range(60)]
    tables = _tables(_story(_prose(), Table([_ROWS[0], *rows], style=_GRID)))
    assert [page for page, _ in tables] == [1, 2]
    assert all(table[0] == _ROWS[0] for _, table in tables)
    assert [row for _, table in tables for row in table[1:]] == rows


def test_a_header_that_is_printed_on_every_page_is_not_said_twice() -> None:
    rows = [[f"S{number}", f"Meaning {number}", f"{number} hours", f"{number} days"] for number in range(60)]
    tables = _tables(_story(Table([_ROWS[0], *rows], style=_GRID, repeatRows=1)))
    assert [table.count(_ROWS[0]) for _, table in tables] == [1, 1]


def test_two_tables_of_one_page_are_two_blocks() -> None:
    other = [["Tool", "Count"], ["Wrench", "4"], ["Hammer", "2"], ["Bucket", "11"]]
    assert [table for _, table in _tables(_story(Table(_ROWS), _prose(), Table(other, colWidths=[120, 90])))] == [_ROWS, other]


def _two_columns(*, interleaved: bool) -> bytes:
    """Prose in two columns, written one after the other, or line by line across both."""
    words = (_SENTENCE * 12).split()
    lines = [" ".join(words[start : start + 6]) for start in range(0, len(words), 6)]
    half = len(lines) // 2
    places = [(72 + 250 * (index // half), 740 - 13 * (index % half), line) for index, line in enumerate(lines[: 2 * half])]
    target = BytesIO()
    canvas = Canvas(target, invariant=1)
    canvas.setFont("Helvetica", 10)
    for left, bottom, line in sorted(places, key=lambda place: -place[1]) if interleaved else places:
        canvas.drawString(left, bottom, line)
    canvas.save()
    return target.getvalue()


def _lines(*rows: tuple[tuple[float, str], ...]) -> bytes:
    target = BytesIO()
    canvas = Canvas(target, invariant=1)
    for index, row in enumerate(rows):
        for left, text in row:
            canvas.drawString(left, 700 - 16 * index, text)
    canvas.save()
    return target.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        _two_columns(interleaved=False),
        _two_columns(interleaved=True),
        _lines(*(((72, f"{number}."), (110, "Then comes the next step")) for number in range(1, 9))),
        _lines(*(((72, "•"), (110, "A thing to bring along")) for _ in range(8))),
        _lines(*(((72, f"{number} Chapter"), (500, str(number * 7))) for number in range(1, 9))),
        _lines(((72, "Vesta Instruments"), (400, "12 March 2025")), ((72, "Harbour Road 4"), (400, "Our sign: kl"))),
        _lines(*(((72, "f(x) = a ∈ B"), (300, "⇒ g = h"), (420, "(1)")) for _ in range(6))),
        _story(_prose(30)),
    ],
    ids=["columns", "columns line by line", "numbered list", "bullets", "contents", "letterhead", "formulas", "prose"],
)
def test_what_is_no_table(data: bytes) -> None:
    assert _tables(data) == []


@needs_data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("multicolumn.pdf", ["Country | Population (millions) | Area (km2) | Capital | Official Language"]),
        ("testPDF_protected.pdf", ["| 1985 | 1995 | 2005", "[1] | Pages in CDO^2 prospectus | 300"]),
        ("testPDFVarious.pdf", ["Row 1 Col 1 | Row 1 Col 2 | Row 1 Col 3"]),
        ("pdflatex-4-pages.pdf", []),
        ("mistitled_outlines_example.pdf", []),
        ("google-doc-document.pdf", []),
    ],
)
def test_tables_of_real_documents_and_none_in_their_prose(name: str, expected: list[str]) -> None:
    document = _extract((DATA / "pdf" / name).read_bytes())
    tables = [document.text[block.start : block.end] for block in document.blocks if block.kind is BlockKind.TABLE]
    assert [table.split("\n")[0] for table in tables][: len(expected)] == expected
    assert bool(tables) == bool(expected)
