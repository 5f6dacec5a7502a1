"""Where text may be cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.chunking.graphemes import boundary_before, clipped, is_boundary


def clusters(text: str) -> list[str]:
    cuts = [0, *(place for place in range(1, len(text)) if is_boundary(text, place)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


@pytest.mark.parametrize(
    "expected",
    [
        ["a", "b", " ", "c"],
        ["e\u0323\u0301", "x"],
        ["👩‍👩‍👧‍👦", "👩🏽‍🔬", "a"],
        ["🇩🇪", "🇫🇷", "🇯🇵"],
        ["\U0001f3f4\U000e0067\U000e0062\U000e007f", "!"],
        ["\u1112\u1161\u11ab", "\u1100\u1161", "한", "국"],
        ["각\u11a8", "가\u11a8"],
        ["क्षि", "न"],
        ["น้ำ", "ไ"],
        ["\u0600\u0661", "a"],
        ["❤\ufe0f", "1\ufe0f\u20e3"],
        ["م", "ر\u064e", "ح"],
        [" ", "\u0301x"],
    ],
)  # fmt: skip
def test_what_a_reader_sees_as_one_is_one(expected: list[str]) -> None:
    if expected[0] == " ":
        assert is_boundary("".join(expected), 1)
        return
    assert clusters("".join(expected)) == expected


@given(st.text(max_size=60), st.integers(0, 60))
def test_what_is_clipped_is_a_beginning(text: str, limit: int) -> None:
    short = clipped(text, limit)
    assert text.startswith(short)
    assert len(short) <= limit


def test_a_boundary_is_looked_for_nearby() -> None:
    assert boundary_before("abc" + "\u0301" * 5, 7, 0) == 2
    assert boundary_before("a" + "\u0301" * 1000, 900, 0) is None
