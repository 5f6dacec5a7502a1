"""What a PDF can come to in tokens, by a look at its bytes: its pages, as pictures and text, and all the text that it draws.

A look and no reading: what it cannot see into counts as much as whoever reads it takes at all.
"""

import math
import re
import zlib
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

# A page is read as its text and as a picture.
PAGE: Final = 4_600
_PAGES: Final = re.compile(rb"/Type\s*/Page\b(?!s)")
_COUNT: Final = re.compile(rb"/Count\s+(\d{1,6})")
_ESCAPED: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM: Final = re.compile(rb"stream\r?\n")
_DICTIONARY: Final = re.compile(rb"/(?:Length|FlateDecode|Fl)\b")
_OTHER_FILTERS: Final = re.compile(rb"/(?:LZWDecode|LZW|ASCII85Decode|A85|ASCIIHexDecode|AHx|RunLengthDecode|RL|Crypt)\b")
_FLATE: Final = re.compile(rb"/(?:FlateDecode|Fl)\b")
# Pictures and fonts hold no text that is drawn; objects and what draws them never say so.
_NO_TEXT: Final = re.compile(rb"/Subtype\s*/Image\b|/Length1\b|/Subtype\s*/(?:Type1C|CIDFontType0C|OpenType)\b|/FunctionType\b")
# Not to their ends, which somebody may have left out: so every byte is looked at once.
_TEXTS: Final = re.compile(rb"\(((?:[^()\\]|\\.)*+)|<([0-9A-Fa-f\s]*+)", re.DOTALL)
_HEAD: Final = 1_000  # bytes of a stream's dictionary that are looked at
_INFLATED: Final = 4_000_000  # bytes that are unfolded at most, of so many streams
_STREAMS: Final = 5_000
_CHARACTERS: Final = 3  # of a token
_UNKNOWN_PAGE_BYTES: Final = 20_000


class _Seen(NamedTuple):
    """What streams hold, and whether that is all."""

    pieces: list[bytes]
    whole: bool


def count_pdf(pdf: bytes, window: int) -> int:
    """Tokens of a PDF for a model that reads at most `window` tokens."""
    seen = _unfolded(pdf)
    drawn = sum(_drawn(piece) for piece in seen.pieces)
    told = max(_pages(pdf, seen.pieces) * PAGE, math.ceil(drawn / _CHARACTERS))
    return told if seen.whole else window


def count_pages(pdf: bytes) -> int:
    """A PDF's pages, as it says itself; where it says nothing that can be read, by its length."""
    return _pages(pdf, _unfolded(pdf).pieces)


def _pages(pdf: bytes, unfolded: list[bytes]) -> int:
    pieces = [_named(piece) for piece in (pdf, *unfolded)]
    found = sum(sum(1 for _ in _PAGES.finditer(piece)) for piece in pieces)
    # A tree of pages may use one of them many times. Outlines count too: it is the most that is wanted.
    said = max((int(each[1]) for piece in pieces for each in _COUNT.finditer(piece)), default=0)
    return max(found, said) or math.ceil(len(pdf) / _UNKNOWN_PAGE_BYTES)


def _unfolded(pdf: bytes) -> _Seen:
    """The streams that draw text or hold objects; not more than some megabytes, since a stream can unfold without end."""
    pieces: list[bytes] = []
    left, whole = _INFLATED, b"/Encrypt" not in pdf
    found = list(islice(_streams(pdf), _STREAMS + 1))
    for head, start in found[:_STREAMS]:
        if _NO_TEXT.search(head) or not _DICTIONARY.search(head):
            continue
        piece = None if _OTHER_FILTERS.search(head) else _piece(pdf, head, start, left)
        if piece is None:
            return _Seen(pieces, whole=False)
        pieces.append(piece)
        left -= len(piece)
        if left <= 0:
            break
    return _Seen(pieces, whole and left > 0 and len(found) <= _STREAMS)


def _streams(pdf: bytes) -> Iterator[tuple[bytes, int]]:
    """Each stream's dictionary, and where its bytes begin."""
    for found in _STREAM.finditer(pdf):
        if pdf[max(0, found.start() - 3) : found.start()] != b"end":
            yield _named(pdf[max(0, found.start() - _HEAD) : found.start()].rpartition(b"obj")[2]), found.end()


def _piece(pdf: bytes, head: bytes, start: int, most: int) -> bytes | None:
    """A stream's bytes, unfolded; None where that cannot be done."""
    if not _FLATE.search(head):
        end = pdf.find(b"endstream", start)
        return pdf[start : end if 0 <= end < start + most else start + most]
    try:
        return zlib.decompressobj().decompress(memoryview(pdf)[start:], most)
    except zlib.error:
        return None


def _named(text: bytes) -> bytes:
    """With the names as they are meant: any letter of one may be written as #xx."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text) if b"#" in text else text


def _drawn(piece: bytes) -> int:
    """Characters of the strings in it."""
    return sum(len(each[1]) if each[1] is not None else len(each[2]) // 2 for each in _TEXTS.finditer(piece))
