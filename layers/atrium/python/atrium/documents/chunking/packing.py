"""Fills chunks with pieces, in order, and lets a chunk repeat the end of the one before."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from atrium.documents.chunking.graphemes import is_boundary
from atrium.documents.chunking.options import ChunkMode
from atrium.documents.chunking.outline import Outline
from atrium.documents.chunking.pieces import Cutter, Piece
from atrium.documents.chunking.tokens import TokenMap
from atrium.providers.base import TokenCounter
from atrium.providers.sentences import sentence_ends

_LOOK_BACK: Final = 16  # of white space between a sentence's end and the next one's beginning
_SPACE: Final = re.compile(r"\s*+")
_SMALL: Final = 24  # a chunk of fewer tokens takes from its neighbour


@dataclass(slots=True)
class Group:
    """What becomes a chunk: pieces that begin at `places`, up to `end`, with `room` for so many tokens."""

    places: list[int]
    end: int
    room: int

    @property
    def first(self) -> int:
        """Where what is new in the chunk begins."""
        return self.places[0]


class Packer:
    """Packs the pieces of one region after the other. `room` counts for the first chunk of a region too."""

    def __init__(self, tokens: TokenMap, cutter: Cutter, room: Callable[[int], int], window: int) -> None:
        self._tokens = tokens
        self._cutter = cutter
        self._room = room
        self._small = min(_SMALL, window // 4)

    def groups(self, pieces: Iterable[Piece]) -> Iterator[Group]:
        """Fill one chunk after the other; the last two of a region share what they have when the last is small."""
        before: Group | None = None
        last: Group | None = None
        for whole in pieces:
            for piece in self._divided(whole, last):
                if last and self._fits(last, piece):
                    last.places.append(piece.start)
                    last.end = piece.end
                    continue
                if before:
                    yield before
                before, last = last, Group([piece.start], piece.end, self._room(piece.start))
        if before and last:
            self._balance(before, last)
        yield from filter(None, (before, last))

    def _divided(self, piece: Piece, group: Group | None) -> list[Piece]:
        """A piece; in its parts, if it would leave a small chunk behind in which the first of them fits."""
        if not group or not piece.levels or self._fits(group, piece) or not self._is_small(group):
            return [piece]
        parts = list(self._cutter.parts(piece))
        return parts if self._fits(group, parts[0]) else [piece]

    def _fits(self, group: Group, piece: Piece) -> bool:
        return self._tokens.weight(group.first, piece.end) <= group.room

    def _is_small(self, group: Group) -> bool:
        return self._tokens.weight(group.first, group.end) < self._small

    def _balance(self, before: Group, last: Group) -> None:
        """Let a small last chunk take pieces from the one before it."""
        while self._is_small(last) and len(before.places) > 1:
            place = before.places[-1]
            room = self._room(place)
            if self._tokens.weight(before.first, place) < self._small or self._tokens.weight(place, last.end) > room:
                return
            before.end = before.places.pop()
            last.places.insert(0, place)
            last.room = room


class Overlap:
    """Finds where a chunk begins that repeats at most so many tokens of what stands before it."""

    def __init__(self, outline: Outline, tokens: TokenMap, tokenizer: TokenCounter, mode: ChunkMode, size: int) -> None:
        self._outline = outline
        self._text = outline.text
        self._tokens = tokens
        self._tokenizer = tokenizer
        self._mode = mode
        self._size = size

    def start(self, first: int, floor: int) -> int:
        """At or before `first`, and after `floor`: before a whole sentence if there is one, else before a word."""
        part = self._outline.at(first)
        if first > part.body:  # a table's later rows do not repeat its first
            floor = max(floor, part.body)
        places = self._tokens.before(first, floor, self._size) if self._size else []
        for place in self._candidates(places, first):
            if self._outline.may_cut(place) and len(self._tokenizer.offsets(self._text[place:first])) <= self._size:
                return place
        return first

    def _candidates(self, places: list[int], first: int) -> Iterator[int]:
        """The furthest first."""
        if not places:
            return
        if self._mode is not ChunkMode.FIXED:
            ends = sentence_ends(self._text, max(0, places[0] - _LOOK_BACK), first)
            begins = (_SPACE.match(self._text, end, first) for end in ends)
            yield from (found.end() for found in begins if found and places[0] <= found.end() < first)
        if self._mode is not ChunkMode.SENTENCE:
            between_words = [place for place in places if self._text[place - 1].isspace()]
            yield from between_words or (place for place in places if is_boundary(self._text, place))
