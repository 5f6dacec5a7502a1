"""Real scans and photographs of text, through the limited process: what share of their words is read."""

import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from atrium.documents.parsing.child import extract_file, inspect_file, read_page
from atrium.documents.parsing.models import ExtractedText
from atrium.kernel.errors import IngestionFailed
from tests.conformance.real_data import DATA, needs_data
from tests.factories.scans import file_of, scanned_pdf

pytestmark = needs_data

_RECALL = 0.95
_SCANS = {
    "linn.png": "linn.txt",
    "phototest.tif": "phototest.gold.txt",
    "phototest-rotated-L.png": "phototest.gold.txt",
    "skew.pdf": "linn.txt",
}


async def read(path: Path, ocr_data: Path) -> ExtractedText:
    """As the extract step does it."""
    await inspect_file(path, path.name)
    unread = (await extract_file(path, path.name)).unread
    pages = [await read_page(path, path.name, "", number, ocr_data=ocr_data) for number in unread]
    return await extract_file(path, path.name, recognised=pages)


def recall(gold: str, text: str) -> float:
    """The share of the gold text's words, each as often as it stands there, that the text has."""
    wanted, found = (Counter(re.findall(r"\w+", each.casefold())) for each in (gold, text))
    return (wanted & found).total() / wanted.total()


def _gold(name: str) -> str:
    return (DATA / "ocr" / _SCANS[name]).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", _SCANS)
async def test_nearly_every_word_of_a_scan_is_read(name: str, ocr_data_dir: Path) -> None:
    started = time.perf_counter()
    document = await read(DATA / "ocr" / name, ocr_data_dir)
    score = recall(_gold(name), document.text)
    sys.stdout.write(f"{name}: recall {score:.3f}, {time.perf_counter() - started:.1f} s\n")
    assert score >= _RECALL
    assert document.confidences[0][1] > 0.9


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("name", ["linn.png", "phototest.tif"])
async def test_and_of_one_that_lies_on_its_side_or_head(name: str, degrees: int, tmp_path: Path, ocr_data_dir: Path) -> None:
    with Image.open(DATA / "ocr" / name) as image:
        turned = tmp_path / "turned.png"
        turned.write_bytes(file_of(image.convert("L").rotate(-degrees, expand=True)))
    score = recall(_gold(name), (await read(turned, ocr_data_dir)).text)
    sys.stdout.write(f"{name} at {degrees}: recall {score:.3f}\n")
    assert score >= _RECALL


def _jpeg(image: Image.Image) -> bytes:
    return file_of(image.convert("L"), "JPEG", quality=75)


def _in_a_pdf(image: Image.Image) -> bytes:
    return scanned_pdf([(None, "The cover is text."), (image.convert("L"), ""), (image.convert("L"), "Seite 3")])


@pytest.mark.parametrize(("suffix", "make", "times"), [("jpg", _jpeg, 1), ("pdf", _in_a_pdf, 2)])
async def test_in_whatever_file_it_comes(
    suffix: str, make: Callable[[Image.Image], bytes], times: int, tmp_path: Path, ocr_data_dir: Path
) -> None:
    with Image.open(DATA / "ocr" / "phototest.tif") as image:
        path = tmp_path / f"scan.{suffix}"
        path.write_bytes(make(image))
    document = await read(path, ocr_data_dir)
    assert recall(_gold("phototest.tif") * times, document.text) >= _RECALL
    assert [page for page, _ in document.confidences] == [2, 3][:times] if suffix == "pdf" else [1]


async def test_the_words_of_a_picture_in_a_page_are_its_text(ocr_data_dir: Path) -> None:
    assert (await read(DATA / "pdf" / "testOCR.pdf", ocr_data_dir)).text == "Happy New Year 2003!"


async def test_a_drawing_without_words_has_no_text(ocr_data_dir: Path) -> None:
    with pytest.raises(IngestionFailed) as failure:
        await read(DATA / "pdf" / "grayscale-image.pdf", ocr_data_dir)
    assert failure.value.kind == "empty-text"
