"""Entries of the log, and somebody who may do with the database what nobody may."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest

from atrium.audit import record
from atrium.audit.models import Link, Verification
from atrium.audit.sealing import seal
from atrium.audit.verifying import verify
from atrium.db import Database
from atrium.kernel.budget import Budget
from atrium.kernel.principal import Principal

AdminConnection = psycopg.AsyncConnection[dict[str, Any]]
AMPLE = 30.0


class Log:
    """One tenant's log."""

    def __init__(self, database: Database, tenant: Principal) -> None:
        self.database = database
        self.tenant = tenant

    async def write(self, count: int) -> None:
        """So many entries, told apart by their targets, in a transaction each."""
        for number in range(count):
            async with self.database.transaction(self.tenant) as tx:
                await record(tx, action="thing.done", target=f"thing:{number}", detail={"n": number, "ü": ["ß", None]})

    async def seal(self) -> tuple[int, Link]:
        return await seal(self.database, self.tenant.tenant_id, Budget(AMPLE))

    async def verify(self, after: Link | None = None, seconds: float = AMPLE) -> Verification:
        return await verify(self.database, self.tenant, after or Link(), Budget(seconds))


@pytest.fixture
def log(database: Database, tenant: Principal) -> Log:
    return Log(database, tenant)


@pytest.fixture
async def intruder(admin_connection: AdminConnection) -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Runs a statement as the superuser with every trigger off; how many rows it touched."""
    await admin_connection.execute("SET session_replication_role = replica")

    async def run(statement: str, **params: object) -> int:
        return (await admin_connection.execute(statement.encode(), params)).rowcount

    yield run
    await admin_connection.execute("RESET session_replication_role")
