"""Pieces of lines put into rows and columns, and the judgement whether that is a table."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median
from typing import NamedTuple, Self

from atrium.documents.parsing.pdf_layout import Line

_SAME_ROW = 0.45  # of a line's height
_OFTEN = 0.4  # of the rows with several pieces have a gap where columns part
_CROSSED = 0.25  # of the rows may have a piece across it
_FILLED = 0.5
_TOUCH = 1.0  # points
_GAP = 0.5  # of the line's height, at least, where columns part
_JOINED = 0.15  # of the line's height: less is no space
_CLOSE = 0.8  # of the usual distance of rows: the same row goes on
_LINE_STEP = 1.6  # times the line's height
_PROSE_CHARS = 18
_PROSE_SHARE = 0.4
_MIN_RULED_ROWS = 0.3
_RULE_WIDTH = 0.6  # of the table
_MAX_COLUMNS = 40
_NUMBER = re.compile(r"\d{1,4}")
_LABEL = re.compile(r"[•●○▪■◦‣▶➢✓*–—-]|[(\[]?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)\]]?", re.IGNORECASE)
SIGNS = re.compile(r"[=∈∉⊆⊂∩∪⇒⇔→↦∀∃∑∏∫≤≥≠≈∼∂∇√∞±∘◦·×Σ{}\\\uf000-\uf8ff]")
SAID = re.compile(r"[^\W\d_]{3}|\d")
_MAXSIGNS = 0.25
_MINSAID = 0.6


class Segment(NamedTuple):
    """A piece of a line without a wide gap: its place (points), its text, and its line."""

    left: float
    right: float
    bottom: float
    height: float
    text: str
    line: int


Rules = list[tuple[float, float, float]]  # level lines drawn on a page: (y, left, right), in points
Row = list[Segment]


class Grid:
    """Rows of pieces between the same gaps."""

    def __init__(self, rows: list[Row], gaps: list[float]) -> None:
        self._rows = rows
        self._gaps = gaps  # where one column ends and the next begins

    @classmethod
    def of(cls, segments: list[Segment]) -> Self | None:
        """The grid in which pieces stand, none where they stand in no columns."""
        rows = _visual_rows(segments)
        gaps = _gaps(rows)
        if not gaps or len(gaps) >= _MAX_COLUMNS:
            return None
        grid = cls(rows, gaps)
        grid._trim()
        kept = _gaps(grid._rows)
        if not kept:
            return None
        grid._gaps = kept
        crossed = sum(1 for row in grid._rows if any(grid._crosses(piece) for piece in row))
        return grid if crossed <= _CROSSED * len(grid._rows) else None

    def lines(self) -> set[int]:
        """The lines that the grid is made of."""
        return {piece.line for row in self._rows for piece in row}

    def lefts(self) -> tuple[float, ...]:
        """Where each column begins."""
        columns: dict[int, float] = {}
        for row in self._rows:
            for piece in row:
                column = self._column(piece)
                columns[column] = min(columns.get(column, piece.left), piece.left)
        return tuple(columns[column] for column in sorted(columns))

    def continues(self, line: Line) -> bool:
        """Whether a line below goes on with the last row's cells: right of the first column, and near."""
        last = self._rows[-1][-1]
        return line.left > self._gaps[0] - _TOUCH and -_TOUCH < last.bottom - line.bottom < _LINE_STEP * line.height

    def rows(self, rules: Callable[[], Rules]) -> list[list[str]] | None:
        """The rows of the table, all of one width; none where it is prose in columns, or too little to tell."""
        visual = [self._cells(row) for row in self._rows]
        width = len(self._gaps) + 1
        if self._is_prose(visual) or _is_contents(visual) or _is_list(visual) or not _names_something(visual):
            return None
        if not says_something([cell for row in visual for cell in row if cell]):
            return None
        starts = self._row_starts(visual, rules)
        merged = [
            [" ".join(filter(None, column)) for column in zip(*visual[first:end], strict=True)]
            for first, end in pairwise([*starts, len(visual)])
        ]
        several = sum(1 for row in merged if sum(map(bool, row)) > 1)
        filled = sum(bool(cell) for row in merged for cell in row)
        # Two rows are a table where they are wide and leave nothing open.
        enough = several > 2 or (several == 2 and width > 2 and filled == 2 * width)  # noqa: PLR2004 - rows, columns
        return merged if enough and several * 2 > len(merged) and filled >= _FILLED * width * len(merged) else None

    def _trim(self) -> None:
        """Leave out lines above and below that are in no column, or alone in the first."""
        while self._rows and not self._is_row(self._rows[0]):
            self._rows.pop(0)
        while len(self._rows) > 1 and not self._is_row(self._rows[-1]) and not self._is_rest(*self._rows[-2:]):
            self._rows.pop()

    def _is_row(self, row: Row) -> bool:
        return len({self._column(piece) for piece in row}) > 1

    def _is_rest(self, above: Row, row: Row) -> bool:
        """Whether a row is the rest of the cells of the one above."""
        near = above[0].bottom - row[0].bottom < _LINE_STEP * row[0].height
        return near and self._column(row[0]) > 0 and not any(self._crosses(piece) for piece in row)

    def _column(self, piece: Segment) -> int:
        return sum(gap <= piece.left + _TOUCH for gap in self._gaps)

    def _crosses(self, piece: Segment) -> bool:
        return any(piece.left < gap - _TOUCH and piece.right > gap + _TOUCH for gap in self._gaps)

    def _cells(self, row: Row) -> list[str]:
        cells = [""] * (len(self._gaps) + 1)
        right = 0.0
        for piece in row:
            column = self._column(piece)
            space = " " if cells[column] and piece.left - right > _JOINED * piece.height else ""
            cells[column] += space + piece.text
            right = piece.right
        return cells

    def _is_prose(self, rows: list[list[str]]) -> bool:
        """Columns of running text: in two of them lines are long and go on in small letters."""
        running = 0
        for column in zip(*rows, strict=True):
            texts = [cell for cell in column if cell]
            small = sum(text[0].islower() for text in texts)
            running += len(texts) > 3 and median(map(len, texts)) >= _PROSE_CHARS and small >= _PROSE_SHARE * len(texts)  # noqa: PLR2004
        return running > 1 and not any(_short_column(column) for column in zip(*rows, strict=True))

    def _row_starts(self, visual: list[list[str]], rules: Callable[[], Rules]) -> list[int]:
        """The visual rows that begin a row of the table."""
        if all(all(cells) for cells in visual):
            return list(range(len(visual)))
        ruled = self._ruled_starts(rules())
        if ruled is not None:
            return ruled
        steps = [above[0].bottom - below[0].bottom for above, below in pairwise(self._rows)]
        full = [step for step, cells in zip(steps, visual[1:], strict=True) if cells[0]]
        usual = median(full) if full else 0.0
        starts = [0]
        for index, (step, cells) in enumerate(zip(steps, visual[1:], strict=True), 1):
            near = step < _CLOSE * usual
            few = not cells[0] and sum(map(bool, cells)) * 2 <= len(cells)
            small = sum(map(bool, cells)) == 1 and next(filter(None, cells))[0].islower()
            if not (near or few or small):
                starts.append(index)
        return starts

    def _ruled_starts(self, rules: Rules) -> list[int] | None:
        """The visual rows that follow a rule; none where rules do not part most rows."""
        left = min(piece.left for row in self._rows for piece in row)
        right = max(piece.right for row in self._rows for piece in row)
        heights = _covering(rules, left, right)
        starts = [0]
        for index, (above, below) in enumerate(pairwise(self._rows), 1):
            high, low = above[0].bottom + above[0].height / 2, below[0].bottom + below[0].height / 2
            if any(low < height < high for height in heights):
                starts.append(index)
        return starts if len(starts) > 2 and len(starts) >= _MIN_RULED_ROWS * len(self._rows) else None  # noqa: PLR2004 - rows


