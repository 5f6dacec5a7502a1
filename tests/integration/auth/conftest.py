"""The auth area over a real database, a client of it, and a registered organisation."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from atrium.db import Database
from atrium.kernel.settings import Settings
from functions.auth.app import create_app
from tests.factories.auth import UNLIMITED, LocalRuntime, client, register


@pytest.fixture
def runtime(settings: Settings, database: Database) -> LocalRuntime:
    return LocalRuntime(settings, database, **UNLIMITED)


@pytest.fixture
def app(runtime: LocalRuntime) -> FastAPI:
    return create_app(runtime)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as http:
        yield http


@pytest.fixture
async def session(http: httpx.AsyncClient) -> dict[str, Any]:
    """Ada's, the admin of Acme."""
    return await register(http)
