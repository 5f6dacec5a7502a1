"""Which extractor reads which content type. An extractor is imported when the first file of its type comes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Protocol, runtime_checkable

from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.limits import DEFAULT_LIMITS, ParserLimits
from atrium.documents.parsing.models import ExtractedText, Inspection
from atrium.documents.parsing.ocr import Bitmap, RecognisedPage

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
PLAIN = "text/plain"
MARKDOWN = "text/markdown"
CSV = "text/csv"
PNG = "image/png"
JPEG = "image/jpeg"
TIFF = "image/tiff"


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """What an extractor may need beside the bytes. `password` opens an encrypted file, `recognised` is what OCR read of it."""

    limits: ParserLimits = DEFAULT_LIMITS
    password: str | None = None
    recognised: Mapping[int, RecognisedPage] = field(default_factory=dict)


class Extractor(Protocol):
    """Reads one family of files. Pure: bytes in, structure out, no file, no network.

    Both verbs raise `IngestionFailed` for a file they cannot read. A damaged file may make a parser raise anything
    else; `worker`, the only caller, calls that "corrupt".
    """

    def inspect(self, data: bytes, options: ParseOptions) -> Inspection:
        """What the file is, without reading its text."""
        ...

    def extract(self, data: bytes, options: ParseOptions) -> ExtractedText:
        """The file's text with its structure. Pages that only OCR can read, and that `recognised` lacks, are its `unread`."""
        ...


@runtime_checkable
class PageSource(Protocol):
    """An extractor whose pages may be `unread`: it shows them."""

    def page_bitmap(self, data: bytes, number: int, options: ParseOptions) -> Bitmap:
        """The page (from 1) as pixels."""
        ...


# A deployer adds or replaces a parser here.
_EXTRACTORS: dict[str, tuple[str, str]] = {
    PDF: ("atrium.documents.parsing.pdf", "PdfExtractor"),
    DOCX: ("atrium.documents.parsing.docx", "DocxExtractor"),
    HTML: ("atrium.documents.parsing.html", "HtmlExtractor"),
    PLAIN: ("atrium.documents.parsing.plain", "PlainExtractor"),
    MARKDOWN: ("atrium.documents.parsing.markdown", "MarkdownExtractor"),
    CSV: ("atrium.documents.parsing.delimited", "CsvExtractor"),
    PNG: ("atrium.documents.parsing.image", "PngExtractor"),
    JPEG: ("atrium.documents.parsing.image", "JpegExtractor"),
    TIFF: ("atrium.documents.parsing.image", "TiffExtractor"),
}


def extractor_for(content_type: str) -> Extractor:
    """The extractor of a type. Raise `IngestionFailed("unsupported-type")` where there is none."""
    if content_type not in _EXTRACTORS:
        raise failed(FailureKind.UNSUPPORTED_TYPE, f"Files of type {content_type} are not read.")
    module, name = _EXTRACTORS[content_type]
    extractor: Extractor = getattr(import_module(module), name)()
    return extractor


def page_source_for(content_type: str) -> PageSource:
    """Who shows the pages of a type. Raise `IngestionFailed("unsupported-type")` where pages are no pictures."""
    extractor = extractor_for(content_type)
    if not isinstance(extractor, PageSource):
        raise failed(FailureKind.UNSUPPORTED_TYPE, f"Files of type {content_type} have no pages to read by OCR.")
    return extractor
