"""The `admin` area as an organisation's admin sees it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from infra.openapi import area_apps
from tests.factories.auth import UNLIMITED, LocalRuntime, WholeApi, bearer, client, register


@dataclass
class Office:
    """A client of all areas, and the first admin's session."""

    http: httpx.AsyncClient
    session: dict[str, Any]

    async def get(self, path: str, **params: object) -> httpx.Response:
        given: dict[str, Any] = params
        return await self.http.get(f"/api/v1/admin/{path}", params=given, headers=bearer(self.session))

    async def json(self, path: str, **params: object) -> dict[str, Any]:
        answer = await self.get(path, **params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def post(self, path: str, **body: object) -> httpx.Response:
        answer = await self.http.post(f"/api/v1/{path}", json=body, headers=bearer(self.session))
        assert answer.status_code < 300, answer.text
        return answer


@pytest.fixture
async def office(settings: Settings, database: Database) -> AsyncIterator[Office]:
    runtime = LocalRuntime(settings, database, **UNLIMITED)
    async with client(WholeApi(area_apps(runtime))) as http:
        yield Office(http, await register(http))