def _visual_rows(segments: list[Segment]) -> list[Row]:
    """Pieces that stand at one height, from above, each row from the left."""
    rows: list[Row] = []
    for piece in sorted(segments, key=lambda piece: -piece.bottom):
        if rows and rows[-1][0].bottom - piece.bottom < _SAME_ROW * piece.height:
            rows[-1].append(piece)
        else:
            rows.append([piece])
    for row in rows:
        row.sort()
    return rows


def _gaps(rows: list[Row]) -> list[float]:
    """The middles of the gaps that enough rows have at one place, from the left."""
    found = [
        (before.right, after.left)
        for row in rows
        for before, after in pairwise(row)
        if after.left - before.right > _GAP * after.height
    ]
    needed = max(2, _OFTEN * sum(len(row) > 1 for row in rows))
    peaks = [peak for peak in _peaks(found) if peak[2] >= needed]
    kept: list[tuple[float, float, int]] = []
    pieces = [piece for row in rows for piece in row]
    for peak in peaks:
        between = kept and any(kept[-1][1] - _TOUCH <= piece.left and piece.right <= peak[0] + _TOUCH for piece in pieces)
        if kept and not between:
            kept[-1] = max(kept[-1], peak, key=lambda each: each[2])
        else:
            kept.append(peak)
    return [(left + right) / 2 for left, right, _ in kept]


