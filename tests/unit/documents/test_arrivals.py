import json

import pytest

from atrium.documents.ingestion.arrivals import ObjectCreated, ObjectDeleted, is_later, read_message
from atrium.kernel.errors import MalformedRequest
from tests.factories.documents import event


def test_an_event_is_read_as_eventbridge_brings_it() -> None:
    (record,) = event("ingest/drop")["Records"]
    arrival = read_message(record["body"])
    assert isinstance(arrival, ObjectCreated)
    assert arrival.key.endswith("/contracts/2026/Über + 50% & more.txt")
    assert (arrival.version_id, arrival.sequencer) == ("096fKKXTRTtl3on89fVO.nfljtsv6qko", "0062E99A88DC407460")


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "[]", "null", "{}", '{"detail": null}', '{"detail": {"object": {}}}', '{"detail": {"object": []}}',
        '{"detail": {"object": {"key": "a"}}}', '{"detail-type": "Object Tagged", "detail": {"object": {"key": "a"}}}',
    ],
)  # fmt: skip
def test_anything_else_is_no_event(body: str) -> None:
    with pytest.raises(MalformedRequest):
        read_message(body)


def test_a_bucket_without_versions_names_none() -> None:
    body = {"detail-type": "Object Created", "detail": {"object": {"key": "a"}}}
    assert read_message(json.dumps(body)) == ObjectCreated("a", "", "")


def test_a_deletion_is_told_apart() -> None:
    (record,) = event("ingest/deleted")["Records"]
    deletion = read_message(record["body"])
    assert isinstance(deletion, ObjectDeleted)
    assert deletion.key.endswith("/contracts/2026/Über + 50% & more.txt")
    assert deletion.sequencer == "0062E99A88DC407470"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [("1", "2"), ("0062E99A88DC407460", "0062E99A88DC407461"), ("00A", "00b"), ("01", "011"), ("", "1"), ("0F", "1")],
)
def test_writes_are_ordered_by_the_padded_hexadecimal(earlier: str, later: str) -> None:
    assert is_later(later, earlier)
    assert not is_later(earlier, later)


def test_a_write_is_not_later_than_itself_however_it_is_written() -> None:
    assert not is_later("0a", "0A00")
    assert not is_later("0A00", "0a")
