"""A client that leaves ends the stream and pays for what was produced; what comes whole is paid for whole, and waited for."""

import asyncio
import json

import httpx
import pytest

from functions.openai.app import create_app
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script
from tests.integration.answers.test_disconnect import serving
from tests.integration.openai.conftest import HELLO, Api

PATIENCE = 10


@pytest.mark.parametrize(("stream", "first_word"), [(True, True), (True, False), (False, False)])
async def test_who_leaves_is_not_answered_any_more(api: Api, openai: OpenAIServer, stream: bool, first_word: bool) -> None:
    slow = Script(answer="word " * 500, frame_delay=0.02) if stream and first_word else Script(hang=True)
    if not stream:
        # Its provider goes on writing whether anybody listens or not, and tells what it cost at the end.
        slow = Script(answer="word " * 50, delay=0.3)
    openai.script(slow)
    body = json.dumps(HELLO | {"stream": stream}).encode()
    head = {"host": "x", "content-type": "application/json", "content-length": str(len(body))} | api.headers
    lines = ["POST /v1/chat/completions HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    async with serving(create_app(api.runtime)) as port, asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write("\r\n".join(lines).encode() + body)
        if stream and first_word:
            await reader.readuntil(b"word")
        else:
            while not openai.requests:  # noqa: ASYNC110 - the fake offers no event for it
                await asyncio.sleep(0.01)
        writer.close()
        while not (calls := await api.calls()):  # noqa: ASYNC110 - nor has the ledger one
            await asyncio.sleep(0.01)
    (call,) = calls
    assert (call["outcome"], call["counted"]) == ("cancelled", not stream)
    assert (call["output_tokens"] > 0) is (not stream or first_word)
    assert 0 < call["cost"] <= call["bound"]
    assert len(openai.requests) == 1


async def test_who_left_and_asks_again_under_the_same_key_is_answered_once(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(answer="word " * 50, delay=0.5))
    headers = api.headers | {"Idempotency-Key": "the-same"}
    async with (
        serving(create_app(api.runtime)) as port,
        asyncio.timeout(PATIENCE),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as http,
    ):
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/v1/chat/completions", json=HELLO, timeout=0.2)
        while (answer := await http.post("/v1/chat/completions", json=HELLO)).status_code == 409:  # noqa: ASYNC110 - as a client would
            await asyncio.sleep(0.05)
    assert (answer.status_code, answer.headers["idempotency-replayed"]) == (200, "true")
    assert len(openai.requests) == 1
    (call,) = await api.calls()
    assert (call["outcome"], call["counted"]) == ("ok", True)