def _peaks(spans: list[tuple[float, float]]) -> Iterator[tuple[float, float, int]]:
    """(left, right, how many) where most spans lie upon each other."""
    events = sorted([(left, 1) for left, _ in spans] + [(right, -1) for _, right in spans])
    count, left, rising = 0, 0.0, False
    for place, step in events:
        if step > 0:
            left, rising = place, True
        elif rising:
            yield left, place, count
            rising = False
        count += step


def _covering(rules: list[tuple[float, float, float]], left: float, right: float) -> list[float]:
    """The heights at which rules cover a good part of a width; a rule may be drawn cell by cell."""
    covered: dict[int, float] = {}
    for height, begin, end in rules:
        seen = min(end, right) - max(begin, left)
        if seen > 0:
            covered[round(height)] = covered.get(round(height), 0.0) + seen
    return [float(height) for height, width in covered.items() if width >= _RULE_WIDTH * (right - left)]


def _short_column(column: tuple[str, ...]) -> bool:
    texts = [cell for cell in column if cell]
    return len(texts) * 3 >= len(column) and median(map(len, texts)) < _PROSE_CHARS / 2


def _is_contents(rows: list[list[str]]) -> bool:
    """A table of contents: titles, and page numbers that only rise."""
    numbers = [row[-1] for row in rows if row[-1]]
    if len(rows[0]) > 3 or len(numbers) < 4 or not all(map(_NUMBER.fullmatch, numbers)):  # noqa: PLR2004 - number, title, page
        return False
    return all(int(above) <= int(below) for above, below in pairwise(numbers))


def _is_list(rows: list[list[str]]) -> bool:
    """A list or notes: labels, and what stands beside them."""
    return len(rows[0]) == 2 and all(_LABEL.fullmatch(row[0]) for row in rows if row[0])  # noqa: PLR2004 - label, text


def says_something(texts: list[str]) -> bool:
    """Whether most of some texts are words or numbers; formulas stand in columns too."""
    signs = sum(1 for text in texts if SIGNS.search(text))
    return signs <= _MAXSIGNS * len(texts) and sum(1 for text in texts if SAID.search(text)) >= _MINSAID * len(texts)


def _names_something(rows: list[list[str]]) -> bool:
    """A table has a word in its first rows."""
    return any(word.isalpha() and len(word) > 2 for cell in rows[0] + rows[1] for word in cell.split())  # noqa: PLR2004 - letters
