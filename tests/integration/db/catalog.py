"""What the catalog of a migrated database is asked."""

from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from tests.factories.cluster import Cluster

Rows = list[dict[str, Any]]

TENANT_TABLES: LiteralString = """
    SELECT c.oid, c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, c.relispartition AS leaf
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'atrium'::regnamespace
    ORDER BY c.relname"""


class Catalog:
    """Runs queries over one database's catalog as superuser."""

    def __init__(self, cluster: Cluster, database: str) -> None:
        self._dsn = cluster.server.dsn("postgres", cluster.server.superuser_password, database)

    def rows(self, query: LiteralString, **params: object) -> Rows:
        with psycopg.connect(self._dsn, row_factory=dict_row) as connection:
            return connection.execute(query, params).fetchall()

    def values(self, query: LiteralString, **params: object) -> list[Any]:
        """The first column."""
        return [next(iter(row.values())) for row in self.rows(query, **params)]

    def tenant_tables(self) -> list[str]:
        return [row["name"] for row in self.rows(TENANT_TABLES)]
