"""Citations are read as sentences end, and proved against the passage they name."""

import re
import unicodedata
from dataclasses import replace
from itertools import pairwise
from time import perf_counter
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from atrium.answers.citations import CitationReader
from atrium.answers.models import Citation, Source
from atrium.answers.splitting import LONGEST, SentenceSplitter, split_sentences
from atrium.retrieval.models import Hit

FIRST = "Refunds are paid within 14 days after receipt. Shipping costs are not refunded."
SECOND = "The warranty lasts two years. It covers parts (not labour), says Dr. Smith."
NO_ANSWER = "Nothing was found."


def source(marker: int, text: str, start: int = 0) -> Source:
    hit = Hit(
        chunk_id=UUID(int=marker), document_id=UUID(int=10 + marker), document_name=f"{marker}.pdf", version=1,
        page_from=3, page_to=4, page_starts=(start + 40,), char_start=start, char_end=start + len(text),
        heading="", language="en", text=text, score=1.0, vector_score=None, keyword_score=None,
    )  # fmt: skip
    return Source(marker, (hit,))


SOURCES = (source(1, FIRST, 1000), source(2, SECOND, 500))


def read(answer: str) -> tuple[list[Citation], list[str]]:
    reader = CitationReader(SOURCES, {NO_ANSWER})
    citations = [*reader.feed(answer), *reader.finish()]
    return citations, reader.unsupported


def test_a_quote_is_proved_with_its_place() -> None:
    (citation,), unsupported = read('You get your money "within 14 days after receipt" [1].')

    assert (citation.quote, citation.char_start, citation.char_end) == ("within 14 days after receipt", 1017, 1045)
    assert (citation.verified, citation.marker, citation.document_name) == (True, 1, "1.pdf")
    assert unsupported == []


def test_a_copied_sentence_is_a_quote() -> None:
    citations, unsupported = read("The warranty lasts two years. [2] Shipping costs are not refunded. [1]")

    assert [(each.marker, each.quote) for each in citations] == [
        (2, "The warranty lasts two years"),
        (1, "Shipping costs are not refunded"),
    ]
    assert unsupported == []


def test_the_page_is_the_quotes_own() -> None:
    (early,), _ = read('"Refunds are paid" [1].')
    (late,), _ = read('"Shipping costs are not refunded" [1].')

    assert (early.page, late.page) == (3, 4)


def test_the_stored_texts_characters_are_given() -> None:
    (citation,), _ = read("It COVERS  “parts (not labour)” [2].")

    assert citation.quote == "parts (not labour"


def test_an_invented_quote_is_not_verified() -> None:
    (citation,), unsupported = read('It says "refunds take a whole year" [1].')

    assert (citation.verified, citation.char_start, citation.char_end) == (False, None, None)
    assert citation.quote == "refunds take a whole year"
    assert unsupported == ['It says "refunds take a whole year" [1].']


def test_a_true_quote_does_not_cover_for_an_invented_one() -> None:
    citations, unsupported = read('"The warranty lasts two years" [2], and "shipping is free" [1].')

    assert [each.verified for each in citations] == [True, False]
    assert len(unsupported) == 1


def test_a_quote_of_another_passage_is_not_verified() -> None:
    (citation,), unsupported = read('"The warranty lasts two years" [1].')

    assert not citation.verified
    assert len(unsupported) == 1


def test_sentences_without_a_citation_are_listed() -> None:
    answer = 'Here is what I found.\n- "Refunds are paid" [1]\n- Ask a lawyer!\nThe moon is hollow. "The warranty" [2].'

    citations, unsupported = read(answer)

    assert len(citations) == 2
    assert unsupported == ["Here is what I found.", "- Ask a lawyer!", "The moon is hollow."]


def test_a_paraphrase_proves_nothing() -> None:
    (citation,), unsupported = read("You will be reimbursed in two weeks [1].")

    assert (citation.verified, citation.quote) == (False, "")
    assert unsupported == ["You will be reimbursed in two weeks [1]."]


def test_a_passage_that_was_not_given_is_no_citation() -> None:
    citations, unsupported = read('"Refunds are paid" [7].')

    assert citations == []
    assert unsupported == ['"Refunds are paid" [7].']


def test_several_markers_vouch_for_the_same() -> None:
    sources = (SOURCES[0], Source(3, (replace(SOURCES[0].parts[0], document_name="copy.pdf"),)))
    reader = CitationReader(sources)

    citations = [*reader.feed('"Refunds are paid" [1][3]. "Shipping costs" [1, 3].'), *reader.finish()]

    assert [each.marker for each in citations] == [1, 3, 1, 3]
    assert reader.unsupported == []


def test_the_same_place_is_cited_once() -> None:
    citations, _ = read('"Refunds are paid" [1]. Again: "Refunds are paid" [1].')

    assert len(citations) == 1


def test_saying_that_there_is_nothing_is_no_statement() -> None:
    assert read(NO_ANSWER) == ([], [])
    assert read("  ...  ") == ([], [])


def test_citations_come_as_soon_as_their_sentence_ends() -> None:
    reader = CitationReader(SOURCES)

    assert list(reader.feed('"Refunds are paid" [1')) == []
    assert list(reader.feed("]. ")) == []
    assert len(list(reader.feed("The"))) == 1


def test_abbreviations_and_numbers_do_not_end_a_sentence() -> None:
    assert split_sentences("See Fig. 3 and e.g. this. Then 3.5 days. End") == [
        "See Fig. 3 and e.g. this.",
        " Then 3.5 days.",
        " End",
    ]


