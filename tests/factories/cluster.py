"""One embedded Postgres for a whole test run, also under xdist: whoever needs it first starts it, the run's controller
stops it. The migrated database is a template; a test that commits gets a clone of it, in about 25 ms."""

import asyncio
import fcntl
import os
import secrets
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from atrium.db.migrator import Migrator, Space
from atrium.kernel.settings import Settings
from atrium.providers.catalogue import embedding_spaces
from infra.local import processes
from infra.local.postgres import DATABASE, EXTENSIONS, MASTER, SUPERUSER, PostgresServer, attach_postgres, start_postgres
from infra.local.state import PLACE

# What is shipped, and a space of small vectors.
SPACES: Final = (*(Space(*each) for each in embedding_spaces()), Space(1001, "test/four", 4, 64))


# Memory, where the system offers it: on some disks a clone's few hundred files take twenty times as long.
_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = 2 * 1024**3  # bytes: a server, and a few dozen clones of it
_PREFIX: Final = f"atrium-tests-{os.geteuid()}-"
# A claim is made a moment before it is locked.
_CLAIMING_SECONDS: Final = 10


class Run:
    """A test run's claim on a place for its server, made in the run's controller; `state_dir` is made by whoever needs it.

    The claim is a lock that dies with the process, so that the next run finds and ends what a killed one left behind.
    """

    def __init__(self) -> None:
        _sweep()
        self.state_dir: Final = _place() / f"{_PREFIX}{secrets.token_hex(6)}"
        self._claim = _claim_of(self.state_dir).open("x")
        fcntl.flock(self._claim, fcntl.LOCK_EX)

    def end(self) -> None:
        """Stop the run's server, if any test started it, and forget it."""
        _remove(self.state_dir)
        self._claim.close()


def _place() -> Path:
    """Where a run's server keeps everything, its programs too."""
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK):
        memory = os.statvfs(_MEMORY)
        if memory.f_bavail * memory.f_frsize > _ROOM and not memory.f_flag & os.ST_NOEXEC:
            return _MEMORY
    return PLACE


def _claim_of(state_dir: Path) -> Path:
    return state_dir.with_suffix(".run")


def _sweep() -> None:
    for claim in (claim for place in (_MEMORY, PLACE) for claim in place.glob(f"{_PREFIX}*.run")):
        with suppress(OSError), claim.open("r+") as file:  # another run sweeps too, or this one still runs
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - claim.stat().st_mtime > _CLAIMING_SECONDS:
                _remove(claim.with_suffix(""))


def _remove(state_dir: Path) -> None:
    if state_dir.exists():
        if (server := attach_postgres(state_dir)) is not None:
            server.stop()
        shutil.rmtree(state_dir)
    _claim_of(state_dir).unlink(missing_ok=True)


class Cluster:
    """The run's server, seen from one test process. `durable`: it waits for its disk, as in production."""

    def __init__(self, state_dir: Path, *, durable: bool = False) -> None:
        self._state_dir = state_dir
        state_dir.mkdir(mode=0o700, exist_ok=True)
        with self._alone():
            self.server: Final[PostgresServer] = start_postgres(state_dir, durable=durable)
            _let_outlive(self.server)
            if not (state_dir / "migrated").exists():
                asyncio.run(self._migrate_template())
                (state_dir / "migrated").touch()

    @property
    def password(self) -> str:
        """Of every role but the superuser, as in the local cloud."""
        return self.server.master_password

    def settings(self, database: str, *, user: str = "atrium_app", pool_size: int = 4) -> Settings:
        """How a role reaches a database of this server."""
        return Settings(
            database_host=self.server.host, database_port=self.server.port, database_name=database,
            database_user=user, database_password=self.password, database_pool_size=pool_size,
        )  # fmt: skip

    @contextmanager
    def clone(self) -> Iterator[str]:
        """A copy of the migrated database, dropped afterwards; its name."""
        with self._database(DATABASE) as name:
            yield name

    @contextmanager
    def empty(self) -> Iterator[str]:
        """A database as Aurora gives it: the master's, with the extensions that only a superuser can make; its name."""
        # Roles belong to the server: two databases of it must not be bootstrapped at the same time.
        with self._alone(), self._database("template0") as name:
            with self.superuser(name) as connection:
                for extension in EXTENSIONS:
                    connection.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(extension)))
            yield name

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._state_dir / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _database(self, template: str) -> Iterator[str]:
        name = f"test_{secrets.token_hex(6)}"
        identifier = sql.Identifier(name)
        create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy")
        with self.superuser("postgres") as connection:
            connection.execute(create.format(identifier, sql.Identifier(MASTER), sql.Identifier(template)))
            try:
                yield name
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))

    @contextmanager
    def superuser(self, database: str) -> Iterator[psycopg.Connection]:
        """A connection that bypasses row level security."""
        dsn = self.server.dsn(SUPERUSER, self.server.superuser_password, database)
        with psycopg.connect(dsn, autocommit=True) as connection:
            yield connection

    def migrator(self, database: str, *, folder: Path | None = None) -> Migrator:
        """The migrator of a database; its bootstrap gives the roles the password that they have."""
        settings = self.settings(database)
        return Migrator(settings) if folder is None else Migrator(settings, folder=folder)

    async def _migrate_template(self) -> None:
        migrator = self.migrator(DATABASE)
        await migrator.bootstrap(MASTER, self.password)
        await migrator.migrate()
        await migrator.declare_spaces(SPACES)


def _let_outlive(server: PostgresServer) -> None:
    """An xdist worker ends before the server that it started; Popen would warn of that at the worker's exit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        processes._children.pop(server.process.pid, None)
