"""Every operation of the merged document, asked by one tenant for what is another's.

An operation that is not in the table below fails the test: say there how it is reached.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from atrium.db import Database
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, PrincipalKind, Role, TenantId
from atrium.kernel.settings import Settings
from infra.openapi import area_apps
from tests.factories.auth import PASSWORD, UNLIMITED, LocalRuntime, WholeApi, bearer, client, join, make_key, register
from tests.factories.cluster import Cluster
from tests.factories.documents import World as DocumentWorld
from tests.integration.operations import OPERATIONS, OPERATOR, PRIVATE, PUBLIC


@dataclass(frozen=True)
class Reach:
    """How an operation is reached: `thing` is whose id its path takes, `body` what it needs to be understood."""

    thing: str = ""
    body: dict[str, Any] = field(default_factory=dict)


QUESTION: Final = {"question": "What is the answer?", "top_k": 1}
CHAT: Final = {"model": "local/extractive", "messages": [{"role": "user", "content": "Where do the cats live?"}]}
# In a body: the id of the second tenant, who asks.
OWN: Final = "own"
PROMPT: Final = {"messages": [{"role": "user", "content": "Hello {{name}}"}]}
REACH: Final = {
    "logout": Reach(),
    "logout_all": Reach(),
    "change_password": Reach(body={"current_password": PASSWORD, "new_password": "another secret"}),
    "me": Reach(),
    "get_tenant": Reach(),
    "update_tenant": Reach(body={"name": "Renamed"}),
    "delete_tenant": Reach(body={"confirm": "Other"}),
    "list_users": Reach(),
    "invite_user": Reach(body={"email": "carol@example.com"}),
    "update_user": Reach("user", {"role": "viewer"}),
    "delete_user": Reach("user"),
    "list_api_keys": Reach(),
    "create_api_key": Reach(body={"name": "k"}),
    "rotate_api_key": Reach("api_key"),
    "delete_api_key": Reach("api_key"),
    "create_document": Reach(body={"name": "note.txt", "content": "The answer is 42."}),
    "create_upload": Reach(body={"name": "large.txt", "content_type": "text/plain"}),
    "list_documents": Reach(),
    "get_document": Reach("document"),
    "update_document": Reach("document", {"metadata": {"a": 1}}),
    "delete_document": Reach("document"),
    "reprocess_document": Reach("document", {"password": "a password"}),
    "get_status": Reach("document"),
    "list_chunks": Reach("document"),
    "get_download": Reach("document"),
    "list_collections": Reach(),
    "create_collection": Reach(body={"name": "notes"}),
    "get_collection": Reach("collection"),
    "update_collection": Reach("collection", {"metadata": {"a": 1}}),
    "delete_collection": Reach("collection"),
    "search": Reach(body={"query": "answer"}),
    "query": Reach(body=QUESTION),
    "stream_answer": Reach(body=QUESTION),
    "query_sync": Reach(body=QUESTION),
    "create_prompt": Reach(body={"key": "nobody-elses-prompt"} | PROMPT),
    "list_prompts": Reach(),
    "get_prompt": Reach("prompt"),
    "update_prompt": Reach("prompt", PROMPT),
    "delete_prompt": Reach("prompt"),
    "render_prompt": Reach("prompt", {"variables": {"name": "Eve"}}),
    "set_label": Reach("prompt", {"version": 1}),
    "label_history": Reach("prompt"),
    "get_llm_prompt": Reach(),
    "set_llm_prompt": Reach(body=PROMPT),
    "reset_llm_prompt": Reach(),
    "get_default_llm_prompt": Reach(),
    "list_providers": Reach(),
    "get_llm_default": Reach(),
    "set_llm_default": Reach(body={"model": "local/extractive"}),
    "chat": Reach(body=CHAT),
    "stream_chat": Reach(body=CHAT),
    "list_openai_models": Reach(),
    "get_openai_model": Reach(),
    "create_chat_completion": Reach(body=CHAT),
    "create_embedding": Reach(body={"model": "local/all-minilm-l6-v2", "input": "Where do the cats live?"}),
    "embed": Reach(body={"input": "Where do the cats live?"}),
    "list_llm_models": Reach(),
    "list_audit": Reach(),
    "list_admin_models": Reach(),
    "update_admin_models": Reach(body={"models": [{"model": "openai/gpt-4o", "enabled": False}]}),
    "get_provider_key": Reach(),
    "put_provider_key": Reach(body={"api_key": "sk-a-key-of-a-tenant-of-its-own"}),
    "delete_provider_key": Reach(),
    "verify_audit": Reach(),
    "verify_ledger": Reach(),
    "export_audit": Reach(),
    "get_usage": Reach(),
    "list_limits": Reach(),
    "put_limit": Reach(body={"scope": "tenant", "id": OWN, "monthly_budget_usd": 5}),
    "list_activity": Reach(),
}
ADDRESSED: Final = sorted(name for name, reach in REACH.items() if reach.thing)
# What these paths name is nobody's: a provider, a type, a model.
SHARED: Final = {
    "get_openai_model",
    *("get_provider_key", "put_provider_key", "delete_provider_key"),
    *("get_llm_prompt", "set_llm_prompt", "reset_llm_prompt", "get_default_llm_prompt", "get_llm_default", "set_llm_default"),
}


@dataclass
class World:
    """Two tenants; the first has one thing of each kind."""

    http: httpx.AsyncClient
    first: dict[str, str]
    second: dict[str, str]
    things: dict[str, str]
    own: str

    async def ask(self, name: str, headers: dict[str, str], identifier: str = "") -> httpx.Response:
        method, path, operation = OPERATIONS[name]
        body = REACH[name].body if "requestBody" in operation else None
        body = body and {field: self.own if value == OWN else value for field, value in body.items()}
        path = (
            path.replace("/models/{id}", "/models/local/extractive")
            .replace("{id}", identifier)
            .replace("{name}", identifier)
            .replace("{provider}", "openai")
        )
        path = path.replace("{type}", "chat").replace("{label}", "production")
        return await self.http.request(method, path, json=body or None, headers=headers)


@asynccontextmanager
async def made_world(settings: Settings, database: Database) -> AsyncIterator[World]:
    runtime = LocalRuntime(settings, database, **UNLIMITED)
    async with client(WholeApi(area_apps(runtime))) as http:
        ada, eve = await register(http), await register(http, "eve@example.com", "Other")
        key, bob = await make_key(http, ada), await join(http, ada, "bob@example.com")
        things = {
            "api_key": key["id"],
            "user": bob["user"]["id"],
            "document": await _published(runtime, ada),
            "collection": await _collection(http, ada),
            "prompt": await _prompt(http, ada),
        }
        await _give_key(http, ada, "nbdy")
        await _give_key(http, eve, "mine")
        yield World(http, bearer(ada), bearer(eve), things, str(eve["org"]["id"]))


@pytest.fixture
async def world(settings: Settings, database: Database) -> AsyncIterator[World]:
    """For what changes the first tenant's things."""
    async with made_world(settings, database) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_world(cluster: Cluster) -> AsyncIterator[World]:
    """For what leaves the first tenant's things as they are."""
    with cluster.clone() as name:
        settings = cluster.settings(name)
        database = Database(settings)
        async with made_world(settings, database) as made:
            yield made
        await database.close()


