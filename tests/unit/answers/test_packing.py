"""What a model is shown: the best passages, whole, neighbours together, never more than there is room for."""

from dataclasses import replace
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from atrium.answers.budget import count_tokens
from atrium.answers.models import Source
from atrium.answers.packing import pack
from atrium.answers.prompting import messages
from atrium.retrieval.models import Hit
from tests.unit.answers.test_citations import source

# Of a stored text in which every character is another, so that no place is taken for another.
STORED = "".join(chr(0x4E00 + place) if place % 7 else " " for place in range(400))


def words(text: str) -> int:
    return len(text.split())


def hit(start: int, end: int, document: int = 1) -> Hit:
    made = source(1, STORED[start:end], start).parts[0]
    return replace(made, document_id=UUID(int=document), chunk_id=UUID(int=1000 * document + start), page_starts=())


def test_the_best_come_first_and_what_does_not_fit_is_left_out() -> None:
    hits = [source(number, "word " * size).parts[0] for number, size in enumerate((100, 900, 100, 100), 1)]

    packed = pack(hits, 310, words)

    assert [each.parts[0] for each in packed.sources] == [hits[0], hits[2]]
    assert [each.marker for each in packed.sources] == [1, 2]
    assert packed.dropped == 2


def test_where_none_fits_the_best_is_cut_to_what_does() -> None:
    packed = pack([source(1, "word " * 500, 70).parts[0]], 140, words)

    (part,) = packed.sources[0].parts
    assert (words(part.text), part.char_start, part.char_end) == (100 - 12, 70, 70 + len(part.text))
    assert packed.dropped == 1


def test_neighbours_are_one_source_in_their_own_order() -> None:
    packed = pack([hit(100, 150), hit(300, 350), hit(51, 99), hit(300, 350, document=2), hit(140, 180)], 10_000, words)

    assert [(each.marker, [part.char_start for part in each.parts]) for each in packed.sources] == [
        (1, [51, 100, 140]),
        (2, [300]),
        (3, [300]),
    ]
    assert packed.sources[0].text == STORED[51:99] + "\n" + STORED[100:180]


def test_nothing_found_is_nothing_shown() -> None:
    assert pack([], 1000, words).sources == ()


@st.composite
def passages(draw: st.DrawFn) -> list[Hit]:
    spans = draw(st.lists(st.tuples(st.integers(0, 350), st.integers(1, 50), st.integers(1, 2)), min_size=1, max_size=12))
    return [hit(start, min(start + length, len(STORED)), document) for start, length, document in spans]


@given(hits=passages(), tokens=st.integers(60, 500), data=st.data())
def test_every_place_of_a_source_is_a_place_of_the_stored_text(hits: list[Hit], tokens: int, data: st.DataObject) -> None:
    packed = pack(hits, tokens, words)

    assert sum(words(part.text) + 51 for each in packed.sources for part in each.parts) <= tokens
    assert len(hits) - packed.dropped == sum(len(each.parts) for each in packed.sources)
    for each in packed.sources:
        start = data.draw(st.integers(0, len(each.text) - 1))
        end = data.draw(st.integers(start + 1, len(each.text)))
        _same(each, start, end)


def _same(shown: Source, start: int, end: int) -> None:
    """The stored places of a part of what is shown hold its letters, all of them and in order."""
    places = list(shown.stored(start, end))
    assert "".join("".join(STORED[slice(*place)].split()) for place in places) == "".join(shown.text[start:end].split())
    assert all(shown.between(*place) == STORED[slice(*place)] for place in places)
    assert all(first[1] <= second[0] for first, second in pairwise(places))
    assert all(shown.page_at(place[0]) == 3 for place in places)


@given(
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=4), name=st.integers(1, 1024),
    cjk=st.booleans(), tokens=st.integers(0, 600),
)  # fmt: skip
def test_what_a_model_is_shown_never_overflows_its_room(sizes: list[int], name: int, cjk: bool, tokens: int) -> None:
    given_hits = [
        replace(
            source(number, "word " * size).parts[0], document_name=("文" if cjk else "n ") * name, document_id=UUID(int=number)
        )
        for number, size in enumerate(sizes, 1)
    ]
    packed = pack(given_hits, tokens, count_tokens)
    shown = messages("", packed.sources)[1].text.removesuffix("\n\nQuestion: ")
    assert count_tokens(shown) <= tokens if packed.sources else shown == ""


def test_a_document_of_the_longest_name_is_shown_to_the_smallest_model() -> None:
    named = replace(source(1, "word " * 300).parts[0], document_name="文" * 341)
    (shown,) = pack([named], 256, count_tokens).sources
    assert len(shown.text) > 50
