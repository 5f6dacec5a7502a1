"""Chunks: exact spans, nothing lost, nothing beyond the window, structure kept."""

import re
from collections.abc import Sequence
from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atrium.documents.chunking import MAX_WINDOW, MIN_WINDOW, Chunk, ChunkOptions, chunk, contextual_header, embedding_input
from atrium.documents.parsing.models import Block, BlockKind, ExtractedText, PageSpan
from atrium.documents.parsing.plain import PlainExtractor
from atrium.documents.parsing.registry import ParseOptions


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


_TOKENIZERS = st.sampled_from([Words(), Bytes(), Swallower()])
_PIECES = st.sampled_from(["word ", "ends. ", "Über ", "\n", "\n\n", "漢字。", "a | b\n", "x" * 70, "  ", "👩‍🔬", "1.5 "])


@st.composite
def documents(draw: st.DrawFn) -> ExtractedText:
    """Blocks of every kind with and without text between them, on pages or without."""
    text = ""
    blocks: list[Block] = []
    starts: list[int] = []
    for _ in range(draw(st.integers(0, 12))):
        if draw(st.booleans()):
            starts.append(len(text))
        start = len(text)
        text += "".join(draw(st.lists(_PIECES, min_size=1, max_size=12))) * draw(st.sampled_from([1, 1, 1, 30]))
        if draw(st.integers(0, 5)):
            blocks.append(
                Block(
                    draw(st.sampled_from(BlockKind)), start, len(text), draw(st.integers(1, 4)), draw(st.sampled_from([None, 1]))
                )
            )
        text += draw(st.sampled_from(["", "\n", "\n\n", " stray words "]))
    pages = tuple(PageSpan(number, *span) for number, span in enumerate(pairwise([*starts, len(text)]), 1)) if starts else ()
    return ExtractedText(text, tuple(blocks), pages, draw(st.sampled_from([None, "Title", "漢" * 200])))


_OPTIONS = st.builds(
    ChunkOptions,
    max_tokens=st.sampled_from([MIN_WINDOW, 256, 4096]),
    overlap_sentences=st.integers(0, 2),
    min_tokens=st.sampled_from([0, 24, 100]),
    title=st.sampled_from([None, "Another title"]),
)


@settings(deadline=None)
@given(documents(), _TOKENIZERS, _OPTIONS)
def test_chunks_are_exact_ordered_complete_and_within_the_window(
    document: ExtractedText, tokenizer: Words | Bytes | Swallower, options: ChunkOptions
) -> None:
    chunks = chunk(document, tokenizer, options)
    title = options.title or document.title
    covered = bytearray(len(document.text))
    for part in chunks:
        text = document.text[part.start : part.end]
        assert text
        assert text == text.strip()
        covered[part.start : part.end] = b"\1" * len(text)
        assert part.tokens == len(tokenizer.offsets(embedding_input(title, part.heading, text))) + tokenizer.special_tokens
        assert part.tokens <= min(MAX_WINDOW, options.max_tokens)
    assert [part.ordinal for part in chunks] == list(range(len(chunks)))
    assert not [letter for letter, seen in zip(document.text, covered, strict=True) if not seen and not letter.isspace()]
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        assert options.overlap_sentences or before.end <= after.start


@settings(deadline=None)
@given(documents(), _OPTIONS)
def test_pages_are_those_of_the_first_and_the_last_letter(document: ExtractedText, options: ChunkOptions) -> None:
    def page_of(place: int) -> int | None:
        begun = [page.number for page in document.pages if page.start <= place]
        return max(begun, default=document.pages[0].number if document.pages else None)

    for part in chunk(document, Words(), options):
        assert (part.page_from, part.page_to) == (page_of(part.start), page_of(part.end - 1))


def _document(*blocks: tuple[BlockKind, str, int | None], title: str | None = None) -> ExtractedText:
    text, spans = "", []
    for kind, content, level in blocks:
        start = len(text) + (2 if text else 0)
        text += ("\n\n" if text else "") + content
        spans.append(Block(kind, start, len(text), level))
    return ExtractedText(text, tuple(spans), title=title)


