"""Admission that reserves: one call says who asks, how fast they may, and whether there is money for it."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.errors import BudgetExceeded, RateLimited, Unauthenticated
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from atrium.ledger.service import LedgerService
from atrium.tenancy.admission import Admission
from atrium.tenancy.models import Caller
from functions.auth.app import create_app
from tests.factories.auth import LocalRuntime, client, make_key, register
from tests.factories.ledger import balances, set_limit, settlement, spend

Connection = psycopg.AsyncConnection[dict[str, Any]]


class Door:
    """A registered tenant, its user's token and a key of it, and the admission that takes them."""

    def __init__(self, runtime: LocalRuntime, session: dict[str, Any], key: str) -> None:
        self.admission = Admission(runtime.database, runtime.keyring, runtime.settings)
        self.token: str = session["access_token"]
        self.tenant = UUID(session["org"]["id"])
        self.user = UUID(session["user"]["id"])
        self.key = key
        self.caller = Caller("192.0.2.1")


@pytest.fixture
async def door(settings: Settings, database: Database) -> Door:
    runtime = LocalRuntime(settings, database, rate_limit_public=1000)
    async with client(create_app(runtime)) as http:
        session = await register(http)
        key = await make_key(http, session)
    return Door(runtime, session, key["key"])


async def test_a_new_tenant_has_the_default_budget(door: Door, admin_connection: Connection) -> None:
    rows = await (await admin_connection.execute("SELECT * FROM atrium.spending_limits")).fetchall()
    assert [(row["tenant_id"], row["origin"], row["scope"], row["monthly_budget"], row["mode"]) for row in rows] == [
        (door.tenant, "platform", "tenant", 20 * 10**9, "hard")
    ]


async def test_a_request_that_spends_nothing_has_no_reservation(door: Door) -> None:
    assert (await door.admission.by_api_key(door.key, door.caller)).reservation is None
    assert (await door.admission.by_access_token(door.token, door.caller)).reservation is None


async def test_a_request_that_will_spend_is_reserved_and_can_be_settled(
    door: Door, database: Database, admin_connection: Connection
) -> None:
    by_key = await door.admission.by_api_key(door.key, door.caller, spend(500))
    by_token = await door.admission.by_access_token(door.token, door.caller, spend(200))
    assert by_key.reservation
    assert by_token.reservation
    assert (by_key.reservation.bound, by_token.reservation.bound) == (500, 200)
    assert await LedgerService(database).settle(by_key.principal, by_key.reservation.id, settlement(300))
    assert await balances(admin_connection, by_key.principal) == {
        ("api_key", by_key.principal.id): (300, 0, 1),
        ("user", door.user): (0, 200, 0),
        ("tenant", door.tenant): (300, 200, 1),
    }


async def test_who_has_no_budget_left_is_known_and_refused(door: Door, admin_connection: Connection) -> None:
    admitted = await door.admission.by_api_key(door.key, door.caller)
    await set_limit(admin_connection, admitted.principal, 100, scope="api_key", scope_id=admitted.principal.id, origin="tenant")
    with pytest.raises(BudgetExceeded, match="this API key"):
        await door.admission.by_api_key(door.key, door.caller, spend(101))
    assert door.caller.rate
    assert door.caller.rate.limit == 50
    assert (await door.admission.by_api_key(door.key, door.caller, spend(100))).reservation


async def test_who_is_not_admitted_reserves_nothing(door: Door, admin_connection: Connection) -> None:
    with pytest.raises(Unauthenticated):
        await door.admission.by_access_token(door.token + "x", door.caller, spend(1))
    await admin_connection.execute("UPDATE atrium.api_keys SET revoked_at = now()")
    with pytest.raises(Unauthenticated):
        await door.admission.by_api_key(door.key, door.caller, spend(1))
    await admin_connection.execute("UPDATE atrium.rate_buckets SET tokens = 0, updated_at = now() + interval '1 hour'")
    with pytest.raises(RateLimited):
        await door.admission.by_access_token(door.token, door.caller, spend(1))
    assert await (await admin_connection.execute("SELECT id FROM atrium.ledger_reservations")).fetchall() == []


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([], 50),
        ([("api_key", "tenant", 7)], 7),
        ([("api_key", "tenant", 90)], 90),
        ([("api_key", "tenant", 900)], 200),
        ([("tenant", "tenant", 20)], 20),
        ([("api_key", "tenant", 900), ("tenant", "tenant", 800)], 200),
        ([("api_key", "tenant", 900), ("tenant", "tenant", 800), ("tenant", "platform", 500)], 500),
    ],
)
async def test_rates_that_are_set_go_before_the_deployments(
    door: Door, admin_connection: Connection, limits: list[tuple[str, str, int]], expected: int
) -> None:
    principal: Principal = (await door.admission.by_api_key(door.key, door.caller)).principal
    await admin_connection.execute("DELETE FROM atrium.rate_buckets")
    for scope, origin, rate in limits:
        scope_id = principal.id if scope == "api_key" else door.tenant
        await set_limit(admin_connection, principal, None, scope=scope, scope_id=scope_id, origin=origin, rate=rate)
    admitted = await door.admission.by_api_key(door.key, door.caller)
    # Of two buckets the one with less left is told.
    assert admitted.rate.limit == expected
