"""The composition root: parts are made once and late; provider keys come from the secret store."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from atrium import runtime as module
from atrium.kernel.errors import ProviderNotConfigured, Unavailable
from atrium.kernel.settings import Settings
from atrium.providers.base import ChatRequest, Message
from atrium.providers.catalogue import providers
from atrium.providers.credentials import Credentials
from atrium.providers.openai import OpenAIChat
from atrium.runtime import ProviderKeys, Runtime, worker_handler
from tests.factories.logs import fresh_logging
from tests.fakes.memory import MemorySecrets
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script


def test_nothing_is_opened_before_its_first_use() -> None:
    runtime = Runtime(Settings(database_password="x"))
    assert set(vars(runtime)) == {"settings", "_chat_models", "_embedders"}
    assert runtime.storage is runtime.storage


async def test_whatever_models_are_named_their_provider_has_one_adapter() -> None:
    runtime = Runtime(Settings(database_password="x"))
    for name in ("gpt-4o", "openai/gpt-4o", "openai/gpt-4.1", *(f"ollama/any-{n}" for n in range(9))):
        await runtime.chat_model(name)
    for name in ("text-embedding-3-small", "openai/text-embedding-3-small", "ollama/bge-m3"):
        await runtime.embedder(name)
    assert sorted(runtime._chat_models) == ["ollama", "openai"]
    assert sorted(runtime._embedders) == ["ollama/bge-m3", "openai/text-embedding-3-small"]
    await runtime.close()


async def test_a_provider_key_is_read_once_in_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("atrium.runtime.time.monotonic", lambda: clock)
    store = MemorySecrets({"atrium/providers/openai": '{"api_key": "sk-1"}'})
    keys = ProviderKeys(store, Settings(openai_base_url="http://127.0.0.1:1/v1"))
    found = await keys.credentials("openai")
    assert (found.api_key, found.base_url) == ("sk-1", "http://127.0.0.1:1/v1")
    assert "sk-1" not in repr(found)
    store.values["atrium/providers/openai"] = '{"api_key": "sk-2", "base_url": "http://127.0.0.1:2/v1"}'
    assert (await keys.credentials("openai")).api_key == "sk-1"
    clock += 301
    found = await keys.credentials("openai")
    assert (found.api_key, found.base_url) == ("sk-2", "http://127.0.0.1:2/v1")
    assert len(store.reads) == 2


async def test_after_a_refusal_a_provider_key_is_read_afresh_but_not_on_every_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("atrium.runtime.time.monotonic", lambda: clock)
    store = MemorySecrets({"atrium/providers/openai": '{"api_key": "sk-1"}'})
    keys = ProviderKeys(store, Settings())
    await keys.credentials("openai")
    store.values["atrium/providers/openai"] = '{"api_key": "sk-2"}'
    clock += 11
    found = await asyncio.gather(*(keys.credentials("openai", refresh=True) for _ in range(3)))
    assert {each.api_key for each in found} == {"sk-2"}
    assert len(store.reads) == 2
    clock += 9
    await keys.credentials("openai", refresh=True)
    assert len(store.reads) == 2


async def test_a_rotated_key_reaches_the_provider_without_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    async with OpenAIServer() as server:
        store = MemorySecrets({"atrium/providers/openai": '{"api_key": "sk-old"}'})
        keys, started = ProviderKeys(store, Settings(openai_base_url=server.base_url)), time.monotonic
        chat = OpenAIChat(keys.credentials, providers()["openai"])
        asked = ChatRequest("gpt-4.1-mini", (Message("user", "Say it."),))
        server.script(Script(), Script(status=401))
        assert [event async for event in chat.stream(asked)]
        store.values["atrium/providers/openai"] = '{"api_key": "sk-new"}'
        monkeypatch.setattr("atrium.runtime.time.monotonic", lambda: started() + 11)
        assert [event async for event in chat.stream(asked)]
        await chat.close()
    assert [each.headers["authorization"][-6:] for each in server.requests] == ["sk-old", "sk-old", "sk-new"]


@pytest.mark.parametrize("text", ["", "sk-bare", "[]", "{}", '"x"'])
async def test_a_broken_key_is_unavailable_and_stays_secret(text: str) -> None:
    keys = ProviderKeys(MemorySecrets({"atrium/providers/openai": text}), Settings())
    with pytest.raises(Unavailable) as raised:
        await keys.credentials("openai")
    assert not text or text not in raised.value.detail


async def test_a_server_of_ones_own_has_an_address_and_maybe_a_key() -> None:
    store = MemorySecrets({"atrium/providers/ollama": '{"base_url": "http://127.0.0.1:2/v1"}'})
    assert await ProviderKeys(store, Settings()).credentials("ollama") == Credentials("", "http://127.0.0.1:2/v1")


@pytest.mark.parametrize(
    ("provider", "setting"),
    [
        ("openai", "OPENAI_API_KEY"),
        ("anthropic", "ANTHROPIC_API_KEY"),
        ("xai", "XAI_API_KEY"),
        ("groq", "GROQ_API_KEY"),
        ("ollama", "OLLAMA_URL"),
        ("compatible", "OPENAI_COMPATIBLE_URL"),
    ],
)
async def test_a_provider_without_a_secret_is_not_configured_and_the_setting_is_named(provider: str, setting: str) -> None:
    with pytest.raises(ProviderNotConfigured, match=f"Set {setting} in .env, or the secret atrium/providers/{provider}"):
        await ProviderKeys(MemorySecrets(), Settings()).credentials(provider)


async def test_a_server_of_ones_own_without_an_address_is_not_configured() -> None:
    store = MemorySecrets({"atrium/providers/compatible": '{"api_key": "sk"}'})
    with pytest.raises(ProviderNotConfigured, match="no address"):
        await ProviderKeys(store, Settings()).credentials("compatible")


async def test_that_there_is_no_key_is_known_for_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("atrium.runtime.time.monotonic", lambda: clock)
    store = MemorySecrets()
    keys = ProviderKeys(store, Settings())
    for _ in range(3):
        with pytest.raises(ProviderNotConfigured):
            await keys.credentials("groq")
    assert len(store.reads) == 1
    store.values["atrium/providers/groq"] = '{"api_key": "gsk-1"}'
    clock += 11
    assert (await keys.credentials("groq")).api_key == "gsk-1"


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    """A fresh worker's container: nothing logs yet, and its event loop ends with the test."""
    parts = Runtime(Settings(database_password="x", log_level="INFO"))
    monkeypatch.setattr(module, "runtime", lambda: parts)
    module._loop.cache_clear()
    with fresh_logging():
        yield parts
    module._loop().close()
    module._loop.cache_clear()


