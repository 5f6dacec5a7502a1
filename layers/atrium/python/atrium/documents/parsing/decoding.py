"""Bytes of text become text: byte order mark, then UTF-8, then what the file declares, then what its letters look like."""

import codecs
from collections import Counter

from atrium.documents.parsing.failures import FailureKind, failed

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What pages call Latin-1 is Windows-1252: browsers agreed on that long ago.
_ALIASES = dict.fromkeys(("iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii"), "cp1252") | {"unicode": "utf-8"}
_SAMPLE = 256 * 1024
_MAX_REPLACED = 0.05
_MOSTLY = 0.9
_FIRST_PRINTABLE = 0x20


def decode(data: bytes, declared: str | None = None) -> str:
    """The text of a file. `declared` is the encoding that it names itself, if any.

    Raise `IngestionFailed("corrupt")` for bytes that are text in no encoding known here.
    """
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return _lenient(data[len(bom) :], encoding)
    # What is valid UTF-8 is UTF-8, whatever it says, unless it switches alphabets by escapes, as ISO-2022 does.
    first, second = (_known(declared), "utf-8") if b"\x1b" in data else ("utf-8", _known(declared))
    for candidate in (first, second, wide_encoding(data[:_SAMPLE])):
        text = _strict(data, candidate) if candidate else None
        if text is not None:
            return text
    return _lenient(data, _detected(data))


def _known(declared: str | None) -> str | None:
    """A page that says UTF-16 in letters of one byte is not UTF-16."""
    label = (declared or "").strip().strip("'\"").lower()
    return None if label.startswith(("utf-16", "utf-32", "utf16")) else _ALIASES.get(label, label) or None


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError, ValueError):
        return None
    return None if "\0" in text else text


def _lenient(data: bytes, encoding: str) -> str:
    text = data.decode(encoding, errors="replace")
    if text.count("\ufffd") > _MAX_REPLACED * len(text) + 1:
        raise failed(FailureKind.CORRUPT, "The file is not text in any known encoding.")
    return text


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, by the bytes that text leaves the same: none where nothing looks like it."""
    if b"\0" not in head:
        return None
    for encoding, most, second in (("utf-32-le", 3, 2), ("utf-32-be", 0, 1)):
        if len(head) > most and not any(head[most::4]) and head[second::4].count(0) > _MOSTLY * len(head[second::4]):
            return encoding
    for encoding, high, low in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        if _same(head[high::2]) > _MOSTLY and head[low::2].count(0) <= head[high::2].count(0):
            return encoding
    return None


def _same(high: bytes) -> float:
    """How many of the high bytes of wide text are those of its alphabet and of its spaces."""
    counts = Counter(high)
    alphabet = [count for value, count in counts.most_common(2) if value and value < _FIRST_PRINTABLE]
    return (counts[0] + (alphabet[0] if alphabet else 0)) / len(high) if high else 0.0


def _detected(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE]).best()
    return best.encoding if best is not None else "cp1252"
