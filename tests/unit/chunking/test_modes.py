"""What each mode keeps together."""

import re
from collections.abc import Sequence
from itertools import pairwise
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atrium.documents.chunking import Chunk, ChunkingOptions, ChunkMode, chunker
from atrium.documents.chunking.graphemes import is_boundary
from atrium.documents.parsing.models import Block, BlockKind, ExtractedText, PageSpan
from tests.factories.structures import document, documents, heading, items, paragraph, prose
from tests.fakes.tokenizers import Bytes, Swallower, Words

SMALL = 128


def cut(
    subject: ExtractedText,
    mode: ChunkMode = ChunkMode.HEADING,
    *,
    window: int = SMALL,
    overlap: int = 0,
    title: str | None = None,
) -> tuple[Chunk, ...]:
    return chunker(ChunkingOptions(mode, overlap_tokens=overlap)).chunk(subject, Words(), window=window, title=title)


def texts(subject: ExtractedText, chunks: Sequence[Chunk]) -> list[str]:
    return [subject.text[part.start : part.end] for part in chunks]


def rows(count: int) -> str:
    return "\n".join(["What | Price", *(f"Row {number} | {number * 7} euros" for number in range(count))])


class TestHeading:
    def test_a_heading_starts_a_chunk_and_is_in_it(self) -> None:
        subject = document(paragraph(3), heading("A"), paragraph(3), heading("B", 2), paragraph(3), heading("C"), paragraph(3))
        chunks = cut(subject)
        assert [part.heading for part in chunks] == ["", "A", "A > B", "C"]
        assert [text.split()[0] for text in texts(subject, chunks)] == ["word", "A", "B", "C"]

    def test_a_heading_without_text_goes_with_the_next_one(self) -> None:
        subject = document(heading("Chapter"), heading("Section", 2), paragraph(5))
        (only,) = cut(subject)
        assert only.heading == "Chapter > Section"
        assert texts(subject, [only]) == [subject.text]

    def test_headings_of_nothing_are_found_too(self) -> None:
        subject = document(paragraph(5), heading("Appendix"), heading("Index"))
        assert [part.heading for part in cut(subject)] == ["", "Index"]

    def test_sections_of_a_few_words_share_a_chunk_under_what_they_share(self) -> None:
        terms = [block for number in range(24) for block in (heading(f"Term {number}", 2), paragraph(3))]
        subject = document(heading("Glossary"), paragraph(40), *terms, heading("Next"), paragraph(5))
        chunks = cut(subject)
        assert [part.heading for part in chunks] == [*["Glossary"] * 4, "Next"]
        assert all(text.startswith("Term") for text in texts(subject, chunks)[1:-1])

    def test_a_section_of_some_size_shares_nothing(self) -> None:
        subject = document(heading("A"), paragraph(4), heading("B"), paragraph(20), heading("C"), paragraph(4))
        assert [part.heading for part in cut(subject)] == ["A", "B", "C"]

    def test_paragraphs_that_fit_are_whole(self) -> None:
        subject = document(*[paragraph(60, name) for name in ("one", "two", "six", "ten", "can")])
        assert [len(set(re.findall(r"\w+", text))) for text in texts(subject, cut(subject))] == [2, 2, 1]

    def test_a_long_paragraph_is_cut_after_a_sentence(self) -> None:
        subject = document(prose(80))
        found = texts(subject, cut(subject))
        assert len(found) > 3
        assert all(text.startswith("Sentence") and text.endswith("words.") for text in found)

    def test_a_sentence_without_end_is_cut_between_words(self) -> None:
        subject = document((BlockKind.PARAGRAPH, "wonderful " * 300, None))
        assert set(" ".join(texts(subject, cut(subject))).split()) == {"wonderful"}

    def test_a_list_that_fits_is_whole_and_a_longer_one_is_cut_between_items(self) -> None:
        subject = document(paragraph(100), *items(6))
        assert [text.count("- item") for text in texts(subject, cut(subject))] == [0, 6]
        longer = document(*items(60))
        assert all(text.startswith("- item") and text.endswith("words") for text in texts(longer, cut(longer)))

    def test_code_is_cut_between_its_paragraphs_and_lines(self) -> None:
        functions = "\n\n".join(f"def f{number}():\n    x = {number}\n    return x" for number in range(40))
        subject = document((BlockKind.CODE, functions, None))
        assert all(text.startswith("def") and text.endswith("return x") for text in texts(subject, cut(subject)))

    def test_a_small_rest_takes_from_its_neighbour(self) -> None:
        subject = document(paragraph(40, "one"), paragraph(40, "two"), paragraph(40, "six"), paragraph(4, "ten"))
        assert [text.split()[0] for text in texts(subject, cut(subject))] == ["one", "six"]
        subject = document(paragraph(40, "one"), paragraph(40, "two"), paragraph(40, "six"), paragraph(10, "ten"))
        assert all(part.tokens >= 24 for part in cut(subject))

    def test_a_heading_is_not_left_alone_before_a_long_paragraph(self) -> None:
        subject = document(heading("A heading of several words"), prose(15))
        assert "Sentence 5" in texts(subject, cut(subject))[0]


