"""The OpenAI-compatible area over a real database, with OpenAI's wire on loopback behind it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from atrium.db import Database
from atrium.gateway.routing import Router
from atrium.gateway.service import GatewayService
from atrium.kernel.settings import Settings
from functions.auth.app import create_app as create_auth
from functions.openai.app import create_app as create_openai
from tests.factories.auth import UNLIMITED, LocalRuntime, WholeApi, client, make_key, register
from tests.fakes.openai_server import OpenAIServer

GPT = "openai/gpt-4o-mini"
HELLO: dict[str, Any] = {"model": GPT, "messages": [{"role": "user", "content": "Say hello"}]}
Connection = psycopg.AsyncConnection[dict[str, Any]]


@pytest.fixture
async def openai() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer(answer=lambda request: "Hello, you there.") as server:
        yield server


@dataclass
class Api:
    """The API, a tenant's key, and rows of its ledger."""

    http: httpx.AsyncClient
    key: str
    session: dict[str, Any]
    runtime: LocalRuntime
    rows: Connection

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return await self.http.post(f"/v1{path}", json=body, headers=self.headers | headers)

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(f"/v1{path}", headers=self.headers)

    async def calls(self) -> list[dict[str, Any]]:
        """The ledger's rows, oldest first."""
        return await (await self.rows.execute("SELECT * FROM atrium.ledger_entries ORDER BY created_at, id")).fetchall()


def frames(answer: httpx.Response) -> list[Any]:
    """The data of a stream's frames, JSON but for the last."""
    told = [frame.removeprefix("data: ") for frame in answer.text.split("\n\n") if frame]
    return [each if each == "[DONE]" else json.loads(each) for each in told]


async def _at_once(seconds: float) -> None:
    """Tests do not wait before a retry."""


@pytest.fixture
async def api(settings: Settings, database: Database, openai: OpenAIServer, admin_connection: Connection) -> AsyncIterator[Api]:
    runtime = LocalRuntime(settings, database, **UNLIMITED)
    runtime.__dict__["gateway"] = GatewayService(runtime, Router(sleep=_at_once))
    secret = json.dumps({"api_key": "sk-of-the-platform", "base_url": openai.base_url})
    runtime.memory_secrets.values["atrium/providers/openai"] = secret
    app = WholeApi({"auth": create_auth(runtime), "openai": create_openai(runtime)}, nowhere="openai")
    async with client(app) as http:
        session = await register(http)
        yield Api(http, (await make_key(http, session))["key"], session, runtime, admin_connection)
    await runtime.openai_wire.close()
