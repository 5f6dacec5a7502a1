from typing import Any, LiteralString

import psycopg
import pytest

from atrium.db import Database
from atrium.events import append_event
from atrium.kernel.principal import Principal

AdminConnection = psycopg.AsyncConnection[dict[str, Any]]


async def test_an_event_is_there_when_the_transaction_commits(
    database: Database, tenant: Principal, admin_connection: AdminConnection
) -> None:
    async with database.transaction(tenant) as tx:
        event_id = await append_event(tx, type="document.ready", subject="document:1", payload={"pages": 3, "title": "Ä"})
    rows = await (await admin_connection.execute("SELECT * FROM atrium.outbox")).fetchall()
    (row,) = rows
    assert (row["tenant_id"], row["id"], row["type"]) == (tenant.tenant_id, event_id, "document.ready")
    assert (row["subject"], row["payload"]) == ("document:1", {"pages": 3, "title": "Ä"})
    assert row["published_at"] is None


async def test_an_event_is_gone_when_the_transaction_fails(
    database: Database, tenant: Principal, admin_connection: AdminConnection
) -> None:
    async def fail_afterwards() -> None:
        async with database.transaction(tenant) as tx:
            await append_event(tx, type="document.ready", subject="document:1", payload={})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_afterwards()
    assert await (await admin_connection.execute("SELECT * FROM atrium.outbox")).fetchall() == []


@pytest.mark.parametrize("event_type", ["ready", "Document.ready", "document.", "document ready", ""])
async def test_a_type_is_dotted_lower_case_words(database: Database, tenant: Principal, event_type: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        async with database.transaction(tenant) as tx:
            await append_event(tx, type=event_type, subject="document:1", payload={})


@pytest.mark.parametrize("statement", ["UPDATE atrium.outbox SET payload = '{}'", "DELETE FROM atrium.outbox"])
async def test_the_application_cannot_change_an_event_or_take_it_back(
    database: Database, tenant: Principal, statement: LiteralString
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.transaction(tenant) as tx:
            await tx.execute(statement)
