"""The lines and tables of a PDF's pages, by pdfium's own functions: the wrapper's page objects cost as much as all this."""

import ctypes
import struct
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import accumulate, compress, repeat
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium

from atrium.documents.parsing.pdf_layout import Line, PageLines
from atrium.documents.parsing.pdf_objects import Handle, address
from atrium.documents.parsing.pdf_rules import read_rules
from atrium.documents.parsing.pdf_scans import looks_scanned
from atrium.documents.parsing.pdf_tables import Box, Table, find_tables

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_LINE_END = "\r\n"
_UNIT_BYTES = 2
_BOX = struct.Struct("4f")
# A prototype of plain pointers: with it one `map` calls pdfium for a whole page, which halves the cost of a call.
_LOOSE_BOX = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(
    address(pdfium.FPDFText_GetLooseCharBox)
)
_line = partial(tuple.__new__, Line)  # as `Line._make` without its check, which costs as much as the line


class PageReader:
    """Reads page after page with the same buffers: each new one costs ctypes a type of its own.

    Of the pages read so far, by their number from 1: `tables` are theirs, and `scanned` those whose text is in a picture.
    """

    def __init__(self) -> None:
        self.tables: dict[int, list[Table]] = {}
        self.scanned: list[int] = []
        self._units = 0
        self._buffer: Any = None
        self._boxes = 0
        self._box_buffer: Any = None

    def read(self, document: "PdfDocument", index: int) -> PageLines:
        """The lines of a page, in pdfium's reading order. A page that does not load is an empty one."""
        page = pdfium.FPDF_LoadPage(document.raw, index)
        if not page:
            return []
        text_page = pdfium.FPDFText_LoadPage(page)
        try:
            lines = self._lines(page, text_page, index + 1) if text_page else []
            if looks_scanned(page, lines):
                self.scanned.append(index + 1)
            return lines
        finally:
            pdfium.FPDFText_ClosePage(text_page)
            pdfium.FPDF_ClosePage(page)

    def _lines(self, page: Handle, text_page: Handle, number: int) -> PageLines:
        """Each line with the place and height of its first letter: one call a line; one a letter would double the time."""
        text, units = self._text(text_page)
        written = text.split(_LINE_END)
        texts = [line.strip() for line in written]
        wide = len(text) != units
        sizes = map(_utf16_length, written) if wide else map(len, written)
        places = [place + 2 * line for line, place in enumerate(accumulate(sizes, initial=0))]
        if not wide:
            places = [
                place if stripped is line else place + len(line) - len(line.lstrip())
                for place, line, stripped in zip(places, written, texts, strict=False)
            ]
        starts = list(compress(places, texts))
        boxes = partial(self._read_boxes, address(text_page))
        lines: PageLines = [
            _line((line, left, bottom, top - bottom))
            for line, (left, top, _, bottom) in zip(filter(None, texts), boxes(starts), strict=True)
        ]
        tables = [] if wide else find_tables(lines, starts, boxes, partial(read_rules, page))
        if tables:
            self.tables[number] = tables
        return lines

    def _read_boxes(self, text_page: int, places: Sequence[int]) -> list[Box]:
        """(left, top, right, bottom) of some letters."""
        count = len(places)
        if count > self._boxes:
            self._boxes = 2 * count
            self._box_buffer = (ctypes.c_float * (4 * self._boxes))()
        first = ctypes.addressof(self._box_buffer) if count else 0
        step = _BOX.size
        deque(map(_LOOSE_BOX, repeat(text_page), places, range(first, first + count * step, step)), maxlen=0)
        return list(_BOX.iter_unpack(ctypes.string_at(first, count * step))) if count else []

    def _text(self, text_page: Handle) -> tuple[str, int]:
        """A page's text, and its length as pdfium counts it, in UTF-16 units."""
        count = pdfium.FPDFText_CountChars(text_page)
        if count <= 0:
            return "", 0
        # pdfium may write more UTF-16 units than it counts characters; its own answer says how many are its text.
        if 2 * count + 1 > self._units:
            self._units = 2 * count + 16 * 1024
            self._buffer = (ctypes.c_ushort * self._units)()
        units = max(0, pdfium.FPDFText_GetText(text_page, 0, count, self._buffer) - 1)
        return ctypes.string_at(self._buffer, units * _UNIT_BYTES).decode("utf-16-le", errors="replace"), units


def _utf16_length(line: str) -> int:
    return len(line.encode("utf-16-le", errors="surrogatepass")) // _UNIT_BYTES
