"""A Lambda event becomes a request and an answer: one event loop, the gateway's id and address, text as text."""

import asyncio
import json
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from fastapi import Query, Request
from starlette.responses import Response

from atrium.kernel.settings import Settings
from atrium.web.app import create_area
from atrium.web.lambda_entry import LambdaHandler, mangum_handler
from atrium.web.routing import area_router
from atrium.web.schemas import StrictModel
from atrium.web.sse import Event, sse_response

router = area_router()
GATEWAY_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


class Note(StrictModel):
    text: str


@router.get("/seen")
async def seen(request: Request, q: Annotated[list[str], Query()]) -> dict[str, Any]:
    return {"address": request.state.caller.address, "loop": id(asyncio.get_running_loop()), "query": q}


@router.post("/notes", status_code=201)
async def note(body: Note) -> Note:
    return body


@router.get("/stream")
async def stream(request: Request, q: Annotated[list[str], Query()]) -> Response:
    async def events() -> AsyncIterator[Event]:
        for word in ("one", "two"):
            await asyncio.sleep(0)
            yield Event(None, word)

    return sse_response(request, events(), last=Event(None, "[DONE]"))


@pytest.fixture
def handler() -> Iterator[LambdaHandler]:
    parts: Any = SimpleNamespace(settings=Settings())
    yield mangum_handler(create_area("notes", router, runtime=parts))
    asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)


def event(path: str, method: str = "GET", body: str | None = None, **headers: str) -> dict[str, Any]:
    """As API Gateway's REST API sends it."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"Host": "api.example.com", **headers},
        "multiValueHeaders": {"Host": ["api.example.com"], **{name: [value] for name, value in headers.items()}},
        "queryStringParameters": {"q": "a b"} if method == "GET" else None,
        "multiValueQueryStringParameters": {"q": ["a b", "ü"]} if method == "GET" else None,
        "requestContext": {"requestId": GATEWAY_ID, "identity": {"sourceIp": "203.0.113.7"}, "stage": "api"},
        "body": body,
        "isBase64Encoded": False,
    }


def test_the_gateways_word_counts_for_id_and_address(handler: LambdaHandler) -> None:
    headers = {"X-Request-Id": "client-chosen-1", "X-Forwarded-For": "198.51.100.1"}
    answer = handler(event("/api/v1/seen", **headers), None)
    assert answer["statusCode"] == 200
    assert answer["headers"]["x-request-id"] == GATEWAY_ID
    assert json.loads(answer["body"])["address"] == "203.0.113.7"
    assert json.loads(answer["body"])["query"] == ["a b", "ü"]


def test_every_invocation_runs_on_one_loop_without_a_warning(handler: LambdaHandler) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loops = set()
        for _ in range(3):
            loops.add(json.loads(handler(event("/api/v1/seen"), None)["body"])["loop"])
            # Another library that sets or clears the current loop does not change ours.
            asyncio.set_event_loop(None)
    assert len(loops) == 1
    handler(event("/api/v1/seen"), None)


def test_problems_are_text_and_not_base64(handler: LambdaHandler) -> None:
    answer = handler(event("/api/v1/notes", "POST", '{"text": 5}', **{"Content-Type": "application/json"}), None)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (422, False)
    problem = json.loads(answer["body"])
    assert (problem["instance"], problem["errors"][0]["pointer"]) == (GATEWAY_ID, "/text")


def test_a_body_of_text_and_one_of_base64_are_the_same(handler: LambdaHandler) -> None:
    from base64 import b64encode

    text = json.dumps({"text": "Grüße"})
    plain = event("/api/notes", "POST", text, **{"Content-Type": "application/json"})
    coded = {**plain, "body": b64encode(text.encode()).decode(), "isBase64Encoded": True}
    assert json.loads(handler(plain, None)["body"]) == json.loads(handler(coded, None)["body"]) == {"text": "Grüße"}


def test_a_stream_behind_a_buffered_integration_comes_whole(handler: LambdaHandler) -> None:
    answer = handler(event("/api/v1/stream"), None)
    assert answer["body"] == "data: one\n\ndata: two\n\ndata: [DONE]\n\n"
    assert answer["headers"]["content-type"].startswith("text/event-stream")


def test_the_packaged_handlers_are_made_the_same_way() -> None:
    root = Path(__file__).parents[3] / "functions"
    for area in ("auth", "system", "documents", "rag"):
        assert "mangum_handler(create_app())" in (root / area / "handler.py").read_text(encoding="utf-8")
