"""What /v1 answers is what OpenAI's own specification says, whichever wire the model is on."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from tests.conformance.openai_schemas import complaints, needs_specification
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script, ScriptedServer
from tests.integration.openai.conftest import Api, frames

pytestmark = needs_specification

CHAT: Final = "openai/gpt-4o-mini"
RESPONSES: Final = "openai/gpt-5-pro"
CLAUDE: Final = "anthropic/claude-sonnet-4-6"
LOCAL: Final = "local/extractive"
WHOLE, CHUNK = "CreateChatCompletionResponse", "CreateChatCompletionStreamResponse"
TOOL: Final = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
FORM: Final = {
    "type": "json_schema",
    "json_schema": {"name": "place", "schema": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
CALLS: Final = [("weather", {"city": "Bern"}), ("weather", {"city": "Genf"})]
CASES: Final[dict[str, tuple[Script, dict[str, Any]]]] = {
    "plain": (Script(answer="One two three."), {}),
    "nothing said": (Script(answer=""), {}),
    "parallel tool calls": (Script(calls=CALLS), {"tools": [TOOL]}),
    "words and tool calls": (Script(answer="Let me see.", calls=CALLS), {"tools": [TOOL]}),
    "json_schema": (Script(answer='{"city": "Bern"}'), {"response_format": FORM}),
    "a refusal": (Script(refusal="I will not."), {}),
    "usage is missing": (Script(answer="One two three.", usage=False), {}),
    "cached tokens": (Script(answer="One two three.", cached=1), {}),
}


@pytest.fixture
async def anthropic(api: Api) -> AsyncIterator[AnthropicServer]:
    async with AnthropicServer() as server:
        secret = json.dumps({"api_key": "sk-ant", "base_url": server.base_url})
        api.runtime.memory_secrets.values["atrium/providers/anthropic"] = secret
        yield server
        await api.runtime.close()


def body(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Say it. It was said before."}], "max_tokens": 500} | fields


async def checked(api: Api, asked: dict[str, Any]) -> httpx.Response:
    """The whole answer or the stream; every piece of it is as specified."""
    answer = await api.post("/chat/completions", asked)
    assert answer.status_code == 200, answer.text
    if not asked.get("stream"):
        assert complaints(WHOLE, answer.json()) == []
        return answer
    *chunks, done = frames(answer)
    assert done == "[DONE]"
    assert [each for chunk in chunks for each in complaints(CHUNK, chunk)] == []
    return answer


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("model", [CHAT, RESPONSES, CLAUDE])
async def test_every_answer_is_openais(
    api: Api, openai: OpenAIServer, anthropic: AnthropicServer, model: str, case: str, stream: bool
) -> None:
    script, fields = CASES[case]
    server: ScriptedServer = anthropic if model == CLAUDE else openai
    server.script(script)
    usage = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    answer = await checked(api, body(model, **fields, **usage))
    if script.usage or model != CHAT:  # what is relayed is the provider's word
        told = frames(answer)[-2] if stream else answer.json()
        assert told["usage"]["total_tokens"] == told["usage"]["prompt_tokens"] + told["usage"]["completion_tokens"]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_local_models_answers_are_openais(api: Api, stream: bool) -> None:
    await checked(api, body(LOCAL, stream=stream))


async def test_lists_of_models_and_vectors_are_openais(api: Api, openai: OpenAIServer) -> None:
    models = (await api.get("/models")).json()
    assert complaints("ListModelsResponse", models) == []
    for each in models["data"]:
        assert complaints("Model", (await api.get(f"/models/{each['id']}")).json()) == []
    for form in ("float", "base64"):
        asked = {"model": "openai/text-embedding-3-small", "input": ["one", "two"], "dimensions": 4, "encoding_format": form}
        answer = (await api.post("/embeddings", asked)).json()
        # The specification knows lists of numbers only.
        plain = answer | {"data": [each | {"embedding": [0.5]} for each in answer["data"]]}
        assert complaints("CreateEmbeddingResponse", plain if form == "base64" else answer) == []


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        (Script(), body("openai/nothing")),
        (Script(), body(CHAT, messages=[])),
        (Script(status=400), body(CHAT)),
        (Script(status=401), body(CHAT)),
        (Script(garbage="<html>"), body(CHAT)),
    ],
)
async def test_every_error_is_openais(api: Api, openai: OpenAIServer, script: Script, asked: dict[str, Any]) -> None:
    openai.script(script)
    answer = await api.post("/chat/completions", asked)
    assert answer.status_code >= 400
    assert complaints("ErrorResponse", answer.json()) == []
