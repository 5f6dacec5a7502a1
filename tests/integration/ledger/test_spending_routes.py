"""GET /admin/usage and GET|PUT /admin/limits, as an admin, a member and the operator ask for them."""

import csv
import io
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, PrincipalKind, Role, TenantId
from atrium.kernel.settings import Settings
from atrium.ledger.service import LedgerService
from atrium.tenancy.keys import key_mac, new_key
from infra.openapi import area_apps
from tests.factories.auth import UNLIMITED, LocalRuntime, WholeApi, bearer, client, join, make_key, register
from tests.factories.ledger import settlement, spend

Connection = psycopg.AsyncConnection[dict[str, Any]]
USAGE, LIMITS = "/api/v1/admin/usage", "/api/v1/admin/limits"


@pytest.fixture
def runtime(settings: Settings, database: Database) -> LocalRuntime:
    return LocalRuntime(settings, database, **UNLIMITED)


@pytest.fixture
async def http(runtime: LocalRuntime) -> AsyncIterator[httpx.AsyncClient]:
    async with client(WholeApi(area_apps(runtime))) as http:
        yield http


@pytest.fixture
async def session(http: httpx.AsyncClient) -> dict[str, Any]:
    return await register(http)


@pytest.fixture
def admin(session: dict[str, Any]) -> dict[str, str]:
    return bearer(session)


@pytest.fixture
async def operator(runtime: LocalRuntime, admin_connection: Connection) -> dict[str, str]:
    key, pepper = new_key(), (await runtime.keyring.get()).pepper[0]
    await admin_connection.execute(
        "INSERT INTO atrium.operator_keys (key_id, mac, pepper_kid, digest) VALUES (%s, %s, %s, %s)",
        [key.key_id, key_mac(pepper, key), pepper.kid, sha256(key.text.encode()).digest()],
    )
    return {"X-API-Key": key.text}


def principal_of(session: dict[str, Any]) -> Principal:
    return Principal(TenantId(UUID(session["org"]["id"])), PrincipalKind.USER, UUID(session["user"]["id"]), Role.ADMIN)


async def used(database: Database, session: dict[str, Any], cost: int, **fields: Any) -> None:
    ledger, call = LedgerService(database), spend(cost)
    await ledger.reserve(principal_of(session), call)
    await ledger.settle(principal_of(session), call.id, settlement(cost, **fields))


class TestUsage:
    async def test_it_is_told_in_json(
        self, http: httpx.AsyncClient, database: Database, session: dict[str, Any], admin: dict[str, str]
    ) -> None:
        await used(database, session, 1_500_000_001)
        await used(database, session, 3)
        answer = await http.get(USAGE, params={"group_by": "model"}, headers=admin)
        assert answer.status_code == 200
        body = answer.json()
        assert body["group_by"] == "model"
        assert body["from"].endswith("-01")
        assert body["data"] == [
            {
                "key": "openai/gpt-4o-mini", "calls": 2, "failed": 0, "input_tokens": 20, "output_tokens": 10,
                "cached_tokens": 0, "units": 0, "cost_usd": 1.500000004,
            }
        ]  # fmt: skip
        assert (body["total"]["calls"], body["total"]["cost_usd"], body["truncated"]) == (2, 1.500000004, False)

    @pytest.mark.parametrize(("params", "accept"), [({"format": "csv"}, "*/*"), ({}, "text/csv")])
    async def test_it_is_told_in_csv_that_no_spreadsheet_runs(
        self,
        http: httpx.AsyncClient,
        database: Database,
        session: dict[str, Any],
        admin: dict[str, str],
        params: dict[str, str],
        accept: str,
    ) -> None:
        await used(database, session, 3, model="=HYPERLINK()/x")
        answer = await http.get(USAGE, params={"group_by": "model"} | params, headers=admin | {"Accept": accept})
        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.headers["X-Truncated"] == "false"
        head, line = csv.reader(io.StringIO(answer.text))
        assert head[0] == "key"
        assert (line[0], line[-1]) == ("'=HYPERLINK()/x", "0.000000003")

    @pytest.mark.parametrize(
        "params",
        [
            {"from": "2026-02-01", "to": "2026-01-01"},
            {"from": "2020-01-01", "to": "2026-01-01"},
            {"group_by": "colour"},
            {"to": "0001-01-01", "from": "yesterday"},
        ],
    )
    async def test_days_that_make_no_sense_are_422(
        self, http: httpx.AsyncClient, admin: dict[str, str], params: dict[str, str]
    ) -> None:
        assert (await http.get(USAGE, params=params, headers=admin)).status_code == 422

    async def test_members_do_not_see_it(self, http: httpx.AsyncClient, session: dict[str, Any]) -> None:
        member = bearer(await join(http, session, "bob@example.com"))
        assert (await http.get(USAGE, headers=member)).status_code == 403
        assert (await http.get(LIMITS, headers=member)).status_code == 403
        body = {"scope": "tenant", "id": session["org"]["id"]}
        assert (await http.put(LIMITS, json=body, headers=member)).status_code == 403