class TestTables:
    @pytest.mark.parametrize("mode", [ChunkMode.HEADING, ChunkMode.RECURSIVE, ChunkMode.SENTENCE])
    def test_rows_are_whole_and_know_their_header(self, mode: ChunkMode) -> None:
        subject = document(heading("Prices"), (BlockKind.TABLE, rows(90), None), title="Shop")
        first, *others = cut(subject, mode)
        assert (first.heading, first.header) == ("Prices", "Shop > Prices")
        assert {(part.heading, part.header) for part in others} == {("Prices > What | Price", "Shop > Prices > What | Price")}
        assert all(re.fullmatch(r"(Row \d+ \| \d+ euros\n?)+", text) for text in texts(subject, others))

    def test_the_header_row_stands_in_the_text_once(self) -> None:
        subject = document((BlockKind.TABLE, rows(90), None))
        assert sum("What | Price" in text for text in texts(subject, cut(subject, overlap=20))) == 1

    def test_a_wide_header_row_is_shortened(self) -> None:
        header = " | ".join(f"Column {number}" for number in range(400))
        subject = document((BlockKind.TABLE, header + "\n" + "\n".join(f"{n} | x" for n in range(300)), None), title="Shop")
        chunks = cut(subject)
        assert chunks[-1].heading.startswith("Column 0 | Column 1")
        assert all(len(Words().offsets(part.header)) <= SMALL // 4 for part in chunks)

    def test_a_row_that_is_longer_than_a_chunk_is_cut_between_cells(self) -> None:
        row = " | ".join(f"cell {number}" for number in range(300))
        subject = document((BlockKind.TABLE, f"a | b\n{row}", None))
        assert all(text.startswith("cell") for text in texts(subject, cut(subject))[1:])


class TestFurniture:
    def test_the_head_of_a_page_goes_with_what_stands_on_the_page(self) -> None:
        text = "First words\nHandbook\nNext\nMore words"
        blocks = (
            Block(BlockKind.PARAGRAPH, 0, 11, page=1),
            Block(BlockKind.PAGE_FURNITURE, 12, 20, page=2),
            Block(BlockKind.HEADING, 21, 25, level=1, page=2),
            Block(BlockKind.PARAGRAPH, 26, 36, page=2),
        )
        subject = ExtractedText(text, blocks, (PageSpan(1, 0, 11), PageSpan(2, 12, 36)))
        assert [(part.page_from, part.page_to, part.heading) for part in cut(subject)] == [(1, 1, ""), (2, 2, "Next")]

    def test_the_foot_of_a_page_goes_with_what_stands_above_it(self) -> None:
        text = "First words\nPage 1\nNext\nMore words\nPage 2"
        blocks = (
            Block(BlockKind.PARAGRAPH, 0, 11, page=1),
            Block(BlockKind.PAGE_FURNITURE, 12, 18, page=1),
            Block(BlockKind.HEADING, 19, 23, level=1, page=2),
            Block(BlockKind.PARAGRAPH, 24, 34, page=2),
            Block(BlockKind.PAGE_FURNITURE, 35, 41, page=2),
        )
        subject = ExtractedText(text, blocks, (PageSpan(1, 0, 18), PageSpan(2, 19, 41)))
        assert texts(subject, cut(subject)) == ["First words\nPage 1", "Next\nMore words\nPage 2"]


class TestOtherModes:
    def test_fixed_fills_every_chunk_and_cuts_between_words(self) -> None:
        subject = document(heading("A"), prose(30), heading("B"), prose(30))
        *full, _ = cut(subject, ChunkMode.FIXED)
        assert all(part.tokens > SMALL - 12 for part in full)
        assert " ".join(texts(subject, cut(subject, ChunkMode.FIXED))).split() == subject.text.split()

    def test_fixed_repeats_as_much_as_was_asked_for(self) -> None:
        subject = document(prose(80))
        chunks = cut(subject, ChunkMode.FIXED, overlap=30)
        repeated = [subject.text[after.start : before.end] for before, after in pairwise(chunks)]
        assert all(24 < len(Words().offsets(text)) <= 30 for text in repeated)

    def test_recursive_prefers_paragraphs_then_lines_then_sentences(self) -> None:
        verse = "\n".join(f"line {number} of a poem that has no full stop" for number in range(30))
        subject = document(prose(8), (BlockKind.PARAGRAPH, verse, None), prose(30))
        found = texts(subject, cut(subject, ChunkMode.RECURSIVE))
        assert all(re.match(r"Sentence|line", text) and re.search(r"(words\.|stop)$", text) for text in found)

    def test_sentence_cuts_nowhere_but_after_sentences(self) -> None:
        text = "Dr. Smith met J. Doe at 3.5 km, e.g. in No. 7. They left. " * 20
        arabic = "هل هذا سؤال؟ نعم. هذا جواب طويل جدا. " * 20
        subject = document(
            (BlockKind.PARAGRAPH, text, None),
            (BlockKind.PARAGRAPH, "今天天气很好。我们去公园！" * 30, None),
            (BlockKind.PARAGRAPH, arabic, None),
        )
        found = texts(subject, cut(subject, ChunkMode.SENTENCE))
        assert len(found) > 8
        assert all(re.search(r"(No\. 7\.|They left\.|好。|公园！|سؤال؟|نعم\.|جدا\.)$", each) for each in found)
        assert all(re.match(r"Dr\. Smith|They left|今天|我们|هل|نعم|هذا جواب", each) for each in found)

    def test_sentence_repeats_whole_sentences(self) -> None:
        subject = document(prose(40))
        chunks = cut(subject, ChunkMode.SENTENCE, overlap=20)
        repeated = [subject.text[after.start : before.end] for before, after in pairwise(chunks)]
        assert all(re.fullmatch(r"(Sentence \d+ has a few words\. ?)+", text) for text in repeated)

    @pytest.mark.parametrize("mode", [ChunkMode.FIXED, ChunkMode.RECURSIVE, ChunkMode.SENTENCE])
    def test_chunks_of_other_modes_know_the_heading_that_they_begin_under(self, mode: ChunkMode) -> None:
        subject = document(heading("A"), prose(20), heading("B", 2), prose(20))
        headings = [part.heading for part in cut(subject, mode)]
        assert (headings[0], headings[-1]) == ("A", "A > B")


@pytest.mark.parametrize("mode", ChunkMode)
def test_text_without_spaces_is_cut_between_characters(mode: ChunkMode) -> None:
    for text in ("漢字仮名" * 2_000, "e\u0323\u0301" * 3_000, "👩‍👩‍👧‍👦" * 800, "x" * 20_000, "🇩🇪" * 900):
        subject = ExtractedText(text)
        chunks = chunker(ChunkingOptions(mode)).chunk(subject, Words(), window=SMALL)
        assert "".join(texts(subject, chunks)) == text
        assert all(part.start == 0 or is_boundary(text, part.start) for part in chunks)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.sampled_from(ChunkMode), st.sampled_from([64, 256]), st.sampled_from([0, 20]))
