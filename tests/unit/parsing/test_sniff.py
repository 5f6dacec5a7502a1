"""What a file is taken for, and when it is refused."""

import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.parsing.registry import CSV, DOCX, HTML, JPEG, MARKDOWN, PDF, PLAIN, PNG, TIFF
from atrium.documents.parsing.sniff import sniff
from atrium.kernel.errors import IngestionFailed
from tests.unit.parsing.samples import docx, outcome, paragraph, pdf

_PDF = pdf("x")
_DOCX = docx(paragraph("x"))
_HTML = b"<!DOCTYPE html><html><body>x</body></html>"
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512)


@pytest.mark.parametrize(
    ("data", "name", "declared", "expected"),
    [
        (_PDF, "a.pdf", "application/pdf", PDF),
        (_PDF, "a.PDF", "", PDF),
        (_PDF, "no extension", "application/octet-stream", PDF),
        (b"junk before\n" + _PDF, "a.pdf", "", PDF),
        (_DOCX, "a.docx", DOCX, DOCX),
        (_DOCX, "a", "", DOCX),
        (_HTML, "a.html", "text/html; charset=utf-8", HTML),
        (_HTML, "a", "", HTML),
        (b"plain words", "a.htm", "", HTML),
        (b"plain words", "a.txt", "text/plain", PLAIN),
        (b"plain words", "Release 1.2", "text/plain", PLAIN),
        (b"plain words", "notes.v2", "text/plain", PLAIN),
        (b"plain words", "a", "", PLAIN),
        (b"# Head", "a.md", "text/plain", MARKDOWN),
        (b"# Head", "a.markdown", "application/octet-stream", MARKDOWN),
        (b"a,b\n1,2", "a.csv", "text/csv; header=present", CSV),
        (b"a\tb\n1\t2", "a.tsv", "text/tab-separated-values", CSV),
        (b"a,b\n1,2", "a.csv", "text/plain", CSV),
        (b"a,b\n1,2", "a.csv", "application/vnd.ms-excel", CSV),
        (b"a,b\n1,2", "a", "text/csv", CSV),
        (b"a,b\n1,\x002", "a.csv", "", CSV),
        ("wide without a mark".encode("utf-32-be"), "a.txt", "", PLAIN),
        ("Слова без знака, но широкие".encode("utf-16-le"), "a.txt", "", PLAIN),
        (b"about %PDF-1.7 files", "a.txt", "", PLAIN),
        ("größer".encode("utf-16"), "a.txt", "", PLAIN),
        ("wide without a mark".encode("utf-16-le"), "a.txt", "", PLAIN),
        ("текст".encode("utf-16"), "a.txt", "", PLAIN),
        (b"\x1b$B\x46\x7c\x1b(B", "a.txt", "", PLAIN),
        (_PNG, "a.png", "image/png", PNG),
        (_PNG, "a", "", PNG),
        (b"\xff\xd8\xff\xe0", "scan.JPEG", "image/jpg", JPEG),
        (b"II*\0\x08", "a.tif", "image/tiff", TIFF),
        (b"MM\0*\0", "a.tiff", "", TIFF),
    ],
)
def test_a_file_that_agrees_with_itself_is_recognised(data: bytes, name: str, declared: str, expected: str) -> None:
    assert sniff(data, name, declared) == expected


@pytest.mark.parametrize(
    ("data", "name", "declared", "kind"),
    [
        (_PDF, "a.txt", "", "type-mismatch"),
        (_PDF, "a.docx", "", "type-mismatch"),
        (_PDF, "a.pdf", "text/html", "type-mismatch"),
        (_HTML, "a.pdf", "application/pdf", "type-mismatch"),
        (_PNG, "a.txt", "text/plain", "type-mismatch"),
        (_PNG, "a.csv", "", "type-mismatch"),
        (b"a,b", "a.csv", "text/markdown", "type-mismatch"),
        (_OLE, "a", "application/vnd.ms-excel", "unsupported-type"),
        (_PNG, "a.pdf", "", "type-mismatch"),
        (b"MZ\x90\0" + bytes(90), "a.docx", "", "type-mismatch"),
        (bytes(range(256)), "a.txt", "", "type-mismatch"),
        (_PNG, "a.jpg", "", "type-mismatch"),
        (_PNG, "a.png", "image/tiff", "type-mismatch"),
        (b"GIF89a", "a", "", "unsupported-type"),
        (b"words", "a.png", "", "type-mismatch"),
        (b"words", "a.exe", "text/plain", "unsupported-type"),
        (b"words", "a.txt", "application/zip", "unsupported-type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.svg", "image/svg+xml", "unsupported-type"),
        (b"<?xml version='1.0'?><!-- a --><svg/>", "a.html", "text/html", "unsupported-type"),
        (b"<svg:svg/>", "a.txt", "text/plain", "unsupported-type"),
        (_OLE, "a.docx", "", "unsupported-type"),
        (_OLE + "EncryptedPackage".encode("utf-16-le"), "a.docx", "", "encrypted"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(data: bytes, name: str, declared: str, kind: str) -> None:
    with pytest.raises(IngestionFailed) as failure:
        sniff(data, name, declared)
    assert failure.value.kind == kind


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (_PDF + _DOCX, "a.pdf"),
        (_PNG + _DOCX, "a.png"),
        (b"<html><script>alert(1)</script>\n" + _PDF, "a.pdf"),
        (_DOCX[:500] + _PDF, "a.pdf"),
        (b"GIF89a/*" + _PDF, "a.pdf"),
    ],
)
def test_a_file_that_is_two_in_one_is_refused(data: bytes, name: str) -> None:
    with pytest.raises(IngestionFailed, match="contradicts itself") as failure:
        sniff(data, name)
    assert failure.value.kind == "type-mismatch"


def test_a_pdf_may_carry_an_archive_inside() -> None:
    carried = _PDF.replace(b"endobj", b"endobj %" + _DOCX[-22:].replace(b"\r", b"") + b"\n", 1)
    assert sniff(carried, "a.pdf") == PDF


def test_what_was_found_is_named() -> None:
    with pytest.raises(IngestionFailed, match="it is declared as application/pdf, its content is text/html"):
        sniff(_HTML, "a.pdf", "application/pdf")


def test_comments_before_a_root_cost_no_time() -> None:
    started = time.perf_counter()
    assert sniff(b"<!-- -->" * 100_000, "a.html", "") == HTML
    assert time.perf_counter() - started < 1


@given(st.binary(max_size=300), st.sampled_from(["a.pdf", "a.docx", "a.html", "a.txt", "a.md", "a.csv", "a", "a.xyz"]))
def test_any_bytes_have_a_type_or_a_failure(data: bytes, name: str) -> None:
    found = outcome(partial(sniff, data, name, ""))
    assert found in {PDF, DOCX, HTML, PLAIN, MARKDOWN, CSV, PNG, JPEG, TIFF, "type-mismatch", "unsupported-type", "encrypted"}
