"""What goes wrong under /v1, in OpenAI's shape: an unmodified client must know what to do."""

import asyncio
from typing import Any

import pytest

from atrium.providers.base import Usage
from atrium.providers.catalogue import chat_spec
from atrium.tenancy.keys import new_key, parse_key
from tests.fakes.openai_server import OpenAIServer, failing, out_of_quota, rate_limited
from tests.fakes.wire import Script
from tests.integration.openai.conftest import GPT, HELLO, Api, frames


def told(answer: Any) -> tuple[int, str, str]:
    error = answer.json()["error"]
    assert set(error) - {"attempts"} == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"]
    return answer.status_code, error["type"], error["code"]


@pytest.mark.parametrize("key", ["", "Bearer nonsense", "Bearer atr_live_0000000000000000_wrong"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
async def test_nobody_is_401_before_the_body_is_read(api: Api, path: str, key: str) -> None:
    answer = await api.http.post(path, content=b"{broken", headers={"Authorization": key} if key else {})
    assert told(answer) == (401, "invalid_request_error", "invalid_api_key")


async def test_a_forged_key_of_a_known_id_learns_nothing_of_its_body(api: Api) -> None:
    await api.post("/chat/completions", HELLO)
    forged = new_key(parse_key(api.key).key_id).text  # type: ignore[union-attr]
    answer = await api.http.post("/v1/chat/completions", json={"model": "nothing"}, headers={"X-API-Key": forged})
    assert told(answer) == (401, "invalid_request_error", "invalid_api_key")


async def test_an_unknown_model_names_the_nearest(api: Api) -> None:
    answer = await api.post("/chat/completions", HELLO | {"model": "gpt-4o-mni"})
    assert told(answer) == (404, "invalid_request_error", "model_not_found")
    assert "gpt-4o-mini" in answer.json()["error"]["message"]
    assert answer.json()["error"]["param"] == "model"


async def test_a_context_too_long_tells_both_numbers(api: Api) -> None:
    long = {"role": "user", "content": "word " * 200_000}
    answer = await api.post("/chat/completions", HELLO | {"messages": [long]})
    assert told(answer) == (400, "invalid_request_error", "context_length_exceeded")
    assert "128000" in answer.json()["error"]["message"]


async def test_a_missing_key_names_the_setting(api: Api) -> None:
    answer = await api.post("/chat/completions", HELLO | {"model": "anthropic/claude-sonnet-4"})
    assert told(answer) == (503, "server_error", "provider_not_configured")
    assert "ANTHROPIC_API_KEY" in answer.json()["error"]["message"]
    assert answer.headers["x-should-retry"] == "false"


async def test_unknown_addresses_and_methods(api: Api) -> None:
    assert told(await api.get("/nothing")) == (404, "invalid_request_error", "unknown_url")
    answer = await api.get("/chat/completions")
    assert told(answer) == (405, "invalid_request_error", "method_not_allowed")
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [(b"{", "application/json", 400), (b"x" * 7_000_000, "application/json", 413), (b"a=b", "text/plain", 415)],
)
async def test_bodies_that_cannot_be_read(api: Api, content: bytes, kind: str, status: int) -> None:
    answer = await api.http.post("/v1/chat/completions", content=content, headers=api.headers | {"content-type": kind})
    assert told(answer)[0] == status


async def test_what_the_provider_refuses_passes_with_its_words(api: Api, openai: OpenAIServer) -> None:
    error = {"message": "Unsupported value: 'temperature'", "type": "invalid_request_error", "param": "temperature", "code": "x"}
    openai.script(Script(status=400, error=error))
    answer = await api.post("/chat/completions", HELLO | {"temperature": 0})
    assert told(answer) == (400, "invalid_request_error", "x")
    assert answer.json()["error"]["param"] == "temperature"
    assert [call["outcome"] for call in await api.calls()] == ["failed"]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        (failing(500), 503, "provider_unavailable"),
        (out_of_quota(), 502, "provider_error"),
        (Script(status=401), 502, "provider_error"),
        (Script(garbage="<html>"), 502, "provider_error"),
    ],
    ids=["500", "quota", "401", "garbage"],
)
async def test_failing_providers_are_told_with_attempts(
    api: Api, openai: OpenAIServer, script: Script, status: int, code: str, stream: bool
) -> None:
    openai.script(*[script] * 3)
    answer = await api.post("/chat/completions", HELLO | {"stream": stream})
    assert told(answer) == (status, "server_error", code)
    attempts = answer.json()["error"]["attempts"]
    assert len(attempts) == (3 if status == 503 else 1)
    (call,) = await api.calls()
    assert (call["outcome"], len(call["attempts"])) == ("failed", len(attempts))
    # Whoever answered 200 may want to be paid, whatever that answer was.
    assert (call["cost"] > 0, call["counted"]) == ((True, False) if script.garbage else (False, True))


async def test_an_unreadable_answer_costs_what_it_says(api: Api, openai: OpenAIServer) -> None:
    usage = '"usage": {"prompt_tokens": 1000, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 0}}'
    openai.script(Script(garbage=f'{{"choices": null, {usage}}}'), Script(garbage=f'{{"choices": [{{"text": "a {usage}'))
    for _ in range(2):
        assert told(await api.post("/chat/completions", HELLO)) == (502, "server_error", "provider_error")
    price = chat_spec(GPT).price
    assert [call["cost"] for call in await api.calls()] == [price.cost(Usage(1000, 20))] * 2