def _heading(text: str, level: int = 1) -> tuple[BlockKind, str, int | None]:
    return BlockKind.HEADING, text, level


def _paragraph(words: int, name: str = "word") -> tuple[BlockKind, str, int | None]:
    return BlockKind.PARAGRAPH, " ".join([name] * words) + ".", None


def _texts(document: ExtractedText, chunks: Sequence[Chunk]) -> list[str]:
    return [document.text[part.start : part.end] for part in chunks]


def test_a_heading_starts_a_chunk_and_is_in_it() -> None:
    document = _document(
        _paragraph(3), _heading("A"), _paragraph(3), _heading("B", 2), _paragraph(3), _heading("C"), _paragraph(3)
    )
    chunks = chunk(document, Words(), ChunkOptions())
    assert [part.heading for part in chunks] == ["", "A", "A > B", "C"]
    assert [text.split()[0] for text in _texts(document, chunks)] == ["word", "A", "B", "C"]


def test_a_heading_without_text_goes_with_the_next_one() -> None:
    document = _document(_heading("Chapter"), _heading("Section", 2), _paragraph(5))
    (only,) = chunk(document, Words(), ChunkOptions())
    assert only.heading == "Chapter > Section"
    assert document.text[only.start : only.end] == document.text


def test_the_head_of_a_page_goes_with_what_stands_on_the_page() -> None:
    text = "First words\nHandbook\nNext\nMore words"
    blocks = (
        Block(BlockKind.PARAGRAPH, 0, 11, page=1),
        Block(BlockKind.PAGE_FURNITURE, 12, 20, page=2),
        Block(BlockKind.HEADING, 21, 25, level=1, page=2),
        Block(BlockKind.PARAGRAPH, 26, 36, page=2),
    )
    document = ExtractedText(text, blocks, (PageSpan(1, 0, 11), PageSpan(2, 12, 36)))
    chunks = chunk(document, Words(), ChunkOptions())
    assert [(part.page_from, part.page_to, part.heading) for part in chunks] == [(1, 1, ""), (2, 2, "Next")]


def test_paragraphs_that_fit_are_whole() -> None:
    document = _document(*[_paragraph(60, name) for name in ("one", "two", "six", "ten", "can")])
    chunks = chunk(document, Words(), ChunkOptions(max_tokens=MIN_WINDOW))
    assert [len(set(re.findall(r"\w+", text))) for text in _texts(document, chunks)] == [2, 2, 1]


def test_a_long_paragraph_is_cut_after_a_sentence() -> None:
    sentences = " ".join(f"Sentence {number} has a few words." for number in range(80))
    document = _document((BlockKind.PARAGRAPH, sentences, None))
    chunks = chunk(document, Words(), ChunkOptions(max_tokens=MIN_WINDOW))
    assert len(chunks) > 3
    assert all(text.startswith("Sentence") and text.endswith("words.") for text in _texts(document, chunks))


def test_a_sentence_without_end_is_cut_between_words() -> None:
    document = _document((BlockKind.PARAGRAPH, "wonderful " * 300, None))
    chunks = chunk(document, Words(), ChunkOptions(max_tokens=MIN_WINDOW))
    assert set(" ".join(_texts(document, chunks)).split()) == {"wonderful"}


def test_an_endless_word_is_not_swallowed_whole() -> None:
    document = _document((BlockKind.PARAGRAPH, "x" * 40_000, None))
    assert all(part.end - part.start <= 256 * 32 for part in chunk(document, Swallower(), ChunkOptions()))


def test_rows_of_a_long_table_keep_whole_and_know_their_header() -> None:
    rows = "\n".join(f"Row {number} | {number * 7} euros" for number in range(90))
    document = _document(_heading("Prices"), (BlockKind.TABLE, f"What | Price\n{rows}", None))
    first, *others = chunk(document, Words(), ChunkOptions(max_tokens=MIN_WINDOW))
    assert first.heading == "Prices"
    assert {part.heading for part in others} == {"Prices > What | Price"}
    assert all(re.fullmatch(r"(Row \d+ \| \d+ euros\n?)+", text) for text in _texts(document, others))