def test_no_character_that_a_reader_sees_is_torn(subject: ExtractedText, mode: ChunkMode, window: int, overlap: int) -> None:
    for part in cut(subject, mode, window=window, overlap=overlap):
        assert part.start == 0 or is_boundary(subject.text, part.start)
        assert part.end == len(subject.text) or is_boundary(subject.text, part.end)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.sampled_from([64, 256]))
def test_no_chunk_holds_text_of_two_sections_of_some_size(subject: ExtractedText, window: int) -> None:
    headings = [block for block in subject.blocks if block.kind is BlockKind.HEADING]
    for part in cut(subject, window=window):
        inside = [
            block
            for block in headings
            if part.start < block.start and block.end <= part.end and subject.text[block.start : block.end].strip()
        ]
        above = subject.text[part.start : inside[0].start] if inside else ""
        bodies = [
            b
            for b in subject.blocks
            if b.kind not in {BlockKind.HEADING, BlockKind.PAGE_FURNITURE} and part.start <= b.start < part.start + len(above)
        ]
        has_text = any(subject.text[b.start : b.end].strip() for b in bodies)
        assert not has_text or len(Words().offsets(above)) < 64


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(documents(), st.sampled_from([ChunkMode.HEADING, ChunkMode.RECURSIVE, ChunkMode.SENTENCE]), st.sampled_from([0, 20]))
def test_rows_are_whole_and_their_header_is_known(subject: ExtractedText, mode: ChunkMode, overlap: int) -> None:
    tables = [block for block in subject.blocks if block.kind is BlockKind.TABLE]
    for part in cut(subject, mode, window=SMALL, overlap=overlap):
        for table in tables:
            places = [place for place in (part.start, part.end) if table.start < place < table.end]
            assert all("\n" in subject.text[place - 1 : place + 1] for place in places)
            if overlap == 0 and table.start < part.start < table.end:
                assert part.heading.endswith("Name | Value")
                assert part.header.endswith("Name | Value")


