"""The chat models that come with Atrium, their providers faked on the wire."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from atrium.providers import registry
from atrium.providers.credentials import Credentials
from tests.conformance.suites.chat_model import ChatModelSuite, Subject, subject_of
from tests.fakes.openai_server import OpenAIServer

MODELS = ["local/extractive", "openai/gpt-4.1-mini", "ollama/llama3.2"]


class TestChatModels(ChatModelSuite):
    @pytest.fixture(params=MODELS)
    async def subject(self, request: pytest.FixtureRequest, model_dir: Path) -> AsyncIterator[Subject]:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(OpenAIServer(own=request.param.startswith("ollama/")))

            async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
                return Credentials("sk-test", server.base_url)

            model = registry.chat_model(request.param, credentials=credentials, model_dir=model_dir)
            if close := getattr(model, "close", None):
                stack.push_async_callback(close)
            yield subject_of(model, registry.own_name(request.param))
