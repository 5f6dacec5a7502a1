"""POST /llm/chat: what goes in, what comes out, what the ledger says of it."""

import base64
from typing import Any

import pytest

from atrium.db import Database
from atrium.kernel.principal import Operator
from atrium.prompts.by_type import TypePrompts
from atrium.prompts.models import Content, PromptMessage, PromptType
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script
from tests.integration.llm.conftest import CLAUDE, LARGE, MINI, Api, question

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(64)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n1 0 obj << /Type /Page >> endobj").decode()
WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


async def test_an_answer_and_its_row(api: Api) -> None:
    answer = (await api.chat(metadata={"mine": "1"})).json()
    assert answer["message"] == {"role": "assistant", "content": "Because of Rayleigh scattering.", "tool_calls": []}
    assert (answer["model"], answer["provider"], answer["finish_reason"]) == (MINI, "openai", "stop")
    assert (answer["cached"], answer["warnings"], answer["metadata"]) == (False, [], {"mine": "1"})
    assert [(each["model"], each["outcome"]) for each in answer["attempts"]] == [(MINI, "ok")]
    (row,) = await api.entries()
    usage = answer["usage"]
    assert str(row["id"]) == answer["id"]
    assert (row["model"], row["feature"], row["outcome"], row["counted"]) == (MINI, "chat", "ok", True)
    assert (row["input_tokens"], row["output_tokens"]) == (usage["input_tokens"], usage["output_tokens"])
    # 0.15 and 0.60 dollars for a million tokens.
    assert row["cost"] == usage["input_tokens"] * 150 + usage["output_tokens"] * 600
    assert answer["cost_usd"] == pytest.approx(row["cost"] / 1e9)
    assert await api.unsettled() == 0


async def test_no_key_is_needed_for_the_models_that_are_here(api: Api) -> None:
    answer = await api.chat(model="local/extractive")
    assert answer.status_code == 200, answer.text
    assert answer.json()["cost_usd"] == 0


async def test_a_bare_name_and_another_wire_are_models_too(api: Api) -> None:
    assert (await api.chat(model="gpt-4o-mini")).json()["model"] == MINI
    answer = (await api.chat(model=CLAUDE)).json()
    assert (answer["provider"], answer["model"]) == ("anthropic", CLAUDE)
    assert answer["message"]["content"]
    assert answer["cost_usd"] > 0


async def test_tools_go_in_and_calls_come_out(api: Api, openai: OpenAIServer) -> None:
    openai.script(Script(calls=[("weather", {"city": "Oslo"})]))
    answer = (await api.chat(tools=[WEATHER], tool_choice={"name": "weather"})).json()
    (call,) = answer["message"]["tool_calls"]
    assert (call["name"], call["arguments"], answer["finish_reason"]) == ("weather", '{"city": "Oslo"}', "tool_calls")
    messages = [
        {"role": "user", "content": "How is the weather?"},
        answer["message"],
        {"role": "tool", "tool_call_id": call["id"], "content": "12 °C"},
    ]
    again = await api.chat(messages=messages, tools=[WEATHER])
    assert again.status_code == 200, again.text
    sent = openai.requests[-1].json()["messages"]
    assert (sent[2]["role"], sent[2]["tool_call_id"]) == ("tool", call["id"])


async def test_pictures_and_files_reach_the_model(api: Api, openai: OpenAIServer) -> None:
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "What is it?"},
        {"type": "image", "url": "https://example.com/cat.png"},
        {"type": "image", "data": PNG, "media_type": "image/png", "detail": "low"},
        {"type": "file", "data": PDF, "name": "cat.pdf"},
    ]
    answer = await api.chat(messages=[{"role": "user", "content": parts}])
    assert answer.status_code == 200, answer.text
    sent = openai.requests[-1].json()["messages"][0]["content"]
    assert [each["type"] for each in sent] == ["text", "image_url", "image_url", "file"]


async def test_a_schema_is_asked_for(api: Api, openai: OpenAIServer) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    answer = await api.chat(response_format={"type": "json_schema", "name": "thing", "schema": schema})
    assert answer.status_code == 200, answer.text
    assert openai.requests[-1].json()["response_format"]["json_schema"]["name"] == "thing"


