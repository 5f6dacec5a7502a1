"""What vocabularies have few words for: text that takes about as many tokens as it has bytes, not as it has words.

Pieces of a length that suits prose would count such text several times too low. All is counted in bytes by their classes, since
that costs next to nothing beside the pieces.
"""

import re
import string
from typing import Final

_VOWELS: Final = "aeiouyAEIOUY"


def _class_of(byte: int) -> str:
    letter = chr(byte)
    return " " if letter not in string.ascii_letters else "v" if letter in _VOWELS else "c"


_CLASSES: Final = "".join(map(_class_of, range(256))).encode()
# Letters of one class in a row, and the pieces that so many take beyond their share of a word. A few words have four
# (`rights`, `queue`), hardly one has six consonants; random letters have both all the time.
_RUNS: Final = ((b"c" * 4, 1), (b"c" * 6, 2), (b"v" * 4, 1))
# First bytes in UTF-8 of Greek, and of Armenian to N'Ko with Hebrew and Arabic; of India's and its neighbours' scripts; of all
# beyond the Basic Multilingual Plane; of what may be rare.
_NEAR: Final = bytes([*range(0xCD, 0xD0), *range(0xD4, 0xE0)])
_INDIC: Final = b"\xe0"
_ASTRAL: Final = bytes(range(0xF0, 0xF8))
_DOUBTFUL: Final = b"\xe1\xe3\xe4\xea\xee\xef"
_NOTABLE: Final = _NEAR + _INDIC + _ASTRAL + _DOUBTFUL
_OTHERS: Final = bytes(set(range(256)) - {*_NOTABLE})
# Georgian to Mongolian, rare Han, Yi to Meetei, private use, presentation forms; not Vietnamese nor fullwidth forms. And
# Glagolitic to Ethiopic, apart, since its first byte begins punctuation too.
_RARE: Final = re.compile(rb"\xe1[\x80-\xb7]|\xe3[\x90-\xbf]|\xe4[\x80-\xb6]|\xea[\x80-\xaf]|\xee|\xef[\x80-\xbb]")
_RARE_TOO: Final = re.compile(rb"\xe2[\xb0-\xb9]")


def extra_pieces(text: str) -> float:
    """Pieces that `text` takes beyond those of a `PieceCounter`: few for ordinary prose in the scripts that models know best."""
    data = text.encode("utf-8", "surrogatepass")
    classes = data.translate(_CLASSES)
    extra: float = sum(classes.count(run) * pieces for run, pieces in _RUNS)
    return extra if data.isascii() else extra + _beyond_ascii(data)


def _beyond_ascii(data: bytes) -> float:
    firsts = data.translate(None, _OTHERS)
    near, indic, astral, doubtful = (_how_many(firsts, some) for some in (_NEAR, _INDIC, _ASTRAL, _DOUBTFUL))
    rare = len(_RARE_TOO.findall(data)) + (len(_RARE.findall(data)) if doubtful else 0)
    return near / 4 + indic / 2 + 2 * astral + rare


def _how_many(data: bytes, some: bytes) -> int:
    return len(data) - len(data.translate(None, some)) if data else 0
