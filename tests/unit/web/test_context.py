"""Who says what of a request: the gateway is believed, the client is not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.web.context import gateway_context, identify, source_address

CONTEXT = {"requestId": "gateway-request-1", "identity": {"sourceIp": "203.0.113.7"}}


def scope(*headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    return {"type": "http", "headers": list(headers), "client": ("127.0.0.1", 5), **more}


def adapter(value: bytes) -> dict[str, Any]:
    return scope((b"x-amzn-request-context", value))


def test_behind_mangum_it_is_the_events() -> None:
    request = scope(**{"aws.event": {"requestContext": CONTEXT}})
    context = gateway_context(request, behind_adapter=False)
    assert (identify(request, context), source_address(request, context)) == ("gateway-request-1", "203.0.113.7")


def test_behind_the_adapter_it_is_the_adapters_header() -> None:
    request = adapter(json.dumps(CONTEXT).encode())
    context = gateway_context(request, behind_adapter=True)
    assert (identify(request, context), source_address(request, context)) == ("gateway-request-1", "203.0.113.7")


def test_without_an_adapter_nobody_may_write_that_header() -> None:
    request = adapter(json.dumps(CONTEXT).encode())
    context = gateway_context(request, behind_adapter=False)
    assert source_address(request, context) == "127.0.0.1"


@pytest.mark.parametrize("value", [b"", b"[]", b"{", b"null", b'{"identity": 5, "requestId": []}', b"\xff"])
def test_a_context_that_is_none_is_no_crash(value: bytes) -> None:
    request = adapter(value)
    context = gateway_context(request, behind_adapter=True)
    assert source_address(request, context) == "127.0.0.1"
    assert len(identify(request, context)) == 36


def test_no_address_at_all_is_one_caller() -> None:
    assert source_address({"type": "http", "headers": [], "client": None}, {}) == "unknown"


@given(st.binary(max_size=200))
def test_a_request_id_is_always_plain(value: bytes) -> None:
    found = identify(scope((b"x-request-id", value)), {})
    assert 8 <= len(found) <= 128
    assert found.isascii()
    assert not set(found) & set(" \r\n\t,;\"'<>")
