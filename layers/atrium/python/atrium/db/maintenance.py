"""Work on the schema's own things, such as indexes, outside any transaction and beside everybody else's."""

from contextlib import suppress
from typing import Final, LiteralString

from atrium.db.connections import Connection, translated
from atrium.db.transaction import Row
from atrium.kernel.errors import Unavailable

# With what Aurora gives by default an index of some 100,000 vectors no longer fits and takes many times as long.
_MEMORY: Final = "256MB"
_SET: Final = """
SELECT set_config('statement_timeout', %(milliseconds)s, false), set_config('lock_timeout', %(milliseconds)s, false),
       set_config('maintenance_work_mem', %(memory)s, false)
"""
_RESET: Final = "RESET statement_timeout; RESET lock_timeout; RESET maintenance_work_mem"


class Maintenance:
    """One connection for a run of maintenance. Made by `Database.alone` only."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def call(self, query: LiteralString, **params: object) -> list[Row]:
        """One statement in autocommit, within the usual time."""
        with translated():
            return await (await self._connection.execute(query, params)).fetchall()

    async def run(self, statement: LiteralString, *, seconds: float) -> None:
        """One statement that may run in no transaction (CREATE INDEX CONCURRENTLY), for `seconds` at most.

        Waits for locks are included. Raises Unavailable when it takes longer.
        """
        with translated():
            await self._connection.execute(_SET, {"milliseconds": str(max(1, round(seconds * 1000))), "memory": _MEMORY})
            try:
                await self._connection.execute(statement)
            finally:
                await self._connection.execute(_RESET)

    async def claim(self, name: str) -> bool:
        """Whether nobody else has the name; until `release`, or the connection's end."""
        (row,) = await self.call("SELECT pg_try_advisory_lock(hashtextextended(%(name)s, 0)) AS claimed", name=name)
        return bool(row["claimed"])

    async def release(self, name: str) -> None:
        """Let others have it. A broken connection has let go already."""
        with suppress(Unavailable):
            await self.call("SELECT pg_advisory_unlock(hashtextextended(%(name)s, 0))", name=name)
