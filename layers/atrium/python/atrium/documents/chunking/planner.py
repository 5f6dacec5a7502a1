"""Cuts a document into chunks: exact spans of its stored text, each within the embedding model's window.

What is kept together, in this order: a section (a heading starts a new chunk, and is in the chunk it introduces), a
paragraph, a list item, a table row, a sentence, a word. Every character that is not whitespace is in a chunk, and
nothing that a chunk holds is beyond the window: header, text and special tokens are counted together, by the
model's own tokenizer.
"""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from atrium.documents.chunking.models import Chunk, Chunker, embedding_input
from atrium.documents.chunking.options import ChunkingOptions
from atrium.documents.parsing.models import Block, BlockKind, ExtractedText, PageSpan
from atrium.providers.base import TokenCounter

MAX_WINDOW = 512
MIN_WINDOW = 128
_TITLE_BYTES = 96  # no tokenizer makes more tokens than bytes, so a title always leaves room in the smallest window
_HEADING_BYTES = 200
_HEADER_SHARE = 4  # a header takes at most a fourth of the window, where it can be shortened to that
_HEADING_CHARS = 80
_READ_FACTOR = 4  # of a title or heading no more is looked at than this many times what may stay of it
_PATH = " > "
_CHARS_PER_TOKEN = 32  # bounds what a tokenizer swallows whole: a "word" of 10,000 letters is one unknown token
_RUN_CHARS = 64 * 1024
_WORD_LOOKBACK = 24
_NO_BODY = frozenset({BlockKind.HEADING, BlockKind.PAGE_FURNITURE})
_SENTENCE_END = re.compile(r"[.!?…؟]['\"”’»)\]]*\s+|[。！？][」』”）]*\s*|\n+")
_ROW_END = re.compile(r"\n+")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """`max_tokens`: what the embedding model reads of one input, special tokens included; at most 512 are used.

    `title` stands in headers in place of the document's own. `overlap_sentences`: how many sentences of the chunk
    before are repeated where there is room (0: none, chunks are disjoint). A chunk of fewer than `min_tokens` takes
    from its neighbour under the same heading.
    """

    max_tokens: int = 256
    title: str | None = None
    overlap_sentences: int = 0
    min_tokens: int = 24

    def __post_init__(self) -> None:
        if self.max_tokens < MIN_WINDOW or self.overlap_sentences < 0 or self.min_tokens < 0:
            raise ValueError(f"max_tokens is at least {MIN_WINDOW}; overlap_sentences and min_tokens are not negative")

    @property
    def window(self) -> int:
        """Tokens of one input."""
        return min(MAX_WINDOW, self.max_tokens)


def contextual_header(title: str | None, heading: str) -> str:
    """What is embedded before a chunk's text: "Title > A > B". Empty where there is neither; bounded in bytes."""
    name = _shortened(" ".join((title or "")[: _READ_FACTOR * _TITLE_BYTES].split()), _TITLE_BYTES)
    path = heading
    while len(path.encode()) > _HEADING_BYTES and _PATH in path:
        path = path.partition(_PATH)[2]
    path = _shortened(path, _HEADING_BYTES)
    if not name or path == name or path.startswith(name + _PATH):
        return path
    return name + _PATH + path if path else name


@dataclass(frozen=True, slots=True)
class _HeadingChunker:
    options: ChunkingOptions

    def chunk(
        self, document: ExtractedText, tokenizer: TokenCounter, *, window: int, title: str | None = None
    ) -> tuple[Chunk, ...]:
        """See `Chunker`."""
        limit = min(window, self.options.max_tokens or MAX_WINDOW)
        planner = _Planner(document, tokenizer, ChunkOptions(max(MIN_WINDOW, limit), title))
        name = title or document.title
        pages = [page.start for page in document.pages]
        return tuple(
            Chunk(
                ordinal,
                start,
                end,
                _page(document.pages, pages, start),
                _page(document.pages, pages, end - 1),
                heading,
                contextual_header(name, heading),
                tokens,
            )
            for ordinal, (start, end, heading, tokens) in enumerate(planner.chunks())
        )


def chunker(options: ChunkingOptions) -> Chunker:
    """What cuts as the options say."""
    return _HeadingChunker(options)


class _Piece(NamedTuple):
    """A span that is not cut unless it must be. `context`: the header row, for a later row of a table."""

    start: int
    end: int
    kind: BlockKind
    context: str = ""


class _Section(NamedTuple):
    path: tuple[str, ...]
    blocks: list[Block]


class _Verified(NamedTuple):
    start: int
    end: int
    heading: str
    tokens: int


