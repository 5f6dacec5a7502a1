"""Which extractor reads which content type. An extractor is imported when the first file of its type comes."""

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.limits import DEFAULT_LIMITS, ParserLimits
from atrium.documents.parsing.models import ExtractedText, Inspection

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
PLAIN = "text/plain"
MARKDOWN = "text/markdown"
CSV = "text/csv"


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """What an extractor may need beside the bytes. `password` opens an encrypted file."""

    limits: ParserLimits = DEFAULT_LIMITS
    password: str | None = None


class Extractor(Protocol):
    """Reads one family of files. Pure: bytes in, structure out, no file, no network.

    Both verbs raise `IngestionFailed` for a file they cannot read. A damaged file may make a parser raise anything
    else; `worker`, the only caller, calls that "corrupt".
    """

    def inspect(self, data: bytes, options: ParseOptions) -> Inspection:
        """What the file is, without reading its text."""
        ...

    def extract(self, data: bytes, options: ParseOptions) -> ExtractedText:
        """The file's text with its structure."""
        ...


# A deployer adds or replaces a parser here.
_EXTRACTORS: dict[str, tuple[str, str]] = {
    PDF: ("atrium.documents.parsing.pdf", "PdfExtractor"),
    DOCX: ("atrium.documents.parsing.docx", "DocxExtractor"),
    HTML: ("atrium.documents.parsing.html", "HtmlExtractor"),
    PLAIN: ("atrium.documents.parsing.plain", "PlainExtractor"),
    MARKDOWN: ("atrium.documents.parsing.markdown", "MarkdownExtractor"),
    CSV: ("atrium.documents.parsing.delimited", "CsvExtractor"),
}


def extractor_for(content_type: str) -> Extractor:
    """The extractor of a type. Raise `IngestionFailed("unsupported-type")` where there is none."""
    if content_type not in _EXTRACTORS:
        raise failed(FailureKind.UNSUPPORTED_TYPE, f"Files of type {content_type} are not read.")
    module, name = _EXTRACTORS[content_type]
    extractor: Extractor = getattr(import_module(module), name)()
    return extractor
