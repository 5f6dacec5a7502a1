"""Tesseract as an `OcrEngine`, by the wheel of tesserocr."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from atrium.documents.parsing.ocr import Bitmap, Reading, TextLine, Word

if TYPE_CHECKING:
    from tesserocr import PyTessBaseAPI

_DEGREES: Final = (0, 90, 180, 270)  # by tesserocr's Orientation
_PERCENT: Final = 100.0
_UNSURE: Final = 0.3  # what is read with less confidence is a guess at a smudge


class TesseractEngine:
    """`folder` holds `<language>.traineddata`, `osd.traineddata` and the file `languages` (`eng+deu`)."""

    def __init__(self, folder: Path) -> None:
        import tesserocr

        self._tesseract = tesserocr
        languages = (folder / "languages").read_text(encoding="utf-8").strip()
        self._api: PyTessBaseAPI = tesserocr.PyTessBaseAPI(path=str(folder), lang=languages)

    def read(self, bitmap: Bitmap, *, upright: bool = False) -> Reading:
        """See `OcrEngine.read`."""
        modes = self._tesseract.PSM
        self._api.SetPageSegMode(modes.AUTO if upright else modes.AUTO_OSD)
        self._api.SetImageBytes(bitmap.pixels, bitmap.width, bitmap.height, 1, bitmap.width)
        if bitmap.dpi:
            self._api.SetSourceResolution(bitmap.dpi)
        self._api.Recognize()
        rows = list(self._rows())
        orientation = Counter(row.orientation for row in rows).most_common(1)[0][0] if rows else 0
        turned = orientation in {90, 270}
        width, height = (bitmap.height, bitmap.width) if turned else (bitmap.width, bitmap.height)
        return Reading(tuple(_line(row, bitmap, orientation) for row in rows), width, height, orientation)

    def _rows(self) -> Iterator["_Row"]:
        """The lines in reading order, those without a readable word left out."""
        level = self._tesseract.RIL
        row: _Row | None = None
        for item in self._items():
            if row is None or item.IsAtBeginningOf(level.TEXTLINE):
                if row and row.words:
                    yield row
                row = self._row(item)
            row.words.extend(_words(item, level.WORD))
        if row and row.words:
            yield row

    def _items(self) -> Iterator[Any]:
        """Tesserocr's iterator at each word; its own helper fails on a page without any."""
        level = self._tesseract.RIL
        iterator = self._api.GetIterator()
        if iterator is None or iterator.Empty(level.WORD):
            return
        yield iterator
        while iterator.Next(level.WORD):
            yield iterator

    def _row(self, item: Any) -> "_Row":  # noqa: ANN401 - tesserocr's iterators carry no types
        level = self._tesseract.RIL
        left, _, _, bottom = item.BoundingBox(level.WORD)
        baseline = item.Baseline(level.TEXTLINE)
        start = baseline[0] if baseline else (left, bottom)
        orientation = _DEGREES[int(item.Orientation()[0])]
        # Both are measured on the letters that happen to be there; a large letter is large by either.
        height = min(float(item.RowAttributes()["row_height"]), _thickness(item.BoundingBox(level.TEXTLINE), orientation))
        return _Row([], start, height, orientation)


class _Row(NamedTuple):
    """A line where it lies on the bitmap: the beginning of its baseline."""

    words: list[Word]
    start: tuple[float, float]
    height: float
    orientation: int


def _thickness(box: tuple[int, int, int, int], orientation: int) -> float:
    left, top, right, bottom = box
    return float(right - left if orientation in {90, 270} else bottom - top)


def _words(item: Any, level: int) -> Iterator[Word]:  # noqa: ANN401 - as above
    """The word that the iterator stands at, unless it is no word or hardly one."""
    text = item.GetUTF8Text(level).strip() if not item.Empty(level) else ""
    confidence = item.Confidence(level) / _PERCENT
    if text and confidence >= _UNSURE:
        yield Word(text, confidence)


def _line(row: _Row, bitmap: Bitmap, orientation: int) -> TextLine:
    """The line with its place on the upright page."""
    x, y = row.start
    left, baseline = {
        0: (x, y),
        90: (y, bitmap.width - x),
        180: (bitmap.width - x, bitmap.height - y),
        270: (bitmap.height - y, x),
    }[orientation]
    return TextLine(tuple(row.words), left, baseline, row.height)
