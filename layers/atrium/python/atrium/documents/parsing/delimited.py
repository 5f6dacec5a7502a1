"""CSV and its kin: one line a record, cells joined by " | ", as a table where there is a header, else as lines."""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.characters import one_line
from atrium.documents.parsing.decoding import decode
from atrium.documents.parsing.delimited_dialect import Row, dialect_of, has_header, rows_above
from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.models import BlockKind, ExtractedText, Inspection
from atrium.documents.parsing.registry import CSV, ParseOptions

_CELL_SEPARATOR = " | "
_SAMPLE_ROWS = 100


class CsvExtractor:
    """The `Extractor` of text/csv, whatever its delimiter."""

    def inspect(self, data: bytes, options: ParseOptions) -> Inspection:
        """Nothing is known of a CSV file beforehand."""
        del data, options
        return Inspection(CSV)

    def extract(self, data: bytes, options: ParseOptions) -> ExtractedText:
        """What stands above the header as a paragraph, then all records in one block."""
        text = decode(data)
        if "\0" in text:
            raise failed(FailureKind.CORRUPT, "The file holds NUL bytes, which no CSV file does.")
        limit = options.limits.max_text_chars
        builder = TextBuilder(CSV, limit)
        rows = (row for row in _rows(text) if any(map(str.strip, row)))
        sample = list(islice(rows, _SAMPLE_ROWS))
        above = rows_above(sample)
        builder.add(BlockKind.PARAGRAPH, "\n".join(map(_line, sample[:above])))
        kind = BlockKind.TABLE if has_header(sample[above:]) else BlockKind.PARAGRAPH
        builder.add(kind, "\n".join(_limited(chain(sample[above:], rows), limit)))
        return builder.finish(_line(sample[0]) if above else None)


class _Lines:
    """The lines of a file from one on, for `csv.reader`; it knows how far it was read, and whether beyond the end."""

    def __init__(self, lines: list[str], position: int) -> None:
        self._lines = lines
        self.position = position
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        for line in islice(self._lines, self.position, None):
            self.position += 1
            yield f"{line}\n"
        self.ended = True


def _rows(text: str) -> Iterator[Row]:
    """The records of a file. A quote that is never closed is a letter, or it would swallow the rest of the file."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))  # the process's own: never less than others rely on
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    dialect, position = dialect_of(lines)
    for tried in (dialect, dialect._replace(quoted=False)):
        source = _Lines(lines, position)
        for row in tried.reader(source):
            if source.ended:  # the reader wanted more than there is: it is inside a quote
                break
            position = source.position
            yield row
        else:
            return


def _limited(rows: Iterable[Row], limit: int) -> Iterator[str]:
    """A line for each record, and an end to reading where there is more text than may be."""
    length = 0
    for row in rows:
        line = _line(row)
        length += len(line) + 1
        if length > limit + 1:
            raise failed(FailureKind.TOO_LARGE, f"The document holds more than {limit:,} characters of text.")
        yield line


def _line(row: Row) -> str:
    line = _CELL_SEPARATOR.join(row)
    if not (line.isascii() and line.isprintable()) or "  " in line:
        line = _CELL_SEPARATOR.join(map(one_line, row))
    return line.strip()
