"""Every real file becomes text, or fails in the way that is right for it, within ten seconds and 512 MB."""

import json
import statistics
import sys
import time
import unicodedata
from pathlib import Path

import pytest

from atrium.documents.parsing.characters import clean
from atrium.documents.parsing.child import extract_file, inspect_file
from atrium.documents.parsing.limits import MIB, ParserLimits
from atrium.documents.parsing.models import BlockKind, ExtractedText
from atrium.documents.parsing.pdf import PdfExtractor
from atrium.documents.parsing.registry import ParseOptions
from atrium.kernel.errors import IngestionFailed
from tests.conformance.real_data import DATA, files, needs_data, token_f1

pytestmark = needs_data

_LIMITS = ParserLimits(wall_seconds=10, cpu_seconds=10, memory_bytes=512 * MIB)
_PASSWORDS = {"enc-aes-256.pdf": "foo", "enc-rc4-128.pdf": "foo", "libreoffice-writer-password.pdf": "openpassword"}
# What only OCR can read, page by page, is not read here.
_IMAGES = ("grayscale-image.pdf", "testOCR.pdf", "skew.pdf", "linn.png", "phototest-rotated-L.png", "phototest.tif")
_FAILURES = (
    dict.fromkeys(_PASSWORDS, "encrypted")
    | {"having-images.docx": "empty-text"}
    | {"testWORD_protected_passtika.docx": "encrypted", "testWORD_truncated.docx": "corrupt"}
)
_REAL = [*files("pdf", "*.pdf"), *files("docx"), *files("html"), *files("ocr", "*.[!t]*"), *files("text", "*.txt")]
_SCORED_TOKENS = 20
_MEDIAN_F1 = 0.97
# What real documents are known to say: one phrase that only a right reading yields.
_PHRASES = {
    "blk-paras-and-tables.docx": "Donec semper facilisis metus finibus malesuada.",
    "hdr-header-footer.docx": "Header for section-1",
    "mammoth-footnotes.docx": "[1] A tachyon walks into a bar.",
    "par-hyperlinks.docx": "Three hyperlinks: the first one here, the second one, and the third.",
    "strict-format.docx": "Test",
    "tables.docx": "Top left | Top right\nBottom left | Bottom right",
    "text-box.docx": "Datum plane",
    "utf8-bom.docx": "This XML has a byte order mark.",
    "big-preamble.html": "Агентство недвижимости",
    "boilerplate.html": "This is the real meat of the page",
    "testHTML.html": "Indexation du fichier",
    "testHTMLBadScript.html": "This is a test.",
    "testHTML_charset_utf16le.html": "This is a sample text",
    "testHTML_embedded_img.html": "some content",
    "testHTML_script_in_body.html": "This is a test.",
    "tika434.html": "Large Private Cottage facing Lamoka Lake",
    "GeoTopo-komprimiert.pdf": "Definition",
    "multicolumn.pdf": "consectetuer adipiscing elit",
}


async def _outcome(path: Path) -> ExtractedText | str:
    try:
        await inspect_file(path, path.name, limits=_LIMITS)
        return await extract_file(path, path.name, limits=_LIMITS)
    except IngestionFailed as failure:
        return failure.kind


@pytest.mark.parametrize("path", _REAL, ids=lambda path: str(path.name))
async def test_a_real_file_becomes_text_or_fails_rightly(path: Path) -> None:
    started = time.perf_counter()
    outcome = await _outcome(path)
    assert time.perf_counter() - started < 2 * _LIMITS.wall_seconds
    if path.name in _FAILURES:
        assert outcome == _FAILURES[path.name]
    elif path.name in _IMAGES:
        assert isinstance(outcome, ExtractedText)
        assert (outcome.text, outcome.unread) == ("", (1,))
    else:
        assert isinstance(outcome, ExtractedText)
        assert outcome.blocks
        assert _PHRASES.get(path.name, "") in outcome.text


@pytest.mark.parametrize("name", _PASSWORDS)
async def test_the_password_opens_what_it_locks(name: str) -> None:
    document = await extract_file(DATA / "pdf" / name, name, password=_PASSWORDS[name], limits=_LIMITS)
    assert document.text


def test_the_text_of_real_pdfs_is_what_other_extractors_read() -> None:
    scores: dict[str, float] = {}
    for path in files("pdf", "*.pdf"):
        reference = json.loads((DATA / "pdf" / "refs" / f"{path.name}.tokens.json").read_text(encoding="utf-8"))
        if path.name not in {*_FAILURES, *_IMAGES} and sum(reference.values()) >= _SCORED_TOKENS:
            scores[path.name] = token_f1(reference, PdfExtractor().extract(path.read_bytes(), ParseOptions()).text)
    median = statistics.median(scores.values())
    sys.stdout.write("".join(f"{score:.4f} {name}\n" for name, score in scores.items()) + f"median {median:.4f}\n")
    assert median >= _MEDIAN_F1


def test_real_outlines_become_headings() -> None:
    document = PdfExtractor().extract((DATA / "pdf" / "GeoTopo-komprimiert.pdf").read_bytes(), ParseOptions())
    headings = [document.text[block.start : block.end] for block in document.blocks if block.kind is BlockKind.HEADING]
    assert len(headings) > 30
    assert len(document.pages) == 117


async def test_the_letters_of_every_encoding_are_read() -> None:
    gold = json.loads((DATA / "text" / "gold.json").read_text(encoding="utf-8"))
    for name, expected in gold.items():
        path = DATA / "text" / name
        wanted = clean(path.read_bytes().decode(expected["encoding"]))
        document = await extract_file(path, name, limits=_LIMITS)
        assert document.text.split() == unicodedata.normalize("NFC", wanted).split(), name
