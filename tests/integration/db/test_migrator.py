"""The migrator against a real server, as the CREATEROLE master that Aurora has and never as superuser."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from atrium.db.__main__ import main
from atrium.db.migrations import MigrationRefused, read_migrations
from atrium.db.migrator import LOGINS, Migrator, Space
from atrium.kernel.errors import Unavailable
from atrium.kernel.settings import load_settings
from infra.local.postgres import DATABASE, MASTER
from infra.local.processes import wait_until
from tests.factories.cluster import SPACES, Cluster
from tests.integration.db.catalog import Catalog

TINY = Space(77, "test/tiny", 2, 16)


class Place:
    """A database with roles and nothing else, and a folder for migrations of the test's own."""

    def __init__(self, cluster: Cluster, database: str, folder: Path) -> None:
        self.cluster = cluster
        self.database = database
        self.folder = folder
        self.migrator = cluster.migrator(database, folder=folder)
        self.catalog = Catalog(cluster, database)

    def write(self, name: str, content: str) -> None:
        (self.folder / f"{name}.sql").write_text(content)

    def tables(self) -> list[str]:
        return self.catalog.values("SELECT tablename::text FROM pg_tables WHERE tableowner = 'atrium_migrator' ORDER BY 1")

    def ledger(self) -> list[int]:
        return self.catalog.values("SELECT number FROM atrium_meta.migrations ORDER BY number")


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    with cluster.empty() as name:
        yield name


@pytest.fixture
async def place(cluster: Cluster, empty: str, tmp_path: Path) -> Place:
    place = Place(cluster, empty, tmp_path)
    await place.migrator.bootstrap(MASTER, cluster.password)
    place.write("0001_first", "CREATE SCHEMA own; CREATE TABLE own.first (n int);")
    place.write("0002_second", "CREATE TABLE own.second (n int);")
    return place


async def test_files_run_in_order_and_once(place: Place) -> None:
    assert await place.migrator.migrate() == ["0001_first", "0002_second"]
    assert await place.migrator.migrate() == []
    assert place.tables() == ["first", "migrations", "second"]
    assert place.ledger() == [1, 2]


async def test_many_at_once_run_each_file_once(place: Place) -> None:
    place.write("0001_first", "SELECT pg_sleep(0.05); CREATE SCHEMA own; CREATE TABLE own.first (n int);")
    migrators = [place.cluster.migrator(place.database, folder=place.folder) for _ in range(5)]
    ran = await asyncio.gather(*(migrator.migrate() for migrator in migrators))
    assert sorted(label for labels in ran for label in labels) == ["0001_first", "0002_second"]
    assert place.ledger() == [1, 2]


async def test_a_changed_file_is_refused(place: Place) -> None:
    await place.migrator.migrate()
    place.write("0001_first", "CREATE SCHEMA own; CREATE TABLE own.first (n bigint);")
    place.write("0003_third", "CREATE TABLE own.third (n int);")
    with pytest.raises(MigrationRefused, match="0001_first was changed"):
        await place.migrator.migrate()
    assert place.ledger() == [1, 2]


async def test_code_older_than_the_database_is_refused(place: Place) -> None:
    await place.migrator.migrate()
    (place.folder / "0002_second.sql").unlink()
    with pytest.raises(MigrationRefused, match="0002_second, newer than this code"):
        await place.migrator.migrate()


