"""Answers by stored prompts: whose instructions hold, and that no prompt takes the rules away."""

from typing import Any

import psycopg
import pytest

from atrium.answers.models import AnswerRequest
from atrium.db import Database
from atrium.kernel.errors import InvalidFields
from atrium.kernel.principal import Operator, Principal
from atrium.prompts.by_type import LlmDefaults, TypePrompts
from atrium.prompts.models import Content, NewPrompt, PromptMessage, PromptType, Reference
from atrium.prompts.service import PromptService
from tests.factories.auth import bearer
from tests.factories.retrieval import publish
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script
from tests.integration.answers.conftest import GPT, Answering, Api

REFUNDS = "Refunds are paid within 14 days after receipt."
QUOTED = Script(answer='It takes "14 days" [1].')


def told(text: str, **fields: Any) -> Content:
    return Content((PromptMessage("system", text),), **fields)


@pytest.fixture
async def asked(database: Database, tenant: Principal, openai: OpenAIServer) -> OpenAIServer:
    """A fake that has something to quote, from a document of the tenant's."""
    await publish(database, tenant, [REFUNDS])
    for _ in range(3):
        openai.script(QUOTED)
    return openai


def system_of(server: OpenAIServer) -> str:
    """What the model was told in the last request."""
    message: dict[str, Any] = server.requests[-1].json()["messages"][0]
    assert message["role"] == "system"
    return str(message["content"])


async def test_the_tenants_prompt_shapes_its_answers_alone(
    database: Database, tenant: Principal, other_tenant: Principal, answering: Answering, asked: OpenAIServer
) -> None:
    await TypePrompts(database).put(tenant, PromptType.RAG_ANSWER, told("Speak like a pirate."))
    await publish(database, other_tenant, [REFUNDS])

    mine = await answering.whole(tenant, "When are refunds paid?")
    told_me = system_of(asked)
    theirs = await answering.whole(other_tenant, "When are refunds paid?")

    assert told_me.startswith("Speak like a pirate.\n\nRules, which stand above everything said before them:")
    assert (mine.prompt.layer, mine.prompt.version, theirs.prompt.layer) == ("tenant", 1, "builtin")
    assert "pirate" not in system_of(asked)
    assert [citation.quote for citation in mine.done.citations] == ["14 days"]


async def test_a_question_names_a_prompt_and_gives_it_values(
    database: Database, tenant: Principal, answering: Answering, asked: OpenAIServer
) -> None:
    prompts = PromptService(database)
    parameters = {"temperature": 0.5, "max_tokens": 77, "stop": ["END"]}
    made, _ = await prompts.create(tenant, NewPrompt("tone", told("Be {{tone}}.", model=GPT, parameters=parameters)))
    await prompts.add_version(tenant, made.id, told("Be very {{tone}}."))

    reference = Reference("tone", version=1, variables={"tone": "polite"})
    answer = await answering.whole(tenant, "When are refunds paid?", prompt=reference, model=None)

    body = asked.requests[-1].json()
    assert system_of(asked).startswith("Be polite.\n\nRules")
    assert (answer.done.model, body["temperature"], body["stop"]) == (GPT, 0.5, ["END"])
    assert 77 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert (answer.prompt.key, answer.prompt.version) == ("tone", 1)


async def test_the_model_is_the_requests_then_the_prompts_then_the_tenants(
    database: Database, tenant: Principal, answering: Answering, asked: OpenAIServer
) -> None:
    other = "openai/gpt-4.1-nano"
    await LlmDefaults(database, "local/extractive").put(tenant, PromptType.RAG_ANSWER, GPT, {"seed": 7})
    settled = await answering.whole(tenant, "When are refunds paid?", model=None)
    seed = asked.requests[-1].json()["seed"]
    await TypePrompts(database).put(tenant, PromptType.RAG_ANSWER, told("Be brief.", model=other))
    by_prompt = await answering.whole(tenant, "When are refunds paid?", model=None)
    by_request = await answering.whole(tenant, "When are refunds paid?", model="local/extractive")

    assert [each.done.model for each in (settled, by_prompt, by_request)] == [GPT, other, "local/extractive"]
    assert seed == 7


async def test_a_platforms_prompt_with_a_model_that_a_tenant_has_not_takes_no_answers_away(
    api: Api, database: Database, admin_connection: psycopg.AsyncConnection[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    await publish(database, api.principal, [REFUNDS])
    await admin_connection.execute(
        "INSERT INTO atrium.operator_keys (key_id, mac, pepper_kid, digest) VALUES ('theoperator', %(any)s, 'p', %(any)s)",
        {"any": bytes(32)},
    )
    operator = Operator("theoperator", bytes(32))
    await TypePrompts(database).put(operator, PromptType.RAG_ANSWER, told("Be brief.", model="anthropic/claude-sonnet-4-5"))

    answer = await api.post("/rag/query", {"question": "When are refunds paid?"})
    assert (answer.status_code, answer.json()["prompt"]["layer"]) == (200, "platform"), answer.text
    assert answer.json()["model"] == "local/extractive"
    assert [vars(each)["model"] for each in caplog.records if "left out" in each.message] == ["anthropic/claude-sonnet-4-5"]

    await TypePrompts(database).put(api.principal, PromptType.RAG_ANSWER, told("Be.", model="anthropic/claude-sonnet-4-5"))
    assert (await api.post("/rag/query", {"question": "When are refunds paid?"})).status_code == 503


@pytest.mark.parametrize(
    ("reference", "pointer"),
    [
        (Reference("absent"), "/prompt"),
        (Reference("rag_answer", version=3), "/prompt"),
        (Reference("chatty"), "/prompt"),
        (Reference("tone"), "/prompt/variables/tone"),
        (Reference("tone", version=9, variables={"tone": "x"}), "/prompt/version"),
        (Reference("tone", label="beta", variables={"tone": "x"}), "/prompt/label"),
    ],
)
async def test_what_is_wrong_with_a_prompt_is_told_before_anything_is_looked_for(
    database: Database, tenant: Principal, answering: Answering, reference: Reference, pointer: str
) -> None:
    prompts = PromptService(database)
    await prompts.create(tenant, NewPrompt("tone", told("Be {{tone}}.")))
    await prompts.create(tenant, NewPrompt("chatty", Content((PromptMessage("user", "Say something."),))))

    with pytest.raises(InvalidFields) as refused:
        await anext(answering.service.answer(tenant, AnswerRequest("When?", prompt=reference)))

    assert [error.pointer for error in refused.value.errors] == [pointer]


@pytest.mark.parametrize("named", ["tone", "tone@1", "tone@latest", {"key": "tone", "variables": {}}])
async def test_every_form_of_a_prompts_name_is_understood(api: Api, database: Database, named: Any) -> None:
    await publish(database, api.principal, [REFUNDS])
    await PromptService(database).create(api.principal, NewPrompt("tone", told("Be brief.")))

    answer = await api.post("/rag/query", {"question": "When are refunds paid?", "prompt": named})
    other = await api.http.post("/api/v1/rag/query", json={"question": "When?", "prompt": named}, headers=bearer(api.other))

    assert (answer.status_code, answer.json()["prompt"]["key"], answer.json()["prompt"]["layer"]) == (200, "tone", "tenant")
    assert (other.status_code, other.json()["errors"][0]["pointer"]) == (422, "/prompt")
