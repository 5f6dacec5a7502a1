"""PDF: pdfium reads the text, pypdf reads the outline for the inspection."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.characters import one_line
from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.models import ExtractedText, Inspection, OutlineEntry
from atrium.documents.parsing.pdf_layout import Layout, Line, PageLines, paragraphs
from atrium.documents.parsing.pdf_outline import read_outline
from atrium.documents.parsing.registry import PDF, ParseOptions

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

TextPage = Any  # a handle of pdfium's, whose package carries no types
_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_LINE_END = "\r\n"
_MAX_BOOKMARKS = 5_000
_NAMED_PAGES = 20
_BMP_END = "\uffff"


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
            pages = [_read_page(document, index) for index in range(len(document))]
            title = _metadata_title(document)
            layout = Layout(pages, _bookmarks(document))
        for number, lines in enumerate(pages, 1):
            builder.start_page(number)
            for kind, text, level in paragraphs(lines, number, layout):
                builder.add(kind, text, level)
        _warn_of_empty_pages(builder, pages)
        return builder.finish(title or layout.first_heading)


@contextmanager
def _opened(data: bytes, options: ParseOptions) -> "Iterator[PdfDocument]":
    """The document, open. Raise `encrypted`, `corrupt` or `too-many-pages`."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data, password=options.password)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD_ERROR:
            raise failed(FailureKind.ENCRYPTED, "The PDF opens only with a password.") from error
        raise failed(FailureKind.CORRUPT, "The PDF cannot be opened: it is damaged or incomplete.") from error
    try:
        if len(document) > options.limits.max_pages:
            detail = f"The PDF has {len(document):,} pages; at most {options.limits.max_pages:,} are read."
            raise failed(FailureKind.TOO_MANY_PAGES, detail)
        yield document
    finally:
        document.close()


def _read_page(document: "PdfDocument", index: int) -> PageLines:
    """The lines of a page, in pdfium's reading order. A page that does not load is an empty one.

    Through pdfium's own functions: the wrapper's page objects cost as much again as everything done here with them.
    """
    import pypdfium2.raw as pdfium

    page = pdfium.FPDF_LoadPage(document.raw, index)
    if not page:
        return []
    text_page = pdfium.FPDFText_LoadPage(page)
    try:
        return _read_lines(text_page) if text_page else []
    finally:
        pdfium.FPDFText_ClosePage(text_page)
        pdfium.FPDF_ClosePage(page)


def _read_lines(text_page: TextPage) -> PageLines:
    """Each line with the place and height of its first letter: one call a line, where one a letter would double the time."""
    import pypdfium2.raw as pdfium

    text = _page_text(text_page)
    rect = pdfium.FS_RECTF()
    pointer = ctypes.byref(rect)
    loose_box = pdfium.FPDFText_GetLooseCharBox
    wide = not text.isascii() and max(text) > _BMP_END
    lines: PageLines = []
    position = 0
    for line in text.split(_LINE_END):
        if line and not line.isspace():
            loose_box(text_page, position, pointer)
            lines.append(Line(line.rstrip(), rect.left, rect.bottom, rect.top - rect.bottom))
        position += (_utf16_length(line) if wide else len(line)) + len(_LINE_END)
    return lines


def _page_text(text_page: TextPage) -> str:
    import pypdfium2.raw as pdfium

    count = pdfium.FPDFText_CountChars(text_page)
    if count <= 0:
        return ""
    # pdfium may write more UTF-16 units than it counts characters; its own answer says how many are its text.
    buffer = (ctypes.c_ushort * (2 * count + 1))()
    written = pdfium.FPDFText_GetText(text_page, 0, count, buffer)
    return bytes(memoryview(buffer)[: max(0, written - 1)]).decode("utf-16-le", errors="replace")


def _utf16_length(line: str) -> int:
    return len(line.encode("utf-16-le", errors="surrogatepass")) // 2


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
