"""What is drawn on a PDF's page, by pdfium's own functions through plain pointers: a page may hold thousands of objects."""

import ctypes
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pypdfium2.raw as pdfium

Handle = Any  # of pdfium's, whose package carries no types
Bounds = tuple[float, float, float, float]  # left, bottom, right, top, in points

_MAX_OBJECTS = 2_500
_MAX_NESTING = 4


def address(handle: Handle) -> int:
    """A handle as the number that plain prototypes take."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0


_POINTER, _INT = ctypes.c_void_p, ctypes.c_int
_object = ctypes.PYFUNCTYPE(_POINTER, _POINTER, _INT)(address(pdfium.FPDFPage_GetObject))
_inner = ctypes.PYFUNCTYPE(_POINTER, _POINTER, ctypes.c_ulong)(address(pdfium.FPDFFormObj_GetObject))
_inner_count = ctypes.PYFUNCTYPE(_INT, _POINTER)(address(pdfium.FPDFFormObj_CountObjects))
_type = ctypes.PYFUNCTYPE(_INT, _POINTER)(address(pdfium.FPDFPageObj_GetType))
_bounds = ctypes.PYFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER)(address(pdfium.FPDFPageObj_GetBounds))


def bounds_of(page: Handle, kind: int, *, nested: bool = False) -> Iterator[Bounds]:
    """Where the page's objects of a kind are, of the first 2,500; `nested` also those in forms on it, in the form's own terms."""
    count = min(pdfium.FPDFPage_CountObjects(page), _MAX_OBJECTS)
    objects = list(map(_object, repeat(address(page)), range(count)))
    kinds = list(map(_type, objects))
    yield from _bounds_of([each for each, its_kind in zip(objects, kinds, strict=True) if its_kind == kind])
    if nested and pdfium.FPDF_PAGEOBJ_FORM in kinds:
        forms = [each for each, its_kind in zip(objects, kinds, strict=True) if its_kind == pdfium.FPDF_PAGEOBJ_FORM]
        yield from _bounds_of([each for each in _within(forms) if _type(each) == kind])


def _within(forms: list[int]) -> list[int]:
    """The objects in forms, and in the forms in them."""
    found: list[int] = []
    for _ in range(_MAX_NESTING):
        inner = [_inner(form, index) for form in forms for index in range(min(_inner_count(form), _MAX_OBJECTS))]
        found += inner[: max(0, _MAX_OBJECTS - len(found))]
        forms = [each for each in inner if _type(each) == pdfium.FPDF_PAGEOBJ_FORM][:_MAX_OBJECTS]
    return found


def _bounds_of(objects: list[int]) -> Iterator[Bounds]:
    corners = (ctypes.c_float * 4)()
    places = [ctypes.addressof(corners) + ctypes.sizeof(ctypes.c_float) * corner for corner in range(4)]
    for each in objects:
        if _bounds(each, *places):
            left, bottom, right, top = corners
            yield left, bottom, right, top
