"""The areas llm and admin over a real database, with OpenAI's wire on loopback behind the real SDK."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from atrium.db import Database
from atrium.gateway.routing import Router
from atrium.kernel.principal import Principal, TenantId, worker
from atrium.kernel.settings import Settings
from atrium.providers.base import Closable
from functions.admin.app import create_app as create_admin
from functions.auth.app import create_app as create_auth
from functions.llm.app import create_app as create_llm
from functions.prompts.app import create_app as create_prompts
from functions.rag.app import create_app as create_rag
from tests.factories.auth import UNLIMITED, LocalGateway, LocalRuntime, WholeApi, bearer, client, register
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.openai_server import OpenAIServer

MINI = "openai/gpt-4o-mini"
LARGE = "openai/gpt-4o"
CLAUDE = "anthropic/claude-sonnet-5"
ENTRIES = "SELECT * FROM atrium.ledger_entries ORDER BY id"


def question(text: str = "Why is the sky blue?", **fields: Any) -> dict[str, Any]:
    """The body of a chat."""
    return {"model": MINI, "messages": [{"role": "user", "content": text}], "max_tokens": 50} | fields


@pytest.fixture
async def openai() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=lambda _: "Because of Rayleigh scattering.") as server:
        yield server


@pytest.fixture
async def anthropic() -> AsyncIterator[AnthropicServer]:
    async with AnthropicServer() as server:
        yield server


@dataclass
class Waits:
    """Sleep that takes no time: what the router waited for, on its clock."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@dataclass
class Api:
    """The API, two tenants' sessions, and what the ledger says."""

    http: httpx.AsyncClient
    session: dict[str, Any]
    other: dict[str, Any]
    runtime: LocalRuntime
    waits: Waits
    admin: psycopg.AsyncConnection[dict[str, Any]]

    @property
    def principal(self) -> Principal:
        """The first tenant's."""
        return worker(TenantId(UUID(self.session["org"]["id"])))

    async def post(
        self, path: str, body: dict[str, Any], session: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        return await self.http.post(f"/api/v1{path}", json=body, headers=bearer(session or self.session) | headers)

    async def chat(self, **fields: Any) -> httpx.Response:
        return await self.post("/llm/chat", question(**fields))

    async def entries(self) -> list[dict[str, Any]]:
        """Settled calls, the oldest first."""
        return await (await self.admin.execute(ENTRIES)).fetchall()

    async def unsettled(self) -> int:
        row = await (await self.admin.execute("SELECT count(*) AS n FROM atrium.ledger_reservations")).fetchone()
        assert row is not None
        count: int = row["n"]
        return count

    async def budget(self, dollars: float) -> None:
        """The tenant's own, for a month, hard."""
        body = {"scope": "tenant", "id": self.session["org"]["id"], "monthly_budget_usd": dollars, "mode": "hard"}
        answer = await self.http.put("/api/v1/admin/limits", json=body, headers=bearer(self.session))
        assert answer.status_code == 200, answer.text


@pytest.fixture
async def api(
    settings: Settings,
    database: Database,
    openai: OpenAIServer,
    anthropic: AnthropicServer,
    admin_connection: psycopg.AsyncConnection[dict[str, Any]],
) -> AsyncIterator[Api]:
    runtime = LocalRuntime(settings, database, **UNLIMITED)
    prefix = runtime.settings.provider_secret_prefix
    for provider, server in (("openai", openai), ("anthropic", anthropic)):
        secret = {"api_key": "key-of-the-tests", "base_url": server.base_url}
        runtime.memory_secrets.values[f"{prefix}{provider}"] = json.dumps(secret)
    waits = Waits()
    runtime.__dict__["gateway"] = LocalGateway(runtime, Router(sleep=waits, uniform=lambda low, high: high))
    areas = {
        "auth": create_auth(runtime),
        "llm": create_llm(runtime),
        "admin": create_admin(runtime),
        "prompts": create_prompts(runtime),
        "rag": create_rag(runtime),
    }
    async with client(WholeApi(areas, nowhere="llm")) as http:
        sessions = await register(http), await register(http, "bob@example.com", "Other")
        yield Api(http, *sessions, runtime, waits, admin_connection)
    await runtime.__dict__["gateway"].close()
    for model in (*runtime._chat_models.values(), *runtime._embedders.values()):
        if isinstance(model, Closable):
            await model.close()
