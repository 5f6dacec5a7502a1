"""What every test may ask for: a migrated database of its own, principals of two tenants, a connection for assertions."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from atrium.db import Database
from atrium.kernel.principal import Principal
from atrium.kernel.settings import Settings
from infra.local.postgres import SUPERUSER
from tests.factories.cluster import Cluster, Run
from tests.factories.tenancy import make_tenant
from tests.fakes.model import model_dir, ocr_data_dir  # noqa: F401  fixtures
from tests.fakes.network import no_real_network  # noqa: F401  a fixture, for every test

_RUN = pytest.StashKey[Run]()
_STATE_DIR = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-schema", action="store_true", help="write db/schema.sql anew instead of comparing it")


def pytest_configure(config: pytest.Config) -> None:
    """Under xdist the controller decides where the server lives, and its workers are told."""
    given: str | None = getattr(config, "workerinput", {}).get("postgres_state_dir")
    if given is None:
        config.stash[_RUN] = Run()
    config.stash[_STATE_DIR] = Path(given) if given else config.stash[_RUN].state_dir


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["postgres_state_dir"] = str(node.config.stash[_STATE_DIR])


def pytest_unconfigure(config: pytest.Config) -> None:
    if _RUN in config.stash:
        config.stash[_RUN].end()


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """The run's Postgres, for tests of the data core itself."""
    return Cluster(pytestconfig.stash[_STATE_DIR])


@pytest.fixture
def settings(cluster: Cluster) -> Iterator[Settings]:
    """Settings of a fresh, migrated database, as `atrium_app`; everything else as `make up` has it."""
    with cluster.clone() as name:
        yield cluster.settings(name)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """A fresh, migrated database as the application sees it."""
    database = Database(settings)
    yield database
    await database.close()


@pytest.fixture
async def admin_connection(cluster: Cluster, settings: Settings) -> AsyncIterator[psycopg.AsyncConnection[dict[str, Any]]]:
    """The same database past row level security, in autocommit: for making rows and for assertions."""
    dsn = cluster.server.dsn(SUPERUSER, cluster.server.superuser_password, settings.database_name)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
async def tenant(admin_connection: psycopg.AsyncConnection[dict[str, Any]]) -> Principal:
    """The admin of a freshly made tenant."""
    return await make_tenant(admin_connection, name="First")


@pytest.fixture
async def other_tenant(admin_connection: psycopg.AsyncConnection[dict[str, Any]]) -> Principal:
    """The admin of another tenant, who must never see the first one's rows."""
    return await make_tenant(admin_connection, name="Second")
