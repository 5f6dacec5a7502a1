"""A cursor comes back as it went, and only to the list it was made for."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.errors import MalformedRequest
from atrium.ports.keyring import Key
from atrium.web import cursors

KEYS = (Key("new", b"n" * 32), Key("old", b"o" * 32))
VALUES = st.lists(
    st.none()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.uuids()
    | st.datetimes(timezones=st.just(UTC)),
    max_size=4,
).map(tuple)


@given(VALUES)
def test_values_come_back(values: tuple[object, ...]) -> None:
    assert cursors.decode(KEYS, "list", cursors.encode(KEYS, "list", values)) == values


@given(VALUES, st.data())
def test_any_other_text_is_refused(values: tuple[object, ...], data: st.DataObject) -> None:
    cursor = cursors.encode(KEYS, "list", values)
    at = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.characters().filter(lambda character: character != cursor[at]))
    with pytest.raises(MalformedRequest):
        cursors.decode(KEYS, "list", cursor[:at] + other + cursor[at + 1 :])


@given(st.text(max_size=100))
def test_what_we_did_not_make_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequest):
        cursors.decode(KEYS, "list", text)


@pytest.mark.parametrize("change", ["=", "\n", " ", "A"])
def test_one_cursor_has_one_spelling(change: str) -> None:
    cursor = cursors.encode(KEYS, "list", ("a",))
    with pytest.raises(MalformedRequest):
        cursors.decode(KEYS, "list", cursor + change)


def test_another_lists_cursor_is_refused() -> None:
    with pytest.raises(MalformedRequest):
        cursors.decode(KEYS, "other", cursors.encode(KEYS, "list", (1,)))


def test_an_older_key_still_reads_and_a_dropped_one_does_not() -> None:
    cursor = cursors.encode(KEYS[1:], "list", (1,))
    assert cursors.decode(KEYS, "list", cursor) == (1,)
    with pytest.raises(MalformedRequest):
        cursors.decode(KEYS[:1], "list", cursor)


def test_types_survive() -> None:
    moment, identifier = datetime(2026, 11, 20, 9, 52, 10, 123456, UTC), UUID(int=7)
    assert cursors.decode(KEYS, "", cursors.encode(KEYS, "", (moment, identifier))) == (moment, identifier)


def test_what_is_no_sort_key_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="float"):
        cursors.encode(KEYS, "", (1.5,))
