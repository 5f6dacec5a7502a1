"""Connections: how one is made, checked and replaced, and what its failures become."""

import asyncio
import select
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.rows import dict_row
from psycopg.types.json import JsonbDumper

from atrium.db.binary import Binary, BinaryDumper
from atrium.kernel.errors import Unavailable
from atrium.kernel.settings import Settings

Connection = psycopg.AsyncConnection[dict[str, Any]]
# A fresh password for a role's login: the 15-minute IAM token on AWS.
PasswordSource = Callable[[str], Awaitable[str]]

# A paused Aurora answers after about 15 s.
_CONNECT_TIMEOUT: Final = 20
_LOCK_TIMEOUT: Final = 5
# A peer that acknowledges nothing for so long is gone (a connection that died while the container was frozen).
_UNANSWERED_TIMEOUT: Final = 5
# A forgotten connection is closed by the server, so that it does not keep Aurora from pausing.
_IDLE_SESSION_TIMEOUT: Final = 240
# A connection used within this time is taken as alive; after longer idling (a frozen container) it is asked first.
_TRUSTED_IDLE: Final = 1.0
# Executions after which a statement is prepared by itself.
_NEVER: Final = 2**62


class Connections:
    """Up to `size` connections, made when needed; in Lambda one. No background task: a frozen container runs none.

    Coroutines that find none free wait their turn.
    """

    def __init__(self, settings: Settings, password: PasswordSource | None = None) -> None:
        self._settings = settings
        self._password = password
        self._turns = asyncio.Semaphore(max(1, settings.database_pool_size))
        self._idle: list[tuple[Connection, float]] = []  # the last used is used next, so that others age and are closed

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside any transaction, for this coroutine alone. Raises Unavailable when there is none."""
        async with self._turns:
            connection = await self._take()
            try:
                yield connection
            finally:
                await self._give_back(connection)

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            await self._idle.pop()[0].close()

    async def _take(self) -> Connection:
        if self._idle:
            connection, used_at = self._idle.pop()
            # Wall clock: the monotonic one may stand still while a container is frozen.
            trusted = abs(time.time() - used_at) < _TRUSTED_IDLE and _silent(connection)
            if trusted or await _answers(connection):
                return connection
            await connection.close()
        with translated():
            return await connect(self._settings, self._password)

    async def _give_back(self, connection: Connection) -> None:
        idle = psycopg.pq.TransactionStatus.IDLE
        if not connection.closed and connection.info.transaction_status == idle:
            self._idle.append((connection, time.time()))
        else:
            await connection.close()


async def connect(settings: Settings, password: PasswordSource | None = None) -> Connection:
    """A new connection in autocommit; rows come as dicts, dict parameters go as jsonb. Raises psycopg's errors."""
    timeout = settings.database_statement_timeout
    limits = {
        "idle_session_timeout": _IDLE_SESSION_TIMEOUT,
        "idle_in_transaction_session_timeout": timeout,
        "lock_timeout": _LOCK_TIMEOUT,
        "statement_timeout": timeout,
    }
    return await psycopg.AsyncConnection.connect(
        autocommit=True,
        row_factory=dict_row,
        context=_Adapters(),
        # Prepared is what asks for it: a cached generic plan was measured to return no row of many under row level security.
        prepare_threshold=_NEVER,
        host=settings.database_host,
        port=settings.database_port,
        dbname=settings.database_name,
        user=settings.database_user,
        password=settings.database_password if password is None else await password(settings.database_user),
        sslmode=settings.database_sslmode,
        connect_timeout=_CONNECT_TIMEOUT,
        tcp_user_timeout=_UNANSWERED_TIMEOUT * 1000,
        application_name="atrium",
        options=" ".join(f"-c {name}={round(seconds * 1000)}" for name, seconds in limits.items()),
    )


class StatementTimeout(Unavailable):
    """A statement took longer than it may. Whose statement it was knows whether that was the caller's doing."""


@contextmanager
def translated() -> Iterator[None]:
    """Trouble with the database itself becomes Unavailable; what a statement did wrong stays psycopg's error.

    Unavailable: no connection, a lost one, timeouts, deadlocks and serialisation failures: all worth a later retry.
    """
    try:
        yield
    except psycopg.errors.QueryCanceled as exc:
        raise StatementTimeout("The database took too long.") from exc
    except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
        raise Unavailable("The database is not available.") from exc


def _silent(connection: Connection) -> bool:
    """Whether nothing came in since the last statement: a server that has gone has said so, without being asked."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


async def _answers(connection: Connection) -> bool:
    if connection.closed:
        return False
    try:
        await connection.execute("")
    except (psycopg.OperationalError, psycopg.InterfaceError):
        return False
    return True


class _Adapters:
    """psycopg's default conversions, dict to jsonb, and what is binary already."""

    connection = None

    def __init__(self) -> None:
        self.adapters = _ADAPTERS


_ADAPTERS: Final = AdaptersMap(psycopg.adapters)
_ADAPTERS.register_dumper(dict, JsonbDumper)
_ADAPTERS.register_dumper(Binary, BinaryDumper)
