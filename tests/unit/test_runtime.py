"""The composition root: parts are made once and late; provider keys come from the secret store."""

import pytest

from atrium.kernel.errors import NotFound, Unavailable
from atrium.kernel.settings import Settings
from atrium.runtime import ProviderKeys, Runtime
from tests.fakes.memory import MemorySecrets


def test_nothing_is_opened_before_its_first_use() -> None:
    runtime = Runtime(Settings(database_password="x"))
    assert set(vars(runtime)) == {"settings", "_chat_models", "_embedders"}
    assert runtime.storage is runtime.storage


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


@pytest.mark.parametrize("text", ["", "sk-bare", "[]", "{}", '"x"'])
async def test_a_broken_key_is_unavailable_and_stays_secret(text: str) -> None:
    keys = ProviderKeys(MemorySecrets({"atrium/providers/openai": text}), Settings())
    with pytest.raises(Unavailable) as raised:
        await keys.credentials("openai")
    assert not text or text not in raised.value.detail


async def test_no_key_is_not_found() -> None:
    with pytest.raises(NotFound):
        await ProviderKeys(MemorySecrets(), Settings()).credentials("openai")
