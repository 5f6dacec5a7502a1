"""Reading text off pictures of pages: what an engine is given, what it gives, and what is kept of it.

An engine is swapped behind `OcrEngine`. It runs in the parser's limited process, one page at a time.
"""

import json
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from atrium.documents.parsing.limits import MIB, ParserLimits
from atrium.documents.parsing.pdf_layout import Line
from atrium.kernel.errors import IngestionFailed

# One page, several attempts at it included: about 2 s where it is a clean scan.
PAGE_LIMITS: Final = ParserLimits(wall_seconds=90.0, cpu_seconds=45, memory_bytes=512 * MIB)
POOR_CONFIDENCE: Final = 0.7
# More is only slower to read: an A4 page at 400 dpi has 15 million.
READ_PIXELS: Final = 16_000_000


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A page as pixels: 8-bit grey, rows from the top without padding. `dpi` 0: unknown."""

    width: int
    height: int
    pixels: bytes = field(repr=False)
    dpi: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it was read; `confidence` from 0 to 1."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class TextLine:
    """Words of one line. Left edge, baseline and letter height in pixels of the upright page, from its upper left corner."""

    words: tuple[Word, ...]
    left: float
    baseline: float
    height: float


@dataclass(frozen=True, slots=True)
class Reading:
    """All lines of a page in reading order. `orientation`: by how many degrees it lay clockwise, 0, 90, 180 or 270.

    `width` and `height` are the upright page's, in pixels.
    """

    lines: tuple[TextLine, ...]
    width: int
    height: int
    orientation: int = 0


class OcrEngine(Protocol):
    """Reads one page. Pure: pixels in, words out. Nothing found is a reading without lines, never an error."""

    def read(self, bitmap: Bitmap, *, upright: bool = False) -> Reading:
        """What stands on the page, whichever way it lies; `upright`: it does not lie, so nothing need be tried."""
        ...


@dataclass(frozen=True, slots=True)
class RecognisedPage:
    """What is kept of a page (from 1) that OCR read: lines as a PDF's text has them, and how sure it is, 0 to 1.

    `failure` is (kind, detail) of a page that could not be read; the document's other pages can.
    """

    number: int
    lines: tuple[Line, ...] = ()
    confidence: float = 0.0
    orientation: int = 0
    failure: tuple[str, str] | None = None

    @property
    def letters(self) -> int:
        """How much text there is."""
        return sum(len(line.text) for line in self.lines)

    @classmethod
    def failed(cls, number: int, error: IngestionFailed) -> Self:
        """A page that could not be read."""
        return cls(number, failure=(error.kind, error.detail))

    def to_json(self) -> str:
        """Compact JSON, the inverse of `from_json`."""
        return json.dumps(
            {
                "page": self.number,
                "lines": [[line.text, round(line.left, 1), round(line.bottom, 1), round(line.height, 2)] for line in self.lines],
                "confidence": round(self.confidence, 4),
                "orientation": self.orientation,
                "failure": self.failure,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, data: str | bytes) -> Self:
        """Raise `ValueError` for anything that `to_json` does not write: a parser's process is not trusted."""
        try:
            raw = json.loads(data)
            failure = raw["failure"]
            return cls(
                number=int(raw["page"]),
                lines=tuple(
                    Line(str(text), float(left), float(bottom), float(height)) for text, left, bottom, height in raw["lines"]
                ),
                confidence=float(raw["confidence"]),
                orientation=int(raw["orientation"]),
                failure=None if failure is None else (str(failure[0]), str(failure[1])),
            )
        except (KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError("not JSON of a recognised page") from error