def test_an_endless_word_is_not_swallowed_whole() -> None:
    subject = document((BlockKind.PARAGRAPH, "x" * 40_000, None))
    for mode in ChunkMode:
        chunks = chunker(ChunkingOptions(mode)).chunk(subject, Swallower(), window=256)
        assert all(part.end - part.start <= 256 * 32 for part in chunks)


def test_a_window_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="64"):
        cut(document(paragraph(3)), window=63)


@pytest.mark.parametrize("mode", ChunkMode)
@pytest.mark.parametrize(
    "text",
    [
        "Ends. " * 12_000,
        "." * 60_000,
        "\n" * 60_000 + "a",
        ". " * 30_000,
        "a\n" * 30_000,
        "漢" * 60_000,
        "🇩🇪" * 30_000,
        "\u0301" * 60_000,
        '."' * 30_000,
    ],
    ids=["sentences", "dots", "empty lines", "dots with spaces", "short lines", "CJK", "flags", "marks", "quotes"],
)
def test_the_work_grows_with_the_text(text: str, mode: ChunkMode) -> None:
    tokenizer, started = Words(), process_time()
    chunker(ChunkingOptions(mode)).chunk(ExtractedText(text), tokenizer, window=256)
    assert tokenizer.characters < 4 * len(text)
    assert process_time() - started < 4


def test_white_space_at_the_end_is_no_chunk_that_only_repeats() -> None:
    subject = ExtractedText("word \nword \nword word word word \n")
    assert len(chunker(ChunkingOptions(ChunkMode.FIXED, overlap_tokens=256)).chunk(subject, Bytes(), window=64)) == 1
