"""db/schema.sql is what the migrations make: a reader's copy, written by this file with `--update-schema`."""

import re
import subprocess
from pathlib import Path

import pytest

import atrium.db
from infra.local.postgres import MASTER, _program
from tests.factories.cluster import Cluster

FILE = Path(atrium.db.__file__).parent / "schema.sql"
HEADER = "-- What the migrations make, written by pg_dump: to read, never to run. Roles are in bootstrap.sql.\n"
# Session settings, the server's version and psql's random guard say nothing of the schema.
NOISE = re.compile(r"^(SET |SELECT pg_catalog\.set_config|\\(un)?restrict |-- Dumped |-- PostgreSQL database dump)")


async def test_the_schema_file_is_what_the_migrations_make(cluster: Cluster, pytestconfig: pytest.Config) -> None:
    with cluster.empty() as database:
        await cluster.migrator(database).bootstrap(MASTER, cluster.password)
        await cluster.migrator(database).migrate()
        schema = HEADER + readable(dump(cluster, database))
    if pytestconfig.getoption("--update-schema"):
        FILE.write_text(schema)
    assert FILE.read_text() == schema, "the schema changed: run pytest tests/integration/db/test_schema_file.py --update-schema"


def dump(cluster: Cluster, database: str) -> str:
    program = Path(_program("pg_dump"))
    dsn = cluster.server.dsn("postgres", cluster.server.superuser_password, database)
    command = [str(program), "--schema-only", "--no-comments", "--schema=atrium", "--schema=atrium_meta", f"--dbname={dsn}"]
    environment = {"LD_LIBRARY_PATH": str(program.parent.parent / "lib")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def readable(dumped: str) -> str:
    lines = (line for line in dumped.splitlines() if not NOISE.match(line))
    text = "\n".join(lines)
    text = re.sub(r"^--\n-- Name: (.*?); Type: .*?\n--$", r"-- \1", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"^--\n", "", text, flags=re.MULTILINE)).strip() + "\n"
