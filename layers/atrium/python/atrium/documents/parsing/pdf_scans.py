"""Scanned pages of a PDF: which they are, and what they look like."""

import re
from typing import TYPE_CHECKING, Final

import pypdfium2.raw as pdfium

from atrium.documents.parsing.ocr import READ_PIXELS, Bitmap
from atrium.documents.parsing.pdf_layout import PageLines
from atrium.documents.parsing.pdf_objects import Handle, bounds_of

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_DPI: Final = 300
_POINTS: Final = 72
_LITTLE_TEXT: Final = 200  # letters: a stamp, a page number, a letterhead over a scan
_COVERED: Final = 0.5  # of the page by images
_GARBAGE: Final = 0.3  # of the letters
# What pdfium gives for letters whose font does not say which they are.
_NOT_LETTERS: Final = re.compile("[\x01-\x08\x0e-\x1f\ufffd\ue000-\uf8ff]")


def looks_scanned(page: Handle, lines: PageLines) -> bool:
    """Whether a page's text is in a picture: it has none itself, little on a scan, or a useless text layer."""
    if not lines:
        return bool(pdfium.FPDFPage_CountObjects(page) > 0)
    letters = sum([len(line.text) for line in lines])
    return _is_garbage(lines, letters) or (letters < _LITTLE_TEXT and _covered(page) >= _COVERED)


def _is_garbage(lines: PageLines, letters: int) -> bool:
    text = "".join(line.text for line in lines)
    plain = text.isascii() and text.isprintable()
    return not plain and len(_NOT_LETTERS.findall(text)) > _GARBAGE * letters


def _covered(page: Handle) -> float:
    """The largest share of the page that one image covers."""
    width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    shares = [0.0]
    for left, bottom, right, top in bounds_of(page, pdfium.FPDF_PAGEOBJ_IMAGE, nested=True):
        seen = max(0.0, min(right, width) - max(left, 0.0)) * max(0.0, min(top, height) - max(bottom, 0.0))
        shares.append(seen / max(1.0, width * height))
    return max(shares)


def render(document: "PdfDocument", number: int) -> Bitmap:
    """The page in grey at 300 dpi, or less where it is so large that this would be more pixels than are of use."""
    page = document[number - 1]
    width, height = page.get_size()
    dpi = min(float(_DPI), _POINTS * (READ_PIXELS / max(1.0, width * height)) ** 0.5)
    rendered = page.render(scale=dpi / _POINTS, grayscale=True, optimize_mode=None)
    rows = bytes(rendered.buffer)
    stride = rendered.stride
    if stride != rendered.width:
        rows = b"".join(rows[start : start + rendered.width] for start in range(0, stride * rendered.height, stride))
    bitmap = Bitmap(rendered.width, rendered.height, rows, max(1, round(dpi)))
    rendered.close()
    page.close()
    return bitmap
