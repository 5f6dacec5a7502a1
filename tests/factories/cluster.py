"""One embedded Postgres for a whole test run, also under xdist: whoever needs it first starts it, the run's controller
stops it. The migrated database is a template; a test that commits gets a clone of it, in about 20 ms."""

import asyncio
import fcntl
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from atrium.db.migrator import Migrator, Space
from atrium.kernel.settings import Settings
from infra.local.postgres import DATABASE, MASTER, SUPERUSER, PostgresServer, attach_postgres, start_postgres
from infra.local.state import PLACE, private_dir

PASSWORD: Final = "of-the-test-roles"
# Small spaces make small vectors; the shipped model's is there too, under its own number.
SPACES: Final = (
    Space(1, "local/all-minilm-l6-v2", 384, 256),
    Space(1001, "test/four", 4, 64),
)


def new_state_dir() -> Path:
    """Where this run's server will live, when a test needs it; nothing is made yet."""
    return PLACE / f"atrium-tests-{secrets.token_hex(6)}"


class Cluster:
    """The run's server, seen from one test process."""

    def __init__(self, state_dir: Path) -> None:
        private_dir(state_dir)
        with (state_dir / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.server: Final[PostgresServer] = start_postgres(state_dir, durable=False)
            if not (state_dir / "migrated").exists():
                asyncio.run(self._migrate_template())
                (state_dir / "migrated").touch()

    def settings(self, database: str, *, user: str = "atrium_app", password: str = PASSWORD, pool_size: int = 4) -> Settings:
        """How a role reaches a database of this server."""
        return Settings(
            database_host=self.server.host, database_port=self.server.port, database_name=database,
            database_user=user, database_password=password, database_pool_size=pool_size,
        )  # fmt: skip

    @contextmanager
    def clone(self) -> Iterator[str]:
        """A copy of the migrated database, dropped afterwards; its name."""
        with self.empty(template=DATABASE) as name:
            yield name

    @contextmanager
    def empty(self, template: str = "template0") -> Iterator[str]:
        """A database of the master's without anything of ours in it, dropped afterwards; its name."""
        name = sql.Identifier(f"test_{secrets.token_hex(6)}")
        create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy")
        with self.superuser("postgres") as connection:
            connection.execute(create.format(name, sql.Identifier(MASTER), sql.Identifier(template)))
            try:
                yield name.as_string().strip('"')
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    @contextmanager
    def superuser(self, database: str) -> Iterator[psycopg.Connection]:
        """A connection that bypasses row level security."""
        dsn = self.server.dsn(SUPERUSER, self.server.superuser_password, database)
        with psycopg.connect(dsn, autocommit=True) as connection:
            yield connection

    def migrator(self, database: str, *, folder: Path | None = None) -> Migrator:
        """The migrator of a database, which gives the roles the tests' password."""
        settings = self.settings(database)
        return Migrator(settings) if folder is None else Migrator(settings, folder=folder)

    async def _migrate_template(self) -> None:
        migrator = self.migrator(DATABASE)
        await migrator.bootstrap(MASTER, self.server.master_password)
        await migrator.migrate()
        await migrator.declare_spaces(SPACES)


def remove(state_dir: Path) -> None:
    """Stop the run's server, if any test started it, and forget it."""
    if not state_dir.exists():
        return
    if (server := attach_postgres(state_dir)) is not None:
        server.stop()
    shutil.rmtree(state_dir)