class _Tokens:
    """Where the tokens of a text start. It is tokenized in runs of whole blocks, so that memory stays bounded."""

    def __init__(self, text: str, blocks: Iterable[Block], tokenizer: TokenCounter) -> None:
        self._starts = array("Q")
        begin = 0
        for cut in [block.start for block in blocks] + [len(text)]:
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
        places = self._starts[max(first, last - _WORD_LOOKBACK) : last + 1]
        return [place for place in places if place > start] or [furthest]


class _Planner:
    def __init__(self, document: ExtractedText, tokenizer: TokenCounter, options: ChunkOptions) -> None:
        self._text = document.text
        self._blocks = list(_covering(document))
        self._tokenizer = tokenizer
        self._tokens = _Tokens(document.text, self._blocks, tokenizer)
        self._options = options
        self._title = contextual_header(options.title or document.title, "")
        self._headers: dict[tuple[str, ...], tuple[str, int]] = {}

    def chunks(self) -> Iterator[_Verified]:
        """Chunks with their exact length in tokens."""
        for section in _sections(self._text, self._blocks):
            groups = self._pack(section)
            for index, group in enumerate(groups):
                start = self._overlapping(section, groups[index - 1], group) if index else group[0].start
                heading, _ = self._fit(section.path, group[0].context)
                yield from self._verified(start, group[-1].end, heading)

    def _pack(self, section: _Section) -> list[list[_Piece]]:
        """Fill one chunk after the other with pieces, in order."""
        groups: list[list[_Piece]] = []
        queue = [piece for block in reversed(section.blocks) for piece in reversed(self._pieces(section, block))]
        while queue:
            piece = queue.pop()
            if groups and self._fits(section, groups[-1], piece):
                groups[-1].append(piece)
                continue
            small = bool(groups) and self._weight(groups[-1]) < self._options.min_tokens
            parts = self._parts(piece) if small else [piece]
            if len(parts) > 1 and self._fits(section, groups[-1], parts[0]):
                queue.extend(reversed(parts))
            else:
                groups.append([piece])
        return self._balanced(section, groups)

    def _balanced(self, section: _Section, groups: list[list[_Piece]]) -> list[list[_Piece]]:
        """Let a small last chunk take pieces from the one before it."""
        if len(groups) > 1:
            before, last = groups[-2:]
            while self._weight(last) < self._options.min_tokens <= self._weight(before[:-1] or last):
                if not self._fits(section, [before[-1]], last[-1]):
                    break
                last.insert(0, before.pop())
        return groups

    def _pieces(self, section: _Section, block: Block) -> list[_Piece]:
        """A block as it is, where it fits; else a table's rows, a text's sentences, and parts of those that do not fit."""
        whole = _Piece(block.start, block.end, block.kind)
        if self._tokens.weight(block.start, block.end) <= self._budget(section, whole):
            return [whole]
        return [small for part in self._parts(whole) for small in self._cut(section, part)]

    def _parts(self, piece: _Piece) -> list[_Piece]:
        """A table's rows, which remember their header; another text's sentences."""
        if piece.kind is not BlockKind.TABLE or piece.context:
            return list(_split(self._text, piece, _SENTENCE_END))
        first, *others = _split(self._text, piece, _ROW_END)
        header = _heading_name(self._text[first.start : first.end])
        return [first, *(row._replace(context=header) for row in others)]

    def _cut(self, section: _Section, piece: _Piece) -> Iterator[_Piece]:
        """Cut what is too long for a chunk of its own, between words where there are any."""
        budget = self._budget(section, piece)
        start = piece.start
        while self._tokens.weight(start, piece.end) > budget:
            places = self._tokens.reach(start, piece.end, budget)
            between_words = [place for place in places if self._text[place - 1].isspace()]
            end = (between_words or places)[-1]
            yield piece._replace(start=start, end=end)
            start = end
        yield piece._replace(start=start)

    def _overlapping(self, section: _Section, before: list[_Piece], group: list[_Piece]) -> int:
        """Where a chunk starts: with the last sentences of the one before, if they are wanted and there is room."""
        wanted = self._options.overlap_sentences
        if wanted and before[-1].kind is not BlockKind.HEADING:
            start = list(_split(self._text, before[-1], _SENTENCE_END))[-wanted:][0].start
            fits = self._tokens.weight(start, group[-1].end) <= self._budget(section, group[0])
            if fits and start > before[0].start:
                return start
        return group[0].start

    def _fits(self, section: _Section, group: list[_Piece], piece: _Piece) -> bool:
        return self._tokens.weight(group[0].start, piece.end) <= self._budget(section, group[0])

    def _weight(self, group: list[_Piece]) -> int:
        return self._tokens.weight(group[0].start, group[-1].end)

    def _budget(self, section: _Section, first: _Piece) -> int:
        """Tokens left for the text of a chunk that starts with a piece."""
        return self._options.window - self._tokenizer.special_tokens - self._fit(section.path, first.context)[1]

    def _fit(self, path: tuple[str, ...], context: str) -> tuple[str, int]:
        """(heading, tokens of the header with it): the path's inner part that keeps the header within its share."""
        key = (*path, context) if context else path
        if key not in self._headers:
            self._headers[key] = self._shortest(key)
        return self._headers[key]

    def _shortest(self, path: tuple[str, ...]) -> tuple[str, int]:
        candidates = [_PATH.join(path[outer:]) for outer in range(len(path))]
        last = path[-1] if path else ""
        candidates += [last[: len(last) // share].rstrip() for share in (2, 4)] if path else []
        for heading in candidates:
            tokens = self._header_tokens(heading)
            if tokens <= self._options.window // _HEADER_SHARE:
                return heading, tokens
        return "", self._header_tokens("")

    def _header_tokens(self, heading: str) -> int:
        return len(self._tokenizer.offsets(embedding_input(contextual_header(self._title, heading), "")))

    def _verified(self, start: int, end: int, heading: str) -> Iterator[_Verified]:
        """The chunk, counted exactly. Tokens of a part may differ from those planned within the whole: then it is halved."""
        text = self._text[start:end]
        start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
        if start >= end:
            return
        embedded = embedding_input(contextual_header(self._title, heading), self._text[start:end])
        tokens = len(self._tokenizer.offsets(embedded)) + self._tokenizer.special_tokens
        if tokens <= self._options.window or end - start <= 1:
            yield _Verified(start, end, heading, tokens)
            return
        middle = self._middle(start, end)
        yield from self._verified(start, middle, heading)
        yield from self._verified(middle, end, heading)

    def _middle(self, start: int, end: int) -> int:
        """A place to cut near the middle: before a sentence, a word, or anywhere."""
        centre = (start + end) // 2
        low, high = start + (end - start) // 4, end - (end - start) // 4
        for boundary in (_SENTENCE_END, _SPACE):
            places = [found.end() for found in boundary.finditer(self._text, low, high) if start < found.end() < end]
            if places:
                return min(places, key=lambda place: abs(place - centre))
        return centre


def _sections(text: str, blocks: Iterable[Block]) -> Iterator[_Section]:
    """Runs of blocks under one heading. A heading that another follows at once shares the next one's section."""
    path: list[tuple[int, str]] = []
    current: list[Block] = []
    for block in blocks:
        if block.kind is BlockKind.HEADING:
            if any(earlier.kind not in _NO_BODY for earlier in current):
                carried = _page_head(current, block.page)
                yield _Section(tuple(name for _, name in path), current[: len(current) - len(carried)])
                current = carried
            level = block.level or 1
            path = [outer for outer in path if outer[0] < level]
            path.append((level, _heading_name(text[block.start : block.end])))
        current.append(block)
    if current:
        yield _Section(tuple(name for _, name in path), current)


def _page_head(blocks: list[Block], page: int | None) -> list[Block]:
    """The furniture at the end of some blocks that is the head of the page on which a heading stands: it goes with that."""
    count = 0
    for block in reversed(blocks):
        if page is None or block.kind is not BlockKind.PAGE_FURNITURE or block.page != page:
            break
        count += 1
    return blocks[len(blocks) - count :]


def _covering(document: ExtractedText) -> Iterator[Block]:
    """The document's blocks, and paragraphs for text that is in none."""
    end_of_text = Block(BlockKind.PARAGRAPH, len(document.text), len(document.text))
    cursor = 0
    for block in (*document.blocks, end_of_text):
        if document.text[cursor : block.start].strip():
            yield Block(BlockKind.PARAGRAPH, cursor, block.start)
        if document.text[block.start : block.end].strip():
            yield block
        cursor = block.end


def _split(text: str, piece: _Piece, boundary: re.Pattern[str]) -> Iterator[_Piece]:
    """A piece in parts that end where a boundary ends; the parts join without a gap."""
    ends = [found.end() for found in boundary.finditer(text, piece.start, piece.end)]
    for start, end in pairwise([piece.start, *(place for place in ends if place < piece.end), piece.end]):
        yield piece._replace(start=start, end=end)


def _heading_name(text: str) -> str:
    return " ".join(text[: _READ_FACTOR * _HEADING_CHARS].split())[:_HEADING_CHARS].strip()


def _page(pages: tuple[PageSpan, ...], starts: list[int], place: int) -> int | None:
    """The page on which a character stands."""
    return pages[max(0, bisect_right(starts, place) - 1)].number if pages else None


def _shortened(text: str, limit: int) -> str:
    encoded = text.encode()
    return text if len(encoded) <= limit else encoded[:limit].decode(errors="ignore").rstrip()
