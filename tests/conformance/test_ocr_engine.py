"""The `OcrEngine` suite: what every engine does. An adapter passes it by being added to `ENGINES`."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from atrium.documents.parsing.ocr import Bitmap, OcrEngine, Reading
from atrium.documents.parsing.ocr_reading import recognise
from atrium.documents.parsing.ocr_tesseract import TesseractEngine
from tests.factories.scans import PROSE, picture

ENGINES: dict[str, Callable[[Path], OcrEngine]] = {"tesseract": TesseractEngine}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, ocr_data_dir: Path) -> OcrEngine:
    return ENGINES[request.param](ocr_data_dir)


def bitmap(image: Image.Image, dpi: int = 0) -> Bitmap:
    grey = image.convert("L")
    return Bitmap(grey.width, grey.height, grey.tobytes(), dpi)


def words(reading: Reading) -> list[str]:
    return [word.text for line in reading.lines for word in line.words]


def test_words_come_in_reading_order_with_confidence_and_place(engine: OcrEngine) -> None:
    image = picture()
    reading = engine.read(bitmap(image))
    assert words(reading) == PROSE.split()
    assert [" ".join(word.text for word in line.words) for line in reading.lines] == PROSE.split("\n")
    assert all(0.7 < word.confidence <= 1 for line in reading.lines for word in line.words)
    baselines = [line.baseline for line in reading.lines]
    assert baselines == sorted(baselines)
    assert all(20 < line.height < 50 and 50 < line.left < 80 for line in reading.lines)
    assert (reading.width, reading.height, reading.orientation) == (*image.size, 0)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_page_that_lies_otherwise_is_read_as_if_it_did_not(engine: OcrEngine, degrees: int) -> None:
    image = picture(PROSE * 2)
    upright = engine.read(bitmap(image))
    reading = engine.read(bitmap(image.rotate(-degrees, expand=True)))
    assert reading.orientation == degrees
    assert words(reading) == words(upright)
    assert (reading.width, reading.height) == image.size
    for line, expected in zip(reading.lines, upright.lines, strict=True):
        assert (line.left, line.baseline) == pytest.approx((expected.left, expected.baseline), abs=3)


def test_nothing_is_nothing(engine: OcrEngine) -> None:
    assert engine.read(bitmap(Image.new("L", (300, 200), 255))).lines == ()
    assert engine.read(bitmap(Image.new("L", (1, 1), 0))).lines == ()


def test_one_page_leaves_nothing_for_the_next(engine: OcrEngine) -> None:
    first = engine.read(bitmap(picture("One page.")))
    assert words(engine.read(bitmap(picture("Another page.")))) == ["Another", "page."]
    assert engine.read(bitmap(picture("One page."))) == first


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_is_not_text(engine: OcrEngine, seed: int) -> None:
    pixels = random.Random(seed).randbytes(400 * 300)
    assert recognise(engine, 1, Bitmap(400, 300, pixels)).lines == ()


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_few_words_are_read_whichever_way_they_lie(engine: OcrEngine, degrees: int) -> None:
    image = picture("Invoice 4711 is due on 3 May", size=40).rotate(-degrees, expand=True)
    page = recognise(engine, 1, bitmap(image))
    assert [line.text for line in page.lines] == ["Invoice 4711 is due on 3 May"]


@pytest.mark.parametrize("size", [9, 10, 12, 14])
def test_small_letters_are_read_better_than_as_they_are(engine: OcrEngine, size: int) -> None:
    small = bitmap(picture(size=size, margin=20))
    wanted = set(PROSE.split())
    as_it_is = wanted.intersection(words(engine.read(small)))
    found = wanted.intersection(" ".join(line.text for line in recognise(engine, 1, small).lines).split())
    assert len(found) >= max(0.6 * len(wanted), len(as_it_is))


@pytest.mark.parametrize("invert", [False, True])
def test_light_letters_on_a_dark_page_are_read(engine: OcrEngine, invert: bool) -> None:
    image = picture().point(lambda value: 255 - value) if invert else picture()
    assert " ".join(line.text for line in recognise(engine, 1, bitmap(image)).lines).split() == PROSE.split()
