"""Seconds a scanned page takes: ours (a limited process for each page) beside Tesseract alone on the same pixels."""

import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest
from PIL import Image

from atrium.documents.parsing.child import extract_file, read_page
from tests.conformance.real_data import DATA, needs_data
from tests.factories.scans import file_of, scanned_pdf

pytestmark = needs_data

_RUNS = 5
_PAGES = 8
_ALONE = """
import json, sys, time, tesserocr
folder, pixels, width, height, runs = sys.argv[1], open(sys.argv[2], "rb").read(), *map(int, sys.argv[3:])
api = tesserocr.PyTessBaseAPI(path=folder, lang="eng", psm=tesserocr.PSM.AUTO_OSD)
times = []
for _ in range(runs):
    start = time.perf_counter()
    api.SetImageBytes(pixels, width, height, 1, width)
    api.GetUTF8Text()
    times.append(time.perf_counter() - start)
print(json.dumps(times))
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A dense page, 300 dpi, as PNG; its grey pixels beside it."""
    path = tmp_path / "page.png"
    with Image.open(DATA / "ocr" / "linn.png") as image:
        grey = image.convert("L")
    path.write_bytes(file_of(grey))
    path.with_suffix(".grey").write_bytes(grey.tobytes())
    return path


async def test_seconds_a_page(page: Path, ocr_data_dir: Path) -> None:
    alone = _alone(page, ocr_data_dir)
    print(f"\nTesseract alone (tesserocr, one thread, psm 1)  {alone:5.2f} s a page")
    _print_program(page, ocr_data_dir, alone)
    ours = await _ours(page, ocr_data_dir, at_once=1)
    both = await _ours(page, ocr_data_dir, at_once=2)
    _print_ours("one at a time", ours, alone)
    _print_ours("two at a time", both, alone)
    assert ours[0] > 0


async def test_the_way_of_a_scan_beside_its_pages(tmp_path: Path) -> None:
    """What 200 pages cost apart from reading them: finding out that they are scans."""
    path = tmp_path / "scan.pdf"
    picture = Image.new("L", (1240, 1754), 250)
    path.write_bytes(scanned_pdf([(picture, "")] * 200))
    started = time.perf_counter()
    document = await extract_file(path, path.name)
    print(f"\n200 scanned pages are seen to be scans in {time.perf_counter() - started:.2f} s")
    assert len(document.unread) == 200


def _alone(page: Path, ocr_data_dir: Path) -> float:
    with Image.open(page) as image:
        size = [str(image.width), str(image.height)]
    command = [sys.executable, "-c", _ALONE, str(ocr_data_dir), str(page.with_suffix(".grey")), *size, str(_RUNS)]
    answer = subprocess.run(command, env=os.environ | {"OMP_THREAD_LIMIT": "1"}, capture_output=True, text=True, check=True)
    return float(median(json.loads(answer.stdout)))


def _print_program(page: Path, ocr_data_dir: Path, alone: float) -> None:
    """Debian's `tesseract`, where it is installed, with our languages."""
    program = shutil.which("tesseract")
    if not program:
        print("Debian's tesseract: not installed (apt install tesseract-ocr)")
        return
    command = [program, str(page), "-", "--tessdata-dir", str(ocr_data_dir), "--psm", "1", "-l", "eng"]
    for threads in ("1", ""):
        environment = os.environ | ({"OMP_THREAD_LIMIT": threads} if threads else {})
        started = time.perf_counter()
        subprocess.run(command, env=environment, capture_output=True, check=True)
        taken = time.perf_counter() - started
        how = "one thread " if threads else "its threads"
        print(f"Debian's tesseract, {how}                 {taken:5.2f} s a page, ratio {taken / alone:.2f}")


def _print_ours(how: str, ours: tuple[float, float], alone: float) -> None:
    seconds, computing = ours
    ratio = f"ratio {seconds / alone:.2f}, {computing:.2f} s of computing"
    print(f"a limited process a page, {how:<21} {seconds:5.2f} s a page, {ratio}")


async def _ours(page: Path, ocr_data_dir: Path, *, at_once: int) -> tuple[float, float]:
    """Seconds a page on the clock, and of computing, which a busy machine changes less."""
    todo = iter(range(_PAGES))

    async def some() -> None:
        for _ in todo:
            await read_page(page, page.name, "", 1, ocr_data=ocr_data_dir)

    started, computed = time.perf_counter(), _computing()
    await asyncio.gather(*(some() for _ in range(at_once)))
    return (time.perf_counter() - started) / _PAGES, (_computing() - computed) / _PAGES


def _computing() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
