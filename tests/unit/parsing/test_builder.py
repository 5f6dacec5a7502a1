"""What every extractor's text goes through."""

import pytest

from atrium.documents.parsing.builder import MAX_HEADING_CHARS, TextBuilder
from atrium.documents.parsing.docx import DocxExtractor
from atrium.documents.parsing.html import HtmlExtractor
from atrium.documents.parsing.markdown import MarkdownExtractor
from atrium.documents.parsing.models import BlockKind, ExtractedText
from atrium.documents.parsing.registry import ParseOptions
from tests.unit.parsing.samples import docx

HUGE = "Word " * 2_000


def _run(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


HEADED = [
    (MarkdownExtractor(), f"# {HUGE}\n\nText".encode()),
    (MarkdownExtractor(), f"---\ntitle: {HUGE}\n---\n\nText".encode()),
    (MarkdownExtractor(), f"{HUGE}\n=====\n\nText".encode()),
    (HtmlExtractor(), f"<title>{HUGE}</title><h1>{HUGE}</h1><p>Text".encode()),
    (HtmlExtractor(), f"<h1>{HUGE}</h1><p>Text".encode()),
    (DocxExtractor(), docx(f'<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr>{_run(HUGE)}</w:p><w:p>{_run("Text")}</w:p>')),
]


def test_a_title_is_one_line_of_at_most_300_characters() -> None:
    builder = TextBuilder("text/plain", 100)
    builder.add(BlockKind.PARAGRAPH, "Text")

    assert builder.finish("A\n" + "b" * 1_000).title == "A " + "b" * 298


@pytest.mark.parametrize(
    ("length", "kind"), [(MAX_HEADING_CHARS, BlockKind.HEADING), (MAX_HEADING_CHARS + 1, BlockKind.PARAGRAPH)]
)
def test_an_endless_heading_is_a_paragraph(length: int, kind: BlockKind) -> None:
    builder = TextBuilder("text/plain", 10_000)
    builder.add(BlockKind.HEADING, "h" * length, 2)

    (block,) = builder.finish().blocks
    assert (block.kind, block.level, block.end) == (kind, 2 if kind is BlockKind.HEADING else None, length)


@pytest.mark.parametrize(("extractor", "data"), HEADED)
def test_no_format_makes_endless_titles_or_headings(
    extractor: MarkdownExtractor | HtmlExtractor | DocxExtractor, data: bytes
) -> None:
    document = extractor.extract(data, ParseOptions())

    assert 0 < len(document.title or "") <= 300
    assert _headings(document) == []
    assert "Text" in document.text
    assert len(extractor.inspect(data, ParseOptions()).title or "") <= 300


def _headings(document: ExtractedText) -> list[str]:
    return [document.text[block.start : block.end] for block in document.blocks if block.kind is BlockKind.HEADING]
