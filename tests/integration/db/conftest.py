import pytest

from infra.local.postgres import DATABASE
from tests.factories.cluster import Cluster
from tests.integration.db.catalog import Catalog


@pytest.fixture(scope="session")
def catalog(cluster: Cluster) -> Catalog:
    """The catalog of the template database, which no test writes to."""
    return Catalog(cluster, DATABASE)
