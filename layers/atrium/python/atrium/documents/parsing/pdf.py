"""PDF: pdfium reads the text, pypdf reads the outline for the inspection."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.characters import one_line
from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.models import ExtractedText, Inspection, OutlineEntry
from atrium.documents.parsing.ocr import Bitmap
from atrium.documents.parsing.pdf_continued import table_lines
from atrium.documents.parsing.pdf_layout import Layout, PageLines, paragraphs
from atrium.documents.parsing.pdf_outline import read_outline
from atrium.documents.parsing.pdf_pages import PageReader
from atrium.documents.parsing.pdf_scans import render
from atrium.documents.parsing.recognised import Recognised
from atrium.documents.parsing.registry import PDF, ParseOptions

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_MAX_BOOKMARKS = 5_000
_NAMED_PAGES = 20


class PdfExtractor:
    """The `Extractor` of application/pdf."""

    def inspect(self, data: bytes, options: ParseOptions) -> Inspection:
        """Pages, encryption, title and outline."""
        with _opened(data, options) as document:
            pages = len(document)
            title = _metadata_title(document)
        encrypted, outline = read_outline(data, options.password)
        return Inspection(PDF, pages=pages, encrypted=encrypted, title=title, outline=outline)

    def extract(self, data: bytes, options: ParseOptions) -> ExtractedText:
        """Text page by page; headings from the outline, or from letter size where there is no outline."""
        builder = TextBuilder(PDF, options.limits.max_text_chars)
        with _opened(data, options) as document:
            reader = PageReader()
            written = [reader.read(document, index) for index in range(len(document))]
            recognised = Recognised(reader.scanned, options.recognised)
            pages = [recognised.lines(number, lines) for number, lines in enumerate(written, 1)]
            title = _metadata_title(document)
            layout = Layout(pages, _bookmarks(document))
            # Where OCR read a page, the lines that its tables are made of are gone.
            tables = {number: found for number, found in reader.tables.items() if pages[number - 1] is written[number - 1]}
            rows = table_lines(pages, tables, layout)
        for number, lines in enumerate(pages, 1):
            builder.start_page(number)
            for kind, text, level in paragraphs(lines, number, layout, rows.get(number, ())):
                builder.add(kind, text, level)
        _warn_of_empty_pages(builder, pages)
        return recognised.finish(builder, title or layout.first_heading)

    def page_bitmap(self, data: bytes, number: int, options: ParseOptions) -> Bitmap:
        """See `PageSource.page_bitmap`."""
        with _opened(data, options) as document:
            if not 1 <= number <= len(document):
                raise failed(FailureKind.CORRUPT, f"The PDF has no page {number}.")
            return render(document, number)


@contextmanager
def _opened(data: bytes, options: ParseOptions) -> "Iterator[PdfDocument]":
    """The document, open. Raise `encrypted`, `corrupt` or `too-many-pages`."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data, password=options.password)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD_ERROR:
            wrong = "The password does not open the PDF." if options.password else "The PDF opens only with a password."
            raise failed(FailureKind.ENCRYPTED, wrong) from error
        raise failed(FailureKind.CORRUPT, "The PDF cannot be opened: it is damaged or incomplete.") from error
    try:
        if len(document) > options.limits.max_pages:
            detail = f"The PDF has {len(document):,} pages; at most {options.limits.max_pages:,} are read."
            raise failed(FailureKind.TOO_MANY_PAGES, detail)
        yield document
    finally:
        document.close()


def _metadata_title(document: "PdfDocument") -> str | None:
    """The title its producer wrote, unless it is a file name, as word processors leave there."""
    title = one_line(document.get_metadata_value("Title") or "").removeprefix("Microsoft Word - ")
    looks_like_file = title.lower().endswith((".doc", ".docx", ".pdf", ".odt", ".tex", ".txt", ".indd", ".qxd"))
    return None if looks_like_file or title.lower() in {"", "untitled", "title"} else title


def _bookmarks(document: "PdfDocument") -> list[OutlineEntry]:
    entries: list[OutlineEntry] = []
    for bookmark in document.get_toc(max_depth=8):
        destination = bookmark.get_dest()
        page = destination.get_index() if destination else None
        entries.append(OutlineEntry(one_line(bookmark.get_title()), bookmark.level + 1, None if page is None else page + 1))
        if len(entries) >= _MAX_BOOKMARKS:
            break
    return entries


def _warn_of_empty_pages(builder: TextBuilder, pages: list[PageLines]) -> None:
    empty = [str(number) for number, lines in enumerate(pages, 1) if not lines]
    if empty:
        more = ", …" if len(empty) > _NAMED_PAGES else ""
        builder.warn(f"No text on pages {', '.join(empty[:_NAMED_PAGES])}{more}")
