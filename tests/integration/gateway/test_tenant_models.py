"""A tenant's models and keys: what it switched off, what it pays, whose key is used, and that none of it is another's."""

import asyncio
from datetime import date
from typing import Any

import psycopg
import pytest

from atrium.db import Database
from atrium.gateway.tenant_models import ModelChange, ModelChanges, TenantModels
from atrium.kernel.errors import (
    Conflict,
    InvalidFields,
    NotFound,
    ProviderError,
    ProviderNotConfigured,
    Unavailable,
    UnknownModel,
)
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.ports.keyring import KeyringSource, new_keyring
from atrium.providers.catalogue import ChatSpec, Rates
from atrium.providers.credentials import Credentials
from atrium.runtime import ProviderKeys
from tests.fakes.memory import MemorySecrets

KEY = "sk-proj-0123456789abcdefWXYZ"
GPT = "openai/gpt-4o"


class World:
    """One process: the deployment has a key of Groq's alone."""

    def __init__(self, database: Database, secrets: MemorySecrets | None = None) -> None:
        self.secrets = secrets or MemorySecrets(
            {"keyring": new_keyring(), "atrium/providers/groq": '{"api_key": "gsk-platform"}'}
        )
        self.keyring = KeyringSource(self.secrets, "keyring")
        keys = ProviderKeys(self.secrets, Settings())
        self.models = TenantModels(database, self.keyring, keys.credentials, {"openai": "https://eu.example/v1"})
        self.changes = ModelChanges(database, self.keyring, self.models)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_without_a_change_the_catalogue_is_there(world: World, tenant: Principal) -> None:
    models = await world.models.of(tenant)
    assert models.chat("gpt-4o").price.input == 2500
    assert models.embedding("text-embedding-3-small").space.id == 2
    assert {"local/extractive", "openai/text-embedding-3-large"} <= {each.model for each in models.all()}
    with pytest.raises(UnknownModel, match=r"openai/gpt-4o-mini"):
        models.chat("gpt-4o-mni")
    with pytest.raises(UnknownModel):
        models.embedding("gpt-4o")


async def test_a_model_that_is_switched_off_is_unknown_and_no_suggestion(world: World, tenant: Principal) -> None:
    off = [ModelChange("gpt-4o", enabled=False), ModelChange("openai/text-embedding-3-large", enabled=False)]
    await world.changes.change(tenant, off)
    models = await world.models.of(tenant)
    with pytest.raises(UnknownModel, match="openai/gpt-4o is switched off for your organisation"):
        models.chat("gpt-4o")
    with pytest.raises(UnknownModel, match="switched off"):
        models.embedding("text-embedding-3-large")
    with pytest.raises(UnknownModel) as caught:
        models.chat("openai/gpt-4O")
    assert f"{GPT}," not in caught.value.detail
    assert GPT not in {each.model for each in models.all()}
    assert GPT in {each.model for each in models.all(disabled=True)}
    await world.changes.change(tenant, [ModelChange(GPT)])
    assert (await world.models.of(tenant)).chat(GPT).model == GPT
    assert GPT not in (await world.models.of(tenant)).overrides


async def test_a_model_that_is_switched_off_is_so_by_any_spelling(world: World, tenant: Principal) -> None:
    await world.changes.change(tenant, [ModelChange("ollama/llama3.2", enabled=False)])
    models = await world.models.of(tenant)
    for name in ("ollama/llama3.2", "ollama/Llama3.2", "ollama/llama3.2:latest"):
        with pytest.raises(UnknownModel, match="switched off"):
            models.chat(name)
    assert models.chat("ollama/llama3.2:3b").model == "ollama/llama3.2:3b"


async def test_a_price_of_ones_own_counts_with_ones_own_key_only(world: World, tenant: Principal) -> None:
    await world.changes.change(tenant, [ModelChange(GPT, price=Rates(1, 2, 1), note="our contract")])
    assert (await world.models.of(tenant)).chat(GPT).price.input == 2500
    await world.changes.put_key(tenant, "openai", KEY)
    price = (await world.models.of(tenant)).chat(GPT).price
    assert (price.input, price.output, price.cached, price.source) == (1, 2, 1, "set by your organisation")
    assert isinstance(price.as_of, date)
    await world.changes.delete_key(tenant, "openai")
    assert (await world.models.of(tenant)).chat(GPT).price.input == 2500


