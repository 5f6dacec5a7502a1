"""What an administrator may choose, and what is refused with the name of the field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.chunking import MAX_TOKENS, MIN_TOKENS, ChunkingOptions, ChunkMode
from atrium.kernel.errors import InvalidFields, InvalidInput


@st.composite
def options(draw: st.DrawFn) -> ChunkingOptions:
    size = draw(st.none() | st.integers(MIN_TOKENS, MAX_TOKENS))
    overlap = draw(st.integers(0, (size or MAX_TOKENS) // 2))
    return ChunkingOptions(draw(st.sampled_from(ChunkMode)), size, overlap, draw(st.booleans()))


@given(options())
def test_options_survive_json(chosen: ChunkingOptions) -> None:
    assert ChunkingOptions.parse(chosen.to_json()) == chosen


def test_nothing_chosen_is_what_fits_most() -> None:
    assert ChunkingOptions.parse({}) == ChunkingOptions()
    assert ChunkingOptions().to_json() == {"mode": "heading", "max_tokens": None, "overlap_tokens": 0, "contextual": True}


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"mode": "semantic"}, "/chunking/mode"),
        ({"mode": None}, "/chunking/mode"),
        ({"mode": ["fixed"]}, "/chunking/mode"),
        ({"max_tokens": MIN_TOKENS - 1}, "/chunking/max_tokens"),
        ({"max_tokens": MAX_TOKENS + 1}, "/chunking/max_tokens"),
        ({"max_tokens": 128.0}, "/chunking/max_tokens"),
        ({"max_tokens": True}, "/chunking/max_tokens"),
        ({"overlap_tokens": -1}, "/chunking/overlap_tokens"),
        ({"overlap_tokens": 257}, "/chunking/overlap_tokens"),
        ({"max_tokens": 100, "overlap_tokens": 51}, "/chunking/overlap_tokens"),
        ({"overlap_tokens": None}, "/chunking/overlap_tokens"),
        ({"contextual": 1}, "/chunking/contextual"),
        ({"contextual": "yes"}, "/chunking/contextual"),
        ({"maxTokens": 100}, "/chunking/maxTokens"),
    ],
)
def test_what_is_wrong_is_named(value: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ChunkingOptions.parse(value)
    assert isinstance(refused.value, InvalidFields)
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(InvalidFields) as refused:
        ChunkingOptions.parse({"mode": "x", "max_tokens": 1, "overlap_tokens": "2", "contextual": None}, at="/a")
    assert [error.pointer for error in refused.value.errors] == ["/a/mode", "/a/max_tokens", "/a/overlap_tokens", "/a/contextual"]


def test_a_wrong_option_cannot_be_made_in_code_either() -> None:
    with pytest.raises(InvalidFields):
        ChunkingOptions(max_tokens=10)
