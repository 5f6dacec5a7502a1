"""GET /metrics: for the operator alone, readable by a real scraper, true, and without a word about any tenant."""

import tomllib
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import atrium
from atrium.db import Database
from atrium.housekeeping.figures import Figures
from atrium.housekeeping.openmetrics import CONTENT_TYPE
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.tenancy.keys import new_key
from functions.auth.app import create_app as create_auth
from functions.system.app import create_app
from tests.factories.auth import UNLIMITED, LocalRuntime, bearer, client, make_key, register
from tests.factories.documents import World
from tests.fakes.memory import MemoryQueue

Connection = psycopg.AsyncConnection[dict[str, Any]]
PATHS = ["/metrics", "/api/v1/metrics", "/api/metrics"]


@pytest.fixture
def runtime(settings: Settings, database: Database) -> LocalRuntime:
    return LocalRuntime(settings, database, **UNLIMITED)


@pytest.fixture
async def system(runtime: LocalRuntime) -> AsyncIterator[httpx.AsyncClient]:
    async with client(create_app(runtime)) as http:
        yield http


@pytest.fixture
async def operator(admin_connection: Connection) -> str:
    """The operator's key, as `migrate` leaves it."""
    key = new_key()
    await admin_connection.execute(
        "INSERT INTO atrium.operator_keys (key_id, mac, pepper_kid, digest) VALUES (%s, %s, 'p', %s)",
        [key.key_id, bytes(32), sha256(key.text.encode()).digest()],
    )
    return key.text


def read(text: str) -> dict[tuple[str, ...], float]:
    """Name and label values → number, by the parser of Prometheus' own client."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        for sample in family.samples
    }


@pytest.mark.parametrize("path", PATHS)
async def test_the_operator_is_told(system: httpx.AsyncClient, operator: str, path: str) -> None:
    by_header = await system.get(path, headers={"X-API-Key": operator})
    by_bearer = await system.get(path, headers={"Authorization": f"Bearer {operator}"})
    assert by_header.status_code == by_bearer.status_code == 200
    assert by_header.headers["content-type"] == CONTENT_TYPE
    assert by_header.text == by_bearer.text
    assert by_header.text.endswith("\n# EOF\n")
    assert read(by_header.text)["atrium_tenants",] == 0


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_else_is(system: httpx.AsyncClient, runtime: LocalRuntime, operator: str, path: str) -> None:
    async with client(create_auth(runtime)) as http:
        session = await register(http)
        key = await make_key(http, session, role="admin")
    wrong = operator.rsplit("_", 1)[0] + "_000000"
    for headers in (
        {},
        bearer(session),
        {"X-API-Key": key["key"]},
        {"X-API-Key": new_key().text},
        {"X-API-Key": wrong},
        {"Authorization": "Basic b3BlcmF0b3I6"},
    ):
        answer = await system.get(path, headers=headers)
        assert answer.status_code == 401, headers
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_revoked_key_opens_nothing(system: httpx.AsyncClient, operator: str, admin_connection: Connection) -> None:
    await admin_connection.execute("UPDATE atrium.operator_keys SET revoked_at = now()")
    assert (await system.get("/metrics", headers={"X-API-Key": operator})).status_code == 401


async def test_who_guesses_is_told_to_wait_and_the_operator_is_not(settings: Settings, database: Database, operator: str) -> None:
    runtime = LocalRuntime(settings, database, rate_limit_public=2)
    async with client(create_app(runtime)) as http:
        guesses = [(await http.get("/metrics", headers={"X-API-Key": new_key().text})).status_code for _ in range(3)]
        assert guesses == [401, 401, 429]
        assert (await http.get("/metrics", headers={"X-API-Key": operator})).status_code == 200


async def test_system_needs_no_secret_key_for_it(runtime: LocalRuntime, system: httpx.AsyncClient, operator: str) -> None:
    assert (await system.get("/metrics", headers={"X-API-Key": operator})).status_code == 200
    assert (await system.get("/.well-known/jwks.json")).status_code == 200
    assert (await system.get("/readyz")).status_code == 200
    assert set(runtime.memory_secrets.reads) == {"atrium/jwks"}


async def test_the_numbers_are_those_of_the_deployment_and_name_no_tenant(
    settings: Settings, database: Database, admin_connection: Connection, tenant: Principal, other_tenant: Principal
) -> None:
    world = World(settings, database)
    await world.ready(tenant, "secret.txt", "Bridges are built of steel.")
    await world.upload(other_tenant, "later.txt", "Not yet.")
    await admin_connection.execute("UPDATE atrium.document_versions SET created_at = now() - interval '1 hour'")
    queue, dead = MemoryQueue([("a", 0), ("b", 60)]), MemoryQueue([("c", 0)])
    text = await Figures(database, {"ingest": queue, "ingest-dead-letters": dead}).text()
    found = read(text)
    assert found["atrium_tenants",] == 2
    assert found["atrium_documents", "ready"] == found["atrium_documents", "pending"] == 1
    assert found["atrium_versions_in_flight", "pending"] == 1
    assert found["atrium_oldest_unfinished_seconds",] == pytest.approx(3600, abs=60)
    assert found["atrium_chunks", "test/four"] == 1
    assert found["atrium_outbox_unpublished",] >= 1
    assert found["atrium_queue_messages", "ingest", "waiting"] == found["atrium_queue_messages", "ingest", "delayed"] == 1
    assert found["atrium_queue_messages", "ingest-dead-letters", "waiting"] == 1
    assert found["atrium_database_size_bytes",] > 1_000_000
    assert found["atrium_build_info", atrium.__version__] == 1
    for word in (str(tenant.tenant_id), str(other_tenant.tenant_id), "First", "secret.txt"):
        assert word not in text


async def test_several_scrapers_cost_what_one_does(database: Database, admin_connection: Connection) -> None:
    seconds = [100.0]
    figures = Figures(database, {}, clock=lambda: seconds[0])
    first = await figures.text()
    await admin_connection.execute("INSERT INTO atrium.tenants (tenant_id, name) VALUES (gen_random_uuid(), 'New')")
    seconds[0] = 104.9
    assert await figures.text() == first
    seconds[0] = 105
    assert read(await figures.text())["atrium_tenants",] == 1


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert atrium.__version__ == project["version"]