async def test_ones_own_key_goes_before_the_platforms_to_where_the_deployment_calls(world: World, tenant: Principal) -> None:
    with pytest.raises(ProviderNotConfigured, match="OPENAI_API_KEY"):
        await world.models.credentials(tenant, "openai")
    assert (await world.models.credentials(tenant, "groq")).api_key == "gsk-platform"
    assert await world.models.credentials(tenant, "local") == Credentials("")
    await world.changes.put_key(tenant, "openai", KEY)
    await world.changes.put_key(tenant, "groq", "gsk-of-my-own-0123456789")
    assert await world.models.credentials(tenant, "openai") == Credentials(KEY, "https://eu.example/v1", own=True)
    assert (await (await world.models.of(tenant)).credentials(tenant, "groq")).api_key == "gsk-of-my-own-0123456789"
    assert KEY not in repr((await world.models.of(tenant)).own_keys)
    await world.changes.delete_key(tenant, "groq")
    assert (await world.models.credentials(tenant, "groq")).api_key == "gsk-platform"


async def test_who_was_told_that_there_is_no_key_and_gives_one_is_served_at_once(database: Database, tenant: Principal) -> None:
    here, elsewhere = World(database), World(database)
    elsewhere.keyring = here.keyring
    elsewhere.changes = ModelChanges(database, here.keyring, elsewhere.models)
    with pytest.raises(ProviderNotConfigured):
        await here.models.credentials(tenant, "openai")
    await elsewhere.changes.put_key(tenant, "openai", KEY)
    assert (await (await here.models.of(tenant)).credentials(tenant, "openai")).api_key == KEY


async def test_prices_and_key_are_of_one_moment(world: World, tenant: Principal) -> None:
    await world.changes.change(tenant, [ModelChange("groq/llama-3.3-70b-versatile", price=Rates(0, 0, 0))])
    await world.changes.put_key(tenant, "groq", "gsk-of-my-own-0123456789")
    models = await world.models.of(tenant)
    assert models.chat("groq/llama-3.3-70b-versatile").price.input == 0
    # Its owner takes the key back while a call at its price is on the way.
    await world.changes.delete_key(tenant, "groq")
    key = await models.credentials(tenant, "groq")
    assert (key.api_key, key.own, models.owns_key("groq")) == ("gsk-of-my-own-0123456789", True, True)
    with pytest.raises(ProviderError, match="changed"):
        await models.credentials(tenant, "groq", refresh=True)
    later = await world.models.of(tenant)
    assert later.chat("groq/llama-3.3-70b-versatile").price.input > 0
    assert (await later.credentials(tenant, "groq", refresh=True)).api_key == "gsk-platform"


async def test_what_is_one_tenants_is_not_anothers(world: World, tenant: Principal, other_tenant: Principal) -> None:
    await world.changes.put_key(tenant, "openai", KEY)
    await world.changes.change(tenant, [ModelChange(GPT, enabled=False)])
    assert (await world.models.of(other_tenant)).chat(GPT).model == GPT
    assert await world.changes.keys(other_tenant) == {}
    with pytest.raises(ProviderNotConfigured):
        await world.models.credentials(other_tenant, "openai")
    with pytest.raises(NotFound):
        await world.changes.delete_key(other_tenant, "openai")
    assert (await world.models.credentials(tenant, "openai")).api_key == KEY


