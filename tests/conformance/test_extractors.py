"""The extractors that come with Atrium."""

from collections.abc import Sequence
from io import BytesIO

import pytest
from PIL import Image

from atrium.documents.parsing import registry
from atrium.documents.parsing.ocr import RecognisedPage
from atrium.documents.parsing.pdf_layout import Line
from atrium.documents.parsing.registry import Extractor
from tests.conformance.suites.extractor import ExtractorSuite, Sample
from tests.fixtures.make_fixtures import FOLDER
from tests.unit.parsing.samples import docx, paragraph, pdf


class Registered(ExtractorSuite):
    """What is registered for the type."""

    def make(self) -> Extractor:
        return registry.extractor_for(self.content_type)


class TestPdf(Registered):
    content_type = registry.PDF

    def samples(self) -> Sequence[Sample]:
        handbook = (FOLDER / "field-service-handbook.pdf").read_bytes()
        return [
            Sample(pdf("The first page", "", "The third page"), ("The first page", "The third page")),
            Sample(handbook, ("Field",)),
        ]

    def empty(self) -> Sequence[Sample]:
        return [Sample(pdf(""))]

    def broken(self) -> Sequence[bytes]:
        return [b"", b"%PDF-1.7\n", b"%PDF-1.7\nnothing of a PDF\n%%EOF"]

    def locked(self) -> Sequence[tuple[Sample, str]]:
        return [(Sample(pdf("A secret page", password="open"), ("A secret page",)), "open")]


class TestDocx(Registered):
    content_type = registry.DOCX

    def samples(self) -> Sequence[Sample]:
        policy = (FOLDER / "travel-policy.docx").read_bytes()
        return [
            Sample(docx(paragraph("One paragraph") + paragraph("Another")), ("One paragraph", "Another")),
            Sample(policy, ("ravel",)),
        ]

    def empty(self) -> Sequence[Sample]:
        return [Sample(docx(paragraph(" ")))]

    def broken(self) -> Sequence[bytes]:
        return [b"", b"PK\x03\x04 and no more", docx(paragraph("One"))[:200]]


class TestHtml(Registered):
    content_type = registry.HTML

    def samples(self) -> Sequence[Sample]:
        page = "<html><head><title>T</title></head><body><h1>Head</h1><p>Cafe\u0301 &amp; bar</p><ul><li>an item</li></ul></body>"
        guide = (FOLDER / "calibration-guide.html").read_bytes()
        return [Sample(page.encode(), ("Head", "Café & bar", "an item")), Sample(guide, ("alibration",))]

    def empty(self) -> Sequence[Sample]:
        return [Sample(b""), Sample(b"<html><body><script>x()</script></body></html>")]


class TestPlain(Registered):
    content_type = registry.PLAIN

    def samples(self) -> Sequence[Sample]:
        onboarding = (FOLDER / "onboarding.txt").read_bytes()
        return [
            Sample("Grüße\r\n\r\n- ein Punkt".encode("cp1252"), ("Grüße", "- ein Punkt")),
            Sample(onboarding, ("FIRST WEEKS", "identity card")),
        ]

    def empty(self) -> Sequence[Sample]:
        return [Sample(b""), Sample(" \n\ufeff \u200b\n".encode())]


class TestMarkdown(Registered):
    content_type = registry.MARKDOWN

    def samples(self) -> Sequence[Sample]:
        text = "# Head\n\nA paragraph.\n\n- an item\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode()\n```\n"
        return [Sample(text.encode(), ("Head", "A paragraph.", "an item", "a | b", "1 | 2", "code()"))]

    def empty(self) -> Sequence[Sample]:
        return [Sample(b""), Sample(b"\n \n")]


class TestCsv(Registered):
    content_type = registry.CSV

    def samples(self) -> Sequence[Sample]:
        return [
            Sample(b"Name,Price\r\nPump,42\r\nValve,7\r\n", ("Name", "Price", "Pump", "42", "Valve")),
            Sample('Name;Ort\n"Müller; Söhne";Köln\n'.encode(), ("Müller; Söhne", "Köln")),
        ]

    def empty(self) -> Sequence[Sample]:
        return [Sample(b""), Sample(b"\n\n")]


class Pictures(Registered):
    """Pictures: what OCR read of them is given, as the pipeline gives it."""

    format: str

    def picture(self) -> bytes:
        target = BytesIO()
        Image.new("L", (600, 400), 255).save(target, self.format)
        return target.getvalue()

    def samples(self) -> Sequence[Sample]:
        lines = (Line("The words on the picture", 72.0, 300.0, 12.0),)
        return [Sample(self.picture(), ("The words on the picture",), {1: RecognisedPage(1, lines, 0.9)})]

    def empty(self) -> Sequence[Sample]:
        return [Sample(self.picture(), recognised={1: RecognisedPage(1)})]

    def broken(self) -> Sequence[bytes]:
        return [b"", self.picture()[:20]]

    def test_what_ocr_did_not_read_yet_is_said(self) -> None:
        sample = Sample(self.picture())
        assert self.make().extract(sample.data, sample.options()).unread == (1,)


class TestPng(Pictures):
    content_type, format = registry.PNG, "PNG"


class TestJpeg(Pictures):
    content_type, format = registry.JPEG, "JPEG"


class TestTiff(Pictures):
    content_type, format = registry.TIFF, "TIFF"


@pytest.mark.parametrize("content_type", registry._EXTRACTORS)
def test_every_registered_extractor_has_its_suite(content_type: str) -> None:
    tested = {
        suite.content_type
        for suite in (*Registered.__subclasses__(), *Pictures.__subclasses__())
        if hasattr(suite, "content_type")
    }
    assert content_type in tested
