"""The straight lines that are drawn on a PDF's page. Asked for only where a table was found: a page may have many shapes."""

import ctypes
from typing import Any

import pypdfium2.raw as pdfium

from atrium.documents.parsing.pdf_grid import Rules

_MAX_OBJECTS = 5_000
_THIN = 2.5  # points


def read_rules(page: Any) -> Rules:  # noqa: ANN401 - a handle of pdfium's, whose package carries no types
    """The page's lines: thin shapes, and the edges of boxes."""
    rules = Rules([], [])
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    for index in range(min(pdfium.FPDFPage_CountObjects(page), _MAX_OBJECTS)):
        shape = pdfium.FPDFPage_GetObject(page, index)
        if pdfium.FPDFPageObj_GetType(shape) != pdfium.FPDF_PAGEOBJ_PATH:
            continue
        if pdfium.FPDFPageObj_GetBounds(shape, left, bottom, right, top):
            _add(rules, left.value, bottom.value, right.value, top.value)
    return rules


def _add(rules: Rules, left: float, bottom: float, right: float, top: float) -> None:
    wide, high = right - left > _THIN, top - bottom > _THIN
    if wide:
        rules.horizontal.extend((height, left, right) for height in ((bottom, top) if high else (bottom,)))
    if high:
        rules.vertical.extend((place, bottom, top) for place in ((left, right) if wide else (left,)))
