"""The edge over real sockets: a uvicorn in front, a uvicorn behind."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from infra.local.edge.app import Edge
from infra.local.edge.proxy import BODY_LIMIT, Proxy
from infra.local.processes import free_port


@contextlib.asynccontextmanager
async def serving(app: object) -> AsyncIterator[str]:
    """Serve an ASGI app on a free port; gives its URL."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", proxy_headers=False))  # type: ignore[arg-type]
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


class Upstream:
    """Stands where the emulator's REST API stands: replies with what it was asked."""

    def __init__(self) -> None:
        self.hung_up = asyncio.Event()
        self.app = FastAPI()
        self.app.add_api_route("/_aws/execute-api/api1/v1/api/v1/documents/slow", self.slow, methods=["GET"])
        self.app.add_api_route("/{path:path}", self.echo, methods=["GET", "POST", "DELETE", "OPTIONS"])

    async def echo(self, request: Request) -> Response:
        asked = {
            "method": request.method,
            "target": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": [[name.decode(), value.decode()] for name, value in request.scope["headers"]],
            "body": (await request.body()).decode("latin-1"),
        }
        reply = Response(json.dumps(asked), status_code=418, media_type="application/json")
        reply.raw_headers += [
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
            (b"connection", b"close, x-hop"),
            (b"x-hop", b"1"),
        ]
        return reply

    async def slow(self, request: Request) -> Response:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self.hung_up.set()
        return Response()


class Area:
    """A streaming area: one event at once, the next when the test says so."""

    def __init__(self) -> None:
        self.go, self.cancelled, self.lifespans = asyncio.Event(), asyncio.Event(), list[str]()
        self.app = FastAPI(lifespan=self.lifespan)
        self.app.add_api_route("/api/v1/query", self.stream, methods=["POST"])
        self.app.add_api_route("/api/v1/rag/context", self.context, methods=["GET"])

    @contextlib.asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        self.lifespans.append("up")
        yield
        self.lifespans.append("down")

    async def stream(self) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            try:
                yield "data: first\n\n"
                await self.go.wait()
                yield "data: [DONE]\n\n"
            except asyncio.CancelledError:
                self.cancelled.set()
                raise

        return StreamingResponse(events(), media_type="text/event-stream")

    async def context(self, request: Request) -> dict[str, object]:
        return {"context": json.loads(request.headers["x-amzn-request-context"]), "forwarded": request.headers["x-forwarded-for"]}


@pytest.fixture
async def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def area() -> Area:
    return Area()


@pytest.fixture
async def client(upstream: Upstream, area: Area) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(upstream.app) as behind:
        edge = Edge({"rag": area.app}, Proxy(behind, "/_aws/execute-api/api1/v1/"))
        async with serving(edge) as origin, httpx.AsyncClient(base_url=origin, timeout=10) as client:
            yield client


async def test_forwards_method_body_query_and_status(client: httpx.AsyncClient) -> None:
    reply = await client.post("/api/v1/documents?limit=2&name=a%20b", content=b"\x00body")
    asked = reply.json()
    assert reply.status_code == 418
    assert (asked["method"], asked["target"]) == ("POST", "/_aws/execute-api/api1/v1/api/v1/documents")
    assert (asked["query"], asked["body"]) == ("limit=2&name=a%20b", "\x00body")


async def test_collects_a_chunked_body(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    asked = (await client.post("/api/v1/documents", content=pieces())).json()
    names = dict(asked["headers"])
    assert asked["body"] == "one two"
    assert names["content-length"] == "7"
    assert "transfer-encoding" not in names


async def test_keeps_the_path_as_it_was_written(client: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    writer.write(b"GET /api/v1/../../_ministack/a%2Fb HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b'"target": "/_aws/execute-api/api1/v1/api/v1/../../_ministack/a%2Fb"' in answer


async def test_keeps_repeated_headers_and_drops_those_of_one_connection(client: httpx.AsyncClient) -> None:
    reply = await client.get("/healthz", headers={"X-Request-Id": "abc", "Connection": "x-mine", "X-Mine": "1"})
    asked = dict(reply.json()["headers"])
    assert reply.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "x-hop" not in reply.headers
    assert asked["x-request-id"] == "abc"
    assert "x-mine" not in asked


async def test_the_caller_cannot_choose_its_own_address(client: httpx.AsyncClient) -> None:
    forged = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Amzn-Request-Context": '{"identity":{"sourceIp":"6.6.6.6"}}',
        "Forwarded": "for=6.6.6.6",
    }
    proxied = (await client.get("/healthz", headers=forged)).json()["headers"]
    served = (await client.get("/api/v1/rag/context", headers=forged)).json()
    assert [value for name, value in proxied if name == "x-forwarded-for"] == ["127.0.0.1"]
    assert "forwarded" not in dict(proxied)
    assert served["context"]["identity"]["sourceIp"] == "127.0.0.1"
    assert served["forwarded"] == "127.0.0.1"


async def test_an_event_arrives_while_the_area_still_works(client: httpx.AsyncClient, area: Area) -> None:
    async with client.stream("POST", "/api/v1/query") as reply:
        frames = reply.aiter_lines()
        assert await anext(frames) == "data: first"
        area.go.set()
        assert "data: [DONE]" in [line async for line in frames]


async def test_hanging_up_cancels_the_area(client: httpx.AsyncClient, area: Area) -> None:
    async with client.stream("POST", "/api/v1/query") as reply:
        await anext(reply.aiter_lines())
    async with asyncio.timeout(5):
        await area.cancelled.wait()


async def test_hanging_up_reaches_the_upstream(client: httpx.AsyncClient, upstream: Upstream) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await client.get("/api/v1/documents/slow", timeout=0.2)
    async with asyncio.timeout(5):
        await upstream.hung_up.wait()


async def test_lifespans_of_areas_run_inside_the_edges_own(upstream: Upstream, area: Area) -> None:
    async with serving(Edge({"rag": area.app}, Proxy("http://127.0.0.1:9", "/"))):
        assert area.lifespans == ["up"]
    assert area.lifespans == ["up", "down"]


async def test_a_dead_emulator_is_a_502_problem() -> None:
    async with serving(Edge({}, Proxy(f"http://127.0.0.1:{free_port()}", "/x"))) as origin, httpx.AsyncClient() as client:
        reply = await client.get(f"{origin}/api/v1/documents", headers={"X-Request-Id": "r-1"})
    problem = reply.json()
    assert reply.status_code == 502
    assert reply.headers["content-type"] == "application/problem+json"
    assert (problem["status"], problem["instance"]) == (502, "r-1")
    assert "make up" in problem["detail"]


async def test_more_than_the_gateway_takes_is_a_413_problem(client: httpx.AsyncClient) -> None:
    reply = await client.post("/api/v1/documents", content=b"x" * (BODY_LIMIT + 1))
    assert reply.status_code == 413
    assert reply.json()["type"] == "urn:atrium:problem:payload-too-large"
