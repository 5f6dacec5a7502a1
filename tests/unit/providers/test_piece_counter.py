"""The token count for models whose vocabulary is too heavy to carry."""

from hypothesis import given
from hypothesis import strategies as st

from atrium.providers.piece_counter import PieceCounter, in_pieces


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
def test_pieces_cover_the_text_and_none_can_hide_many_tokens(text: str) -> None:
    spans = PieceCounter().offsets(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(len(text[start:end].encode()) <= 12 for start, end in spans)


def test_ordinary_words_are_counted_as_tokenizers_count_them() -> None:
    text = "The pump runs at 2,900 rpm."
    pieces = [text[start:end] for start, end in PieceCounter().offsets(text)]
    assert pieces == ["The", " pump", " runs", " at", " 2", ",", "900", " rpm", "."]
    assert PieceCounter().special_tokens == 0


def test_a_small_window_is_counted_with_room_for_dense_text() -> None:
    assert [in_pieces(window) for window in (8191, 6144, 2048, 512, 2)] == [8191, 6144, 819, 204, 1]
