"""Health, readiness with its reasons, and the published keys."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from functions.system.app import create_app
from functions.system.health import Readiness
from tests.factories.auth import LocalRuntime, client
from tests.fakes.memory import MemoryQueue

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


class CountingQueue(MemoryQueue):
    """Counts its probes, and lets others come in while it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.probes = 0
        self.asked = asyncio.Event()

    async def reachable(self) -> None:
        self.probes += 1
        self.asked.set()
        await asyncio.sleep(0)
        await super().reachable()


@pytest.fixture
def queue(runtime: LocalRuntime) -> CountingQueue:
    runtime.memory_queue = CountingQueue()
    return runtime.memory_queue


async def test_probes_at_once_share_one_look(system: httpx.AsyncClient, queue: CountingQueue) -> None:
    answers = await asyncio.gather(*(system.get(path) for path in READY * 5))
    assert {answer.status_code for answer in answers} == {200}
    assert queue.probes == 1


async def test_what_was_seen_is_told_for_five_seconds(runtime: LocalRuntime, queue: CountingQueue) -> None:
    seconds = [100.0]
    readiness = Readiness(runtime, clock=lambda: seconds[0])

    async def told(moment: float, *, down: bool) -> str:
        seconds[0], queue.down = moment, down
        return (await readiness.state()).status

    assert await told(100, down=False) == "ready"
    assert await told(104.9, down=True) == "ready"
    assert await told(105, down=True) == "unready"
    assert await told(109.9, down=False) == "unready"
    assert await told(110, down=False) == "ready"
    assert queue.probes == 3


async def test_who_leaves_while_the_parts_are_asked_leaves_the_others_an_answer(
    runtime: LocalRuntime, queue: CountingQueue
) -> None:
    readiness = Readiness(runtime)
    first, second = asyncio.ensure_future(readiness.state()), asyncio.ensure_future(readiness.state())
    await queue.asked.wait()
    first.cancel()
    assert (await second).status == "ready"
    assert first.cancelled()


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
