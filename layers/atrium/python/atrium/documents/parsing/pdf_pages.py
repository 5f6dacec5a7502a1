"""The lines of a PDF's pages, by pdfium's own functions: the wrapper's page objects cost as much as all that is done here."""

import ctypes
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from atrium.documents.parsing.pdf_layout import Line, PageLines

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

TextPage = Any  # a handle of pdfium's, whose package carries no types
_LINE_END = "\r\n"
_UNIT_BYTES = 2


class PageReader:
    """Reads page after page with the same buffers: each new one costs ctypes a type of its own."""

    def __init__(self) -> None:
        self._rect = pdfium.FS_RECTF()
        self._size = 0
        self._buffer: Any = None
        self._reserve(16 * 1024)

    def read(self, document: "PdfDocument", index: int) -> PageLines:
        """The lines of a page, in pdfium's reading order. A page that does not load is an empty one."""
        page = pdfium.FPDF_LoadPage(document.raw, index)
        if not page:
            return []
        text_page = pdfium.FPDFText_LoadPage(page)
        try:
            return self._lines(text_page) if text_page else []
        finally:
            pdfium.FPDFText_ClosePage(text_page)
            pdfium.FPDF_ClosePage(page)

    def _lines(self, text_page: TextPage) -> PageLines:
        """Each line with the place and height of its first letter: one call a line; one a letter would double the time."""
        text, units = self._text(text_page)
        rect, pointer, loose_box = self._rect, ctypes.byref(self._rect), pdfium.FPDFText_GetLooseCharBox
        wide = len(text) != units
        lines: PageLines = []
        position = 0
        for written in text.split(_LINE_END):
            line = written.strip()
            if line:
                loose_box(text_page, position, pointer)
                bottom = rect.bottom
                lines.append(Line(line, rect.left, bottom, rect.top - bottom))
            position += (_utf16_length(written) if wide else len(written)) + 2  # and the line end
        return lines

    def _text(self, text_page: TextPage) -> tuple[str, int]:
        """A page's text, and its length as pdfium counts it, in UTF-16 units."""
        count = pdfium.FPDFText_CountChars(text_page)
        if count <= 0:
            return "", 0
        # pdfium may write more UTF-16 units than it counts characters; its own answer says how many are its text.
        self._reserve(2 * count + 1)
        units = max(0, pdfium.FPDFText_GetText(text_page, 0, count, self._buffer) - 1)
        return ctypes.string_at(self._buffer, units * _UNIT_BYTES).decode("utf-16-le", errors="replace"), units

    def _reserve(self, units: int) -> None:
        if units > self._size:
            self._size = units
            self._buffer = (ctypes.c_ushort * units)()


def _utf16_length(line: str) -> int:
    return len(line.encode("utf-16-le", errors="surrogatepass")) // _UNIT_BYTES