async def test_a_failing_file_leaves_nothing_of_itself(place: Place) -> None:
    place.write("0002_second", "CREATE TABLE own.second (n int); CREATE TABLE own.third (n int); SELECT 1 / 0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await place.migrator.migrate()
    assert place.tables() == ["first", "migrations"]
    assert place.ledger() == [1]
    place.write("0002_second", "CREATE TABLE own.second (n int);")
    assert await place.migrator.migrate() == ["0002_second"]


async def test_a_crash_in_the_middle_leaves_nothing_of_it(place: Place) -> None:
    place.write("0002_second", "CREATE TABLE own.second (n int); SELECT pg_sleep(30);")
    running = asyncio.create_task(place.migrator.migrate())
    sleeping = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    assert await asyncio.to_thread(wait_until, lambda: place.catalog.values(sleeping) != [], 10)
    place.catalog.values(f"SELECT pg_terminate_backend(pid) FROM ({sleeping}) found")
    with pytest.raises(Unavailable, match="can run again"):
        await running
    assert place.tables() == ["first", "migrations"]
    place.write("0002_second", "CREATE TABLE own.second (n int);")
    assert await place.migrator.migrate() == ["0002_second"]


async def test_a_file_that_changes_roles_is_still_recorded_by_the_migrator(place: Place) -> None:
    place.write(
        "0002_second",
        "GRANT USAGE, CREATE ON SCHEMA own TO atrium_definer; SET LOCAL ROLE atrium_definer; CREATE TABLE own.second (n int);",
    )
    await place.migrator.migrate()
    assert place.catalog.values("SELECT tableowner::text FROM pg_tables WHERE tablename = 'second'") == ["atrium_definer"]
    assert place.ledger() == [1, 2]


async def test_an_older_pgvector_is_refused(place: Place) -> None:
    with place.cluster.superuser(place.database) as connection:
        connection.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
    with pytest.raises(MigrationRefused, match=r"0\.8\.0 or newer"):
        await place.migrator.migrate()
    with place.cluster.superuser(place.database) as connection:
        connection.execute("UPDATE pg_extension SET extversion = '0.10' WHERE extname = 'vector'")
    assert len(await place.migrator.migrate()) == 2


async def test_status_before_and_after(place: Place) -> None:
    done, waiting = await place.migrator.status()
    assert (done, [each.label for each in waiting]) == ([], ["0001_first", "0002_second"])
    await place.migrator.migrate()
    done, waiting = await place.migrator.status()
    assert ([(each.number, each.name) for each in done], waiting) == ([(1, "first"), (2, "second")], ())


async def test_bootstrapping_again_sets_the_password_again(place: Place) -> None:
    """The same one here, because roles are the whole server's; the verifier has a new salt."""
    read = "SELECT rolpassword FROM pg_authid WHERE rolname = ANY (ARRAY['atrium_migrator', 'atrium_app', 'atrium_relay'])"
    before = place.catalog.values(read)
    await place.migrator.bootstrap(MASTER, place.cluster.password)
    assert len(set(before) | set(place.catalog.values(read))) == 6
    assert all(verifier.startswith("SCRAM-SHA-256$") for verifier in before)
    for role in LOGINS:
        with psycopg.connect(place.cluster.server.dsn(role, place.cluster.password, place.database)) as connection:
            assert connection.execute("SELECT session_user::text").fetchone() == (role,)


async def test_bootstrapping_without_a_password_sets_none(place: Place) -> None:
    """On AWS the roles log in with IAM tokens."""
    read = "SELECT rolpassword FROM pg_authid WHERE rolname = 'atrium_app'"
    before = place.catalog.values(read)
    settings = place.cluster.settings(place.database).model_copy(update={"database_password": ""})
    await Migrator(settings, folder=place.folder).bootstrap(MASTER, place.cluster.password)
    assert place.catalog.values(read) == before


async def test_a_login_that_is_refused_is_unavailable(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atrium.db.migrator._CONNECT_PAUSE", 0)
    with pytest.raises(Unavailable, match="nobody_of_ours"):
        await place.migrator.bootstrap("nobody_of_ours", "wrong")


class TestSpaces:
    async def test_a_space_gets_its_partition_once(self, cluster: Cluster) -> None:
        with cluster.clone() as name:
            for _ in range(2):
                await cluster.migrator(name).declare_spaces([TINY])
            rows = Catalog(cluster, name).rows(
                "SELECT id, model, dimensions, max_tokens FROM atrium.embedding_spaces WHERE id = 77"
            )
            leaves = Catalog(cluster, name).values("SELECT to_regclass('atrium.chunks_77')::text")
        assert [tuple(row.values()) for row in rows] == [tuple(TINY)]
        assert leaves == ["atrium.chunks_77"]

    @pytest.mark.parametrize(
        "changed", [SPACES[0]._replace(dimensions=385), SPACES[0]._replace(max_tokens=1), SPACES[0]._replace(model="other")]
    )
    async def test_a_space_never_changes(self, cluster: Cluster, changed: Space) -> None:
        with cluster.clone() as name:
            with pytest.raises(MigrationRefused, match="embedding space 1"):
                await cluster.migrator(name).declare_spaces([TINY, changed])
            assert Catalog(cluster, name).values("SELECT to_regclass('atrium.chunks_77')") == [None]

    async def test_a_model_has_one_space(self, cluster: Cluster) -> None:
        with cluster.clone() as name, pytest.raises(MigrationRefused):
            await cluster.migrator(name).declare_spaces([SPACES[0]._replace(id=9)])


class TestCommands:
    @pytest.fixture(autouse=True)
    def environment(self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_PORT", str(cluster.server.port))
        monkeypatch.setenv("DATABASE_NAME", DATABASE)
        monkeypatch.setenv("DATABASE_PASSWORD", cluster.password)
        monkeypatch.setattr("atrium.db.__main__.load_settings", load_settings.__wrapped__)  # not those another test read

    def test_status_lists_what_ran(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["status"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[-1] for line in lines] == [migration.label for migration in read_migrations()]

    def test_migrate_as_the_master(self, empty: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setenv("DATABASE_NAME", empty)
        monkeypatch.setenv("DATABASE_USER", MASTER)
        assert main(["migrate"]) == 0
        assert main(["migrate"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines == [*(f"applied {migration.label}" for migration in read_migrations()), "nothing to do"]

    def test_a_refusal_is_one_line(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setenv("DATABASE_PASSWORD", "wrong")
        monkeypatch.setattr("atrium.db.migrator._CONNECT_PAUSE", 0)
        assert main(["status"]) == 1
        assert "does not let atrium_migrator in" in capsys.readouterr().err
