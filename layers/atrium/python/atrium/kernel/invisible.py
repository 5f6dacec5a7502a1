"""Characters that nobody sees and programs read: text is smuggled in them."""

import unicodedata
from functools import lru_cache
from typing import Final

_RANGES: Final = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200B), (0x200E, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0D),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
_JOINERS: Final = frozenset("\u200c\u200d")  # they shape Persian, Indic scripts and emoji
_FILLERS: Final = frozenset("\n\t")


def visible(text: str, before: str = "\n") -> str:
    """`text` without what nobody sees; `before` is the character it follows. A joiner stays after a letter it can join."""
    kept: list[str] = []
    for character in text:
        last = kept[-1] if kept else before
        if not _is_hidden(character) and (character not in _JOINERS or (not last.isascii() and last not in _JOINERS)):
            kept.append(character)
    return "".join(kept)


@lru_cache(maxsize=4096)
def _is_hidden(character: str) -> bool:
    if character in _FILLERS or (character.isascii() and character.isprintable()):
        return False
    code = ord(character)
    return unicodedata.category(character) in {"Cc", "Cs", "Co"} or any(first <= code <= last for first, last in _RANGES)