def test_a_workers_lines_are_json_and_name_it_and_its_invocation(container: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    @worker_handler("extract")
    async def handler(parts: Runtime, event: dict[str, Any]) -> dict[str, Any]:
        """The steps of extraction."""
        logging.getLogger("atrium.documents").info("read %s", "sk-abcdefghijklmnopqrstu")
        return {"same": parts is container, **event}

    loops = {(handler({"n": n}, SimpleNamespace(aws_request_id=f"invocation-{n}"))["same"], module._loop()) for n in (1, 2)}
    assert loops == {(True, module._loop())}
    assert handler({"n": 3}, None) == {"same": True, "n": 3}

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["service"] for line in lines] == ["extract"] * 3
    assert [line.get("function_request_id") for line in lines] == ["invocation-1", "invocation-2", None]
    assert {(line["level"], line["message"]) for line in lines} == {("INFO", "read sk-[secret]")}
    assert handler.__doc__ == "The steps of extraction."


def test_a_worker_is_as_quiet_as_its_settings_say(container: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    container.settings = Settings(log_level="WARNING")

    @worker_handler("embed")
    async def handler(_parts: Runtime, _event: object) -> None:
        logging.getLogger("atrium.documents").info("not said")
        logging.getLogger("atrium.documents").warning("said")

    handler({}, None)
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == ["said"]
