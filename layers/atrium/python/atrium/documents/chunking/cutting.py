"""Cuts a document along its structure, and counts every chunk exactly.

In every mode every visible character is in a chunk, headings stand with the text below them, page furniture with the
text beside it, and nothing that a chunk holds is beyond the window: header, text and special tokens are counted
together, by the model's own tokenizer. The text is tokenized once to plan and once to verify: time is linear in it.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from atrium.documents.chunking.headers import Header, Headers
from atrium.documents.chunking.models import Chunk, embedding_input
from atrium.documents.chunking.options import MAX_TOKENS, MIN_TOKENS, ChunkingOptions, ChunkMode
from atrium.documents.chunking.outline import Outline, Part, covering
from atrium.documents.chunking.packing import Overlap, Packer
from atrium.documents.chunking.pieces import Cutter, Piece
from atrium.documents.chunking.tokens import TokenMap
from atrium.documents.parsing.models import ExtractedText, PageSpan
from atrium.providers.base import TokenCounter

_TINY_SECTION: Final = 8  # sections of fewer tokens, a heading and a few words, share a chunk with their neighbours
_ENOUGH: Final = 48


@dataclass(frozen=True, slots=True)
class StructuralChunker:
    """The `Chunker` of all four modes."""

    options: ChunkingOptions

    def chunk(
        self, document: ExtractedText, tokenizer: TokenCounter, *, window: int, title: str | None = None
    ) -> tuple[Chunk, ...]:
        """See `Chunker`. Raise `ValueError` for a model that reads less than 64 tokens."""
        if window < MIN_TOKENS:
            raise ValueError(f"the window is at least {MIN_TOKENS} tokens")
        limit = min(window, self.options.max_tokens or MAX_TOKENS, MAX_TOKENS)
        starts = [page.start for page in document.pages]
        cutting = _Cutting(document, tokenizer, self.options, limit, title or document.title)
        return tuple(
            Chunk(
                ordinal=ordinal,
                start=start,
                end=end,
                page_from=_page(document.pages, starts, start),
                page_to=_page(document.pages, starts, end - 1),
                heading=header.heading,
                header=header.text,
                tokens=tokens,
            )
            for ordinal, (start, end, header, tokens) in enumerate(cutting.chunks())
        )


class _Counted(NamedTuple):
    start: int
    end: int
    header: Header
    tokens: int


class _Cutting:
    """One document being cut for a window."""

    def __init__(
        self, document: ExtractedText, tokenizer: TokenCounter, options: ChunkingOptions, window: int, title: str | None
    ) -> None:
        self._text = document.text
        self._tokenizer = tokenizer
        self._mode = options.mode
        self._window = window
        self._overlap_tokens = min(options.overlap_tokens, window // 2)
        self._headers = Headers(title, tokenizer, window, contextual=options.contextual)
        self._tokens = TokenMap(document.text, (block.start for block in covering(document)), tokenizer)
        self._outline = Outline(document, self._tokens.weight, self._room_for(window // 4) // 2)
        self._cutter = Cutter(self._outline, self._tokens, options.mode, self._room)
        self._packer = Packer(self._tokens, self._cutter, self._room, window)
        self._overlap = Overlap(self._outline, self._tokens, tokenizer, options.mode, self._overlap_tokens)

    def chunks(self) -> Iterator[_Counted]:
        """The chunks, region by region: chunks of two regions share nothing."""
        for region in self._regions():
            before: int | None = None
            for group in self._packer.groups(self._pieces(region)):
                start = group.first if before is None else self._overlap.start(group.first, before)
                for counted in self._counted(start, group.first, group.end):
                    before = counted.start
                    yield counted

    def _regions(self) -> Iterator[list[Part]]:
        """Sections where headings count; else the whole document."""
        if self._mode is not ChunkMode.HEADING:
            yield from filter(None, [self._outline.parts])
            return
        together: list[Part] = []
        shared: tuple[str, ...] | None = None  # the heading above tiny sections that may still take in another
        for section in self._outline.sections():
            above = section[0].path[:-1] if self._is_tiny(section) else None
            if above is not None and above == shared and self._weight(together) < _ENOUGH:
                together += section
                for part in together:
                    part.path = above
                continue
            yield from filter(None, [together])
            together, shared = section, above
        yield from filter(None, [together])

    def _is_tiny(self, section: list[Part]) -> bool:
        """Whether a section may share a chunk with neighbours under the same heading: a glossary is not a chunk a term."""
        return section[0].opens and self._weight(section) < _TINY_SECTION

    def _weight(self, parts: list[Part]) -> int:
        return self._tokens.weight(parts[0].start, parts[-1].end)

    def _pieces(self, region: list[Part]) -> Iterator[Piece]:
        if self._mode is ChunkMode.FIXED:
            yield from self._cutter.windows(region[0].start, region[-1].end)
            return
        for part in region:
            yield from self._cutter.pieces(part)

    def _room(self, place: int) -> int:
        """Tokens for the text of a chunk that begins at a place, beside what it may repeat."""
        return self._room_for(self._headers.of(self._outline.context(place)).tokens)

    def _room_for(self, header: int) -> int:
        return max(1, self._window - self._tokenizer.special_tokens - header - self._overlap_tokens)

    def _counted(self, start: int, first: int, end: int) -> Iterator[_Counted]:
        """A chunk, counted exactly. Tokens of a part may differ from those planned within the whole: then it is halved."""
        text = self._text[start:end]
        start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
        if max(start, first) >= end:  # nothing to see that is new
            return
        header = self._headers.of(self._outline.context(first))
        embedded = embedding_input(header.text, self._text[start:end])
        tokens = len(self._tokenizer.offsets(embedded)) + self._tokenizer.special_tokens
        if tokens <= self._window or end - start <= 1:
            yield _Counted(start, end, header, tokens)
        elif start < first:
            yield from self._counted(first, first, end)
        else:
            middle = self._cutter.middle(start, end)
            yield from self._counted(start, start, middle)
            yield from self._counted(middle, middle, end)


def _page(pages: tuple[PageSpan, ...], starts: list[int], place: int) -> int | None:
    """The page on which a character stands."""
    return pages[max(0, bisect_right(starts, place) - 1)].number if pages else None
