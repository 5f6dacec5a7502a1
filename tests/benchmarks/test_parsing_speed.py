"""How long reading takes beside what reads the same files without structure: processor time, best of many, one machine.

PDF beside pypdfium2's own text; DOCX beside docx2txt where that is installed (`pip install docx2txt`), else alone.
"""

import gc
import importlib
import importlib.util
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pypdfium2
import pytest

from atrium.documents.parsing.docx import DocxExtractor
from atrium.documents.parsing.pdf import PdfExtractor
from atrium.documents.parsing.registry import Extractor, ParseOptions
from atrium.kernel.errors import IngestionFailed
from tests.conformance.real_data import files, needs_data

_SECONDS = 1.5  # of measuring a file
_GOALS = {"pdf": 1.1, "docx": 1.0}


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Neither side is interrupted by what the other left behind."""
    gc.disable()
    yield
    gc.enable()


def _pdf_text(data: bytes) -> None:
    document = pypdfium2.PdfDocument(data)
    for index in range(len(document)):
        page = document[index]
        text_page = page.get_textpage()
        text_page.get_text_range()
        text_page.close()
        page.close()
    document.close()


def _docx_text(data: bytes) -> None:
    importlib.import_module("docx2txt").process(io.BytesIO(data))


def _reads(extractor: Extractor, data: bytes) -> bool:
    try:
        return bool(extractor.extract(data, ParseOptions()).text)
    except IngestionFailed:
        return False


def _best(calls: list[Callable[[], object]]) -> list[float]:
    """Milliseconds of each call, taken in turns."""
    best = [float("inf")] * len(calls)
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        for index, call in enumerate(calls):
            started = time.process_time()
            call()
            best[index] = min(best[index], (time.process_time() - started) * 1000)
    return best


def _compare(extractor: Extractor, paths: list[Path], other: Callable[[bytes], None] | None, goal: float) -> float:
    """Print each file; the ratio of all of them together, 0 where there is nothing to compare with."""
    totals = [0.0, 0.0]
    for path in paths:
        data = path.read_bytes()
        if not _reads(extractor, data):
            continue
        calls: list[Callable[[], object]] = [lambda data=data: extractor.extract(data, ParseOptions())]  # type: ignore[misc]
        if other is not None:
            calls.append(lambda data=data, other=other: other(data))  # type: ignore[misc]
        ours, *theirs = _best(calls)
        ratio = f"{theirs[0]:9.2f} {ours / theirs[0]:6.2f}" if theirs else ""
        print(f"{path.name:<42}{ours:9.2f} {ratio}")
        totals = [totals[0] + ours, totals[1] + sum(theirs)]
    ratio_of_all = totals[0] / totals[1] if totals[1] else 0.0
    print(f"{'together':<42}{totals[0]:9.2f} {totals[1]:9.2f} {ratio_of_all:6.2f}  (goal {goal})")
    return ratio_of_all


@needs_data
def test_pdf_beside_pdfium() -> None:
    print("\nPDF: ours ms, pypdfium2's text ms, ratio")
    assert _compare(PdfExtractor(), files("pdf", "*.pdf"), _pdf_text, _GOALS["pdf"]) > 0


@needs_data
def test_docx_beside_docx2txt() -> None:
    other = _docx_text if importlib.util.find_spec("docx2txt") else None
    print(f"\nDOCX: ours ms{', docx2txt ms, ratio' if other else '; docx2txt is not installed'}")
    assert _compare(DocxExtractor(), files("docx", "*.docx"), other, _GOALS["docx"]) >= 0
