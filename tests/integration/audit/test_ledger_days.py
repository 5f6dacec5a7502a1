"""A day's calls of models stand in the sealed log as a digest: whoever changes the ledger afterwards is found."""

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from atrium.audit import record
from atrium.audit.models import LedgerDay
from atrium.audit.reading import AuditService
from atrium.audit.sealing import close_days
from atrium.db import Database
from atrium.housekeeping import repository
from atrium.kernel.budget import Budget
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, worker
from atrium.kernel.settings import Settings
from tests.integration.audit.conftest import AMPLE, Log
from tests.integration.db.test_isolation import insert, samples

AdminConnection = psycopg.AsyncConnection[dict[str, Any]]
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class Ledger:
    """One tenant's ledger and its closing."""

    def __init__(self, connection: AdminConnection, log: Log) -> None:
        self.connection = connection
        self.log = log
        self.audits = AuditService(log.database)

    async def call(self, at: datetime, cost: int = 5) -> UUID:
        """A call that was reserved then, and has ended."""
        id_ = new_id()
        row = samples(self.log.tenant.tenant_id)["ledger_entries"] | {
            "id": id_,
            "created_at": at,
            "cost": cost,
            "attempts": Jsonb([]),
        }
        await self.connection.execute(insert("ledger_entries", row), row)
        return id_

    async def reserve(self, at: datetime) -> None:
        """A call that is under way since then."""
        row = samples(self.log.tenant.tenant_id)["ledger_reservations"] | {"id": new_id(), "created_at": at}
        await self.connection.execute(insert("ledger_reservations", row), row)

    async def close(self) -> int:
        """How many days were closed; they are sealed, too."""
        closed = await close_days(self.log.database, self.log.tenant.tenant_id, Budget(AMPLE))
        await self.log.seal()
        return closed

    async def day(self, day: datetime) -> LedgerDay:
        return await self.audits.ledger_day(self.log.tenant, day.date())


@pytest.fixture
def ledger(admin_connection: AdminConnection, log: Log) -> Ledger:
    return Ledger(admin_connection, log)


async def test_days_that_are_over_are_closed_once_each(ledger: Ledger) -> None:
    long_ago, lately = TODAY - timedelta(days=5), TODAY - timedelta(days=2)
    for at in (long_ago, long_ago + timedelta(hours=23, minutes=59), lately, TODAY + timedelta(seconds=1)):
        await ledger.call(at)
    assert (await ledger.close(), await ledger.close()) == (2, 0)
    closed = await ledger.day(long_ago)
    assert closed.valid
    assert (closed.now.calls, closed.now.cost) == (2, 10)
    assert closed.entry is not None
    assert closed.entry.detail == {"calls": 2, "cost": 10, "digest": closed.now.digest}
    assert (await ledger.day(lately)).valid
    for never in (TODAY, TODAY - timedelta(days=3)):
        assert (await ledger.day(never)).entry is None
    assert (await ledger.log.verify()).verified_to == 2


async def test_only_what_a_worker_wrote_and_the_chain_holds_closes_a_day(ledger: Ledger) -> None:
    day = TODAY - timedelta(days=3)
    await ledger.call(day)
    async with ledger.log.database.transaction(ledger.log.tenant) as tx:
        detail = asdict((await ledger.day(day)).now)
        await record(tx, action="ledger.closed", target=f"ledger:{day.date()}", detail=detail)
    await ledger.log.seal()
    assert (await ledger.day(day)).entry is None
    assert await close_days(ledger.log.database, ledger.log.tenant.tenant_id, Budget(AMPLE)) == 1
    assert (await ledger.day(day)).entry is None
    await ledger.log.seal()
    assert (await ledger.day(day)).valid
    # Who changes the ledger and says so again later is found all the same.
    await ledger.connection.execute("UPDATE atrium.ledger_entries SET cost = 0")
    async with ledger.log.database.transaction(worker(ledger.log.tenant.tenant_id)) as tx:
        changed = asdict((await ledger.day(day)).now)
        await record(tx, action="ledger.closed", target=f"ledger:{day.date()}", detail=changed)
    await ledger.log.seal()
    assert not (await ledger.day(day)).valid


async def test_a_day_waits_for_its_last_call(ledger: Ledger) -> None:
    day = TODAY - timedelta(days=3)
    await ledger.call(day)
    await ledger.call(day + timedelta(days=1))
    await ledger.reserve(day + timedelta(hours=23))
    assert await ledger.close() == 0
    await ledger.connection.execute("DELETE FROM atrium.ledger_reservations")
    await ledger.call(day + timedelta(hours=23))
    assert await ledger.close() == 2
    assert (await ledger.day(day)).now.calls == 2


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE atrium.ledger_entries SET cost = cost + 1 WHERE id = %(id)s",
        "UPDATE atrium.ledger_entries SET model = 'a/c' WHERE id = %(id)s",
        "UPDATE atrium.ledger_entries SET user_id = uuidv7() WHERE id = %(id)s",
        "UPDATE atrium.ledger_entries SET settled_at = settled_at + interval '1 second' WHERE id = %(id)s",
        "UPDATE atrium.ledger_entries SET attempts = '[1]' WHERE id = %(id)s",
        "UPDATE atrium.ledger_entries SET created_at = created_at + interval '1 day' WHERE id = %(id)s",
        "DELETE FROM atrium.ledger_entries WHERE id = %(id)s",
    ],
)
async def test_a_call_that_was_changed_or_removed_is_found(ledger: Ledger, change: str) -> None:
    day = TODAY - timedelta(days=3)
    await ledger.call(day)
    id_ = await ledger.call(day + timedelta(hours=1))
    await ledger.close()
    assert (await ledger.day(day)).valid
    await ledger.connection.execute(change.encode(), {"id": id_})
    assert not (await ledger.day(day)).valid


async def test_every_column_of_an_entry_is_in_the_digest(ledger: Ledger) -> None:
    """A column that comes later is named here, or in the digest from then on."""
    await ledger.call(TODAY - timedelta(days=1))
    cursor = await ledger.connection.execute(
        """SELECT (SELECT array_agg(name ORDER BY name) FROM jsonb_object_keys(atrium.ledger_text(e)::jsonb) name) AS hashed,
                  (SELECT array_agg(name ORDER BY name) FROM jsonb_object_keys(to_jsonb(e) - 'tenant_id') name) AS columns
           FROM atrium.ledger_entries e"""
    )
    row = await cursor.fetchone()
    assert row is not None
    assert row["hashed"] == row["columns"]


async def test_the_relay_finds_whose_days_are_open(ledger: Ledger, settings: Settings, other_tenant: Principal) -> None:
    relay = Database(settings.model_copy(update={"database_user": "atrium_relay"}))
    day = (TODAY - timedelta(days=2)).date()
    await ledger.call(TODAY - timedelta(days=2))
    for tenant, at in ((ledger.log.tenant, day), (other_tenant, TODAY.date())):
        await used(ledger.connection, tenant, at)
    assert await repository.unclosed_tenants(relay) == [ledger.log.tenant.tenant_id]
    await ledger.close()
    assert await repository.unclosed_tenants(relay) == []
    await relay.close()


async def used(connection: AdminConnection, tenant: Principal, day: date) -> None:
    row = samples(tenant.tenant_id)["usage_daily"] | {"day": day}
    await connection.execute(insert("usage_daily", row), row)
