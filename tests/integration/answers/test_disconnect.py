"""A client that leaves ends the provider's call, on real sockets, whatever form of answer it waited for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI

from atrium.db import Database
from functions.rag.app import create_app
from tests.factories.auth import bearer
from tests.factories.retrieval import publish
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script
from tests.integration.answers.conftest import GPT, Api

_PATIENCE = 10


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[int]:
    """The application under a real server; its port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


def wire(path: str, headers: dict[str, str]) -> bytes:
    body = json.dumps({"question": "When are refunds paid?", "model": GPT}).encode()
    sent = {"host": "atrium.test", "content-type": "application/json", "content-length": str(len(body))} | headers
    lines = [f"POST /api/v1{path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    return "\r\n".join(lines).encode() + body


FORMS = {
    "/query": ("/query", "*/*", b"data: word"),
    "/rag/query as a stream": ("/rag/query", "text/event-stream", b"event: token"),
    "/query/sync": ("/query/sync", "*/*", b""),
    "/rag/query": ("/rag/query", "*/*", b""),
}


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("first_word", [True, False])
async def test_who_leaves_is_not_answered_any_more(
    api: Api, database: Database, openai: OpenAIServer, form: str, first_word: bool
) -> None:
    path, accept, until = FORMS[form]
    await publish(database, api.principal, ["Refunds are paid within 14 days."])
    # Either the answer trickles when the client leaves, or its first word is still awaited.
    openai.script(Script(answer="word " * 500, frame_delay=0.02 if first_word else 0.5))
    async with serving(create_app(api.runtime)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(wire(path, {"accept": accept, **bearer(api.session)}))
        if first_word and until:
            await asyncio.wait_for(reader.readuntil(until), _PATIENCE)
        else:
            await asyncio.wait_for(asked(openai), _PATIENCE)
        writer.close()
        await asyncio.wait_for(openai.abandoned.wait(), _PATIENCE)


async def asked(openai: OpenAIServer) -> None:
    while not openai.requests:  # noqa: ASYNC110 - the fake offers no event for it
        await asyncio.sleep(0.01)
