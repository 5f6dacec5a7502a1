"""The chat models that come with Atrium, their providers faked on the wire. A class's suites are what its models can do."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from atrium.providers import registry
from atrium.providers.catalogue import ChatSpec, chat_spec, providers
from atrium.providers.credentials import Credentials
from atrium.providers.openai import OpenAIChat
from tests.conformance.suites.chat_abilities import JsonSchemaSuite, PdfSuite, StopSuite, ToolSuite, VisionSuite
from tests.conformance.suites.chat_model import ChatModelSuite, Subject, subject_of
from tests.conformance.suites.chat_wire import WireSuite
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.openai_server import OpenAIServer

REMOTE = ["openai/gpt-4.1-mini", "ollama/llama3.2", "anthropic/claude-haiku-4-5", "anthropic/claude-opus-5-5"]


class TestLocalModels(ChatModelSuite):
    @pytest.fixture
    def subject(self, model_dir: Path) -> Subject:
        return subject_of(registry.chat_model("local/extractive", credentials=_no_credentials, model_dir=model_dir), "extractive")


class _RemoteModels(ChatModelSuite, WireSuite, ToolSuite, JsonSchemaSuite, VisionSuite, PdfSuite, StopSuite):
    pass


class TestRemoteModels(_RemoteModels):
    @pytest.fixture(params=REMOTE)
    async def subject(self, request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
        provider = request.param.partition("/")[0]
        async with AsyncExitStack() as stack:
            server = AnthropicServer() if provider == "anthropic" else OpenAIServer(own=provider == "ollama")
            await stack.enter_async_context(server)

            async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
                return Credentials("sk-test", server.base_url)

            model = registry.chat_model(request.param, credentials=credentials)
            stack.push_async_callback(model.close)  # type: ignore[attr-defined]
            yield subject_of(model, registry.own_name(request.param), server)


class TestModelsBehindResponses(_RemoteModels):
    """Those that OpenAI asks to be called by its newer API."""

    @pytest.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        def spec_of(name: str) -> ChatSpec:
            return replace(chat_spec(name), api="responses")

        async with OpenAIServer() as server:

            async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
                return Credentials("sk-test", server.base_url)

            model = OpenAIChat(credentials, providers()["openai"], spec_of)
            yield subject_of(model, "gpt-4.1-mini", server)
            await model.close()


async def _no_credentials(provider: str, *, refresh: bool = False) -> Credentials:
    raise AssertionError(f"a local model asked for the key of {provider}")