async def _give_key(http: httpx.AsyncClient, session: dict[str, Any], last_four: str) -> None:
    """A key for a provider, of the session's tenant."""
    body = {"api_key": f"sk-a-provider-key-of-ones-own-{last_four}"}
    await http.put("/api/v1/admin/provider-keys/openai", json=body, headers=bearer(session))


async def _collection(http: httpx.AsyncClient, session: dict[str, Any]) -> str:
    """An empty collection of the session's tenant."""
    answer = await http.post("/api/v1/collections", json={"name": "nobody-elses-notes"}, headers=bearer(session))
    return str(answer.json()["name"])


async def _prompt(http: httpx.AsyncClient, session: dict[str, Any]) -> str:
    """A prompt of the session's tenant, which has one of its own for chats too."""
    made = await http.post("/api/v1/prompts", json={"key": "nobody-elses-prompt"} | PROMPT, headers=bearer(session))
    secret = {"messages": [{"role": "system", "content": "It is nobody else's business."}]}
    await http.post("/api/v1/llm-prompts/chat", json=secret, headers=bearer(session))
    return str(made.json()["id"])


async def _published(runtime: LocalRuntime, session: dict[str, Any]) -> str:
    """A searchable document of the session's tenant."""
    documents = DocumentWorld(runtime.settings, runtime.database)
    runtime.memory_storage = documents.storage
    owner = Principal(TenantId(UUID(session["org"]["id"])), PrincipalKind.USER, UUID(session["user"]["id"]), Role.ADMIN)
    document = await documents.ready(owner, "secret.txt", "The answer is 42, and it is nobody else's business.")
    assert document.ready_version == 1
    return str(document.id)


