import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.errors import InvalidInput
from atrium.providers.base import Vectors
from atrium.retrieval.halfvec import binary_array, encode_all


@given(st.lists(st.lists(st.floats(-1, 1, width=16), min_size=3, max_size=3), min_size=1, max_size=5))
def test_each_row_keeps_its_values(rows: list[list[float]]) -> None:
    data = b"".join(struct.pack("<3f", *row) for row in rows)

    encoded = list(encode_all(Vectors(len(rows), 3, data)))

    assert [struct.unpack(">HH3e", each) for each in encoded] == [(3, 0, *row) for row in rows]


@pytest.mark.parametrize("data", [b"", bytes(11), bytes(16)])
def test_bytes_that_are_not_the_vectors_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        list(encode_all(Vectors(1, 3, data)))


def test_what_half_floats_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidInput, match="range"):
        list(encode_all(Vectors(1, 1, struct.pack("<f", 1e6))))


def test_an_array_counts_its_items() -> None:
    assert binary_array(7, [b"ab", b"c"]).data == struct.pack(">iiIii", 1, 0, 7, 2, 1) + b"\0\0\0\2ab\0\0\0\1c"
