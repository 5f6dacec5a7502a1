"""The prompts area over a real database, two tenants' sessions, and the operator."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import httpx
import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.principal import Operator
from atrium.kernel.settings import Settings
from atrium.prompts.models import Content, PromptMessage
from atrium.prompts.service import PromptService
from atrium.tenancy.keys import key_mac, new_key
from functions.auth.app import create_app as create_auth
from functions.prompts.app import create_app
from tests.factories.auth import UNLIMITED, LocalRuntime, WholeApi, bearer, client, register

Connection = psycopg.AsyncConnection[dict[str, Any]]
Json = dict[str, Any]


def said(text: str, **fields: Any) -> Json:
    """A version's body: one user message."""
    return {"messages": [{"role": "user", "content": text}], **fields}


def content(text: str, *, role: Any = "user", **fields: Any) -> Content:
    """A version: one message."""
    return Content((PromptMessage(role, text),), **fields)


@dataclass
class Asking:
    """Somebody's requests."""

    http: httpx.AsyncClient
    headers: dict[str, str]

    async def __call__(self, method: str, path: str, body: Json | None = None, **headers: str) -> httpx.Response:
        return await self.http.request(method, f"/api/v1{path}", json=body, headers=self.headers | headers)

    async def make(self, key: str = "greeting", text: str = "Hello {{name}}", **fields: Any) -> Json:
        """A new prompt."""
        answer = await self("POST", "/prompts", said(text, key=key, **fields))
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    async def render(self, prompt: Json, **body: Any) -> Json:
        """The prompt's first message, and why."""
        answer = await self("POST", f"/prompts/{prompt['id']}/render?explain=true", body)
        assert answer.status_code == 200, answer.text
        rendered: Json = answer.json()
        return rendered


@dataclass
class Api:
    """The area, and who asks it."""

    http: httpx.AsyncClient
    ada: Asking
    eve: Asking
    operator: Asking
    session: Json


@pytest.fixture
def runtime(settings: Settings, database: Database) -> LocalRuntime:
    return LocalRuntime(settings, database, **UNLIMITED)


@pytest.fixture
async def operator_key(runtime: LocalRuntime, admin_connection: Connection) -> str:
    """The operator's key, as `migrate` leaves it."""
    key, pepper = new_key(), (await runtime.keyring.get()).pepper[0]
    await admin_connection.execute(
        "INSERT INTO atrium.operator_keys (key_id, mac, pepper_kid, digest) VALUES (%s, %s, %s, %s)",
        [key.key_id, key_mac(pepper, key), pepper.kid, sha256(key.text.encode()).digest()],
    )
    return key.text


@pytest.fixture
async def api(runtime: LocalRuntime, operator_key: str) -> AsyncIterator[Api]:
    app = WholeApi({"auth": create_auth(runtime), "prompts": create_app(runtime)}, nowhere="prompts")
    async with client(app) as http:
        session = await register(http)
        eve = await register(http, "eve@example.com", "Other")
        yield Api(
            http, Asking(http, bearer(session)), Asking(http, bearer(eve)), Asking(http, {"X-API-Key": operator_key}), session
        )


@pytest.fixture
def prompts(database: Database) -> PromptService:
    return PromptService(database)


@pytest.fixture
async def operator(admin_connection: Connection) -> Operator:
    """The operator, past the door."""
    await admin_connection.execute(
        "INSERT INTO atrium.operator_keys (key_id, mac, pepper_kid, digest) VALUES ('theoperator', %(any)s, 'p', %(any)s)",
        {"any": bytes(32)},
    )
    return Operator("theoperator", bytes(32))