def test_the_document_has_this_releases_operations_and_no_other() -> None:
    assert {name: f"{method} {path}" for name, (method, path, _) in OPERATIONS.items()} == PUBLIC | PRIVATE | OPERATOR


def test_every_private_operation_is_in_the_table() -> None:
    assert set(REACH) == set(PRIVATE)


def test_what_has_an_id_in_its_path_says_whose() -> None:
    assert sorted(name for name in set(PRIVATE) - SHARED if "{" in OPERATIONS[name][1]) == ADDRESSED


def test_what_is_public_is_meant_to_be() -> None:
    assert {name for name, (_, _, operation) in OPERATIONS.items() if "security" not in operation} == set(PUBLIC)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", sorted(PRIVATE))
async def test_nobody_is_401(shared_world: World, name: str) -> None:
    answer = await shared_world.ask(name, {}, str(new_id()))
    told = answer.json()
    # OpenAI's clients want OpenAI's shape.
    kind = told["error"]["code"] if OPERATIONS[name][1].startswith("/v1/") else told["type"]
    assert (answer.status_code, kind) in {(401, "urn:atrium:problem:unauthenticated"), (401, "invalid_api_key")}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", sorted(OPERATOR))
async def test_a_tenants_admin_is_not_the_operator(shared_world: World, name: str) -> None:
    method, path, _ = OPERATIONS[name]
    for headers in ({}, shared_world.first):
        answer = await shared_world.http.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:atrium:problem:unauthenticated")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ADDRESSED)
async def test_anothers_and_absent_are_the_same_404(shared_world: World, name: str) -> None:
    thing, second = shared_world.things[REACH[name].thing], shared_world.second
    others, absent = await shared_world.ask(name, second, thing), await shared_world.ask(name, second, str(new_id()))
    assert others.status_code == absent.status_code == 404
    assert others.json() | {"instance": ""} == absent.json() | {"instance": ""}
    unlike = {"x-request-id", "ratelimit-remaining", "ratelimit-reset"}
    assert {k: v for k, v in others.headers.items() if k not in unlike} == {
        k: v for k, v in absent.headers.items() if k not in unlike
    }


@pytest.mark.parametrize("name", ADDRESSED)
async def test_the_owner_still_has_it(world: World, name: str) -> None:
    thing = world.things[REACH[name].thing]
    await world.ask(name, world.second, thing)
    answer = await world.ask(name, world.first, thing)
    assert answer.status_code < 300, answer.text


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", sorted(set(PRIVATE) - set(ADDRESSED)))
async def test_no_answer_mentions_what_is_anothers(shared_world: World, name: str) -> None:
    eve = await register(shared_world.http, f"eve-who-does-{name}@example.com", "Other")
    await _give_key(shared_world.http, eve, "mine")
    world = replace(shared_world, second=bearer(eve), own=str(eve["org"]["id"]))
    answer = await world.ask(name, world.second)
    assert answer.status_code < 300, answer.text
    for thing in (*world.things.values(), "nobody else's business", "secret.txt", "nbdy"):
        assert thing not in answer.text


@pytest.mark.parametrize("name", ["update_user", "delete_user"])
async def test_anothers_invitation_is_absent_too(world: World, name: str) -> None:
    invited = (await world.http.post("/api/v1/users", json={"email": "carol@example.com"}, headers=world.first)).json()
    others, absent = await world.ask(name, world.second, invited["id"]), await world.ask(name, world.second, str(new_id()))
    assert others.status_code == absent.status_code == 404
    assert others.json() | {"instance": ""} == absent.json() | {"instance": ""}
    body = {"token": invited["token"], "password": PASSWORD}
    assert (await world.http.post("/api/v1/users/accept", json=body)).json()["user"]["role"] == "member"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["search", "query", "stream_answer", "query_sync"])
async def test_the_owner_is_answered_from_it(shared_world: World, name: str) -> None:
    answer = await shared_world.ask(name, shared_world.first)
    assert shared_world.things["document"] in answer.text
