"""Cuts what is too long for one chunk at the best places there are: rows, items, lines, sentences, words, characters."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from atrium.documents.chunking.graphemes import boundary_before, is_boundary
from atrium.documents.chunking.options import ChunkMode
from atrium.documents.chunking.outline import Outline, Part
from atrium.documents.chunking.tokens import TokenMap
from atrium.documents.parsing.models import BlockKind
from atrium.providers.sentences import sentence_ends

_LINE_END: Final = re.compile(r"\n+")
_GAP: Final = re.compile(r"\n[ \t]*\n\s*")
_CELL_END: Final = re.compile(r" \| ")

Level = Callable[[str, int, int], Iterator[int]]


def _ends_of(boundary: re.Pattern[str]) -> Level:
    return lambda text, start, end: (found.end() for found in boundary.finditer(text, start, end))


lines: Final = _ends_of(_LINE_END)
_gaps: Final = _ends_of(_GAP)
_cells: Final = _ends_of(_CELL_END)
_PROSE: Final = (sentence_ends,)
_LEVELS: Final[dict[ChunkMode, dict[BlockKind, tuple[Level, ...]]]] = {
    ChunkMode.RECURSIVE: dict.fromkeys(BlockKind, (lines, sentence_ends)),
    ChunkMode.SENTENCE: {BlockKind.TABLE: (lines,), BlockKind.CODE: (lines,)},
    ChunkMode.HEADING: {BlockKind.TABLE: (lines, _cells), BlockKind.CODE: (_gaps, lines)},
}


class Piece(NamedTuple):
    """A span that is not cut unless it must be, and where it may be then."""

    start: int
    end: int
    levels: tuple[Level, ...] = ()


class Cutter:
    """Cuts parts into pieces. `room`: tokens for the text of a chunk that begins at a place."""

    def __init__(self, outline: Outline, tokens: TokenMap, mode: ChunkMode, room: Callable[[int], int]) -> None:
        self._text = outline.text
        self._outline = outline
        self._tokens = tokens
        self._mode = mode
        self._room = room

    def pieces(self, part: Part) -> Iterator[Piece]:
        """A part's pieces: one where it fits, but for a mode that looks at sentences only."""
        whole = Piece(part.start, part.end, self._levels(part))
        if self._mode is ChunkMode.SENTENCE:
            for piece in self.parts(whole):
                yield from self.parts(piece) if piece.levels else [piece]
        else:
            yield from self._fitting(whole)

    def parts(self, piece: Piece) -> Iterator[Piece]:
        """A piece in parts at its best places, and what of them does not fit, in smaller ones."""
        start, end, levels = piece
        for number, level in enumerate(levels, 1):
            places = [place for place in level(self._text, start, end) if self._may_cut(start, place, end)]
            if places:
                for begin, stop in pairwise((start, *places, end)):
                    yield from self._fitting(Piece(begin, stop, levels[number:]))
                return
        yield from self._fitting(Piece(start, end))

    def _levels(self, part: Part) -> tuple[Level, ...]:
        levels = _LEVELS[self._mode].get(part.kind, _PROSE)
        return (_at(part.items), *levels) if part.items else levels

    def _fitting(self, piece: Piece) -> Iterator[Piece]:
        if self._tokens.weight(piece.start, piece.end) <= self._room(piece.start):
            yield piece
        elif piece.levels:
            yield from self.parts(piece)
        else:
            yield from self.windows(piece.start, piece.end)

    def windows(self, start: int, end: int) -> Iterator[Piece]:
        """A span in as many tokens as fit, cut between words where there are any."""
        while self._tokens.weight(start, end) > (room := self._room(start)):
            cut = self._last_cut(start, end, room)
            yield Piece(start, cut)
            start = cut
        yield Piece(start, end)

    def _last_cut(self, start: int, end: int, room: int) -> int:
        """The last good place within the room; a part's head and foot are stepped over towards its start."""
        places = self._tokens.reach(start, end, room)
        free = [place for place in places if self._may_cut(start, place, end)]
        if not free:
            part = self._outline.at(places[-1])
            near = part.start if places[-1] <= part.body else part.tail - 1
            free = [place for place in (self._tokens.reach(start, near, room) if near > start else []) if place <= near]
        between_words = [place for place in free if self._text[place - 1].isspace()]
        if between_words:
            return between_words[-1]
        last = (free or places)[-1]
        return boundary_before(self._text, last, start) or last

    def _may_cut(self, start: int, place: int, end: int) -> bool:
        return start < place < end and self._outline.may_cut(place) and is_boundary(self._text, place)

    def middle(self, start: int, end: int) -> int:
        """A good place to cut near the middle: between lines, sentences, words or characters, or anywhere."""
        centre = (start + end) // 2
        low, high = start + (end - start) // 4, end - (end - start) // 4
        for level in (lines, sentence_ends, _words):
            places = [place for place in level(self._text, low, high) if self._may_cut(start, place, end)]
            if places:
                return min(places, key=lambda place: abs(place - centre))
        return boundary_before(self._text, centre, start) or centre


_words: Final = _ends_of(re.compile(r"\s+"))


def _at(places: tuple[int, ...]) -> Level:
    """Places that are known already."""
    return lambda _, start, end: (place for place in places if start < place < end)
