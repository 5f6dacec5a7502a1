"""Where the tokens of a text start, so that spans are weighed without being tokenized again."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from atrium.providers.base import TokenCounter

# Bounds what a tokenizer swallows whole: a "word" of 10,000 letters is one unknown token.
_CHARS_PER_TOKEN: Final = 32
_RUN_CHARS: Final = 64 * 1024
_LOOK_BACK: Final = 24


class TokenMap:
    """Token starts of a whole text, which is tokenized in runs that begin at `cuts`, so that memory stays bounded."""

    def __init__(self, text: str, cuts: Iterable[int], tokenizer: TokenCounter) -> None:
        self._starts = array("Q")
        begin = 0
        for cut in (*cuts, len(text)):
            if cut - begin >= _RUN_CHARS or cut == len(text):
                self._starts.extend([begin + start for start, _ in tokenizer.offsets(text[begin:cut])])
                begin = cut

    def weight(self, start: int, end: int) -> int:
        """Tokens of a span, or what its length alone counts for."""
        tokens = bisect_left(self._starts, end) - bisect_left(self._starts, start)
        return max(tokens, -(-(end - start) // _CHARS_PER_TOKEN))

    def reach(self, start: int, end: int, budget: int) -> list[int]:
        """The last places, in order, where a span that starts at `start` may end and weigh no more than `budget`."""
        first = bisect_left(self._starts, start)
        furthest = min(end, start + budget * _CHARS_PER_TOKEN)
        last = min(first + budget, bisect_left(self._starts, furthest) - 1)
        places = self._starts[max(first, last - _LOOK_BACK) : last + 1]
        return [place for place in places if place > start] or [furthest]

    def before(self, end: int, floor: int, budget: int) -> list[int]:
        """The places after `floor`, in order, from which a span up to `end` weighs no more than `budget`."""
        last = bisect_left(self._starts, end)
        nearest = max(floor, end - budget * _CHARS_PER_TOKEN)
        return [place for place in self._starts[max(0, last - budget) : last] if place > nearest]
