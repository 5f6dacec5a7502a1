"""Ids sort by time, or are the same for the same parts."""

import uuid
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.clock import rfc3339
from atrium.kernel.ids import chunk_id, derived_id, new_id

milliseconds = st.integers(0, 2**48 - 1)


@given(milliseconds, milliseconds)
def test_uuid7_is_well_formed_and_sorts_by_time(first: int, second: int) -> None:
    one, other = new_id(first), new_id(second)
    assert one.version == 7
    assert one.variant == uuid.RFC_4122
    assert one.int >> 80 == first
    if first != second:
        assert (one < other) == (first < second)


def test_ids_do_not_repeat() -> None:
    assert len({new_id(1) for _ in range(10_000)}) == 10_000


@given(st.uuids(), st.integers(1, 1000), st.integers(0, 1000))
def test_a_chunk_keeps_its_id(document: uuid.UUID, version: int, ordinal: int) -> None:
    assert chunk_id(document, version, ordinal) == chunk_id(document, version, ordinal)
    assert chunk_id(document, version, ordinal) != chunk_id(document, version, ordinal + 1)


def test_parts_do_not_run_together() -> None:
    assert derived_id("a", "bc") != derived_id("ab", "c")


def test_times_are_rfc3339_in_utc() -> None:
    assert rfc3339(datetime(2026, 11, 20, 9, 52, 10, 123456, tzinfo=UTC)) == "2026-11-20T09:52:10.123Z"
