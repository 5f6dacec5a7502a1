import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.ingestion.batches import (
    Batch,
    Plan,
    PlannedChunk,
    Unreadable,
    batch_name,
    join_vectors,
    pack_vectors,
    split,
    unpack_vectors,
    vectors_key,
)
from atrium.providers.base import Vectors

chunks = st.builds(
    PlannedChunk,
    st.integers(0),
    st.none() | st.integers(1),
    st.none(),
    st.integers(0),
    st.integers(1),
    st.text(),
    st.just("en"),
    st.text(),
    st.lists(st.integers(0), max_size=3).map(tuple),
    st.text(),
)


def batch_of(count: int) -> Batch:
    planned = (PlannedChunk(n, None, None, n, n + 1, "H", "en", f"text {n}", header="Title > H") for n in range(count))
    return Batch("m", tuple(planned))


@given(st.lists(chunks, max_size=4))
def test_a_batch_survives_the_bucket(planned: list[PlannedChunk]) -> None:
    batch = Batch("local/model", tuple(planned))
    assert Batch.from_json(batch.to_json()) == batch


def test_chunks_are_batched_in_order() -> None:
    planned = batch_of(9).chunks
    parts = list(split("m", planned, 4))
    assert [len(part.chunks) for part in parts] == [4, 4, 1]
    assert tuple(chunk for part in parts for chunk in part.chunks) == planned


def test_the_model_sees_the_header_before_the_text() -> None:
    (seen,) = batch_of(1).inputs
    assert seen == "Title > H\n\ntext 0"


def test_vectors_are_found_again_for_the_same_content_only() -> None:
    batch = batch_of(3)
    vectors = Vectors(3, 2, bytes(range(24)))
    packed = pack_vectors(batch, vectors)
    assert unpack_vectors(batch, packed) == vectors
    for other in (
        replace(batch, model="n"),
        replace(batch, chunks=(replace(batch.chunks[0], header="T"), *batch.chunks[1:])),
        batch_of(2),
        batch_of(4),
    ):
        assert unpack_vectors(other, packed) is None
    for broken in (b"", packed[:20], packed[:-1], packed + b"\0", b"XXXX" + packed[4:]):
        assert unpack_vectors(batch, broken) is None


def test_batches_vectors_are_joined_in_order() -> None:
    joined = join_vectors([Vectors(1, 1, b"aaaa"), Vectors(2, 1, b"bbbbcccc")])
    assert joined == Vectors(3, 1, b"aaaabbbbcccc")


def test_a_plan_survives_the_bucket() -> None:
    plan = Plan("m", ("a", "b", "c"), 130)
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"model": "m", "batches": 3, "chunks": 130}', b'{"format": 1, "model": "m", "batches": [], "chunks": 0}'],
)
def test_a_plan_of_another_release_is_told_from_a_defect(data: bytes) -> None:
    with pytest.raises(Unreadable):
        Plan.from_json(data)


@pytest.mark.parametrize("row", [[0, None, None, 0, 1, "H", "en", "text", []], [0] * 11, [0] * 10, 7])
def test_a_batch_whose_rows_are_not_as_now_is_unreadable(row: object) -> None:
    with pytest.raises(Unreadable):
        Batch.from_json(json.dumps({"model": "m", "chunks": [row]}).encode())


def test_batches_of_other_chunks_have_other_names() -> None:
    batch = batch_of(3)
    moved = replace(batch, chunks=(replace(batch.chunks[0], page_from=2), *batch.chunks[1:]))
    assert batch_name(batch.to_json()) == batch_name(batch_of(3).to_json()) != batch_name(moved.to_json())
    assert vectors_key("w/", batch) == vectors_key("w/", moved) != vectors_key("w/", batch_of(2))
