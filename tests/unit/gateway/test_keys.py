"""Whose key a call on the wire path goes out with, when it is refused."""

import pytest

from atrium.gateway.relay_attempts import with_key
from atrium.gateway.routing import Candidate
from atrium.gateway.tenant_models import ModelSet
from atrium.kernel.errors import ProviderError
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, TenantId, worker
from atrium.providers.catalogue import chat_spec
from atrium.providers.credentials import Credentials
from atrium.providers.openai_relay import KeyRefused

OLD = Credentials("sk-own", own=True)
MINI = chat_spec("openai/gpt-4o-mini")
PRINCIPAL = worker(TenantId(new_id()))


class Keys:
    """What the key is by now."""

    def __init__(self, fresh: Credentials) -> None:
        self._fresh = fresh

    async def key_of(self, models: ModelSet, principal: Principal, provider: str) -> Credentials:
        return self._fresh

    async def credentials(self, principal: Principal, provider: str, *, refresh: bool = False) -> Credentials:
        return self._fresh


class Asked:
    """Refuses every key but one."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def __call__(self, key: Credentials) -> str:
        self.keys.append(key.api_key)
        if key.api_key == "sk-own":
            raise KeyRefused("refused")
        return "answer"


async def test_the_platforms_key_never_takes_the_place_of_a_tenants() -> None:
    asked = Asked()
    models = ModelSet({}, {}, Keys(Credentials("sk-platform")))
    with pytest.raises(ProviderError, match="changed while it was used"):
        await with_key(PRINCIPAL, models, Candidate(MINI, OLD, own_key=True), asked)
    assert asked.keys == ["sk-own"]


async def test_a_key_of_the_same_owner_does() -> None:
    asked = Asked()
    models = ModelSet({}, {}, Keys(Credentials("sk-new")))
    candidate = Candidate(MINI, Credentials("sk-own"))
    assert await with_key(PRINCIPAL, models, candidate, asked) == "answer"
    assert asked.keys == ["sk-own", "sk-new"]
