"""Which lines of a PDF's page are tables. A cheap look at every page, a close one at what looks like rows.

pdfium writes the cells of a row as one line where they are one line each, else cell after cell. So lines that are wider
than their letters need, and lines that stand higher than the one before and right of it, are what tables are made of.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from atrium.documents.parsing.pdf_grid import SAID, SIGNS, Grid, Rules, Segment, says_something
from atrium.documents.parsing.pdf_layout import HYPHEN, PageLines

Box = tuple[float, float, float, float]  # left, top, right, bottom
Boxes = Callable[[Sequence[int]], list[Box]]  # those of letters, which are numbered from the page's first

_SHORT = 0.85  # of a long line of the page
_LONG_LINES = 0.9  # the share of lines that are not longer than a long one
_AIRY = 1.25  # times the width that so many letters have in running text
_MOST_WIDTH = 0.5  # of a letter of running text, as a share of the line's height
_CELL_GAP = 0.7  # of the line's height; spaces between words have 0.2 to 0.5
_RISE = 0.5  # of the line's height: superscripts rise less
_SAME_HEIGHT = 0.4
_INDENT = 10.0  # points that a second column is right of the first, at least
_ROW_LINES = 12  # a row of wrapped cells has no more lines than these in one cell
_BETWEEN = 4  # lines from one row to the next
_FAR = 6.0  # times the line's height
_FEW = 4  # letters
_RUN = re.compile("A{4,}")
_WORD = re.compile("[^ ]+")
_LEAST_WIDTH = 0.2  # of a letter, as a share of the line's height: "illi" in a narrow font


class Table(NamedTuple):
    """A table: the lines [first, end) of its page, its rows of cells, and where its columns begin (points)."""

    first: int
    end: int
    rows: list[list[str]]
    columns: tuple[float, ...]


def find_tables(lines: PageLines, starts: Sequence[int], boxes: Boxes, rules: Callable[[], Rules]) -> list[Table]:
    """The tables of a page, from above; `starts` has the number of each line's first letter."""
    if len(lines) < 2:  # noqa: PLR2004 - rows
        return []
    tables: list[Table] = []
    edges = _Edges(lines, starts, boxes)
    flagged = _flagged(lines, starts, boxes) | _stepped(lines) | _alike(lines, edges)
    for first, end in _regions(lines, sorted(flagged)):
        first = max(first, tables[-1].end if tables else 0)  # noqa: PLW2901 - the last one may have grown into this
        table = _table(lines, first, end, edges, rules)
        if table is not None:
            tables.append(table)
    return tables


def _flagged(lines: PageLines, starts: Sequence[int], boxes: Boxes) -> set[int]:
    """Lines near each other that are wider than their letters need."""
    # The last letter of a line that ends in a divided word stands on the next one.
    lengths = [0 if HYPHEN in line.text else len(line.text) for line in lines]

    def widths(places: Sequence[int]) -> list[float]:
        """How wide a letter of each line is, spaces and gaps included, as a share of its height."""
        rights = boxes([starts[index] + lengths[index] - 1 for index in places])
        pairs = zip(places, rights, strict=True)
        return [(box[2] - lines[index].left) / ((lengths[index] or 1) * (lines[index].height or 1.0)) for index, box in pairs]

    ranked = sorted(lengths)
    usual = widths([lengths.index(ranked[-1])])[0]
    wide = _AIRY * (usual if 0 < usual < _MOST_WIDTH else _MOST_WIDTH)
    # Where even the longest line is wider than its letters need, it may be a row itself.
    limit = ranked[-1] if usual > wide else _SHORT * ranked[int(_LONG_LINES * (len(ranked) - 1))]
    short = [index for index, length in enumerate(lengths) if _FEW < length <= limit and " " in lines[index].text]
    short = [index for index in short if not SIGNS.search(lines[index].text)]
    tried = sorted({index for pair in pairwise(short) if pair[1] - pair[0] < _BETWEEN for index in pair})
    return {index for index, width in zip(tried, widths(tried), strict=True) if width > wide} if tried else set()


def _alike(lines: PageLines, edges: "_Edges") -> set[int]:
    """Lines that all begin at one place, none in small letters, of which two in a row have wide gaps."""
    found: set[int] = set()
    for run in _RUN.finditer("".join(["a" if line[0][0].islower() else "A" for line in lines])):
        first, end = run.span()
        if max(line.left for line in lines[first:end]) - min(line.left for line in lines[first:end]) < _INDENT:
            pieces = [piece.line for piece in edges.segments(first + 1, first + 3)]
            if pieces.count(first + 1) > 1 and pieces.count(first + 2) > 1:
                found.update(range(first, end))
    return found


