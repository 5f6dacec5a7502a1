"""One tenant's transaction."""

import asyncio
from contextlib import suppress
from typing import Any, Final, LiteralString

import psycopg
from psycopg import AsyncCursor

from atrium.db.connections import Connection, translated
from atrium.kernel.principal import Principal

Row = dict[str, Any]

_SET_TENANT: Final = "SELECT set_config('app.tenant_id', %(tenant_id)s, true)"


class Transaction:
    """Statements under one tenant, all or none. Made by `Database.transaction` only.

    BEGIN and the tenant travel with the first statement, in one round trip. Errors: Unavailable when the database is;
    psycopg's own (a broken constraint) for the repository to translate.
    """

    def __init__(self, connection: Connection, principal: Principal, *, begun: bool = False) -> None:
        self.principal: Final = principal
        self._connection = connection
        self._begun = begun
        self._ended = False
        # Two statements at once take turns: none overtakes the first one's BEGIN.
        self._turn = asyncio.Lock()

    async def fetch_one(self, query: LiteralString, **params: object) -> Row | None:
        """The first row, as a dict by column name, or None."""
        with translated():
            return await (await self._run(query, params)).fetchone()

    async def fetch_all(self, query: LiteralString, **params: object) -> list[Row]:
        """Every row, as dicts by column name."""
        with translated():
            return await (await self._run(query, params)).fetchall()

    async def invoke(self, query: LiteralString, **params: object) -> list[Row]:
        """As `fetch_all`, and a connection parses and plans it once: for statements that call functions and read no table."""
        with translated():
            return await (await self._run(query, params, prepare=True)).fetchall()

    async def execute(self, query: LiteralString, **params: object) -> int:
        """Run a statement and return how many rows it touched."""
        with translated():
            return (await self._run(query, params)).rowcount

    @property
    def connection(self) -> Connection:
        """The connection itself, for what the verbs above cannot say; in repositories only, after a statement or `begin`."""
        if not self._begun or self._ended:
            raise RuntimeError("await tx.begin() first: no transaction is open, so no tenant is set")
        return self._connection

    async def begin(self) -> None:
        """Open the transaction now instead of with the first statement."""
        if not self._begun:
            with translated():
                await self._run("SELECT", {})

    async def commit(self) -> None:
        """Make it last; nothing to do when no statement ran. Called by `Database` alone."""
        async with self._turn:
            self.leave()
            if self._begun:
                await self._commit()

    async def roll_back(self) -> None:
        """Undo it. Where that fails the connection is broken, and is thrown away by its owner. Called by `Database` alone."""
        async with self._turn:
            self.leave()
            if self._begun:
                with suppress(psycopg.Error):
                    await self._connection.execute("ROLLBACK")

    def leave(self) -> None:
        """From now on every verb is refused: the connection may be another tenant's. Called by `Database` alone."""
        self._ended = True

    async def _commit(self) -> None:
        with translated():
            outcome = await self._connection.execute("COMMIT")
        if outcome.statusmessage != "COMMIT":  # Postgres answers a COMMIT after a swallowed error with ROLLBACK, politely
            raise RuntimeError("an error inside the transaction was swallowed, so nothing was committed")

    async def _run(self, query: LiteralString, params: dict[str, object], *, prepare: bool | None = None) -> AsyncCursor[Row]:
        async with self._turn:
            if self._ended:
                raise RuntimeError("the transaction has ended")
            if self._begun:
                return await self._connection.execute(query, params, prepare=prepare)
            self._begun = True
            async with self._connection.pipeline():
                await self._connection.execute("BEGIN")
                await self._connection.execute(_SET_TENANT, {"tenant_id": str(self.principal.tenant_id)}, prepare=True)
                return await self._connection.execute(query, params, prepare=prepare)
