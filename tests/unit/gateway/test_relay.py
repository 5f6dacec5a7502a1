"""What is reserved for a relayed body, and what its provider is sent."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from atrium.gateway.models import ChatCall, Purpose
from atrium.gateway.preparing import prepare
from atrium.gateway.relay import Asked, Call, plan_chat, wire_body
from atrium.kernel.errors import InvalidFields, InvalidInput
from atrium.kernel.principal import Principal, TenantId, worker
from atrium.ledger.models import Reservation
from atrium.providers.base import ChatRequest, Image, Message, Usage
from atrium.providers.catalogue import ChatSpec, EmbeddingSpec, chat_spec, chat_specs, embedding_spec
from atrium.providers.credentials import Credentials

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


async def sent(model: str, bound: int | None = None, **fields: Any) -> dict[str, Any]:
    planned = await asked(model, **fields)
    reserved = planned.spend("").bound if bound is None else bound
    body: dict[str, Any] = json.loads(wire_body(Call(PRINCIPAL, planned, Reservation(uuid4(), reserved, datetime.now(UTC)))))
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
    body = await sent(OWN, **fields)
    assert {name: value for name, value in body.items() if "tokens" in name} == {"max_tokens": min(limit, 2048)}


async def test_a_limit_that_its_caller_did_not_set_leaves_room_for_the_input() -> None:
    long = [{"role": "user", "content": "word " * 5000}]
    planned = await asked(OWN, messages=long)
    body = await sent(OWN, messages=long)
    assert 256 <= body["max_tokens"] <= planned.spec.context_window - planned.plan.input_tokens


async def test_a_limit_over_what_the_model_writes_is_refused() -> None:
    with pytest.raises(InvalidInput):
        await asked(GPT, max_tokens=10**9)


async def test_everything_else_passes_unchanged() -> None:
    fields = {"temperature": 0.5, "logit_bias": {"5": 1}, "user": "me", "unknown": [1, {"a": None}], "service_tier": "default"}
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
    assert await prepare(PRINCIPAL, call(Image(data=b"bytes", media_type="image/png")), Models())
