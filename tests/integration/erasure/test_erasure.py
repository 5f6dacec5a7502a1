"""What is left of a tenant that was erased: nothing, in no table, under no prefix, of no version; and the others have theirs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg import sql

from atrium.db import Database
from atrium.documents.ingestion.arrivals import Receipt
from atrium.documents.keys import text_key, upload_key, work_prefix
from atrium.kernel.budget import Budget
from atrium.kernel.errors import IngestionFailed, InvalidFields, NotFound, Unauthenticated, Unavailable
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, PrincipalKind, Role, TenantId, worker
from atrium.kernel.settings import Settings
from atrium.retrieval.store import get_space
from atrium.tenancy.admission import Admission
from atrium.tenancy.api_keys import ApiKeyService, NewApiKey
from atrium.tenancy.erasure import ErasureService
from atrium.tenancy.erasure.service import AREAS, SETTLED
from atrium.tenancy.people import PeopleService
from atrium.tenancy.tenants import TenantService
from functions.auth.app import create_app
from tests.factories.auth import PASSWORD, UNLIMITED, LocalRuntime, bearer, client, join, make_key, register
from tests.factories.documents import MODEL, World
from tests.factories.retrieval import publish
from tests.factories.tenancy import make_api_key, make_user
from tests.integration.db.catalog import TENANT_TABLES
from tests.integration.db.test_isolation import insert, samples

Connection = psycopg.AsyncConnection[dict[str, Any]]
AMPLE = 30.0


@pytest.fixture
def world(settings: Settings, database: Database) -> World:
    return World(settings, database)


@pytest.fixture
def erasing(world: World) -> ErasureService:
    return ErasureService(world.database, world.storage)


async def rows_of(connection: Connection, tenant_id: UUID) -> dict[str, int]:
    """How many rows the tenant has, by table, of every table there is; those without any are left out."""
    tables = [row["name"] for row in await (await connection.execute(TENANT_TABLES)).fetchall()]
    counts = {}
    for table in tables:
        count = sql.SQL("SELECT count(*) AS n FROM {} WHERE tenant_id = %s").format(sql.Identifier("atrium", table))
        row = await (await connection.execute(count, [tenant_id])).fetchone()
        counts[table] = row["n"] if row else 0
    return {table: n for table, n in counts.items() if n}


async def a_row_in_every_table(connection: Connection, tenant_id: UUID) -> None:
    for table, row in samples(tenant_id).items():
        if table not in {"tenants", "erasures"}:
            await connection.execute(insert(table, row), row)


class TestRows:
    async def test_none_is_left_in_any_table_and_the_other_tenant_has_all_of_its_own(
        self, erasing: ErasureService, admin_connection: Connection, tenant: Principal, other_tenant: Principal
    ) -> None:
        for each in (tenant, other_tenant):
            await a_row_in_every_table(admin_connection, each.tenant_id)
            await make_api_key(admin_connection, each)
        theirs = await rows_of(admin_connection, other_tenant.tenant_id)
        tables = {row["name"] for row in await (await admin_connection.execute(TENANT_TABLES)).fetchall() if not row["leaf"]}
        assert tables == {*theirs, "erasures"} - {"chunks_1001"}

        erasure = await erasing.erase(tenant, confirm="First", budget=Budget(AMPLE), request_id="r-1")

        assert await rows_of(admin_connection, tenant.tenant_id) == {"erasures": 1}
        assert await rows_of(admin_connection, other_tenant.tenant_id) == theirs
        assert erasure.emptied_at is not None
        assert erasure.finished_at is None

    async def test_what_there_may_be_millions_of_does_not_go_with_the_request(
        self, world: World, admin_connection: Connection, tenant: Principal
    ) -> None:
        await a_row_in_every_table(admin_connection, tenant.tenant_id)

        async with world.database.transaction(tenant) as tx:
            await tx.fetch_all("SELECT atrium.erase_tenant('First', 'user', 'r-1')")

        large = {"documents", "document_versions", "drop_writes", "audit_log", "outbox", "chunks", "chunks_1001", "chunk_bits",
                 "ledger_entries"}  # fmt: skip
        assert (await rows_of(admin_connection, tenant.tenant_id)).keys() == large | {"tenants", "erasures"}

    async def test_the_record_outlives_the_tenant_and_names_nobody(
        self, erasing: ErasureService, admin_connection: Connection, tenant: Principal
    ) -> None:
        await erasing.erase(tenant, confirm="First", budget=Budget(AMPLE), request_id="r-1")
        row = await (await admin_connection.execute("SELECT * FROM atrium.erasures")).fetchone()
        assert row is not None
        assert (row["tenant_id"], row["requested_by"], row["request_id"]) == (tenant.tenant_id, "user", "r-1")
        assert str(tenant.id) not in str(row)
        assert "First" not in str(row)

    @pytest.mark.parametrize("wrong", ["first", "", "Second", "First "])
    async def test_another_name_erases_nothing(
        self, erasing: ErasureService, admin_connection: Connection, tenant: Principal, wrong: str
    ) -> None:
        before = await rows_of(admin_connection, tenant.tenant_id)
        with pytest.raises(InvalidFields):
            await erasing.erase(tenant, confirm=wrong, budget=Budget(AMPLE))
        assert await rows_of(admin_connection, tenant.tenant_id) == before

    async def test_access_ends_even_where_time_ends_at_once(
        self, erasing: ErasureService, admin_connection: Connection, tenant: Principal
    ) -> None:
        await make_user(admin_connection, tenant.tenant_id)
        await make_api_key(admin_connection, tenant)
        await publish(erasing._database, tenant, ["some text"])
        erasure = await erasing.erase(tenant, confirm="First", budget=Budget(0))
        left = await rows_of(admin_connection, tenant.tenant_id)
        assert left.keys() & {"users", "api_keys", "refresh_tokens", "idempotency_keys"} == set()
        assert {"tenants", "documents", "chunks"} <= left.keys()
        assert erasure.emptied_at is None
        (row,) = await (await admin_connection.execute("SELECT name, settings FROM atrium.tenants")).fetchall()
        assert row == {"name": "erased", "settings": {}}
        assert (await erasing.resume(tenant.tenant_id, Budget(AMPLE))).emptied_at is not None
        assert await rows_of(admin_connection, tenant.tenant_id) == {"erasures": 1}

    async def test_many_rows_go_in_several_calls(
        self, erasing: ErasureService, admin_connection: Connection, tenant: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("atrium.tenancy.erasure.service._ROWS", 2)
        for number in range(3):
            await publish(erasing._database, tenant, [f"text {number}", f"more {number}"])
        await erasing.erase(tenant, confirm="First", budget=Budget(AMPLE))
        assert await rows_of(admin_connection, tenant.tenant_id) == {"erasures": 1}

    async def test_two_at_once_remove_each_row_once(
        self, erasing: ErasureService, admin_connection: Connection, tenant: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("atrium.tenancy.erasure.service._ROWS", 3)
        for number in range(4):
            await publish(erasing._database, tenant, [f"text {number}", f"more {number}"])
        await erasing.erase(tenant, confirm="First", budget=Budget(0))
        before = sum((await rows_of(admin_connection, tenant.tenant_id)).values())
        await asyncio.gather(*(erasing.resume(tenant.tenant_id, Budget(AMPLE)) for _ in range(3)))
        assert await rows_of(admin_connection, tenant.tenant_id) == {"erasures": 1}
        erasure = await erasing.resume(tenant.tenant_id, Budget(AMPLE))
        # Chunks are counted twice above: in their partition, and in the table that it is of; the record itself stays.
        assert erasure.rows_removed == before - 8 - 1

    async def test_nobody_is_erased_who_was_not_asked_about(
        self, erasing: ErasureService, database: Database, tenant: Principal
    ) -> None:
        with pytest.raises(NotFound):
            await erasing.resume(tenant.tenant_id, Budget(AMPLE))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with database.transaction(worker(tenant.tenant_id)) as tx:
                await tx.fetch_one("SELECT atrium.erase_rows(5)")

    async def test_no_vector_of_it_can_be_searched(self, erasing: ErasureService, database: Database, tenant: Principal) -> None:
        await publish(database, tenant, ["about bridges"])
        await erasing.erase(tenant, confirm="First", budget=Budget(AMPLE))
        async with database.transaction(tenant) as tx:
            space = await get_space(tx, MODEL)
            found = await tx.fetch_all("SELECT id FROM atrium.chunks WHERE space_id = %(space)s", space=space.id)
        assert found == []


class TestObjects:
    async def test_every_version_goes_and_the_others_stay(
        self, erasing: ErasureService, world: World, tenant: Principal, other_tenant: Principal
    ) -> None:
        for each in (tenant, other_tenant):
            for area in AREAS:
                for _ in range(2):
                    await world.storage.put(f"{area}/{each.tenant_id}/a/b.txt", b"x", content_type="text/plain")
        erasure = await erasing.erase(tenant, confirm="First", budget=Budget(AMPLE))
        assert erasure.objects_removed == 2 * len(AREAS)
        assert world.keys("") == sorted(f"{area}/{other_tenant.tenant_id}/a/b.txt" for area in AREAS)

    async def test_what_the_store_refused_is_removed_later(
        self, erasing: ErasureService, world: World, admin_connection: Connection, tenant: Principal
    ) -> None:
        await world.ready(tenant, "a.txt", "Bridges are built of steel.")
        world.storage.down = True
        with pytest.raises(Unavailable):
            await erasing.erase(tenant, confirm="First", budget=Budget(AMPLE))
        assert await rows_of(admin_connection, tenant.tenant_id) == {"erasures": 1}
        world.storage.down = False
        assert (await erasing.resume(tenant.tenant_id, Budget(AMPLE))).emptied_at is not None
        assert world.keys("") == []

    def test_the_areas_are_those_that_keys_are_made_for(self) -> None:
        tenant, document = TenantId(new_id()), new_id()
        made = {
            upload_key(tenant, document, 1, "a.txt", "text/plain"),
            text_key(tenant, document, 1),
            work_prefix(tenant, document, 1),
        }
        assert {key.split("/")[0] for key in made} | {"drop"} == set(AREAS)
        assert {key.split("/")[1] for key in made} == {str(tenant)}

    async def test_an_erasure_is_over_when_nothing_can_come_any_more(
        self, erasing: ErasureService, world: World, admin_connection: Connection, tenant: Principal
    ) -> None:
        await erasing.erase(tenant, confirm="First", budget=Budget(AMPLE))
        late = f"work/{tenant.tenant_id}/late.json"
        await world.storage.put(late, b"{}", content_type="application/json")
        assert (await erasing.resume(tenant.tenant_id, Budget(AMPLE))).finished_at is None
        assert world.keys("") == []
        await admin_connection.execute("UPDATE atrium.erasures SET requested_at = now() - %s", [SETTLED + timedelta(minutes=1)])
        assert (await erasing.resume(tenant.tenant_id, Budget(AMPLE))).finished_at is not None


class TestMeanwhile:
    @pytest.mark.parametrize("step", ["inspect", "extract", "chunk", "embed", "publish"])
    async def test_an_execution_that_is_under_way_ends_and_leaves_nothing(
        self, erasing: ErasureService, world: World, admin_connection: Connection, tenant: Principal, step: str
    ) -> None:
        """The tenant goes while the step is at work: between two of its calls to the bucket."""
        document = await world.upload(tenant, "a.txt", "Bridges are built of steel.")
        await world.receive(world.arrival(document.version.object_key))
        (payload,) = world.workflow.started.values()
        for before in ("inspect", "extract", "chunk", "embed", "publish"):
            if before == step:
                break
            await world.step(payload, before, **({"batch": 0} if before == "embed" else {}))

        async def erase() -> None:
            await erasing.erase(tenant, confirm="First", budget=Budget(AMPLE))

        world.storage.before_get = erase
        with contextlib.suppress(NotFound, IngestionFailed):
            await world.step(payload, step, **({"batch": 0} if step == "embed" else {}))
        assert await rows_of(admin_connection, tenant.tenant_id) == {"erasures": 1}
        assert world.keys("") == []
        with pytest.raises(NotFound):
            await world.step(payload, "inspect")
        assert await world.step(payload, "fail", error={"Error": "NotFound", "Cause": ""})
        assert world.keys("") == []

    async def test_a_file_that_is_dropped_later_is_removed(
        self, erasing: ErasureService, world: World, admin_connection: Connection, tenant: Principal
    ) -> None:
        await erasing.erase(tenant, confirm="First", budget=Budget(AMPLE))
        arrival = await world.drop(tenant, "a.txt", b"Bridges.")
        assert await world.receive(arrival) is Receipt.GONE
        assert world.keys("") == []
        assert await rows_of(admin_connection, tenant.tenant_id) == {"erasures": 1}

    async def test_an_upload_that_arrives_later_is_removed(
        self, erasing: ErasureService, world: World, tenant: Principal
    ) -> None:
        document = await world.upload(tenant, "a.txt", "Bridges are built of steel.")
        arrival = world.arrival(document.version.object_key)
        await erasing.erase(tenant, confirm="First", budget=Budget(AMPLE))
        await world.storage.put(document.version.object_key, b"late", content_type="text/plain")
        assert await world.receive(arrival) is Receipt.GONE
        assert world.keys("") == []


class TestAccess:
    """Nobody comes in by what was made while an erasure begins, or by a request that was admitted before it."""

    @pytest.fixture
    def runtime(self, settings: Settings, database: Database) -> LocalRuntime:
        return LocalRuntime(settings, database, **UNLIMITED)

    @pytest.fixture
    async def http(self, runtime: LocalRuntime) -> AsyncIterator[httpx.AsyncClient]:
        async with client(create_app(runtime)) as http:
            yield http

    @pytest.fixture
    async def ada(self, http: httpx.AsyncClient) -> Principal:
        session = await register(http)
        return Principal(TenantId(UUID(session["org"]["id"])), PrincipalKind.USER, UUID(session["user"]["id"]), Role.ADMIN)

    @staticmethod
    async def make(runtime: LocalRuntime, ada: Principal) -> NewApiKey:
        keys = ApiKeyService(runtime.database, runtime.keyring)
        return await keys.create(ada, key_id=new_id(), name="late", role=Role.ADMIN, scopes=(), expires_at=None, request_id="r")

    @staticmethod
    async def invite(runtime: LocalRuntime, ada: Principal) -> str:
        people = PeopleService(runtime.database, runtime.settings, Admission(runtime.database, runtime.keyring, runtime.settings))
        invited = await people.invite(
            ada, invitation_id=new_id(), email="bob@example.com", role=Role.ADMIN, mail=None, request_id="r"
        )
        return invited.token or ""

    @staticmethod
    async def begin(connection: Connection, tenant_id: UUID) -> None:
        """In the connection's transaction, which is for the caller to end."""
        await connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])
        row = await (await connection.execute("SELECT atrium.erase_tenant('Acme', 'user', 'r') AS begun")).fetchone()
        assert row == {"begun": True}

    async def test_who_was_admitted_before_makes_nothing_after(
        self, erasing: ErasureService, runtime: LocalRuntime, admin_connection: Connection, ada: Principal
    ) -> None:
        await erasing.erase(ada, confirm="Acme", budget=Budget(0))
        tenants = TenantService(runtime.database)
        for late in (
            self.make(runtime, ada),
            self.invite(runtime, ada),
            tenants.update(ada, name="Back", settings={}, request_id="r"),
        ):
            with pytest.raises(Unauthenticated):
                await late
        assert (await rows_of(admin_connection, ada.tenant_id)).keys() & {"users", "api_keys", "invitations"} == set()

    async def test_a_key_and_an_acceptance_that_come_while_it_begins_are_refused(
        self, http: httpx.AsyncClient, runtime: LocalRuntime, admin_connection: Connection, ada: Principal
    ) -> None:
        body = {"token": await self.invite(runtime, ada), "password": PASSWORD}
        async with admin_connection.transaction():
            await self.begin(admin_connection, ada.tenant_id)
            key = asyncio.create_task(self.make(runtime, ada))
            accepted = asyncio.create_task(http.post("/api/v1/users/accept", json=body))
            await asyncio.sleep(0.4)
            assert not key.done()
        with pytest.raises(Unauthenticated):
            await key
        assert (await accepted).status_code == 401
        assert (await rows_of(admin_connection, ada.tenant_id)).keys() & {"users", "api_keys", "refresh_tokens"} == set()

    async def test_it_waits_for_who_came_before_and_takes_what_they_made(
        self, erasing: ErasureService, admin_connection: Connection, ada: Principal
    ) -> None:
        async with admin_connection.transaction():
            await make_user(admin_connection, ada.tenant_id)
            await make_api_key(admin_connection, ada)
            erased = asyncio.create_task(erasing.erase(ada, confirm="Acme", budget=Budget(0)))
            await asyncio.sleep(0.2)
            assert not erased.done()
        await erased
        assert (await rows_of(admin_connection, ada.tenant_id)).keys() & {"users", "api_keys"} == set()

    async def test_no_credential_that_is_there_all_the_same_is_good(
        self, http: httpx.AsyncClient, runtime: LocalRuntime, admin_connection: Connection
    ) -> None:
        """Every door looks for itself, whatever else went wrong."""
        session = await register(http)
        key = await make_key(http, session)
        reset = (await http.post("/api/v1/auth/password/forgot", json={"email": "ada@example.com"})).json()["token"]
        tenant_id = TenantId(UUID(session["org"]["id"]))
        row = {"tenant_id": tenant_id, "requested_by": "user"}
        await admin_connection.execute(insert("erasures", row), row)
        answers = [
            await http.get("/api/v1/auth/me", headers=bearer(session)),
            await http.get("/api/v1/auth/me", headers={"X-API-Key": key["key"]}),
            await http.post("/api/v1/auth/login", json={"email": "ada@example.com", "password": PASSWORD}),
            await http.post("/api/v1/auth/refresh", json={"refresh_token": session["refresh_token"]}),
            await http.post("/api/v1/auth/password/reset", json={"token": reset, "password": PASSWORD}),
        ]
        assert [answer.status_code for answer in answers] == [401] * 5
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await make_user(admin_connection, tenant_id)


