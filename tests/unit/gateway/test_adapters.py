"""Adapters for tenants' own keys: one a key, not endlessly many, and none closed under a call."""

import pytest

from atrium.gateway import adapters as module
from atrium.gateway.adapters import Adapters
from atrium.kernel.settings import Settings
from atrium.providers.credentials import Credentials
from atrium.providers.openai import OpenAIChat
from atrium.runtime import Runtime
from tests.fakes.openai_server import OpenAIServer
from tests.unit.providers.test_own_servers import asked


@pytest.fixture
def platform() -> Runtime:
    return Runtime(Settings(database_password="x"))


async def test_a_providers_models_share_the_adapter_of_a_key(platform: Runtime) -> None:
    adapters = Adapters(platform)
    key = Credentials("sk-own")
    one = await adapters.chat("openai/gpt-4o", key)
    assert await adapters.chat("openai/gpt-4o-mini", key) is one
    assert await adapters.chat("openai/gpt-4o", Credentials("sk-other")) is not one
    assert await adapters.chat("xai/grok-4.7", key) is not one
    assert await adapters.chat("openai/gpt-4o") is await platform.chat_model("gpt-4o")
    await adapters.close()


async def test_an_adapter_that_had_to_go_ends_its_calls_first(platform: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("atrium.gateway.adapters.time.monotonic", lambda: clock)
    monkeypatch.setattr(module, "_MOST", 1)
    adapters = Adapters(platform)
    async with OpenAIServer() as server:
        busy = await adapters.chat("openai/gpt-4.1-mini", Credentials("sk-1", server.base_url))
        assert isinstance(busy, OpenAIChat)
        stream = busy.stream(asked("openai/gpt-4.1-mini"))
        await anext(stream)
        for n in range(2, 5):
            await adapters.chat("openai/gpt-4.1-mini", Credentials(f"sk-{n}", server.base_url))
        assert len(adapters._chats._gone) == 3
        assert [event async for event in stream], "its answer goes on"
        clock += 901
        await adapters.chat("openai/gpt-4.1-mini", Credentials("sk-4", server.base_url))
        assert not adapters._chats._gone
        await adapters.close()
        assert not adapters._chats._made
