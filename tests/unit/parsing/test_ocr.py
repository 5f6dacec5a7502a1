"""OCR around its engine: what is asked again, what is believed, what is kept. The engine is a stand-in behind `OcrEngine`."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.ocr import Bitmap, Reading, RecognisedPage, TextLine, Word
from atrium.documents.parsing.ocr_reading import recognise
from atrium.documents.parsing.pdf_layout import Line
from atrium.documents.parsing.recognised import Recognised
from atrium.kernel.errors import IngestionFailed

# One dark pixel in the upper left corner, so that a test sees how a page was turned.
PAGE = Bitmap(40, 30, b"\0" + b"\xff" * (40 * 30 - 1))


def line(text: str, confidence: float = 0.95, *, baseline: float = 10, height: float = 30) -> TextLine:
    return TextLine(tuple(Word(word, confidence) for word in text.split()), 5, baseline, height)


class Engine:
    """Answers as the test says, and keeps what it was asked."""

    def __init__(self, answer: Callable[[Bitmap], tuple[TextLine, ...]]) -> None:
        self._answer = answer
        self.asked: list[tuple[Bitmap, bool]] = []

    def read(self, bitmap: Bitmap, *, upright: bool = False) -> Reading:
        self.asked.append((bitmap, upright))
        return Reading(self._answer(bitmap), bitmap.width, bitmap.height)


def dark_corner(bitmap: Bitmap) -> tuple[bool, bool]:
    """Whether the dark pixel is at the top, and at the left."""
    row, column = divmod(bitmap.pixels.index(min(bitmap.pixels)), bitmap.width)
    return row < bitmap.height / 2, column < bitmap.width / 2


def test_a_clear_page_is_read_once() -> None:
    engine = Engine(lambda _: (line("Two clear words"),))
    page = recognise(engine, 3, PAGE)
    assert (page.number, [each.text for each in page.lines]) == (3, ["Two clear words"])
    assert page.confidence == pytest.approx(0.95)
    assert len(engine.asked) == 1


def test_a_blank_page_is_not_read() -> None:
    engine = Engine(lambda _: (line("phantom"),))
    assert recognise(engine, 1, Bitmap(40, 30, b"\xff" * 1200)).lines == ()
    assert engine.asked == []


@pytest.mark.parametrize("noise", [(), (line("| ~ -"),), (line("w", 0.9),), (line("smudge", 0.5),)])
def test_what_does_not_read_like_text_is_none(noise: tuple[TextLine, ...]) -> None:
    page = recognise(Engine(lambda _: noise), 1, PAGE)
    assert (page.lines, page.confidence) == ((), 0.0)


def test_small_letters_are_enlarged_and_placed_where_they_were() -> None:
    def answer(bitmap: Bitmap) -> tuple[TextLine, ...]:
        factor = bitmap.width // 40
        return (line("sma11" if factor == 1 else "small", 0.75 + factor / 20, baseline=10 * factor, height=13 * factor),)

    engine = Engine(answer)
    page = recognise(engine, 1, PAGE)
    assert [bitmap.width for bitmap, _ in engine.asked] == [40, 120]
    (found,) = page.lines
    assert (found.text, found.bottom, found.height) == ("small", 20, 13)
    assert found.left == pytest.approx(5 / 3)


# Where the corner is that was the upper left one, on a page that was turned back from lying so.
@pytest.mark.parametrize(("degrees", "corner"), [(90, (False, True)), (180, (False, False)), (270, (True, False))])
def test_a_page_of_few_words_is_turned_until_it_makes_sense(degrees: int, corner: tuple[bool, bool]) -> None:
    def answer(bitmap: Bitmap) -> tuple[TextLine, ...]:
        return (line("Invoice 4711", 0.96) if dark_corner(bitmap) == corner else line("11LV eajovu1", 0.5),)

    engine = Engine(answer)
    page = recognise(engine, 1, PAGE)
    assert (page.orientation, page.lines[0].text) == (degrees, "Invoice 4711")
    assert [upright for _, upright in engine.asked] == [False, True, True, True]


def test_a_divided_word_is_put_together() -> None:
    texts = ("the exam-", "ple of state-of-the-", "art", "Next A-", "4 page")
    lines = tuple(line(text, baseline=10 + 40 * row) for row, text in enumerate(texts))
    page = recognise(Engine(lambda _: lines), 1, PAGE)
    found = [each.text.replace("\ufffe", "") for each in page.lines]
    assert found == ["the example of state-of-the-art", "Next A-", "4 page"]


def test_places_are_points_where_the_resolution_is_known() -> None:
    page = recognise(Engine(lambda _: (line("Some words", baseline=10),)), 1, Bitmap(40, 30, PAGE.pixels, dpi=144))
    assert page.lines == (Line("Some words", 2.5, 10, 15),)


lines_of = st.builds(Line, st.text(max_size=20), *(st.floats(-1e4, 1e4).map(lambda value: round(value, 1)) for _ in range(3)))
pages_of = st.builds(
    RecognisedPage,
    st.integers(1, 2000),
    st.lists(lines_of, max_size=5).map(tuple),
    st.floats(0, 1).map(lambda value: round(value, 4)),
    st.sampled_from([0, 90, 180, 270]),
    st.none() | st.tuples(st.sampled_from(["corrupt", "parser-memory"]), st.text(max_size=20)),
)


@given(pages_of)
def test_a_page_is_the_same_after_a_trip_through_json(page: RecognisedPage) -> None:
    assert RecognisedPage.from_json(page.to_json()) == page
    assert "\n" not in page.to_json()


@pytest.mark.parametrize(
    "data", ["", "[]", "{}", '{"page":1}', '{"page":"x","lines":[],"confidence":0,"orientation":0,"failure":null}']
)
def test_what_is_no_page_is_refused(data: str) -> None:
    with pytest.raises(ValueError, match=r"recognised page|Expecting value|invalid literal"):
        RecognisedPage.from_json(data)


def test_a_text_layer_stays_unless_ocr_reads_far_more() -> None:
    read = RecognisedPage(1, (Line("A whole page of scanned words", 0, 0, 10),), 0.9)
    recognised = Recognised([1], {1: read})
    written = [Line("Words of the text layer", 0, 0, 10)]
    assert recognised.lines(1, written) == written
    assert recognised.lines(1, [Line("Seite 1", 0, 0, 10)]) == list(read.lines)
    assert recognised.lines(1) == list(read.lines)
    assert recognised.lines(2, written) == written


def test_pages_that_nobody_read_yet_are_named() -> None:
    document = Recognised([1, 3], {}).finish(TextBuilder("application/pdf", 1000))
    assert (document.unread, document.text) == ((1, 3), "")


def test_a_document_of_blank_pages_has_no_text() -> None:
    with pytest.raises(IngestionFailed) as failure:
        Recognised([1], {1: RecognisedPage(1)}).finish(TextBuilder("image/png", 1000))
    assert failure.value.kind == "empty-text"


def test_a_document_that_could_not_be_read_fails_as_its_page_did() -> None:
    pages = {1: RecognisedPage(1), 2: RecognisedPage(2, failure=("parser-memory", "Too much."))}
    with pytest.raises(IngestionFailed) as failure:
        Recognised([1, 2], pages).finish(TextBuilder("image/tiff", 1000))
    assert (failure.value.kind, failure.value.detail) == ("parser-memory", "Too much.")