def _stepped(lines: PageLines) -> set[int]:
    """Lines of rows whose cells are written one after the other: from where a row begins to where a cell steps up again."""
    rises = [
        index
        for index, ((_, _, above, _), (_, _, bottom, height)) in enumerate(pairwise(lines), 1)
        if bottom - above > _RISE * height
    ]
    steps: list[tuple[int, int]] = []
    for index in rises:
        text = lines[index].text
        beginning = _beginning(lines, index) if SAID.search(text) and not SIGNS.search(text) else None
        if beginning is not None:
            steps.append((beginning, index))
    found: set[int] = set()
    for beginning, index in steps:
        place = lines[index]
        others = [lines[other] for _, other in steps if other != index]
        if any(abs(line.left - place.left) < _INDENT and abs(line.bottom - place.bottom) > place.height for line in others):
            found.update(range(beginning, index + 1))
    return found


def _beginning(lines: PageLines, index: int) -> int | None:
    """The line before that stands as high as this one, and left of it."""
    line = lines[index]
    for before in range(index - 1, max(-1, index - _ROW_LINES), -1):
        other = lines[before]
        if abs(other.bottom - line.bottom) < _SAME_HEIGHT * line.height:
            return before if other.left < line.left - _INDENT else None
    return None


def _regions(lines: PageLines, flagged: list[int]) -> Iterator[tuple[int, int]]:
    """Runs of flagged lines that are near each other, with a line more on each side."""
    run: list[int] = []
    for index in flagged:
        if run and (index - run[-1] > _BETWEEN or abs(lines[index].bottom - lines[run[-1]].bottom) > _FAR * lines[index].height):
            if len(run) > 1:
                yield max(0, run[0] - 1), min(len(lines), run[-1] + 2)
            run = []
        run.append(index)
    if len(run) > 1:
        yield max(0, run[0] - 1), min(len(lines), run[-1] + 2)


class _Edges:
    """Cuts lines where a gap between two words is too wide for a space."""

    def __init__(self, lines: PageLines, starts: Sequence[int], boxes: Boxes) -> None:
        self._lines = lines
        self._starts = starts
        self._boxes = boxes

    def segments(self, first: int, end: int) -> list[Segment]:
        """The pieces of some lines."""
        words = [self._words(index) for index in range(first, end)]
        lefts = iter(self._boxes([place for places in words for place, _ in places]))
        cuts = [self._far_apart(index, places, lefts) for index, places in enumerate(words, first)]
        ends = [self._starts[index] + after - 2 for index, far in enumerate(cuts, first) for after, _ in far]
        ends += [self._starts[index] + len(self._lines[index].text) - 1 for index in range(first, end)]
        rights = [box[2] for box in self._boxes(ends)]
        last = iter(rights[len(rights) - (end - first) :])
        between = iter(rights)
        return [piece for index, far in enumerate(cuts, first) for piece in self._pieces(index, far, between, next(last))]

    def _words(self, index: int) -> list[tuple[int, int]]:
        """(number of the first letter, offset in the line) of each word."""
        start, text = self._starts[index], self._lines[index].text
        return [(start + found.start(), found.start()) for found in _WORD.finditer(text)]

    def _far_apart(self, index: int, words: list[tuple[int, int]], lefts: Iterator[Box]) -> list[tuple[int, float]]:
        """(offset, left) of the words that may follow a wide gap: those so far from the one before that it may not fill it."""
        height = self._lines[index].height
        places = [(at, next(lefts)[0]) for _, at in words]
        return [
            (after, there)
            for (at, here), (after, there) in pairwise(places)
            if there - here >= ((after - at) * _LEAST_WIDTH + _CELL_GAP) * height
        ]

    def _pieces(self, index: int, far: list[tuple[int, float]], rights: Iterator[float], last: float) -> Iterator[Segment]:
        line = self._lines[index]
        begin, left = 0, line.left
        for after, there in far:
            right = next(rights)
            if there - right > _CELL_GAP * line.height:
                yield Segment(left, right, line.bottom, line.height, line.text[begin:after].strip(), index)
                begin, left = after, there
        yield Segment(left, max(left, last), line.bottom, line.height, line.text[begin:].strip(), index)


def _table(lines: PageLines, first: int, end: int, edges: _Edges, rules: Callable[[], Rules]) -> Table | None:
    """The table in a region, without what is above and below it; none where its lines stand in no columns."""
    if not says_something([line.text for line in lines[first:end]]):
        return None
    pieces = edges.segments(first, end)
    grid = Grid.of(pieces)
    inside = grid.lines() if grid is not None else None
    if grid is None or not inside:
        return None
    first, below = min(inside), max(inside) + 1
    while below < len(lines) and grid.continues(lines[below]):
        below += 1
    pieces = [piece for piece in pieces if first <= piece.line < below] + edges.segments(end, below)
    final = Grid.of(pieces)
    rows = final.rows(rules) if final is not None else None
    return Table(first, below, rows, final.lefts()) if rows and final is not None else None