ANSWERS = [
    'Money comes "within 14 days after receipt" [1]. The warranty lasts two years. [2]\n- Made up [1].\n"parts" [2]!',
    "Refunds are paid within 14 days after receipt.[1]The warranty lasts two years.[2] Nobody said that.",
    'It says "The warranty lasts two years. It covers parts" [2]. And: "Not that. Nor this." [1] Or 5" of it. "Never',
    "Nobody said that.[?] The warranty lasts two years.[2] [?]Refunds are paid within 14 days after receipt. [?][1] End.",
]


@given(answer=st.sampled_from(ANSWERS), cuts=st.lists(st.integers(0, 150), max_size=6))
def test_the_cuts_between_tokens_change_nothing(answer: str, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    reader = CitationReader(SOURCES)

    citations = [each for start, end in pairwise(places) for each in reader.feed(answer[start:end])]

    assert [*citations, *reader.finish()] == read(answer)[0]
    assert reader.unsupported == read(answer)[1]


@given(text=st.text(max_size=300))
def test_any_text_is_split_without_a_gap(text: str) -> None:
    assert "".join(split_sentences(text)) == text


SCRIPTS = [
    "Refunds are paid within 14 days after receipt of the goods",
    "Die Rückzahlung erfolgt binnen vierzehn Tagen nach Eingang der Ware",
    "返金は商品の到着後十四日以内に行われます",
    "환불은 상품 수령 후 14일 이내에 지급됩니다",
    "تُدفع المبالغ المستردة خلال أربعة عشر يومًا من الاستلام",
    "เงินคืนจะจ่ายภายในสิบสี่วันหลังได้รับสินค้า",
    "Article | Count | Price of the oﬃcial o\ufb03ce",
    "an exam-\nple of a well-\nknown   text",
]


def letters(text: str) -> str:
    """What every forgiven difference leaves alone."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(each for each in folded if each.isalnum() and each != "\u0640")


@given(texts=st.lists(st.sampled_from(SCRIPTS), min_size=1, max_size=4), start=st.integers(0, 5000), data=st.data())
def test_a_citations_places_say_what_the_answer_says(texts: list[str], start: int, data: st.DataObject) -> None:
    stored = " " * start + "\n".join(texts)
    passage = source(1, stored[start:], start)
    words = list(re.finditer(r"\S+", passage.text))
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    quote = " ".join(passage.text[words[first].start() : words[last].end()].split())
    assume('"' not in quote and len(letters(quote)) > 12)

    reader = CitationReader((passage,))
    citations = [*reader.feed(f'So it says: "{quote}" [1].'), *reader.finish()]

    (citation,) = citations
    assert citation.verified
    assert citation.quote == stored[citation.char_start : citation.char_end]
    assert letters(citation.quote) == letters(quote)
    assert reader.unsupported == []


def test_a_quote_over_two_neighbours_is_cited_on_both_sides_of_the_gap() -> None:
    stored = "The term is seven years.\n\nIt begins on the first of May."
    parts = tuple(source(1, stored[start:end], start).parts[0] for start, end in ((0, 24), (26, len(stored))))
    reader = CitationReader((Source(1, parts),))

    citations = [*reader.feed('"The term is seven years. It begins on the first of May." [1]'), *reader.finish()]

    assert [(each.quote, each.char_start, each.char_end) for each in citations] == [
        ("The term is seven years.", 0, 24),
        ("It begins on the first of May", 26, len(stored) - 1),
    ]
    assert reader.unsupported == []


def test_a_quotation_of_several_sentences_is_one() -> None:
    (citation,), unsupported = read('Note: "The warranty lasts two years. It covers parts" [2].')

    assert citation.quote == "The warranty lasts two years. It covers parts"
    assert unsupported == []


def test_a_quotation_that_is_never_closed_hides_nothing() -> None:
    citations, unsupported = read('He said "The moon is hollow. "Refunds are paid" [1].')
    _, measured = read('It is 5" long. "Refunds are paid" [1].')

    assert [each.verified for each in citations] == [True]
    assert unsupported == ['He said "The moon is hollow.']
    assert measured == ['It is 5" long.']


def test_sentences_end_in_other_scripts() -> None:
    assert split_sentences("متى ينتهي العقد؟ اليوم. End") == ["متى ينتهي العقد؟", " اليوم.", " End"]
    assert split_sentences("यह अंत है। और आगे") == ["यह अंत है।", " और आगे"]


def test_the_sign_for_a_passage_that_does_not_exist_ends_a_sentence_like_a_marker() -> None:
    assert split_sentences("Nobody said that.[?] Warranty lasts. [?][2] End") == [
        "Nobody said that.[?]",
        " Warranty lasts. [?][2]",
        " End",
    ]


@pytest.mark.parametrize("piece", [".", "e.g. x ", '"', "“", "a. ", ". [", "[1", " ", "\n", "!” [1] ", '. "x'])
def test_what_is_written_in_single_characters_costs_as_much_however_long_it_is(piece: str) -> None:
    splitter, said = SentenceSplitter(), piece * (20_000 // len(piece))
    begun = perf_counter()
    sentences = [sentence for character in said for sentence in splitter.feed(character)] + splitter.finish()
    assert perf_counter() - begun < 5
    assert "".join(sentences) == said
    assert max(map(len, sentences)) <= LONGEST


@given(st.text(alphabet='ab.!?…。"“”«»[]1, \n…e', max_size=60), st.integers(1, 5))
def test_sentences_are_the_same_however_the_text_was_cut(text: str, size: int) -> None:
    splitter = SentenceSplitter()
    cut = [each for at in range(0, len(text), size) for each in splitter.feed(text[at : at + size])] + splitter.finish()
    assert [each for each in cut if each] == [each for each in split_sentences(text, final=True) if each]
