"""What has had its time goes, what is still good for something stays."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from atrium.db import Database
from atrium.housekeeping import expiry
from atrium.housekeeping.service import HousekeepingService
from atrium.kernel.budget import Budget
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from tests.integration.db.test_isolation import Row, insert

Connection = psycopg.AsyncConnection[dict[str, Any]]
AMPLE = 30.0


class Rows:
    """Rows of one tenant, told apart by a word of their own."""

    def __init__(self, connection: Connection, tenant: Principal) -> None:
        self._connection = connection
        self._tenant = tenant

    async def add(self, table: str, **row: object) -> None:
        whole: Row = {"tenant_id": self._tenant.tenant_id} | row
        await self._connection.execute(insert(table, whole), whole)

    async def token(self, family: object, *, first: bool, idle: timedelta) -> None:
        soon = datetime.now(UTC) + idle
        await self.add(
            "refresh_tokens", id=new_id(), family_id=family, user_id=self._tenant.id, token_hash=new_id().bytes * 2,
            parent_id=None if first else new_id(), idle_expires_at=soon, family_expires_at=soon,
        )  # fmt: skip

    async def count(self, table: str) -> int:
        row = await (await self._connection.execute(f"SELECT count(*) AS n FROM atrium.{table}")).fetchone()
        return row["n"] if row else 0


@pytest.fixture
def rows(admin_connection: Connection, tenant: Principal) -> Rows:
    return Rows(admin_connection, tenant)


async def expired(housekeeping: HousekeepingService) -> dict[str, int]:
    return (await housekeeping.run("expire", Budget(AMPLE)))["expire"]


async def test_tokens_go_a_day_after_their_end_and_a_logins_first_with_its_last(
    housekeeping: HousekeepingService, rows: Rows
) -> None:
    over, alive, fresh = new_id(), new_id(), new_id()
    long_ago, lately, ahead = timedelta(days=-3), timedelta(hours=-3), timedelta(days=3)
    for family, first, idle in (
        (over, True, long_ago), (over, False, long_ago),
        (alive, True, long_ago), (alive, False, long_ago), (alive, False, ahead),
        (fresh, True, lately),
    ):  # fmt: skip
        await rows.token(family, first=first, idle=idle)
    assert (await expired(housekeeping))["refresh_tokens"] == 3
    assert await rows.count("refresh_tokens") == 3
    assert (await expired(housekeeping))["refresh_tokens"] == 0


async def test_everything_else_goes_when_its_time_is_over(
    housekeeping: HousekeepingService, rows: Rows, tenant: Principal, admin_connection: Connection
) -> None:
    now = datetime.now(UTC)
    past, ahead = now - timedelta(days=100), now + timedelta(days=1)
    key = {"subject": "user:1", "route": "POST /", "fingerprint": bytes(32), "resource_id": new_id(), "lease_until": past}
    await rows.add("idempotency_keys", key="old", expires_at=past, **key)
    await rows.add("idempotency_keys", key="new", expires_at=ahead, **key)
    await rows.add("kept_answers", key=bytes(32), answer=Jsonb({}), expires_at=past)
    await rows.add("kept_answers", key=b"n" * 32, answer=Jsonb({}), expires_at=ahead)
    for name, ended in (("expired", {"expires_at": past}), ("revoked", {"revoked_at": past}), ("alive", {"expires_at": ahead})):
        await rows.add(
            "api_keys", id=new_id(), name=name, key_id=name, mac=bytes(32), pepper_kid="p", last_four="last", role="viewer",
            created_by="user:1", **ended,
        )  # fmt: skip
    for word, expiry_at in (("a", past), ("b", ahead)):
        mail, hashed = f"{word}@example.com", word.encode() * 32
        invitation = {"email": mail, "role": "viewer", "token_hash": hashed, "invited_by": tenant.subject}
        await rows.add("invitations", id=new_id(), expires_at=expiry_at, **invitation)
    await rows.add("password_resets", user_id=tenant.id, token_hash=bytes(32), expires_at=past)
    for published in (past, ahead, None):
        await rows.add("outbox", id=new_id(), type="thing.done", subject="t", payload=Jsonb({}), published_at=published)
    await admin_connection.execute("INSERT INTO atrium.rate_buckets VALUES ('old', 1, %s), ('new', 1, now())", [past])
    assert await expired(housekeeping) == {
        "refresh_tokens": 0, "idempotency_keys": 1, "rate_buckets": 1, "invitations": 1, "password_resets": 1,
        "api_keys": 2, "outbox": 1, "kept_answers": 1, "usage_daily": 0,
    }  # fmt: skip
    assert await rows.count("outbox") == 2
    assert await rows.count("api_keys") == 1


async def test_two_at_once_and_in_batches_delete_each_row_once(
    housekeeping: HousekeepingService, rows: Rows, admin_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "_BATCH", 3)
    await admin_connection.execute(
        "INSERT INTO atrium.rate_buckets SELECT i::text, 1, now() - interval '1 day' FROM generate_series(1, 20) i"
    )
    reports = await asyncio.gather(expired(housekeeping), expired(housekeeping))
    assert sum(report["rate_buckets"] for report in reports) == 20
    assert await rows.count("rate_buckets") == 0


async def test_a_run_without_time_deletes_nothing_and_says_so(housekeeping: HousekeepingService) -> None:
    report = await housekeeping.run("expire", Budget(0))
    assert set(report["expire"].values()) == {0}


@pytest.mark.parametrize("column", ["mac", "key_id", "name"])
async def test_the_relay_reads_nothing_secret(relay: Database, column: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await relay.call(f"SELECT {column} FROM atrium.api_keys")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await relay.call("SELECT password FROM atrium.document_versions")
