"""Health, readiness with its reasons, and the published keys."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from functions.system.app import create_app
from tests.factories.auth import LocalRuntime, client

LIVE = ["/healthz", "/health", "/health/live", "/api/v1/health", "/api/v1/health/live", "/api/health", "/api/health/live"]
READY = ["/readyz", "/health/ready", "/api/v1/health/ready", "/api/health/ready"]


@pytest.fixture
async def system(runtime: LocalRuntime) -> AsyncIterator[httpx.AsyncClient]:
    async with client(create_app(runtime)) as http:
        yield http


@pytest.mark.parametrize("path", LIVE)
async def test_it_is_alive(system: httpx.AsyncClient, path: str) -> None:
    answer = await system.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", READY)
async def test_it_is_ready_when_all_parts_are(system: httpx.AsyncClient, path: str) -> None:
    answer = await system.get(path)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {name: {"ok": True, "reason": None} for name in ("database", "queue", "secrets")},
    }


@pytest.mark.parametrize("part", ["queue", "secrets"])
async def test_a_part_that_is_down_is_named(system: httpx.AsyncClient, runtime: LocalRuntime, part: str) -> None:
    if part == "queue":
        runtime.memory_queue.down = True
    else:
        runtime.memory_secrets.down = True
    answer = await system.get("/readyz")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert [name for name, check in checks.items() if not check["ok"]] == [part]
    assert checks[part]["reason"]


async def test_without_a_database_it_lives_but_is_not_ready(settings: Settings) -> None:
    nowhere = settings.model_copy(update={"database_port": 1})
    async with client(create_app(LocalRuntime(nowhere, Database(nowhere)))) as http:
        assert (await http.get("/healthz")).status_code == 200
        answer = await http.get("/readyz")
        assert (answer.status_code, answer.json()["checks"]["database"]["ok"]) == (503, False)


async def test_the_published_keys_verify_our_tokens(system: httpx.AsyncClient, session: dict[str, Any]) -> None:
    answer = await system.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    token = session["access_token"]
    keys = jwt.PyJWKSet.from_dict(answer.json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="atrium-api", issuer="atrium")
    assert claims["sub"] == session["user"]["id"]


async def test_without_the_secret_store_the_keys_are_503(system: httpx.AsyncClient, runtime: LocalRuntime) -> None:
    runtime.memory_secrets.down = True
    answer = await system.get("/.well-known/jwks.json")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
