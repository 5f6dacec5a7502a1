"""Whatever the bytes, an extractor gives text that keeps its promises, or a failure with a name."""

import unicodedata
from functools import cache, partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atrium.documents.parsing.characters import clean
from atrium.documents.parsing.failures import FailureKind
from atrium.documents.parsing.limits import MIB, ParserLimits
from atrium.documents.parsing.models import BlockKind, ExtractedText
from atrium.documents.parsing.registry import CSV, DOCX, HTML, MARKDOWN, PDF, PLAIN, ParseOptions
from atrium.documents.parsing.worker import parse
from tests.factories.hostile import docx as small_docx
from tests.fixtures.make_fixtures import FOLDER
from tests.unit.parsing.samples import docx, outcome, paragraph, pdf

_OPTIONS = ParseOptions(ParserLimits(max_file_bytes=MIB, max_pages=20, max_text_chars=100_000))
_EXTENSIONS = {PDF: "pdf", DOCX: "docx", HTML: "html", PLAIN: "txt", MARKDOWN: "md", CSV: "csv"}
# What the mutations put in: the words of each format, where they do the most.
_WORDS = {
    PDF: [
        b"stream",
        b"endstream",
        b"obj",
        b"/Kids[1 0 R]",
        b"/Count -1",
        b"/Length 999999",
        b"/Filter/LZWDecode",
        b"trailer",
        b"<<",
        b">>",
    ],
    DOCX: [b"PK\x01\x02", b"PK\x05\x06", b"\x08\0", b"\0\0\0\0", b"document.xml"],
    HTML: [
        b"<table>",
        b"</table>",
        b"<td>",
        b"<ul><li>",
        b"</ul>",
        b"<pre>",
        b"<a href=x>",
        b"<h1>",
        b"<!--",
        b"<main>",
        b"&#0;",
        b"\0",
    ],
    PLAIN: [b"\0", b"\xff\xfe", b"\r", b"- ", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\n\n"],
    MARKDOWN: [b"```", b"| a | b |\n|---|---|\n", b"# ", b"===\n", b"---\n", b"- ", b"1. "],
    CSV: [b'"', b",", b";", b"\t", b"\n", b"\r", b"\\", b"sep=;\n", b"\0"],
}


@cache
def _examples(content_type: str) -> list[bytes]:
    """Whole files, of which mutations are made."""
    made = {
        PDF: [pdf("One page\nof two lines", "Another"), (FOLDER / "field-service-handbook.pdf").read_bytes()],
        DOCX: [small_docx(), docx(paragraph("Words"), footnotes=paragraph("Note")), (FOLDER / "travel-policy.docx").read_bytes()],
        HTML: [
            (FOLDER / "calibration-guide.html").read_bytes(),
            b"<h1>T</h1><ul><li>a<li>b</ul><table><tr><th>x<th>y<tr><td>1<td>2</table>",
        ],
        PLAIN: [(FOLDER / "onboarding.txt").read_bytes(), "Größe\r\n- eins\n- zwei".encode("utf-16")],
        MARKDOWN: [b"# Head\n\ntext\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n- item\n"],
        CSV: [b'a,b,c\n1,"two, 2",3\n4,5,6\n', "Größe;Menge\n1;2\n".encode("cp1252")],
    }
    return made[content_type]


@st.composite
def _mutated(draw: st.DrawFn, content_type: str) -> bytes:
    """An example with pieces cut out, said again, overwritten, and words of its format put in."""
    data = draw(st.sampled_from(_examples(content_type)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 60)))
        put = draw(st.one_of(st.binary(max_size=12), st.sampled_from(_WORDS[content_type]), st.just(data[start:end] * 3)))
        data = data[:start] + put + data[end:]
    return data


def _check(found: ExtractedText) -> None:
    text = found.text
    assert text == clean(text) == unicodedata.normalize("NFC", text)
    assert found.blocks or found.unread
    for block in found.blocks:
        piece = text[block.start : block.end]
        assert piece.strip() == piece != ""
        assert block.kind is BlockKind.HEADING or block.level is None or block.kind is BlockKind.LIST_ITEM
    assert [page.number for page in found.pages] == list(range(1, len(found.pages) + 1))
    assert ExtractedText.from_json(found.to_json()) == found


def _ends(data: bytes, content_type: str) -> None:
    found = outcome(partial(parse, "extract", data, f"a.{_EXTENSIONS[content_type]}", content_type, _OPTIONS))
    if isinstance(found, ExtractedText):
        _check(found)
        assert found.content_type == content_type
    else:
        assert isinstance(found, FailureKind)


_quietly = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.mark.parametrize("content_type", _EXTENSIONS)
@_quietly
@given(st.data())
def test_a_mutated_file_is_text_that_keeps_its_promises_or_a_named_failure(content_type: str, data: st.DataObject) -> None:
    _ends(data.draw(_mutated(content_type)), content_type)


@pytest.mark.parametrize("content_type", _EXTENSIONS)
@_quietly
@given(st.binary(max_size=300))
def test_any_bytes_are_text_that_keeps_its_promises_or_a_named_failure(content_type: str, data: bytes) -> None:
    _ends(data, content_type)


@pytest.mark.parametrize("content_type", [PLAIN, MARKDOWN, CSV, HTML])
@_quietly
@given(st.text(max_size=200))
def test_any_characters_are_text_that_keeps_its_promises_or_a_named_failure(content_type: str, data: str) -> None:
    _ends(data.encode(errors="ignore"), content_type)
