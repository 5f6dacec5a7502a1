"""A cautious token count for byte-pair tokenizers (cl100k, o200k) without their vocabulary."""

import re
from collections.abc import Sequence
from typing import Final

# How such tokenizers cut text before they merge, and then pieces as short as their tokens tend to be: a word with the
# space before it, at most three digits, marks, white space. What is no ASCII letter merges less, so its pieces are shorter.
_PIECES: Final = re.compile(
    r"""
      [ ]?[A-Za-z]{1,7}
    | [0-9]{1,3}
    | [ ]?[^\W\d_]{1,2}
    | [ ]?[!-/:-@\[-`{-~]{1,2}
    | [ ]?\S
    | \s{1,4}
    """,
    re.VERBOSE,
)


class PieceCounter:
    """A `TokenCounter` that errs upwards on ordinary text; on any text a piece is at most 12 bytes.

    A byte-pair token is at least one byte. So a chunk of 512 pieces is at most 6,144 tokens, within the 8,191
    that OpenAI's models read, whatever the text is: nothing stays unembedded.
    """

    @property
    def special_tokens(self) -> int:
        """None: these models add no tokens to an input."""
        return 0

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """Character span of every piece of `text`, in order, without gaps."""
        return [match.span() for match in _PIECES.finditer(text)]