class TestLimits:
    async def test_an_admin_limits_the_tenant_a_user_and_a_key(
        self,
        http: httpx.AsyncClient,
        database: Database,
        session: dict[str, Any],
        admin: dict[str, str],
        admin_connection: Connection,
    ) -> None:
        key = await make_key(http, session)
        await used(database, session, 500_000_000)
        for scope, scope_id in (("tenant", session["org"]["id"]), ("user", session["user"]["id"]), ("api_key", key["id"])):
            body = {"scope": scope, "id": scope_id, "monthly_budget_usd": 2.5, "mode": "soft", "rate": 1000}
            answer = await http.put(LIMITS, json=body, headers=admin)
            assert answer.status_code == 200, answer.text
            spent = 0 if scope == "api_key" else 0.5
            told = answer.json()
            assert told.pop("updated_at")
            assert told == body | {"set_by": "tenant", "spent_usd": spent, "reserved_usd": 0, "calls": int(spent > 0)}
        audited = await (
            await admin_connection.execute(
                "SELECT target, detail FROM atrium.audit_log WHERE action = 'limits.changed' ORDER BY id"
            )
        ).fetchall()
        assert audited[0]["target"] == f"tenant:{session['org']['id']}"
        assert audited[0]["detail"] == {"set_by": "tenant", "monthly_budget_usd": 2.5, "mode": "soft", "rate": 1000}

        seen, cursor = [], None
        while True:
            answer = await http.get(LIMITS, params={"limit": 3} | ({"cursor": cursor} if cursor else {}), headers=admin)
            seen += [(each["scope"], each["set_by"]) for each in answer.json()["data"]]
            cursor = answer.json()["next_cursor"]
            if cursor is None:
                break
        assert seen[:2] == [("tenant", "platform"), ("tenant", "tenant")]
        assert sorted(seen[2:]) == [("api_key", "tenant"), ("user", "tenant")]

    async def test_what_is_not_there_or_anothers_is_422(
        self, http: httpx.AsyncClient, session: dict[str, Any], admin: dict[str, str]
    ) -> None:
        other = await register(http, "eve@example.com", "Other")
        for scope, scope_id in (
            ("tenant", other["org"]["id"]),
            ("user", other["user"]["id"]),
            ("api_key", str(new_id())),
            ("user", session["org"]["id"]),
        ):
            answer = await http.put(LIMITS, json={"scope": scope, "id": scope_id, "rate": 5}, headers=admin)
            assert answer.status_code == 422, (scope, answer.text)
            assert [each["pointer"] for each in answer.json()["errors"]] == ["/id"]

    async def test_an_admin_does_not_raise_the_operators_ceiling(
        self, http: httpx.AsyncClient, session: dict[str, Any], admin: dict[str, str], operator: dict[str, str]
    ) -> None:
        tenant = {"scope": "tenant", "id": session["org"]["id"]}
        ceiling = await http.put(LIMITS, json=tenant | {"monthly_budget_usd": 1}, headers=operator)
        assert (ceiling.status_code, ceiling.json()["set_by"]) == (200, "platform")
        assert (await http.put(LIMITS, json=tenant | {"monthly_budget_usd": 1000}, headers=admin)).status_code == 200
        limits = (await http.get(LIMITS, headers=admin)).json()["data"]
        assert [(each["set_by"], each["monthly_budget_usd"]) for each in limits] == [("platform", 1), ("tenant", 1000)]

    async def test_the_operators_hand_is_in_the_tenants_audit_log(
        self, http: httpx.AsyncClient, session: dict[str, Any], operator: dict[str, str], admin_connection: Connection
    ) -> None:
        body = {"scope": "tenant", "id": session["org"]["id"], "monthly_budget_usd": None}
        assert (await http.put(LIMITS, json=body, headers=operator)).json()["monthly_budget_usd"] is None
        row = await (
            await admin_connection.execute("SELECT actor, detail FROM atrium.audit_log WHERE action = 'limits.changed'")
        ).fetchone()
        assert row is not None
        assert row["actor"].startswith("operator:")
        assert row["detail"]["set_by"] == "platform"

    @pytest.mark.parametrize(
        ("body", "pointer"), [({"scope": "tenant"}, "/id"), ({"scope": "user"}, "/scope"), ({"scope": "team"}, "/scope")]
    )
    async def test_the_operator_limits_tenants_that_there_are(
        self, http: httpx.AsyncClient, operator: dict[str, str], body: dict[str, Any], pointer: str
    ) -> None:
        answer = await http.put(LIMITS, json=body | {"id": str(new_id())}, headers=operator)
        assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer])

    @pytest.mark.parametrize(
        "field", [{"monthly_budget_usd": -1}, {"monthly_budget_usd": "5"}, {"rate": 0}, {"mode": "harsh"}, {"more": 1}]
    )
    async def test_what_is_no_limit_is_422(
        self, http: httpx.AsyncClient, session: dict[str, Any], admin: dict[str, str], field: dict[str, Any]
    ) -> None:
        body = {"scope": "tenant", "id": session["org"]["id"]} | field
        assert (await http.put(LIMITS, json=body, headers=admin)).status_code == 422
