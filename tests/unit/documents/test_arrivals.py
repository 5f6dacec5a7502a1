import json

import pytest

from atrium.documents.ingestion.arrivals import ObjectCreated, is_later
from atrium.kernel.errors import MalformedRequest
from tests.factories.documents import event


def test_an_event_is_read_as_eventbridge_brings_it() -> None:
    (record,) = event("ingest/drop")["Records"]
    arrival = ObjectCreated.from_message(record["body"])
    assert arrival.key.endswith("/contracts/2026/Über + 50% & more.txt")
    assert (arrival.version_id, arrival.sequencer) == ("096fKKXTRTtl3on89fVO.nfljtsv6qko", "0062E99A88DC407460")


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", "{}", '{"detail": null}', '{"detail": {"object": {}}}', '{"detail": {"object": []}}']
)
def test_anything_else_is_no_event(body: str) -> None:
    with pytest.raises(MalformedRequest):
        ObjectCreated.from_message(body)


def test_a_bucket_without_versions_names_none() -> None:
    assert ObjectCreated.from_message(json.dumps({"detail": {"object": {"key": "a"}}})) == ObjectCreated("a", "", "")


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
