"""A page's pixels to the lines that are kept: what an engine is asked again, and which of its words are believed."""

import re
from dataclasses import replace
from statistics import median
from typing import Final

from PIL import Image

from atrium.documents.parsing.characters import one_line
from atrium.documents.parsing.ocr import POOR_CONFIDENCE, Bitmap, OcrEngine, Reading, RecognisedPage, TextLine, Word
from atrium.documents.parsing.pdf_layout import Line

_SMALL_LETTERS: Final = 26.0  # pixels of line height, about 9 points at 200 dpi: enlarged, they are read better
_SMALL_PIXELS: Final = 2_000_000
_MAX_FACTOR: Final = 3
_TURNS: Final = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}
_FEW_LETTERS: Final = 60
_SURE_OF_FEW: Final = 0.9
_SURE: Final = 0.6
_NOT_A_WORD: Final = re.compile(r"[\W_]+")
_LIKE_BODY: Final = 1.4
_HYPHENATED: Final = re.compile(r"[^\W\d_]{2,}-$")
_HYPHEN: Final = "\ufffe"  # pdfium's mark between the halves of a divided word; what cleans text takes it away


def recognise(engine: OcrEngine, number: int, bitmap: Bitmap) -> RecognisedPage:
    """What stands on page `number`; no lines where there is nothing that reads like text."""
    if bitmap.pixels.count(bitmap.pixels[:1]) == len(bitmap.pixels):  # blank
        return RecognisedPage(number)
    reading = _best(engine, bitmap)
    if not any(_is_word(word) for line in reading.lines for word in line.words):
        return RecognisedPage(number)
    scale = 72 / bitmap.dpi if bitmap.dpi else 1.0
    body = median(line.height for line in reading.lines for _ in range(_letters_of(line)))
    lines = tuple(_joined([_line(line, reading, scale, body) for line in reading.lines]))
    return RecognisedPage(number, lines, _confidence(reading), reading.orientation)


def _best(engine: OcrEngine, bitmap: Bitmap) -> Reading:
    """The reading with most to show for itself: as is, enlarged where letters are small, turned where it makes little sense."""
    reading = engine.read(bitmap)
    factor = _enlargement(reading, bitmap)
    if factor > 1:
        bitmap = _enlarged(bitmap, factor)
        reading = max(_scaled(engine.read(bitmap), 1 / factor), reading, key=_worth)
    if _doubtful(reading):
        for degrees in _TURNS:
            turned = engine.read(_turned(bitmap, degrees), upright=True)
            found = replace(_scaled(turned, 1 / factor), orientation=degrees)
            reading = max(reading, found, key=_worth)
    return reading


def _enlargement(reading: Reading, bitmap: Bitmap) -> int:
    """By how much the page is to be enlarged; 1: not at all."""
    pixels = bitmap.width * bitmap.height
    if pixels > _SMALL_PIXELS:
        return 1
    height = median(line.height for line in reading.lines) if reading.lines else _SMALL_LETTERS / 2
    return min(_MAX_FACTOR, round(2 * _SMALL_LETTERS / max(height, 1.0))) if height < _SMALL_LETTERS else 1


def _doubtful(reading: Reading) -> bool:
    """Whether the page may lie otherwise than the engine took it: it cannot tell by a few words."""
    expected = _SURE_OF_FEW if _letters(reading) < _FEW_LETTERS else POOR_CONFIDENCE
    return bool(reading.lines) and _confidence(reading) < expected


def _worth(reading: Reading) -> float:
    """Letters that were read with confidence, weighed by it."""
    return sum(len(word.text) * word.confidence for line in reading.lines for word in line.words if word.confidence >= _SURE)


def _letters(reading: Reading) -> int:
    return sum(_letters_of(line) for line in reading.lines)


def _letters_of(line: TextLine) -> int:
    return sum(len(word.text) for word in line.words)


def _confidence(reading: Reading) -> float:
    """The words' mean confidence, weighed by their lengths."""
    letters = _letters(reading)
    return sum(len(word.text) * word.confidence for line in reading.lines for word in line.words) / max(1, letters)


def _is_word(word: Word) -> bool:
    return word.confidence >= POOR_CONFIDENCE and len(_NOT_A_WORD.sub("", word.text)) > 1


def _line(line: TextLine, reading: Reading, scale: float, body: float) -> Line:
    """As a PDF's text has it. A height hardly larger than the page's usual one is that one: it was measured on few letters."""
    height = line.height if line.height > body * _LIKE_BODY else body
    text = one_line(" ".join(word.text for word in line.words))
    return Line(text, line.left * scale, (reading.height - line.baseline) * scale, height * scale)


def _joined(lines: list[Line]) -> list[Line]:
    """The lines, one that ends in a divided word with the next one, as pdfium joins them."""
    kept: list[Line] = []
    for line in filter(lambda each: each.text, lines):
        above = kept[-1].text if kept else ""
        if _HYPHENATED.search(above) and line.text[0].islower():
            # A word that has a hyphen of its own keeps this one too: "state-of-the-" and "art".
            hyphen = "-" if "-" in above.split()[-1][:-1] else _HYPHEN
            kept[-1] = kept[-1]._replace(text=above[:-1] + hyphen + line.text)
        else:
            kept.append(line)
    return kept


def _image(bitmap: Bitmap) -> Image.Image:
    return Image.frombuffer("L", (bitmap.width, bitmap.height), bitmap.pixels, "raw", "L", 0, 1)


def _enlarged(bitmap: Bitmap, factor: int) -> Bitmap:
    image = _image(bitmap).resize((bitmap.width * factor, bitmap.height * factor), Image.Resampling.LANCZOS)
    return Bitmap(image.width, image.height, image.tobytes(), bitmap.dpi * factor)


def _turned(bitmap: Bitmap, degrees: int) -> Bitmap:
    """The page turned back that lay `degrees` clockwise."""
    image = _image(bitmap).transpose(_TURNS[degrees])
    return Bitmap(image.width, image.height, image.tobytes(), bitmap.dpi)


def _scaled(reading: Reading, factor: float) -> Reading:
    lines = tuple(
        TextLine(line.words, line.left * factor, line.baseline * factor, line.height * factor) for line in reading.lines
    )
    return Reading(lines, round(reading.width * factor), round(reading.height * factor), reading.orientation)