class TestRequest:
    """DELETE /api/v1/tenant."""

    @pytest.fixture
    def runtime(self, settings: Settings, database: Database) -> LocalRuntime:
        return LocalRuntime(settings, database, **UNLIMITED)

    @pytest.fixture
    async def http(self, runtime: LocalRuntime) -> AsyncIterator[httpx.AsyncClient]:
        async with client(create_app(runtime)) as http:
            yield http

    @staticmethod
    async def erase(http: httpx.AsyncClient, headers: dict[str, str], **body: object) -> httpx.Response:
        return await http.request("DELETE", "/api/v1/tenant", json=body, headers=headers)

    async def test_an_admin_erases_everything_and_nobody_of_it_comes_back(
        self, http: httpx.AsyncClient, admin_connection: Connection
    ) -> None:
        session = await register(http)
        key = await make_key(http, session)
        answer = await self.erase(http, bearer(session), confirm="Acme")
        assert answer.status_code == 202, answer.text
        tenant_id = UUID(session["org"]["id"])
        assert answer.json() | {"requested_at": ""} == {"tenant_id": str(tenant_id), "status": "erased", "requested_at": ""}
        assert await rows_of(admin_connection, tenant_id) == {"erasures": 1}
        for headers in (bearer(session), {"X-API-Key": key["key"]}):
            assert (await http.get("/api/v1/auth/me", headers=headers)).status_code == 401
        refreshed = await http.post("/api/v1/auth/refresh", json={"refresh_token": session["refresh_token"]})
        assert refreshed.status_code == 401
        again = await register(http)
        assert again["org"]["id"] != str(tenant_id), "the e-mail is free again, the organisation another one"

    @pytest.mark.parametrize("body", [{}, {"confirm": "acme"}, {"confirm": "Acme", "force": True}, {"confirm": None}])
    async def test_without_its_name_nothing_happens(self, http: httpx.AsyncClient, body: dict[str, Any]) -> None:
        session = await register(http)
        answer = await self.erase(http, bearer(session), **body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] in {"/confirm", "/force"}
        assert (await http.get("/api/v1/auth/me", headers=bearer(session))).status_code == 200

    async def test_a_key_may_not_nor_anybody_but_an_admin(self, http: httpx.AsyncClient) -> None:
        session = await register(http)
        key = await make_key(http, session, role="admin")
        bob = await join(http, session, "bob@example.com")
        for headers in ({"X-API-Key": key["key"]}, bearer(bob)):
            assert (await self.erase(http, headers, confirm="Acme")).status_code == 403
        assert (await self.erase(http, {}, confirm="Acme")).status_code == 401
        assert (await http.get("/api/v1/auth/me", headers=bearer(session))).status_code == 200

    async def test_where_the_bucket_is_down_access_has_ended_all_the_same(
        self, http: httpx.AsyncClient, runtime: LocalRuntime
    ) -> None:
        session = await register(http)
        runtime.memory_storage.down = True
        assert (await self.erase(http, bearer(session), confirm="Acme")).status_code == 503
        assert (await http.get("/api/v1/auth/me", headers=bearer(session))).status_code == 401
