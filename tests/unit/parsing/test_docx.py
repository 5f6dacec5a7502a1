"""Word documents, transitional and strict."""

import pytest

from atrium.documents.parsing.docx import DocxExtractor
from atrium.documents.parsing.models import BlockKind, ExtractedText
from atrium.documents.parsing.registry import ParseOptions
from atrium.kernel.errors import IngestionFailed
from tests.fixtures.make_fixtures import FOLDER
from tests.unit.parsing.samples import STRICT, TRANSITIONAL, docx, package, paragraph

_HEADING_STYLES = (
    '<w:style w:styleId="Title"><w:name w:val="Title"/></w:style>'
    '<w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Own"><w:name w:val="Chapter"/><w:basedOn w:val="H1"/></w:style>'
    '<w:style w:styleId="Deep"><w:name w:val="Deep"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>'
    '<w:style w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/></w:style>'
)
_NUMBERING = (
    '<w:abstractNum w:abstractNumId="7">'
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>'
    '<w:abstractNum w:abstractNumId="8">'
    '<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="\uf0b7"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>'
)


def _extract(data: bytes) -> ExtractedText:
    return DocxExtractor().extract(data, ParseOptions())


def _blocks(document: ExtractedText) -> list[tuple[str, str, int | None]]:
    return [(block.kind.value, document.text[block.start : block.end], block.level) for block in document.blocks]


def _kind_of(data: bytes) -> str:
    with pytest.raises(IngestionFailed) as failure:
        _extract(data)
    return failure.value.kind


