"""The embedded server: who may log in, what stays, what a crash leaves."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.local.postgres import MASTER, PostgresServer, attach_postgres, scratch_dir, start_postgres
from infra.local.processes import spawn


@pytest.fixture
def place() -> Iterator[Path]:
    folder = scratch_dir()
    yield folder
    if (server := attach_postgres(folder)) is not None:
        server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def server(place: Path) -> PostgresServer:
    return start_postgres(place, durable=False)


def one(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


def test_the_master_is_what_it_is_on_aurora(server: PostgresServer) -> None:
    flags = one(
        server.master_dsn,
        "SELECT ARRAY[rolsuper, rolbypassrls, rolcreaterole, rolcreatedb] FROM pg_roles WHERE rolname = current_user",
    )
    owner = one(server.master_dsn, "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()")
    assert flags == [False, False, True, True]
    assert owner == MASTER


def test_vectors_and_trigrams_are_there(server: PostgresServer) -> None:
    version = one(server.master_dsn, "SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    assert isinstance(version, str)
    assert tuple(map(int, version.split("."))) >= (0, 8, 0)
    assert one(server.master_dsn, "SELECT similarity('abc', 'abd')") == pytest.approx(1 / 3)


@pytest.mark.parametrize("user", ["postgres", MASTER])
def test_nobody_gets_in_without_the_password(server: PostgresServer, user: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.dsn(user, "guess"))


def test_it_listens_on_loopback_only(server: PostgresServer) -> None:
    assert one(server.superuser_dsn, "SHOW listen_addresses") == "127.0.0.1"
    assert one(server.superuser_dsn, "SHOW unix_socket_directories") == ""


def test_a_running_server_is_found_again(server: PostgresServer, place: Path) -> None:
    again = start_postgres(place, durable=False)
    assert again == server
    assert attach_postgres(place) == server


def test_data_survives_a_stop_and_a_kill(server: PostgresServer, place: Path) -> None:
    with psycopg.connect(server.master_dsn) as connection:
        connection.execute("CREATE TABLE kept (value int)")
        connection.execute("INSERT INTO kept VALUES (7)")
    server.stop()
    assert attach_postgres(place) is None
    second = start_postgres(place, durable=False)
    assert second.port == server.port
    second.process.end(number=signal.SIGKILL)
    assert one(start_postgres(place, durable=False).master_dsn, "SELECT value FROM kept") == 7


def test_a_pid_that_is_somebody_elses_now_does_not_stop_it(server: PostgresServer, place: Path) -> None:
    server.process.end(number=signal.SIGKILL)
    other = spawn(["/bin/sleep", "60"], env={}, log=place / "sleep.log")
    file = place / "data" / "postmaster.pid"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([str(other.pid), *lines[1:]]))
    assert attach_postgres(place) is None
    assert start_postgres(place, durable=False).process.pid != other.pid
    assert other.alive
    other.end()


def test_secrets_are_readable_by_their_owner_only(server: PostgresServer, place: Path) -> None:
    assert (place / "postgres.json").stat().st_mode & 0o077 == 0
    assert place.stat().st_mode & 0o007 == 0
    assert (place / "data").stat().st_mode & 0o077 == 0
    assert not (place / "initdb-password").exists()