async def test_a_stored_prompt_goes_before_the_messages(api: Api, openai: OpenAIServer) -> None:
    prompt = {
        "key": "pirate",
        "messages": [{"role": "system", "content": "Talk like {{who}}."}],
        "model": LARGE,
        "parameters": {"temperature": 0.5},
    }
    made = await api.post("/prompts", prompt)
    assert made.status_code == 201, made.text
    body = question() | {"prompt": {"key": "pirate", "variables": {"who": "a pirate", "spare": 1}}}
    del body["model"]
    answer = (await api.post("/llm/chat", body)).json()
    assert (answer["model"], len(answer["warnings"])) == (LARGE, 1)
    sent = openai.requests[-1].json()
    assert [each["content"] for each in sent["messages"]] == ["Talk like a pirate.", "Why is the sky blue?"]
    assert sent["temperature"] == 0.5


async def test_the_tenants_default_answers_where_no_model_is_named(api: Api, openai: OpenAIServer) -> None:
    headers = {"Authorization": f"Bearer {api.session['access_token']}"}
    default = {"model": LARGE, "parameters": {"temperature": 0.25, "seed": 3}}
    settled = await api.http.put("/api/v1/llm-defaults/chat", json=default, headers=headers)
    assert settled.status_code == 200, settled.text
    answer = (await api.post("/llm/chat", question(model=None, temperature=0.75))).json()
    sent = openai.requests[-1].json()
    assert (answer["model"], sent["temperature"], sent["seed"]) == (LARGE, 0.75, 3)


def parts(*each: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(each)}]}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"messages": []}, ""),
        ({"models": [LARGE]}, ""),
        ({"messages": [{"role": "user", "content": ""}]}, "/messages/0/content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "/messages/0"),
        (parts({"type": "image", "url": "http://example.com/a.png"}), "/messages/0/content/0/url"),
        (parts({"type": "image", "url": "https://127.0.0.1/a"}), "/messages/0/content/0/url"),
        (parts({"type": "image", "url": "https://me@example.com/a"}), "/messages/0/content/0/url"),
        (parts({"type": "image", "url": "https://db.internal/a"}), "/messages/0/content/0/url"),
        (parts({"type": "image", "data": PDF, "media_type": "image/png"}), "/messages/0/content/0"),
        (parts({"type": "file", "data": PNG}), "/messages/0/content/0"),
        ({"tool_choice": {"name": "absent"}}, ""),
        ({"tools": [WEATHER, WEATHER]}, ""),
        ({"temperature": 3}, "/temperature"),
        ({"cache": {"ttl": 86_401}}, "/cache/ttl"),
        ({"unknown": 1}, "/unknown"),
        ({"prompt": "absent"}, "/prompt"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named(api: Api, fields: dict[str, Any], pointer: str) -> None:
    body = {name: value for name, value in (question() | fields).items() if value is not None}
    answer = await api.post("/llm/chat", body)
    assert answer.status_code == 422, answer.text
    assert any(each["pointer"].startswith(pointer) for each in answer.json()["errors"])
    assert await api.entries() == []


async def test_a_body_that_is_too_long_is_refused(api: Api) -> None:
    answer = await api.chat(text="x" * (6 * 1024 * 1024))
    assert answer.status_code == 413


async def test_the_models_are_listed(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.session['access_token']}"}
    models = {each["id"]: each for each in (await api.http.get("/api/v1/llm/models", headers=headers)).json()["data"]}
    mini = models[MINI]
    assert (mini["price"]["input"], mini["price"]["output"], mini["available"]) == (0.15, 0.6, True)
    assert {"tools", "vision", "json_schema"} <= set(mini["capabilities"])
    assert not next(each for each in models.values() if each["provider"] == "groq")["available"]
    assert models["openai/text-embedding-3-small"]["dimensions"] == 1536


async def test_viewers_may_not(api: Api) -> None:
    assert (await api.http.post("/api/v1/llm/chat", json=question())).status_code == 401


async def test_a_platforms_prompt_with_a_model_that_a_tenant_has_not_takes_no_answers_away(api: Api, database: Database) -> None:
    columns = "key_id, mac, pepper_kid, digest"
    row = {"any": bytes(32)}
    await api.admin.execute(f"INSERT INTO atrium.operator_keys ({columns}) VALUES ('theoperator', %(any)s, 'p', %(any)s)", row)
    content = Content((PromptMessage("system", "Be brief."),), model="xai/grok-4")
    await TypePrompts(database).put(Operator("theoperator", bytes(32)), PromptType.CHAT, content)

    body = question(prompt="chat")
    del body["model"]
    answer = await api.post("/llm/chat", body)
    assert (answer.status_code, answer.json()["model"]) == (200, "local/extractive"), answer.text
    assert answer.json()["warnings"] == ["The prompt's model xai/grok-4 is not yours to ask: local/extractive answers."]
