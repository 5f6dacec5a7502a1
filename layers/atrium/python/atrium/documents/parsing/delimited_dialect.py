"""How a file of records is written: what stands between cells, what quotes them, and whether it names its columns."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_DELIMITERS = (",", ";", "\t", "|")
_NO_DELIMITER = "\x1f"
_DECLARED = re.compile(r"sep=(.)$")
_SAMPLE_LINES = 200
_SAMPLE_LINE_CHARS = 10_000
_CONSISTENT = 0.7
_NAME_CHARS = 80
# What a cell holds and a column's name does not: numbers, amounts, dates, times, addresses, truth values.
_VALUE = re.compile(
    r"[-+]?[\s$€£¥%]*\d[\d.,:/\s$€£¥%-]*(?:[eE][-+]?\d+)?(?:T[\d:.Z+-]+)?|\w+://\S+|\S+@\S+\.\w+|true|false|yes|no|null|n/?a|=.*",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_SENTENCE_END = (".", "!", "?", ";")

Row = list[str]


class Dialect(NamedTuple):
    """How to read records; `backslash`: it escapes quotes, where others double them."""

    delimiter: str
    quoted: bool = True
    backslash: bool = False

    def reader(self, lines: Iterable[str]) -> "Iterator[Row]":
        """The records of some lines."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE,
            escapechar="\\" if self.backslash else None,
            doublequote=not self.backslash,
            skipinitialspace=True,
        )


def dialect_of(lines: list[str]) -> tuple[Dialect, int]:
    """The dialect of a file's lines, and the line that its records begin on."""
    declared = _DECLARED.match(lines[0].strip()) if lines else None
    sample = [line[:_SAMPLE_LINE_CHARS] for line in lines[:_SAMPLE_LINES] if line.strip()]
    backslash = any('\\"' in line for line in sample) and not any('""' in line.replace('\\"', "") for line in sample)
    if declared:
        return Dialect(declared[1], backslash=backslash), 1
    candidates = [Dialect(delimiter, backslash=backslash) for delimiter in _DELIMITERS]
    best = max(candidates, key=lambda candidate: _fitness(candidate, sample))
    return (best if _fitness(best, sample) > (0, 0) else best._replace(delimiter=_NO_DELIMITER)), 0


def rows_above(rows: list[Row]) -> int:
    """How many rows of one cell, titles and remarks, stand above a table of several columns."""
    if _usual_width(rows) < 2:  # noqa: PLR2004 - columns
        return 0
    return next((index for index, row in enumerate(rows) if sum(map(bool, map(str.strip, row))) > 1), 0)


def has_header(rows: list[Row]) -> bool:
    """Whether the first of a table's rows names its columns: with names that are short, different, and no values."""
    if len(rows) < 2 or max(map(len, rows)) < 2:  # noqa: PLR2004 - a header and a row; two columns
        return False
    header = [cell.strip() for cell in rows[0]]
    names = [name for name in header if name]
    if len(names) < len(header) - 1 or len(set(map(str.casefold, names))) < len(names):
        return False
    if any(len(name) > _NAME_CHARS or name.endswith(_SENTENCE_END) for name in names):
        return False
    values = [name for name in names if _VALUE.fullmatch(name)]
    if len(values) == len(names) or any(not _YEAR.fullmatch(value) for value in values):
        return False
    return not any(name and _alike(name, cell.strip()) for row in rows[1:] for name, cell in zip(header, row, strict=False))


def _alike(name: str, cell: str) -> bool:
    """Whether a cell is what the column would be named for: the same, or a year as it is."""
    return name == cell or bool(_YEAR.fullmatch(name) and _YEAR.fullmatch(cell))


def _usual_width(rows: list[Row]) -> int:
    """How many cells most rows have, the wider where two widths are as usual."""
    widths = Counter(map(len, rows))
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _fitness(dialect: Dialect, sample: list[str]) -> tuple[float, int]:
    """(share of the rows that have the usual width, that width); nothing for what makes no columns of most rows."""
    rows = [row for row in dialect.reader(f"{line}\n" for line in sample) if row]
    width = _usual_width(rows)
    share = sum(len(row) == width for row in rows) / len(rows) if rows else 0.0
    several = [row for row in rows if len(row) > 1]
    if width < 2 and len(several) < _CONSISTENT * len(rows):  # noqa: PLR2004 - columns
        return 0, 0
    return share, width