async def test_a_stream_that_ends_without_a_reason_was_cut(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(end_after=3))
    answer = await api.post("/chat/completions", HELLO | {"stream": True})
    assert frames(answer)[-1]["error"]["code"] == "provider_unavailable"
    assert [call["outcome"] for call in await api.calls()] == ["cut"]


async def test_a_bill_of_the_deployments_is_not_the_tenants_to_read(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(status=402, error={"message": "Account acme-prod owes $12,345"}))
    answer = await api.post("/chat/completions", HELLO)
    assert told(answer) == (502, "server_error", "provider_error")
    assert "acme" not in answer.text


async def test_a_providers_words_are_cut_where_they_get_long(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(status=400, error={"message": "no " * 5000, "code": "y" * 5000}))
    answer = await api.post("/chat/completions", HELLO)
    assert answer.status_code == 400
    assert len(answer.text) < 3000


async def test_a_provider_that_recovers_is_not_told_of(api: Api, openai: OpenAIServer) -> None:
    openai.script(failing(500))
    answer = await api.post("/chat/completions", HELLO)
    assert answer.status_code == 200
    assert [each["outcome"] for each in (await api.calls())[0]["attempts"]] == ["unavailable", "ok"]


async def test_a_malformed_frame_ends_the_stream_with_an_error(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(malformed_at=2))
    answer = await api.post("/chat/completions", HELLO | {"stream": True})
    assert frames(answer)[-1]["error"]["code"] == "provider_error"
    assert [call["outcome"] for call in await api.calls()] == ["cut"]


async def test_usage_that_is_absent_is_counted_here(api: Api, openai: OpenAIServer) -> None:
    for stream in (True, False):
        openai.script(Script(usage=False))
        assert (await api.post("/chat/completions", HELLO | {"stream": stream})).status_code == 200
    assert [(call["outcome"], call["counted"], call["output_tokens"] > 0) for call in await api.calls()] == [
        ("ok", False, True)
    ] * 2


async def test_a_spent_budget_is_not_retried(api: Api) -> None:
    await limit(api, 1)
    for _ in range(2):
        answer = await api.post("/chat/completions", HELLO | {"max_tokens": 1000})
        assert told(answer) == (429, "insufficient_quota", "insufficient_quota")
        assert answer.headers["x-should-retry"] == "false"


async def test_an_answer_without_a_bound_gets_what_the_budget_affords(api: Api, openai: OpenAIServer) -> None:
    await limit(api, 1_000_000)
    assert (await api.post("/chat/completions", HELLO)).status_code == 200
    sent = openai.requests[-1].json()
    assert 256 <= sent["max_completion_tokens"] < 2000


async def test_an_idempotency_key_replays_and_refuses_another_body(api: Api, openai: OpenAIServer) -> None:
    first, again = [await api.post("/chat/completions", HELLO, **{"Idempotency-Key": "one"}) for _ in range(2)]
    assert (first.status_code, again.json(), again.headers["idempotency-replayed"]) == (200, first.json(), "true")
    assert len(openai.requests) == 1
    other = await api.post("/chat/completions", HELLO | {"max_tokens": 5}, **{"Idempotency-Key": "one"})
    assert told(other)[0] == 422
    assert other.headers["x-should-retry"] == "false"


async def test_an_answer_too_long_to_keep_is_given_again_by_asking_again(api: Api, openai: OpenAIServer) -> None:
    openai.script(*[Script(answer="x" * 1_000_001)] * 2)
    for _ in range(2):
        answer = await api.post("/chat/completions", HELLO, **{"Idempotency-Key": "long"})
        assert (answer.status_code, "idempotency-replayed" in answer.headers) == (200, False)
    assert len(openai.requests) == 2


async def test_a_provider_that_wants_to_be_left_alone_is_told_at_once(api: Api, openai: OpenAIServer) -> None:
    openai.script(rate_limited(retry_after=300))
    answer = await api.post("/chat/completions", HELLO)
    assert (told(answer)[0], answer.headers["retry-after"]) == (503, "300")
    assert len(openai.requests) == 1


async def test_32_calls_on_a_budget_for_20_never_make_21(api: Api, openai: OpenAIServer) -> None:
    await api.post("/chat/completions", HELLO | {"max_tokens": 10})
    openai.requests.clear()
    (row,) = await api.calls()
    await limit(api, row["cost"] + 20 * row["bound"])
    openai.script(*[Script(delay=0.3)] * 32)
    answers = await asyncio.gather(*(api.post("/chat/completions", HELLO | {"max_tokens": 10}) for _ in range(32)))
    assert sorted(each.status_code for each in answers) == [200] * 20 + [429] * 12
    assert len(openai.requests) == 20


async def limit(api: Api, nano: int) -> None:
    """The tenant's budget of a month, in nano-dollars."""
    tenant = api.session["org"]["id"]
    columns = "tenant_id, scope_id, origin, scope, monthly_budget"
    statement = f"INSERT INTO atrium.spending_limits ({columns}) VALUES (%s, %s, 'tenant', 'tenant', %s)"
    await api.rows.execute(statement, [tenant, tenant, nano])