async def test_another_process_sees_a_change_within_15_seconds(
    world: World, database: Database, tenant: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr("atrium.gateway.tenant_models.service.time.monotonic", lambda: clock)
    elsewhere = World(database, world.secrets)
    assert (await elsewhere.models.of(tenant)).enabled(GPT)
    await world.changes.change(tenant, [ModelChange(GPT, enabled=False)])
    await world.changes.put_key(tenant, "groq", "gsk-of-my-own-0123456789")
    clock += 15
    assert (await elsewhere.models.of(tenant)).enabled(GPT)
    assert (await elsewhere.models.credentials(tenant, "groq", refresh=True)).api_key == "gsk-of-my-own-0123456789"
    clock += 1
    with pytest.raises(UnknownModel):
        (await elsewhere.models.of(tenant)).chat(GPT)


async def test_a_key_is_sealed_for_its_row(
    world: World, tenant: Principal, other_tenant: Principal, admin_connection: Any
) -> None:
    await world.changes.put_key(tenant, "openai", KEY)
    await world.changes.put_key(other_tenant, "openai", "sk-another-0123456789abcdef")
    found = await (await admin_connection.execute("SELECT sealed FROM atrium.provider_keys")).fetchall()
    assert not any(KEY.encode() in bytes(row["sealed"]) for row in found)
    await admin_connection.execute(
        "UPDATE atrium.provider_keys AS theirs SET sealed = mine.sealed FROM atrium.provider_keys AS mine "
        "WHERE mine.tenant_id = %s AND theirs.tenant_id = %s",
        [tenant.tenant_id, other_tenant.tenant_id],
    )
    with pytest.raises(Unavailable):
        await world.models.credentials(other_tenant, "openai")


async def test_a_key_sealed_under_a_newer_keyring_is_opened(world: World, database: Database, tenant: Principal) -> None:
    old = World(database, world.secrets)
    await old.keyring.get()
    world.secrets.values["keyring"] = new_keyring()
    await world.changes.put_key(tenant, "openai", KEY)
    old.keyring._read_at -= 11
    assert (await old.models.credentials(tenant, "openai")).api_key == KEY


@pytest.mark.parametrize(("key", "shown"), [(KEY, "WXYZ"), ("short-key-12345", "")])
async def test_the_last_four_are_never_enough_to_guess(world: World, tenant: Principal, key: str, shown: str) -> None:
    assert (await world.changes.put_key(tenant, "openai", key)).last_four == shown


@pytest.mark.parametrize("provider", ["ollama", "compatible", "local", "nobody"])
async def test_only_providers_with_an_address_of_their_own_take_keys(world: World, tenant: Principal, provider: str) -> None:
    with pytest.raises(NotFound, match="openai, anthropic, xai, groq"):
        await world.changes.put_key(tenant, provider, KEY)


async def test_what_cannot_be_changed_is_named_and_nothing_is(world: World, tenant: Principal) -> None:
    wrong = [ModelChange("gpt-4o", enabled=False), ModelChange("gpt-4o-mni"), ModelChange(GPT)]
    with pytest.raises(InvalidFields) as caught:
        await world.changes.change(tenant, wrong)
    assert [error.pointer for error in caught.value.errors] == ["/models/1/model", "/models/2/model"]
    assert (await world.models.of(tenant)).overrides == {}


async def test_there_are_not_endlessly_many_changes(world: World, tenant: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrium.gateway.tenant_models.changes.MAX_OVERRIDES", 2)
    await world.changes.change(tenant, [ModelChange(f"ollama/{n}", enabled=False) for n in "ab"])
    with pytest.raises(Conflict):
        await world.changes.change(tenant, [ModelChange("ollama/c", enabled=False)])
    assert set((await world.models.of(tenant)).overrides) == {"ollama/a", "ollama/b"}


async def test_the_description_says_what_can_be_called(world: World, tenant: Principal) -> None:
    await world.changes.put_key(tenant, "anthropic", "sk-ant-0123456789abcdef")
    await world.changes.change(tenant, [ModelChange(GPT, enabled=False), ModelChange("ollama/llama3.2", note="on the big box")])
    shown = {each.model: each for each in await world.models.describe(tenant)}
    everything = {each.model: each for each in await world.models.describe(tenant, disabled=True)}
    assert set(everything) - set(shown) == {GPT}
    assert not everything[GPT].enabled
    configured = {each.provider for each in shown.values() if each.configured}
    assert configured == {"local", "groq", "anthropic"}
    assert {each.provider for each in shown.values() if each.own_key} == {"anthropic"}
    assert shown["ollama/llama3.2"].override is not None
    small = shown["openai/text-embedding-3-small"]
    assert (small.kind, small.dimensions, small.max_output, small.context_window) == ("embedding", 1536, None, 8191)
    old = shown["groq/llama-3.1-70b-versatile"]
    assert (old.retired, old.retires) == (True, date(2025, 1, 24))
    assert {each.name: each.configured for each in await world.models.providers(tenant)} == {
        "local": True, "openai": False, "anthropic": True, "xai": False, "groq": True, "ollama": False, "compatible": False,
    }  # fmt: skip


async def test_an_override_of_a_model_that_is_gone_is_no_trouble(
    world: World, tenant: Principal, admin_connection: psycopg.AsyncConnection[Any]
) -> None:
    await admin_connection.execute(
        "INSERT INTO atrium.model_overrides (tenant_id, model, enabled, updated_by) VALUES (%s, 'gone/model', true, 'user:1')",
        [tenant.tenant_id],
    )
    assert all(isinstance(each, ChatSpec) for each in (await world.models.of(tenant)).chat_models(disabled=True))


async def test_what_was_read_before_a_change_is_not_kept_after_it(world: World, tenant: Principal) -> None:
    reading = asyncio.create_task(world.models.of(tenant))
    await asyncio.sleep(0)
    world.models.forget(tenant.tenant_id)
    assert await world.models.of(tenant) is not await reading
    assert await world.models.of(tenant) is await world.models.of(tenant)


async def test_tenants_are_not_kept_without_end(
    world: World, tenant: Principal, other_tenant: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atrium.gateway.tenant_models.service._KEPT_TENANTS", 1)
    first = await world.models.of(tenant)
    assert await world.models.of(tenant) is first
    await world.models.of(other_tenant)
    assert await world.models.of(tenant) is not first
