"""What is embedded before a chunk's text."""

from time import process_time

from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.chunking import ChunkingOptions, chunker, embedding_input
from atrium.documents.chunking.headers import Context, Headers
from tests.factories.structures import document, heading, paragraph
from tests.fakes.tokenizers import Bytes, Words


def header(title: str | None, *path: str, row: str = "", window: int = 256) -> str:
    return Headers(title, Words(), window, contextual=True).of(Context(path, row)).text


def test_the_header_names_title_path_and_table() -> None:
    assert header("Handbook", "A", "B") == "Handbook > A > B"
    assert header("Handbook") == "Handbook"
    assert header(None, "A") == "A"
    assert header("A", "A", "B") == "A > B"
    assert header("Shop", "Prices", row="What | Price") == "Shop > Prices > What | Price"
    assert header("") == ""


def test_what_is_embedded_is_the_header_and_the_text() -> None:
    assert embedding_input("", "text") == "text"
    assert embedding_input("T > A", "text") == "T > A\n\ntext"


def test_without_headers_the_heading_is_known_still() -> None:
    made = Headers("Title", Words(), 256, contextual=False).of(Context(("A", "B")))
    assert (made.heading, made.text, made.tokens) == ("A > B", "", 0)


def test_a_long_path_loses_its_outer_parts_first() -> None:
    names = [f"Part {level} of a path that is much too long" for level in range(1, 7)]
    made = Headers("Title", Words(), 128, contextual=True).of(Context(tuple(names)))
    assert made.heading == " > ".join(names[-2:])
    assert made.text == f"Title > {made.heading}"


@given(st.text(max_size=400), st.lists(st.text(max_size=90), max_size=12), st.text(max_size=300), st.sampled_from([64, 256, 512]))
def test_a_header_takes_at_most_a_fourth_of_the_window(title: str, path: list[str], row: str, window: int) -> None:
    for tokenizer in (Words(), Bytes()):
        made = Headers(title, tokenizer, window, contextual=True).of(Context(tuple(path), row))
        assert made.tokens == len(tokenizer.offsets(embedding_input(made.text, ""))) <= window // 4
        assert made.text.endswith(made.heading)


def test_a_huge_title_and_heading_cost_no_more_than_short_ones() -> None:
    huge = "Title " * 130_000
    tokenizer, started = Words(), process_time()
    subject = document(heading(huge), *(paragraph(60, f"word{number}") for number in range(300)), title=huge)
    chunks = chunker(ChunkingOptions()).chunk(subject, tokenizer, window=256, title=huge)
    assert process_time() - started < 4
    assert tokenizer.characters < 3 * len(subject.text)
    assert max(len(part.heading) for part in chunks) <= 80
