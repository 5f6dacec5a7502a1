"""Brings a database to this code's schema: roles as the master, everything else as `atrium_migrator`.

Every verb can run again, at the same time as another, and after a crash in the middle: a migration and its line in the
ledger are one transaction, under an advisory lock that ends with it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from atrium.db.connections import Connection, PasswordSource, connect
from atrium.db.migrations import FOLDER, Applied, Migration, MigrationRefused, pending, read_migrations
from atrium.db.queries import load_queries
from atrium.kernel.errors import Unavailable
from atrium.kernel.settings import Settings

MIGRATOR: Final = "atrium_migrator"
LOGINS: Final = (MIGRATOR, "atrium_app", "atrium_relay")
_BOOTSTRAP: Final = Path(__file__).parent / "bootstrap.sql"
_OLDEST_PGVECTOR: Final = (0, 8, 0)
# A backfill may take long; the function that runs it has 15 minutes.
_STATEMENT_TIMEOUT: Final = 840
_CONNECT_ATTEMPTS: Final = 3
_CONNECT_PAUSE: Final = 1

queries = load_queries(__package__)


class Space(NamedTuple):
    """An embedding space: vectors of one model. `max_tokens` is its window."""

    id: int
    model: str
    dimensions: int
    max_tokens: int


class Migrator:
    """One database's migrator. `settings` say where it is; its role is always `atrium_migrator`.

    Without `password` (IAM tokens) the role logs in with `settings.database_password`. Errors of every verb:
    MigrationRefused, Unavailable, and psycopg's own for a migration that is wrong.
    """

    def __init__(self, settings: Settings, *, password: PasswordSource | None = None, folder: Path = FOLDER) -> None:
        self._settings = settings
        self._password = password
        self._folder = folder

    async def bootstrap(self, master: str, master_password: str) -> None:
        """As the cluster's master: extensions, roles, and the logins' password where `settings` has one."""
        async with _connection(_as(self._settings, master, master_password), None) as connection, connection.transaction():
            await connection.execute(queries.lock_migrations)
            await connection.execute(_read_sql(_BOOTSTRAP))
            if self._settings.database_password:
                for role in LOGINS:
                    await _set_password(connection, role, self._settings.database_password)

    async def migrate(self) -> list[str]:
        """Run what is pending, each file in its own transaction; the labels of what this call ran."""
        migrations = read_migrations(self._folder)
        ran: list[str] = []
        async with self._connection() as connection:
            await _require_pgvector(connection)
            while (migration := await _apply_next(connection, migrations)) is not None:
                ran.append(migration.label)
        return ran

    async def status(self) -> tuple[list[Applied], tuple[Migration, ...]]:
        """What ran, and what would run now."""
        async with self._connection() as connection:
            found = await (await connection.execute(queries.has_ledger)).fetchone()
            done = await _applied(connection) if found and found["found"] else []
        return done, pending(read_migrations(self._folder), done)

    async def declare_spaces(self, spaces: Iterable[Space]) -> None:
        """Give every space its partition. MigrationRefused when one exists with another model, length or window."""
        async with self._connection() as connection, connection.transaction():
            await connection.execute(queries.lock_migrations)
            for space in spaces:
                try:
                    await connection.execute(queries.declare_space, space._asdict())
                except (psycopg.errors.RaiseException, psycopg.errors.UniqueViolation) as exc:
                    raise MigrationRefused(exc.diag.message_primary or "an embedding space cannot be declared") from exc

    async def set_operator_key(self, *, key_id: str, mac: bytes, pepper_kid: str, digest: bytes) -> None:
        """Make this the deployment's one operator key; any other is revoked. `digest`: SHA-256 of its text."""
        row = {"key_id": key_id, "mac": mac, "pepper_kid": pepper_kid, "digest": digest}
        async with self._connection() as connection, connection.transaction():
            await connection.execute(queries.put_operator_key, row)
            await connection.execute(queries.revoke_other_operator_keys, {"key_id": key_id})

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        settings = _as(self._settings, MIGRATOR, self._settings.database_password)
        async with _connection(settings, self._password) as connection:
            yield connection


def _as(settings: Settings, user: str, password: str) -> Settings:
    changes: dict[str, Any] = {
        "database_user": user,
        "database_password": password,
        "database_statement_timeout": _STATEMENT_TIMEOUT,
    }
    return settings.model_copy(update=changes)


@asynccontextmanager
async def _connection(settings: Settings, password: PasswordSource | None) -> AsyncIterator[Connection]:
    connection = await _connect(settings, password)
    try:
        yield connection
    except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
        raise Unavailable(f"The step at hand was undone; it can run again: {exc}") from exc
    finally:
        await connection.close()


async def _connect(settings: Settings, password: PasswordSource | None, attempts: int = _CONNECT_ATTEMPTS) -> Connection:
    """A new cluster, or one that was paused, may refuse the first attempts."""
    try:
        return await connect(settings, password)
    except psycopg.OperationalError as exc:
        if attempts == 1:
            raise Unavailable(f"The database does not let {settings.database_user} in: {exc}") from exc
    await asyncio.sleep(_CONNECT_PAUSE)
    return await _connect(settings, password, attempts - 1)


async def _apply_next(connection: Connection, migrations: tuple[Migration, ...]) -> Migration | None:
    async with connection.transaction():
        await connection.execute(queries.lock_migrations)
        waiting = pending(migrations, await _ledger(connection))
        if not waiting:
            return None
        migration = waiting[0]
        await connection.execute(migration.sql)
        await connection.execute(queries.reset_role)
        row = {"number": migration.number, "name": migration.name, "checksum": migration.checksum}
        await connection.execute(queries.record_applied, row)
        return migration


async def _ledger(connection: Connection) -> list[Applied]:
    found = await (await connection.execute(queries.has_ledger)).fetchone()
    if not (found and found["found"]):
        await connection.execute(queries.create_ledger_schema)
        await connection.execute(queries.create_ledger)
    return await _applied(connection)


async def _applied(connection: Connection) -> list[Applied]:
    return [Applied.from_row(row) async for row in await connection.execute(queries.applied)]


async def _require_pgvector(connection: Connection) -> None:
    row = await (await connection.execute(queries.pgvector_version)).fetchone()
    version = row["version"] if row else None
    if version is None or tuple(int(part) for part in version.split(".")) < _OLDEST_PGVECTOR:
        oldest = ".".join(map(str, _OLDEST_PGVECTOR))
        raise MigrationRefused(f"pgvector {oldest} or newer is needed, the database has {version or 'none'}")


async def _set_password(connection: Connection, role: str, password: str) -> None:
    """Only the verifier travels, so that no statement log holds the password."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    await connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))


def _read_sql(path: Path) -> LiteralString:
    return path.read_text(encoding="utf-8")