def _item(text: str, list_id: int, level: int = 0) -> str:
    return paragraph(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>')


def _row(*cells: str) -> str:
    return f"<w:tr>{''.join(cells)}</w:tr>"


def _cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"


def test_headings_come_from_styles_and_outline_levels() -> None:
    styles = [("Title", "T"), ("H1", "A"), ("Own", "B"), ("Deep", "C"), ("Loop", "D"), ("Unknown", "E")]
    body = "".join(paragraph(text, f'<w:pStyle w:val="{style}"/>') for style, text in styles)
    document = _extract(docx(body + paragraph("F", '<w:outlineLvl w:val="1"/>'), styles=_HEADING_STYLES))
    assert _blocks(document) == [
        ("heading", "T", 1),
        ("heading", "A", 1),
        ("heading", "B", 1),
        ("heading", "C", 3),
        ("paragraph", "D", None),
        ("paragraph", "E", None),
        ("heading", "F", 2),
    ]
    assert document.title == "T"


@pytest.mark.parametrize("namespace", [TRANSITIONAL, STRICT])
def test_lists_carry_their_numbers(namespace: str) -> None:
    body = _item("a", 1) + _item("b", 1, 1) + _item("c", 1, 1) + _item("d", 1) + _item("e", 1, 1) + _item("f", 2)
    document = _extract(docx(body, namespace=namespace, numbering=_NUMBERING))
    assert document.text.split("\n") == ["1. a", "1.a) b", "1.b) c", "2. d", "2.a) e", "• f"]
    assert [level for _, _, level in _blocks(document)] == [0, 1, 1, 0, 1, 0]


def test_tables_are_rows_and_nested_ones_are_flat() -> None:
    nested = f"<w:tc>{paragraph('outer')}<w:tbl>{_row(_cell('in'), _cell('side'))}</w:tbl></w:tc>"
    rows = _row(_cell("Level"), _cell("Time")) + _row(nested, _cell("day")) + _row(_cell(""), _cell(""))
    document = _extract(docx(f"<w:tbl>{rows}</w:tbl>"))
    assert document.text == "Level | Time\nouter in | side | day"
    assert [block.kind for block in document.blocks] == [BlockKind.TABLE]


def test_a_cell_merged_downwards_says_its_text_again() -> None:
    rows = _row(_cell("S1", '<w:vMerge w:val="restart"/>'), _cell("day")) + _row(_cell("", "<w:vMerge/>"), _cell("night"))
    assert _extract(docx(f"<w:tbl>{rows}</w:tbl>")).text == "S1 | day\nS1 | night"


def test_a_note_follows_the_block_that_refers_to_it() -> None:
    reference = '<w:p><w:r><w:t>Said</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    notes = f'<w:footnote w:id="0" w:type="separator"/><w:footnote w:id="2">{paragraph("By whom")}</w:footnote>'
    document = _extract(docx(reference + paragraph("Next"), footnotes=notes))
    assert _blocks(document) == [("paragraph", "Said[1]", None), ("footnote", "[1] By whom", None), ("paragraph", "Next", None)]


def test_a_text_box_is_read_once() -> None:
    box = f"<w:txbxContent>{paragraph('In the box')}</w:txbxContent>"
    ways = f"<mc:Choice><w:drawing>{box}</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback>"
    graphic = f"<mc:AlternateContent>{ways}</mc:AlternateContent>"
    document = _extract(docx(f"<w:p><w:r><w:t>Before</w:t>{graphic}</w:r></w:p>"))
    assert document.text == "Before\n\nIn the box"


def test_deleted_text_is_left_out_and_inserted_text_is_kept() -> None:
    changes = "<w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
    link = '<w:hyperlink><w:r><w:t xml:space="preserve"> link</w:t></w:r></w:hyperlink>'
    field = f"<w:r><w:instrText>PAGEREF x</w:instrText></w:r>{link}"
    control = f"<w:sdt><w:sdtContent>{paragraph('in a control')}</w:sdtContent></w:sdt>"
    document = _extract(docx(f"<w:p>{changes}{field}<w:r><w:br/><w:t>line</w:t><w:tab/><w:t>tab</w:t></w:r></w:p>{control}"))
    assert document.text == "new link\nline\ttab\n\nin a control"


def test_comments_are_left_out_and_moved_text_is_where_it_was_moved_to() -> None:
    moved = "<w:moveFrom><w:r><w:t>here</w:t></w:r></w:moveFrom><w:r><w:t>and</w:t></w:r>"
    there = '<w:moveTo><w:r><w:t xml:space="preserve"> there</w:t></w:r></w:moveTo>'
    comment = '<w:commentRangeStart w:id="1"/><w:commentRangeEnd w:id="1"/><w:r><w:commentReference w:id="1"/></w:r>'
    remark = f'<w:comment w:id="1">{paragraph("Who says so?")}</w:comment>'
    assert _extract(docx(f"<w:p>{moved}{there}{comment}</w:p>", comments=remark)).text == "and there"


def test_cells_merged_both_ways() -> None:
    across = _cell("Sales", '<w:gridSpan w:val="2"/>')
    rows = _row(_cell("Area", '<w:vMerge w:val="restart"/>'), across) + _row(
        _cell("", "<w:vMerge/>"), _cell("2024"), _cell("2025")
    )
    assert _extract(docx(f"<w:tbl>{rows}{_row(_cell('North'), _cell('1'), _cell('2'))}</w:tbl>")).text.split("\n") == [
        "Area | Sales",
        "Area | 2024 | 2025",
        "North | 1 | 2",
    ]


def test_a_style_is_found_whatever_is_written_around_it() -> None:
    styles = f'<w:latentStyles/><!-- <w:style w:styleId="H1"> -->{_HEADING_STYLES}<w:style w:styleId="Odd"/>'
    body = paragraph("A", '<w:pStyle w:val="Own"/>') + paragraph("B", '<w:pStyle w:val="Odd"/>')
    assert _blocks(_extract(docx(body, styles=styles))) == [("heading", "A", 1), ("paragraph", "B", None)]


def test_headers_and_footers_come_last_and_once() -> None:
    document = _extract(
        docx(paragraph("Body"), header1=paragraph("Secret"), header2=paragraph("Secret"), footer1=paragraph("End"))
    )
    assert _blocks(document)[1:] == [("page_furniture", "Secret", None), ("page_furniture", "End", None)]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (docx(""), "empty-text"),
        (docx(paragraph("x"), main_type="application/vnd.ms-word.document.macroEnabled.main+xml"), "unsafe-archive"),
        (
            docx(paragraph("x"), main_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"),
            "type-mismatch",
        ),
        (package({"a.txt": "x"}), "type-mismatch"),
        (docx("<w:p>"), "corrupt"),
        (docx(paragraph("&undefined;")), "corrupt"),
        (docx("<w:tbl><w:tr><w:tc>" * 200 + "</w:tc></w:tr></w:tbl>" * 200), "corrupt"),
        (docx(paragraph("x"))[:-30], "corrupt"),
    ],
)
def test_documents_that_cannot_be_read_say_why(data: bytes, kind: str) -> None:
    assert _kind_of(data) == kind


def test_a_dtd_is_refused() -> None:
    xml = f'<!DOCTYPE d [<!ENTITY e "x">]><w:document xmlns:w="{TRANSITIONAL}"><w:body>{paragraph("&e;")}</w:body></w:document>'
    types = "wordprocessingml.document.main+xml"
    assert _kind_of(package({"[Content_Types].xml": types, "word/document.xml": xml})) == "unsafe-archive"


def test_the_example_document_is_read_whole() -> None:
    document = _extract((FOLDER / "travel-policy.docx").read_bytes())
    assert document.title == "Travel and Expenses Policy"
    assert "Spain | 48 euros | 24 euros | 120 euros" in document.text
    assert "[1] Alcohol is never reimbursed" in document.text
    assert "• the number of the project" in document.text
