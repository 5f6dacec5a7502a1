"""An event stream, cut anywhere by the network, comes to the same frames; and what becomes of a failure's status and body."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.errors import ProviderError, ProviderUnavailable
from atrium.providers import openai_relay
from atrium.providers.catalogue import providers
from atrium.providers.credentials import Credentials
from atrium.providers.openai_relay import Frames, KeyRefused, OpenAIRelay, frame_data
from tests.fakes.openai_server import OpenAIServer, out_of_quota
from tests.fakes.wire import Script

LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20).map(lambda text: f"data: {text}".encode())
END = st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"])


@given(st.lists(st.tuples(LINE, END), max_size=8), st.lists(st.integers(1, 30), max_size=40))
def test_frames_are_the_same_however_they_arrive(frames: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    wire, reader, found = b"".join(line + end for line, end in frames), Frames(), []
    for cut in [*cuts, len(wire)]:
        found += reader.feed(wire[:cut])
        wire = wire[cut:]
    assert found == [line for line, _ in frames]
    assert reader.rest == b""


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b"data: {}", b"{}"),
        (b"data:{}", b"{}"),
        (b"event: x\r\ndata: a\r\ndata: b", b"a\nb"),
        (b": a comment", None),
        (b"event: ping", None),
    ],
)
def test_the_data_of_a_frame(frame: bytes, data: bytes | None) -> None:
    assert frame_data(frame) == data


class Textual(OpenAIServer):
    """Says what is wrong as xAI does."""

    def error(self, script: Script) -> Any:
        return {"code": "Client specified an invalid argument", "error": (script.error or {})["message"]}


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with Textual() as server:
        yield server


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_relay, "CONNECT_TIMEOUT", 0.5)


async def failure(server: OpenAIServer) -> ProviderError:
    relay = OpenAIRelay()
    try:
        with pytest.raises(ProviderError) as caught:
            await relay.whole(providers()["openai"], Credentials("sk-test", server.base_url), "embeddings", b"{}")
    finally:
        await relay.close()
    return caught.value


@pytest.mark.parametrize(
    ("says", "refused"),
    [
        ("Incorrect API key provided: xa***yz. You can obtain an API key from console.x.ai.", True),
        ("API key not valid. Please pass a valid API key.", True),
        ("The name 'invalid api key' is no model's.", False),
    ],
)
async def test_a_key_may_be_refused_by_a_text(server: OpenAIServer, says: str, refused: bool) -> None:
    server.script(Script(status=400, error={"message": says}))
    error = await failure(server)
    assert (isinstance(error, KeyRefused), says in error.detail) == (refused, not refused)


@pytest.mark.parametrize("size", [0, 16])
async def test_a_failure_is_read_to_its_end_in_however_many_segments(size: int) -> None:
    async with OpenAIServer() as server:
        server.script(replace(out_of_quota(), split=size, frame_delay=0.005))
        error = await failure(server)
    assert (type(error), error.detail) == (ProviderError, "The account at OpenAI has no quota left.")


async def test_a_failure_that_does_not_end_is_known_by_its_status() -> None:
    async with OpenAIServer() as server:
        server.script(Script(status=429, headers={"content-length": "4000"}))
        error = await failure(server)
    assert isinstance(error, ProviderUnavailable)
    assert (error.status, error.charged) == (429, False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=30_000), usegmt=True)}, 30_000),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, 0),
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": "30", "Retry-After-Ms": "1500"}, 1.5),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
async def test_when_to_come_again_is_a_number_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    async with OpenAIServer() as server:
        server.script(Script(status=503, headers=headers))
        error = await failure(server)
    assert isinstance(error, ProviderUnavailable)
    # The date was written when tests were collected: a whole run may lie between.
    assert error.retry_after == (seconds if seconds is None else pytest.approx(seconds, abs=5_000 if seconds > 5_000 else 0))


async def test_what_is_sent_goes_to_no_other_host() -> None:
    async with OpenAIServer() as server, OpenAIServer() as other:
        server.script(Script(status=307, headers={"location": f"{other.base_url}/embeddings"}))
        error = await failure(server)
    assert (type(error), error.detail) == (ProviderError, "OpenAI answered with the status 307.")
    assert (len(server.requests), other.connected) == (1, 0)
