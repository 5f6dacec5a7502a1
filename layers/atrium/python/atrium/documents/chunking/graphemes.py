"""Where text may be cut without tearing what a reader sees as one character (Unicode's grapheme clusters, UAX 29).

A little more is kept together than the standard asks for: whatever follows a joiner, and the conjuncts of Indic
scripts. White space carries no marks here: after it a cut is always possible.
"""

import unicodedata
from typing import Final

_JOINERS: Final = frozenset("\u200c\u200d")
_VIRAMA: Final = 9
_EXTENDING: Final = frozenset({"Mn", "Me", "Mc"})
# Half-width Japanese voice marks, Thai and Lao AM, skin tones: they belong to what stands before them.
_ALSO_EXTENDING: Final = frozenset("\uff9e\uff9f\u0e33\u0eb3\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
_PREPENDED: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_FLAG_LETTERS: Final = ("\U0001f1e6", "\U0001f1ff")
_LOOK_BACK: Final = 256  # a run of flags or marks that is longer may be cut anywhere


def is_boundary(text: str, at: int) -> bool:
    """Whether text may be cut before the character at `at`, which is neither its first nor beyond its end."""
    after, before = text[at], text[at - 1]
    if (after < "\u0300" and before < "\u0600") or before.isspace():
        return True
    if _extends(after) or before in _JOINERS or before in _PREPENDED:
        return False
    if _is_flag_letter(after) and _is_flag_letter(before):
        return _letters_before(text, at) % 2 == 0
    if unicodedata.combining(before) == _VIRAMA and after.isalpha():
        return False
    return not _joins_as_hangul(before, after)


def boundary_before(text: str, at: int, low: int) -> int | None:
    """The last boundary at or before `at`, and after `low`; None where there is none nearby."""
    nearest = max(low, at - _LOOK_BACK)
    return next((place for place in range(at, nearest, -1) if is_boundary(text, place)), None)


def clipped(text: str, limit: int) -> str:
    """The text's beginning, of at most `limit` characters, without white space at its end."""
    if len(text) <= limit:
        return text.rstrip()
    return text[: (boundary_before(text, limit, 0) or limit) if limit else 0].rstrip()


def _extends(letter: str) -> bool:
    if unicodedata.category(letter) in _EXTENDING or letter in _JOINERS or letter in _ALSO_EXTENDING:
        return True
    return "\U000e0020" <= letter <= "\U000e007f"  # tags, which spell the flags of regions


def _is_flag_letter(letter: str) -> bool:
    return _FLAG_LETTERS[0] <= letter <= _FLAG_LETTERS[1]


def _letters_before(text: str, at: int) -> int:
    count = 0
    while count < min(at, _LOOK_BACK) and _is_flag_letter(text[at - 1 - count]):
        count += 1
    return count


def _joins_as_hangul(before: str, after: str) -> bool:
    """Whether two parts of a Korean syllable belong together."""
    first, second = _hangul(before), _hangul(after)
    return second in {"L": "LVSB", "V": "VT", "S": "VT", "T": "T", "B": "T"}.get(first, "") if first and second else False


def _hangul(letter: str) -> str:
    """L, V, T: a leading, middle or trailing part; S: a syllable that can take a trailing part, B: one that has it."""
    if not "\u1100" <= letter <= "\ud7fb":
        return ""
    if "\uac00" <= letter <= "\ud7a3":
        return "S" if (ord(letter) - 0xAC00) % 28 == 0 else "B"
    if letter <= "\u115f" or "\ua960" <= letter <= "\ua97c":
        return "L"
    if letter <= "\u11a7" or "\ud7b0" <= letter <= "\ud7c6":
        return "V"
    return "T" if letter <= "\u11ff" or letter >= "\ud7cb" else ""
