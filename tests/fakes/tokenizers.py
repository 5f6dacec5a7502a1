"""Tokenizers that count as real ones do, and as bad ones might."""

import re
from collections.abc import Sequence


class Words:
    """Counts as WordPiece does: words in pieces of four letters, each other visible sign alone."""

    special_tokens = 2

    def __init__(self) -> None:
        self.characters = 0

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        self.characters += len(text)
        return [found.span() for found in re.finditer(r"\w{1,4}|[^\w\s]", text)]


class Bytes:
    """Counts as byte-level BPE does at worst: a token for each byte, spaces too, several at one place."""

    special_tokens = 0

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        return [(place, place + 1) for place, letter in enumerate(text) for _ in letter.encode()]


class Swallower:
    """Makes one unknown token of everything between spaces, and more of a text's beginning than of its middle."""

    special_tokens = 2

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        words = [found.span() for found in re.finditer(r"\S+", text)]
        return [words[0]] * 9 + words if words else []
