"""What cutting a document yields, and the interface of whatever cuts it."""

from dataclasses import dataclass
from typing import Protocol

from atrium.documents.parsing.models import ExtractedText
from atrium.providers.base import TokenCounter


@dataclass(frozen=True, slots=True)
class Chunk:
    """`document.text[start:end]`. `ordinal` counts from 0; pages count from 1, none where the format has none.

    `heading` is the path "A > B" to the chunk, with a table's header row where the chunk holds later rows; it is
    indexed with the text. `header` is what is embedded before the text: title and heading, shortened to a fourth of the
    window; empty when not wanted. `tokens` is the length of the embedding input, header and special tokens included.
    """

    ordinal: int
    start: int
    end: int
    page_from: int | None
    page_to: int | None
    heading: str
    header: str
    tokens: int


class Chunker(Protocol):
    """Cuts documents. Pure and deterministic: the same document, tokenizer, window and title give the same chunks."""

    def chunk(
        self, document: ExtractedText, tokenizer: TokenCounter, *, window: int, title: str | None = None
    ) -> tuple[Chunk, ...]:
        """The chunks in order; none for a text without a visible character.

        `window`: tokens that the model reads of one input, special tokens included. `title` stands in headers in place
        of the document's own.
        """
        ...


def embedding_input(header: str, text: str) -> str:
    """The whole of what is embedded for a chunk."""
    return f"{header}\n\n{text}" if header else text
