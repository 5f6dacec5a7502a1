"""What is reserved for a relayed body, and what its provider is sent."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.gateway.metering import Meter
from atrium.gateway.models import ChatCall, Purpose
from atrium.gateway.openai_answers import usage_within
from atrium.gateway.preparing import prepare
from atrium.gateway.relay import Asked, Call, Streaming, plan_chat, wire_body
from atrium.gateway.relay_streams import WireStream
from atrium.gateway.routing import Attempt, Routed
from atrium.kernel.errors import InvalidFields, InvalidInput, ProviderError
from atrium.kernel.principal import Principal, TenantId, worker
from atrium.ledger.models import Outcome, Reservation, Settlement, Spend
from atrium.providers.base import ChatRequest, Image, Message, Usage
from atrium.providers.catalogue import ChatSpec, EmbeddingSpec, chat_spec, chat_specs, embedding_spec
from atrium.providers.credentials import Credentials
from atrium.providers.openai_relay import EventReader

PRINCIPAL = worker(TenantId(UUID(int=1)))
GPT = "openai/gpt-4o-mini"
OWN = "compatible/anything"
MESSAGES = [{"role": "user", "content": "Hi"}]


class Models:
    """The catalogue, with one key for all."""

    def chat(self, name: str) -> ChatSpec:
        return chat_spec(name)

    def embedding(self, name: str) -> EmbeddingSpec:
        return embedding_spec(name)

    def all(self) -> Iterable[ChatSpec | EmbeddingSpec]:
        return chat_specs().values()

    async def credentials(self, principal: Principal, provider: str, *, refresh: bool = False) -> Credentials:
        return Credentials("key")

    def owns_key(self, provider: str) -> bool:
        return False


async def asked(model: str, **fields: Any) -> Asked:
    return await plan_chat(PRINCIPAL, Models(), {"model": model, "messages": MESSAGES, **fields})


async def sent(model: str, **fields: Any) -> dict[str, Any]:
    planned = await asked(model, **fields)
    reserved = Reservation(uuid4(), planned.spend("").bound, datetime.now(UTC))
    body: dict[str, Any] = json.loads(wire_body(Call(PRINCIPAL, planned, reserved)))
    return body


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 9, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 7, "max_completion_tokens": 2**40}, 7),
        ({"max_tokens": None}, 16384),
        ({}, 16384),
    ],
)
async def test_one_limit_goes_out_under_the_providers_own_name(fields: dict[str, Any], limit: int) -> None:
    body = await sent(GPT, **fields)
    assert {name: value for name, value in body.items() if "tokens" in name} == {"max_completion_tokens": limit}


@pytest.mark.parametrize(
    ("fields", "told"), [({"max_completion_tokens": 7}, {"max_tokens": 7}), ({"max_tokens": None}, {}), ({}, {})]
)
async def test_a_server_of_ones_own_writes_as_long_as_it_likes_unless_told(fields: dict[str, Any], told: dict[str, int]) -> None:
    body = await sent(OWN, **fields)
    assert {name: value for name, value in body.items() if "tokens" in name} == told


async def test_a_limit_that_its_caller_did_not_set_leaves_room_for_the_input() -> None:
    long = [{"role": "user", "content": "word " * 5000}]
    planned = await asked("openai/gpt-4", messages=long)
    body = await sent("openai/gpt-4", messages=long)
    assert 256 <= body["max_completion_tokens"] <= planned.spec.context_window - planned.plan.input_tokens


async def test_a_limit_over_what_the_model_writes_is_refused() -> None:
    with pytest.raises(InvalidInput):
        await asked(GPT, max_tokens=10**9)


async def test_everything_else_passes_unchanged() -> None:
    fields: dict[str, Any] = {
        "temperature": 0.5,
        "logit_bias": {"5": 1},
        "user": "me",
        "unknown": [1, {"a": None}],
        "service_tier": "default",
    }
    body = await sent(GPT, **fields, stream=True)
    assert {name: body[name] for name in fields} == fields
    assert body["stream_options"] == {"include_usage": True}


async def test_several_answers_to_a_long_prompt_are_bounded_by_its_rates() -> None:
    spec = next(each for each in chat_specs().values() if each.price.long and each.context_window > 2 * each.price.above)
    planned = await asked(spec.model, n=10, max_completion_tokens=1000, messages=[{"role": "user", "content": "word " * 300_000}])
    assert planned.plan.input_tokens > spec.price.above
    assert planned.spend("").bound >= spec.price.cost(Usage(planned.plan.input_tokens, 10 * 1000))


async def test_pictures_inside_are_refused_on_either_wire() -> None:
    inside = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest/meta-data/"}}
    public = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    for model in (GPT, OWN, "anthropic/claude-haiku-4-5"):
        with pytest.raises(InvalidFields):
            await asked(model, messages=[{"role": "user", "content": [inside]}])
    assert (await asked(GPT, messages=[{"role": "user", "content": [public]}])).plan.bound > 0
    with pytest.raises(InvalidFields):
        await asked(OWN, messages=[{"role": "user", "content": [public]}])


async def test_a_server_of_ones_own_is_sent_no_addresses_by_any_door() -> None:
    def call(picture: Image) -> ChatCall:
        request = ChatRequest(model="", messages=(Message("user", (picture,)),), max_tokens=5)
        return ChatCall((OWN,), request, Purpose("chat"), 5)

    with pytest.raises(InvalidInput):
        await prepare(PRINCIPAL, call(Image("https://example.com/a.png")), Models())
    prepared = await prepare(PRINCIPAL, call(Image(data=b"bytes", media_type="image/png")), Models())
    assert [each.spec.model for each in prepared.candidates] == [OWN]


@pytest.mark.parametrize("model", [GPT, "anthropic/claude-haiku-4-5"])
async def test_a_long_body_holds_up_nobody_else_while_it_is_counted(model: str) -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    for words, held_up in ((10, True), (60_000, False)):
        body = {"model": model, "messages": [{"role": "user", "content": "word " * words}], "max_completion_tokens": 5}
        before = turns
        await plan_chat(PRINCIPAL, Models(), body, size=5 * words)
        assert (turns == before) is held_up
    running.cancel()


@dataclass
class Told:
    """A ledger that keeps what it is told."""

    settled: list[Settlement] = field(default_factory=list)

    async def reserve(self, principal: Principal, spend: Spend) -> Reservation:
        raise AssertionError("the door reserves")

    async def settle(self, principal: Principal, call_id: UUID, settlement: Settlement) -> bool:
        self.settled.append(settlement)
        return True

    async def record(self, principal: Principal, spend: Spend, settlement: Settlement) -> object:
        raise AssertionError("nothing here is free")


class Wire:
    """Frames as a provider sends them, each by itself."""

    def __init__(self, *data: str) -> None:
        self._left = [f"data: {each}".encode() for each in data]

    async def read(self) -> list[bytes]:
        return [self._left.pop(0)] if self._left else []

    def close(self) -> None:
        self._left.clear()


WORD = '{"choices":[{"delta":{"content":"word "}}]}'
END = '{"choices":[{"delta":{},"finish_reason":"stop"}]}'


async def streamed(model: str, *data: str) -> tuple[bytes, ProviderError | None, Settlement]:
    """What a client sees of the frames, what it is told went wrong, and what is settled."""
    planned, ledger = await asked(model, stream=True, max_completion_tokens=500), Told()
    call = Call(PRINCIPAL, planned, Reservation(uuid4(), planned.spend("").bound, datetime.now(UTC)))
    call.sent.begin(call.reservation.bound)
    deadline = asyncio.get_running_loop().time() + 5
    wire = WireStream(cast("EventReader", Wire(*data)), "The server", wants_usage=False, heartbeat=5, deadline=deadline)
    seen, error = b"", None
    await wire.begin()
    meter = Meter(ledger, PRINCIPAL, call.reservation, planned.spend(""))
    streaming = Streaming(call, meter, Routed(wire, planned.candidate, (Attempt("openai", model, "ok"),)))
    try:
        async for piece in streaming.frames():
            seen += piece
    except ProviderError as caught:
        error = caught
    finally:
        await streaming.close()
    (settlement,) = ledger.settled
    return seen, error, settlement


@pytest.mark.parametrize(
    "broken",
    [
        '{"choices":' + "[" * 200_000,
        '{"choices":5}',
        "5",
        '{"choices":[5]}',
        '{"choices":[{"delta":',
        '{"error":{"message":"x"}}',
    ],
)
async def test_whatever_a_provider_sends_cuts_the_stream_and_is_settled(broken: str) -> None:
    seen, error, settlement = await streamed(GPT, WORD, broken, END, "[DONE]")
    assert b"word" in seen
    assert error is not None
    assert error.attempts
    assert (settlement.outcome, settlement.counted, settlement.output_tokens > 0) == (Outcome.CUT, False, True)


async def test_an_error_that_is_null_is_none() -> None:
    frames = [each.replace("{", '{"error":null,', 1) for each in (WORD, END)]
    seen, error, settlement = await streamed(GPT, *frames, "[DONE]")
    assert (b"word" in seen, error, settlement.outcome) == (True, None, Outcome.OK)


async def test_an_end_without_a_reason_is_a_cut() -> None:
    _, error, settlement = await streamed(GPT, WORD, "[DONE]")
    assert (error is None, settlement.outcome) == (False, Outcome.CUT)
    seen, error, settlement = await streamed(GPT, WORD, END, "[DONE]")
    assert (error, settlement.outcome, seen.endswith(b"[DONE]\n\n")) == (None, Outcome.OK, True)


async def test_a_long_answer_that_nobody_counts_is_kept_to_a_length_and_counted_all_the_same() -> None:
    piece = '{"choices":[{"delta":{"content":"%s"}}]}' % ("a1!" * 500_000)
    _, _, settlement = await streamed(GPT, *[piece] * 6, END, "[DONE]")
    assert settlement.output_tokens > 6 * 400_000
    assert settlement.cost > 0


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (b'{"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}, "error": null}', Usage(5, 3)),
        (b'{"usage": {"prompt_tokens": 5, "completion_tokens": 3, "x": {"y": 1}}, "choices": [{"message"', Usage(5, 3)),
        (b'{"choices": [{"message": {"content": "\\"usage\\": {\\"prompt_tokens\\": 5}"}}]', None),
        (b'{"usage": {foo}}', None),
        (b'{"usage": ' + b"{" * 5000, None),
        (b"<html>", None),
    ],
)
def test_usage_is_found_in_what_cannot_be_read(body: bytes, usage: Usage | None) -> None:
    assert usage_within(body) == usage


@given(st.binary(max_size=200))
def test_whatever_the_body_usage_is_looked_for(body: bytes) -> None:
    assert usage_within(b'"usage":{' + body) is None or b"prompt_tokens" in body
