"""The one way to the database: tenant transactions, and single calls of definer functions before a tenant is known."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import LiteralString

from atrium.db.connections import Connections, PasswordSource, translated
from atrium.db.maintenance import Maintenance
from atrium.db.transaction import Row, Transaction
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings


@dataclass(eq=False)
class _Open:
    """A transaction that is open somewhere up this task's stack."""

    database: "Database"
    task: asyncio.Task[object] | None
    transaction: Transaction
    closed: bool = False


_current: ContextVar[_Open | None] = ContextVar("atrium_transaction", default=None)


class Database:
    """A lazy database: nothing is connected before the first use. `password` gives a fresh one per login (IAM)."""

    def __init__(self, settings: Settings, *, password: PasswordSource | None = None) -> None:
        self._connections = Connections(settings, password)

    @asynccontextmanager
    async def transaction(self, principal: Principal) -> AsyncIterator[Transaction]:
        """One transaction that sees the principal's tenant only; committed at the end, rolled back on any error.

        Inside another of the same tenant it is a savepoint. RuntimeError inside another tenant's, or from a task
        started within one. Raises Unavailable when the database is, also when the commit's outcome is unknown.
        """
        outer = self._outer()
        if outer is not None:
            async with _savepoint(outer, principal) as transaction:
                yield transaction
            return
        async with self._connections.connection() as connection:
            transaction = Transaction(connection, principal)
            async with _ended(transaction):
                with self._entered(transaction):
                    yield transaction

    async def call(self, query: LiteralString, **params: object) -> list[Row]:
        """One statement in autocommit with no tenant set: for definer functions; tables show no tenant's row here."""
        return await self._call(query, params)

    async def invoke(self, query: LiteralString, **params: object) -> list[Row]:
        """As `call`, and a connection parses and plans it once: for statements that call functions and read no table."""
        return await self._call(query, params, prepare=True)

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[Maintenance | None]:
        """A session of maintenance that one process at a time has, by its name; None while another has it."""
        if self._outer() is not None:
            raise RuntimeError("a transaction is open: maintenance waits for it")
        async with self._connections.connection() as connection:
            session = Maintenance(connection)
            if not await session.claim(name):
                yield None
                return
            try:
                yield session
            finally:
                await session.release(name)

    async def ready(self) -> None:
        """Return when the database answers, raise Unavailable otherwise."""
        await self.call("SELECT 1 AS one")

    async def close(self) -> None:
        """Close what is open; the database can be used again."""
        await self._connections.close()

    async def _call(self, query: LiteralString, params: dict[str, object], *, prepare: bool | None = None) -> list[Row]:
        if self._outer() is not None:
            raise RuntimeError("a transaction is open: run the statement in it")
        async with self._connections.connection() as connection:
            with translated():
                return await (await connection.execute(query, params, prepare=prepare)).fetchall()

    @contextmanager
    def _entered(self, transaction: Transaction) -> Iterator[None]:
        before = _current.get()
        opened = _Open(self, asyncio.current_task(), transaction)
        _current.set(opened)
        try:
            yield
        finally:
            opened.closed = True
            _current.set(before)

    def _outer(self) -> _Open | None:
        opened = _current.get()
        if opened is None or opened.closed or opened.database is not self:
            return None
        if opened.task is not asyncio.current_task():
            # It inherited the context; waiting for a connection its parent holds could wait for ever.
            raise RuntimeError("a task started inside a transaction may not use the database until that has ended")
        return opened


@asynccontextmanager
async def _ended(transaction: Transaction) -> AsyncIterator[None]:
    """Commit at the end, roll back on any error."""
    try:
        yield
    except BaseException:
        # A cancellation too must not leave the transaction open on a connection that others get; it goes on as it came.
        await transaction.roll_back()
        raise
    await transaction.commit()


@asynccontextmanager
async def _savepoint(outer: _Open, principal: Principal) -> AsyncIterator[Transaction]:
    if outer.transaction.principal.tenant_id != principal.tenant_id:
        raise RuntimeError("a transaction of another tenant is open")
    await outer.transaction.begin()
    with translated():
        async with outer.transaction.connection.transaction():
            transaction = Transaction(outer.transaction.connection, principal, begun=True)
            try:
                yield transaction
            finally:
                transaction.leave()
