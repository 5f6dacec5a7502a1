"""The straight lines that are drawn on a PDF's page. Asked for only where a table was found."""

import pypdfium2.raw as pdfium

from atrium.documents.parsing.pdf_grid import Rules
from atrium.documents.parsing.pdf_objects import Handle, bounds_of

_THIN = 2.5  # points


def read_rules(page: Handle) -> Rules:
    """The page's lines: thin shapes, and the edges of boxes."""
    horizontal: Rules = []
    for left, bottom, right, top in bounds_of(page, pdfium.FPDF_PAGEOBJ_PATH):
        if right - left > _THIN:
            horizontal.extend((height, left, right) for height in ((bottom, top) if top - bottom > _THIN else (bottom,)))
    return horizontal
