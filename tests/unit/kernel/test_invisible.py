"""What nobody sees goes; what shapes a script stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.invisible import visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a\u200bb\ufeffc", "abc"),
        ("tags \U000e0041\U000e0042", "tags "),
        ("می\u200cخواهم 👩\u200d💻", "می\u200cخواهم 👩\u200d💻"),
        ("pass\u200dword\u200c", "password"),
        ("line\r\n\ttab\x00", "line\n\ttab"),
    ],
)
def test_only_what_is_seen_stays(text: str, seen: str) -> None:
    assert visible(text) == seen


@given(st.text())
def test_a_second_round_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.text(), st.integers(0, 50))
def test_a_cut_changes_nothing_where_the_last_character_is_told(text: str, cut: int) -> None:
    first = visible(text[:cut])

    assert first + visible(text[cut:], first[-1:] or "\n") == visible(text)