def test_a_small_rest_takes_from_its_neighbour() -> None:
    document = _document(_paragraph(40, "one"), _paragraph(40, "two"), _paragraph(40, "six"), _paragraph(4, "ten"))
    chunks = chunk(document, Words(), ChunkOptions(max_tokens=MIN_WINDOW, min_tokens=24))
    assert [text.split()[0] for text in _texts(document, chunks)] == ["one", "six"]
    document = _document(_paragraph(40, "one"), _paragraph(40, "two"), _paragraph(40, "six"), _paragraph(10, "ten"))
    assert all(part.tokens >= 24 for part in chunk(document, Words(), ChunkOptions(max_tokens=MIN_WINDOW, min_tokens=24)))


def test_a_heading_is_not_left_alone_before_a_long_paragraph() -> None:
    sentences = " ".join(f"Sentence {number} has a few words." for number in range(15))
    document = _document(_heading("A heading of several words"), (BlockKind.PARAGRAPH, sentences, None))
    first, *_ = chunk(document, Words(), ChunkOptions(max_tokens=MIN_WINDOW))
    assert "Sentence 5" in document.text[first.start : first.end]


def test_sentences_are_repeated_when_asked_for() -> None:
    sentences = " ".join(f"Sentence {number} has a few words." for number in range(40))
    document = _document((BlockKind.PARAGRAPH, sentences, None))
    chunks = chunk(document, Words(), ChunkOptions(max_tokens=MIN_WINDOW, overlap_sentences=1))
    repeated = [document.text[after.start : before.end] for before, after in pairwise(chunks) if after.start < before.end]
    assert repeated
    assert all(re.fullmatch(r"Sentence \d+ has a few words\.", text) for text in repeated)


def test_the_header_names_title_and_path_and_is_bounded() -> None:
    assert contextual_header("Handbook", "A > B") == "Handbook > A > B"
    assert contextual_header("Handbook", "") == "Handbook"
    assert contextual_header(None, "A") == "A"
    assert contextual_header("A", "A > B") == "A > B"
    assert contextual_header("", "") == ""
    assert embedding_input(None, "", "text") == "text"
    assert embedding_input("T", "A", "text") == "T > A\n\ntext"
    assert len(contextual_header("漢" * 500, " > ".join(["字" * 80] * 20)).encode()) <= 300


def test_a_long_path_loses_its_outer_parts_first() -> None:
    names = [f"Part {level} of a path that is much too long for its chunks" for level in range(1, 7)]
    headings = [_heading(name, level) for level, name in enumerate(names, 1)]
    (only, *_) = chunk(_document(*headings, _paragraph(3)), Words(), ChunkOptions(max_tokens=MIN_WINDOW))
    assert only.heading == " > ".join(names[-2:])


def test_a_huge_title_and_heading_cost_no_more_than_short_ones() -> None:
    huge = "Title " * 130_000
    tokenizer = Words()
    document = _document(_heading(huge), *(_paragraph(60, f"word{number}") for number in range(300)), title=huge)
    started = perf_counter()

    chunks = chunk(document, tokenizer, ChunkOptions(title=huge))

    assert perf_counter() - started < 4
    assert tokenizer.characters < 3 * len(document.text)
    assert max(len(part.heading) for part in chunks) <= 80
    assert contextual_header(huge, "A") == contextual_header(contextual_header(huge, ""), "A")


def test_options_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="max_tokens"):
        ChunkOptions(max_tokens=MIN_WINDOW - 1)
    with pytest.raises(ValueError, match="overlap"):
        ChunkOptions(overlap_sentences=-1)


def test_nothing_comes_of_nothing() -> None:
    assert chunk(ExtractedText(" \n "), Words(), ChunkOptions()) == ()


def test_the_work_grows_with_the_text() -> None:
    text = "\n\n".join(f"Paragraph {number} says a few words. And some more." for number in range(4_000)).encode()
    document = PlainExtractor().extract(text, ParseOptions())
    tokenizer = Words()
    chunks = chunk(document, tokenizer, ChunkOptions())
    assert len(chunks) > 100
    assert tokenizer.characters < 2.2 * len(document.text)
