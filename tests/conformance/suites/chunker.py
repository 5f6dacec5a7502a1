"""What every `Chunker` does, on documents of every shape."""

from itertools import pairwise
from typing import ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atrium.documents.chunking import MAX_TOKENS, MIN_TOKENS, Chunker, ChunkingOptions, ChunkMode, embedding_input
from atrium.documents.parsing.models import BlockKind, ExtractedText
from atrium.kernel.ids import chunk_id, new_id
from atrium.providers.base import TokenCounter
from tests.factories.structures import documents
from tests.fakes.tokenizers import Bytes, Swallower, Words

_TOKENIZERS = st.sampled_from([Words(), Bytes(), Swallower()])
_WINDOWS = st.sampled_from([MIN_TOKENS, 128, 256, 8191])
_thorough = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors]
)


@st.composite
def chosen(draw: st.DrawFn, mode: ChunkMode | None = None) -> ChunkingOptions:
    """Options of any kind."""
    size = draw(st.sampled_from([None, MIN_TOKENS, 100, MAX_TOKENS]))
    overlap = draw(st.sampled_from([0, 0, 8, (size or MAX_TOKENS) // 2]))
    return ChunkingOptions(mode or draw(st.sampled_from(ChunkMode)), size, overlap, draw(st.booleans()))


class ChunkerSuite:
    """Give `make`: the chunker of some options."""

    modes: ClassVar[tuple[ChunkMode, ...]] = tuple(ChunkMode)

    def make(self, options: ChunkingOptions) -> Chunker:
        """The chunker under test."""
        raise NotImplementedError

    @_thorough
    @given(documents(), _TOKENIZERS, chosen(), _WINDOWS)
    def test_chunks_are_exact_ordered_and_complete(
        self, document: ExtractedText, tokenizer: TokenCounter, options: ChunkingOptions, window: int
    ) -> None:
        chunks = self.make(options).chunk(document, tokenizer, window=window)
        covered = bytearray(len(document.text))
        for part in chunks:
            text = document.text[part.start : part.end]
            assert text
            assert text == text.strip()
            covered[part.start : part.end] = b"\1" * len(text)
        assert [part.ordinal for part in chunks] == list(range(len(chunks)))
        assert all(before.start < after.start and before.end < after.end for before, after in pairwise(chunks))
        missing = [letter for letter, seen in zip(document.text, covered, strict=True) if not seen and not letter.isspace()]
        assert not missing

    @_thorough
    @given(documents(), _TOKENIZERS, chosen(), _WINDOWS)
    def test_the_model_reads_all_of_a_chunk(
        self, document: ExtractedText, tokenizer: TokenCounter, options: ChunkingOptions, window: int
    ) -> None:
        limit = min(window, options.max_tokens or MAX_TOKENS, MAX_TOKENS)
        for part in self.make(options).chunk(document, tokenizer, window=window):
            embedded = embedding_input(part.header, document.text[part.start : part.end])
            assert part.tokens == len(tokenizer.offsets(embedded)) + tokenizer.special_tokens
            assert part.tokens <= limit
            assert len(tokenizer.offsets(part.header)) <= limit // 4
            assert options.contextual or not part.header

    @_thorough
    @given(documents(), _TOKENIZERS, chosen(), _WINDOWS)
    def test_no_more_is_repeated_than_was_asked_for(
        self, document: ExtractedText, tokenizer: TokenCounter, options: ChunkingOptions, window: int
    ) -> None:
        for before, after in pairwise(self.make(options).chunk(document, tokenizer, window=window)):
            repeated = document.text[after.start : before.end]
            assert len(tokenizer.offsets(repeated)) <= options.overlap_tokens

    @_thorough
    @given(documents(), chosen(), _WINDOWS)
    def test_pages_are_those_of_the_first_and_the_last_letter(
        self, document: ExtractedText, options: ChunkingOptions, window: int
    ) -> None:
        def page_of(place: int) -> int | None:
            begun = [page.number for page in document.pages if page.start <= place]
            return max(begun, default=document.pages[0].number if document.pages else None)

        for part in self.make(options).chunk(document, Words(), window=window):
            assert (part.page_from, part.page_to) == (page_of(part.start), page_of(part.end - 1))

    @_thorough
    @given(documents(), chosen(), _WINDOWS)
    def test_page_furniture_is_no_chunk_but_where_there_is_a_lot(
        self, document: ExtractedText, options: ChunkingOptions, window: int
    ) -> None:
        limit = min(window, options.max_tokens or MAX_TOKENS, MAX_TOKENS)
        runs = _furniture(document)
        for part in self.make(options).chunk(document, Words(), window=window):
            around = [(start, end) for start, end in runs if start <= part.start and part.end <= end]
            assert all(len(Words().offsets(document.text[start:end])) > limit // 10 for start, end in around)

    @_thorough
    @given(documents(), chosen(), _WINDOWS)
    def test_the_same_comes_of_the_same(self, document: ExtractedText, options: ChunkingOptions, window: int) -> None:
        once, again = (self.make(options).chunk(document, Words(), window=window, title="Title") for _ in range(2))
        assert once == again
        owner = new_id()
        assert len({chunk_id(owner, 1, part.ordinal) for part in once}) == len(once)
        assert [chunk_id(owner, 1, part.ordinal) for part in once] == [chunk_id(owner, 1, part.ordinal) for part in again]

    def test_nothing_comes_of_nothing(self) -> None:
        for mode in self.modes:
            assert self.make(ChunkingOptions(mode)).chunk(ExtractedText(" \n "), Words(), window=256) == ()

    def test_a_given_title_stands_for_the_documents_own(self) -> None:
        document = ExtractedText("Some words.", title="own title")
        for mode in self.modes:
            own, given = (
                self.make(ChunkingOptions(mode)).chunk(document, Words(), window=256, title=each) for each in (None, "other")
            )
            assert own[0].header == "own title"
            assert given[0].header == "other"


def _furniture(document: ExtractedText) -> list[tuple[int, int]]:
    """Where there is page furniture and nothing else; none in a document that has nothing else at all."""
    runs: list[tuple[int, int]] = []
    for block in document.blocks:
        if block.kind is BlockKind.PAGE_FURNITURE:
            joined = bool(runs) and not document.text[runs[-1][1] : block.start].strip()
            runs[-1:] = [(runs[-1][0], block.end)] if joined else [*runs[-1:], (block.start, block.end)]
    alone = len(runs) == 1 and not (document.text[: runs[0][0]] + document.text[runs[0][1] :]).strip()
    return [] if alone else runs
