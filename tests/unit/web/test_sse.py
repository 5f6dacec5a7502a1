"""Frames are read back by the rules of the standard; silence pings; whoever leaves takes the source with them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from atrium.kernel.errors import ProviderUnavailable
from atrium.kernel.settings import Settings
from atrium.web.sse import Event, sse_response

DONE = Event(None, "[DONE]")


def request(heartbeat: float = 15) -> Request:
    app = FastAPI()
    app.state.runtime = SimpleNamespace(settings=Settings(sse_heartbeat=heartbeat))
    return Request({"type": "http", "app": app, "state": {"request_id": "r-12345678"}, "headers": []})


def read(stream: bytes) -> list[tuple[str, str]]:
    """What an EventSource makes of the bytes: (event, data) pairs."""
    events = []
    for block in stream.decode().split("\n\n")[:-1]:
        fields = [line.partition(":")[::2] for line in block.split("\n")]
        data = [value.removeprefix(" ") for name, value in fields if name == "data"]
        if data:
            events.append((next((value.strip() for name, value in fields if name == "event"), "message"), "\n".join(data)))
    return events


async def collect(source: AsyncIterator[Event], *, heartbeat: float = 15, last: Event | None = None) -> bytes:
    return b"".join([bytes(piece) async for piece in sse_response(request(heartbeat), source, last=last).body_iterator])  # type: ignore[arg-type]


async def events(*items: Event | Exception, pause: float = 0) -> AsyncIterator[Event]:
    for item in items:
        await asyncio.sleep(pause)
        if isinstance(item, Exception):
            raise item
        yield item


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    normal = text.replace("\r\n", "\n").replace("\r", "\n")
    assert read(Event("token", text).frame()) == [("token", normal)]


def test_a_value_is_sent_as_json_on_one_line() -> None:
    assert Event("sources", {"a": "ü\n"}).frame() == 'event: sources\ndata: {"a":"ü\\n"}\n\n'.encode()


async def test_events_come_in_order_and_the_last_one_closes() -> None:
    stream = await collect(events(Event(None, "a"), Event("done", {})), last=DONE)
    assert read(stream) == [("message", "a"), ("done", "{}"), ("message", "[DONE]")]


async def test_silence_is_filled_with_pings() -> None:
    stream = await collect(events(Event(None, "late"), pause=0.2), heartbeat=0.05)
    assert stream.startswith(b": ping\n\n: ping\n\n")
    assert stream.endswith(b"data: late\n\n")


async def test_an_expected_failure_is_an_event_with_its_problem() -> None:
    stream = await collect(events(Event(None, "a"), ProviderUnavailable("try later")), last=DONE)
    name, data = read(stream)[1]
    assert name == "error"
    assert json.loads(data) | {"detail": ""} == {
        "type": "urn:atrium:problem:provider-unavailable",
        "title": "Model provider unavailable",
        "status": 503,
        "detail": "",
        "instance": "r-12345678",
    }
    assert read(stream)[2] == ("message", "[DONE]")


async def test_an_unexpected_failure_says_nothing_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="atrium.web"):
        stream = await collect(events(ValueError("the password is x")))
    assert b"password" not in stream
    assert read(stream)[0][0] == "error"
    assert "the password is x" in caplog.text


class Watched:
    """A source that notes how it ended."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def run(self) -> AsyncIterator[Event]:
        try:
            yield Event(None, "first")
            await asyncio.sleep(60)
        finally:
            self.ended.set()


async def test_a_client_that_leaves_ends_the_source() -> None:
    watched, sent = Watched(), asyncio.Event()

    async def receive() -> dict[str, Any]:
        await sent.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if b"first" in message.get("body", b""):
            sent.set()

    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
    await asyncio.wait_for(sse_response(request(), watched.run())(scope, receive, send), 5)
    await asyncio.wait_for(watched.ended.wait(), 5)


async def test_a_connection_that_breaks_ends_the_source() -> None:
    watched = Watched()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError

    scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
    with pytest.raises(ClientDisconnect):
        await sse_response(request(), watched.run())(scope, receive, send)
    await asyncio.wait_for(watched.ended.wait(), 5)


async def test_the_source_runs_in_one_task() -> None:
    tasks = set()

    async def source() -> AsyncIterator[Event]:
        for number in range(3):
            tasks.add(asyncio.current_task())
            yield Event(None, str(number))

    await collect(source())
    assert len(tasks) == 1


def test_a_frame_of_json_is_one_line_for_every_reader() -> None:
    said = {"text": "a\u2028b\u2029c\x85d\ne"}
    frame = Event("token", said).frame().decode()
    assert len(frame.splitlines()) == 3
    assert json.loads(frame.splitlines()[1].removeprefix("data: ")) == said


@pytest.mark.parametrize("type_", ["http.response.start", "http.response.body"])
async def test_what_nobody_ever_asked_for_is_closed_too(type_: str) -> None:
    watched = Watched()
    source = watched.run()
    await anext(source)

    async def named() -> AsyncIterator[Event]:
        async for event in source:
            yield event

    async def send(message: Any) -> None:
        if message["type"] == type_:
            raise OSError

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError

    scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
    with pytest.raises(ClientDisconnect):
        await asyncio.wait_for(sse_response(request(0.01), named(), source=source)(scope, receive, send), 5)
    assert watched.ended.is_set()
