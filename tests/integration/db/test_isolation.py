"""Two tenants, every tenant table there is: neither reads, writes, moves or removes the other's rows."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests.factories.cluster import Cluster
from tests.integration.db.catalog import Catalog

SOON = datetime(2100, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def samples(tenant: UUID) -> dict[str, Row]:
    """One row of every tenant table, parents first. A new table needs one here."""
    user, document, prompt = uuid4(), uuid4(), uuid4()
    rows: dict[str, Row] = {
        "tenants": {"name": "A tenant"},
        "users": {"id": user, "email": f"{user}@example.com", "password_hash": "!", "role": "admin"},
        "refresh_tokens": {
            "id": uuid4(), "family_id": uuid4(), "user_id": user, "token_hash": uuid4().bytes * 2,
            "idle_expires_at": SOON, "family_expires_at": SOON,
        },
        "api_keys": {
            "id": uuid4(), "name": "a key", "key_id": uuid4().hex, "mac": bytes(32), "pepper_kid": "p", "last_four": "abcd",
            "role": "member", "created_by": "user:1",
        },
        "invitations": {
            "id": uuid4(), "email": f"{uuid4()}@example.com", "role": "member",
            "token_hash": uuid4().bytes * 2, "expires_at": SOON, "invited_by": "user:1",
        },
        "password_resets": {"user_id": user, "token_hash": uuid4().bytes * 2, "expires_at": SOON},
        "idempotency_keys": {
            "subject": "user:1", "route": "POST /", "key": "k", "fingerprint": bytes(32), "resource_id": uuid4(),
            "lease_until": SOON, "expires_at": SOON,
        },
        "kept_answers": {"key": bytes(32), "answer": Jsonb({}), "expires_at": SOON},
        "outbox": {"id": uuid4(), "type": "thing.done", "subject": "thing:1", "payload": Jsonb({})},
        "audit_log": {"id": uuid4(), "actor": "user:1", "action": "thing.done"},
        "audit_chains": {"seq": 1},
        "documents": {"id": document, "name": "a.txt", "created_by": "user:1"},
        "document_versions": {
            "document_id": document, "version": 1, "source": "api", "object_key": "k", "content_type": "text/plain", "size": 1,
        },
        "collections": {"name": "notes", "embedding_model": "test/four"},
        "drop_writes": {"object_key": "drop/a.txt", "sequencer": "1", "object_version_id": "v1", "document_id": document},
        "chunks": {
            "space_id": 1001, "id": uuid4(), "document_id": document, "version": 1, "ordinal": 0, "collection": "default",
            "char_start": 0, "char_end": 4, "text": "text", "embedding": "[1,-1,0.5,0]",
        },
        "chunk_bits": {"space_id": 1001, "document_id": document, "id": uuid4(), "bits": "1010"},
        "tenant_indexes": {"space_id": 1001, "chunks": 1},
        "model_overrides": {"model": "openai/gpt-4o", "enabled": False, "updated_by": "user:1"},
        "provider_keys": {"provider": "openai", "sealed": b"sealed", "last_four": "abcd", "updated_by": "user:1"},
        "prompts": {"id": prompt, "key": "greeting", "created_by": "user:1"},
        "prompt_versions": {"prompt_id": prompt, "version": 1, "messages": Jsonb([]), "created_by": "user:1"},
        "prompt_labels": {
            "prompt_id": prompt, "label": "production", "revision": 1, "variants": Jsonb([]), "created_by": "user:1",
        },
        "llm_defaults": {"type": "chat", "updated_by": "user:1"},
        "spending_limits": {"scope_id": tenant, "origin": "platform", "scope": "tenant", "monthly_budget": 5, "rate": 9},
        "ledger_balances": {"month": SOON, "scope_id": tenant, "scope": "tenant", "spent": 1},
        "ledger_reservations": {
            "id": uuid4(), "month": SOON, "kind": "chat", "model": "a/b", "feature": "chat", "bound": 1, "due_at": SOON,
        },
        "ledger_entries": {
            "id": uuid4(), "kind": "chat", "provider": "a", "model": "a/b", "feature": "chat", "request_id": "",
            "input_tokens": 1,
            "output_tokens": 1, "cached_tokens": 0, "units": 0, "cost": 1, "bound": 1, "outcome": "ok", "counted": True,
            "milliseconds": 1, "attempts": Jsonb([]), "created_at": SOON,
        },
        "usage_daily": {
            "day": SOON, "model": "a/b", "feature": "chat", "provider": "a", "calls": 1, "input_tokens": 1, "output_tokens": 1,
            "cached_tokens": 0, "cost": 1,
        },
        "erasures": {"requested_by": "user"},
    }  # fmt: skip
    return {table: {"tenant_id": tenant} | row for table, row in rows.items()}


class Two:
    """A database with a row of each tenant in every table, and the application's connection to it."""

    def __init__(self, cluster: Cluster, database: str) -> None:
        self.mine, self.theirs = samples(uuid4()), samples(uuid4())
        with cluster.superuser(database) as connection:
            for rows in (self.mine, self.theirs):
                for table, row in rows.items():
                    connection.execute(insert(table, row), row)
        settings = cluster.settings(database)
        dsn = cluster.server.dsn(settings.database_user, settings.database_password, database)
        self.app = psycopg.connect(dsn, row_factory=dict_row, autocommit=True)

    def rows(self, statement: sql.Composed, params: Row | None = None, *, tenant: UUID | None = None) -> list[Row]:
        """What the application sees and touches (RETURNING) under `tenant`, by default me; rolled back."""
        with self.app.transaction(force_rollback=True):
            setting = tenant or self.mine["tenants"]["tenant_id"]
            self.app.execute("SELECT set_config('app.tenant_id', %s, true)", [str(setting)])
            cursor = self.app.execute(statement, params)
            return cursor.fetchall() if cursor.description else [{}] * cursor.rowcount

    def touched(self, statement: sql.Composed, params: Row | None = None) -> int:
        """How many rows a statement touches; a refused one touches none."""
        try:
            return len(self.rows(statement, params))
        except psycopg.errors.InsufficientPrivilege:
            return 0


def insert(table: str, row: Row) -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join(map(sql.Placeholder, row))
    return sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier("atrium", table), columns, values)


def statement(template: LiteralString, table: str) -> sql.Composed:
    return sql.SQL(template).format(sql.Identifier("atrium", table))


@pytest.fixture(scope="module")
def two(cluster: Cluster) -> Iterator[Two]:
    with cluster.clone() as name:
        two = Two(cluster, name)
        yield two
        two.app.close()


TABLES = sorted(samples(uuid4()))


def test_every_tenant_table_has_a_sample(catalog: Catalog) -> None:
    leaves = catalog.values("SELECT relname FROM pg_class WHERE relispartition AND relnamespace = 'atrium'::regnamespace")
    assert sorted(set(catalog.tenant_tables()) - set(leaves)) == TABLES


@pytest.mark.parametrize("table", TABLES)
class TestAcross:
    def test_a_tenant_sees_its_row_alone(self, two: Two, table: str) -> None:
        seen = {row["tenant_id"] for row in two.rows(statement("SELECT tenant_id FROM {}", table))}
        assert seen == {two.mine[table]["tenant_id"]}

    def test_asking_for_the_others_row_finds_nothing(self, two: Two, table: str) -> None:
        query = statement("SELECT * FROM {} WHERE tenant_id = %(tenant_id)s", table)
        assert two.rows(query, two.theirs[table]) == []

    def test_no_row_is_written_for_the_other(self, two: Two, table: str) -> None:
        other = two.theirs[table]["tenant_id"]
        fresh = samples(other)[table]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            two.rows(insert(table, fresh), fresh)

    def test_the_others_row_is_not_updated(self, two: Two, table: str) -> None:
        theirs = two.theirs[table]
        column = next(name for name in reversed(theirs) if name not in {"tenant_id", "embedding"})
        update = sql.SQL("UPDATE {} SET {} = %(value)s WHERE tenant_id = %(tenant_id)s").format(
            sql.Identifier("atrium", table), sql.Identifier(column)
        )
        assert two.touched(update, theirs | {"value": theirs[column]}) == 0

    def test_no_row_moves_to_the_other(self, two: Two, table: str) -> None:
        assert two.touched(statement("UPDATE {} SET tenant_id = %(tenant_id)s", table), two.theirs[table]) == 0

    def test_the_others_row_is_not_deleted(self, two: Two, table: str) -> None:
        assert two.touched(statement("DELETE FROM {} WHERE tenant_id = %(tenant_id)s", table), two.theirs[table]) == 0

    def test_without_a_tenant_nothing_is_seen_or_written(self, two: Two, table: str) -> None:
        assert two.app.execute(statement("SELECT * FROM {}", table)).fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            two.app.execute(insert(table, two.mine[table]), two.mine[table])

    def test_no_table_is_truncated(self, two: Two, table: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            two.app.execute(statement("TRUNCATE {} CASCADE", table))


def test_a_reference_to_the_others_row_is_refused(two: Two) -> None:
    """Foreign keys are checked past row level security; they lead with the tenant, so there is nothing to find."""
    mine = two.mine["document_versions"] | {"document_id": two.theirs["documents"]["id"]}
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        two.rows(insert("document_versions", mine), mine)


def test_a_search_without_a_tenant_is_refused(two: Two) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"app\.tenant_id"):
        two.app.execute("SELECT * FROM atrium.search_chunks(1001::smallint, '[1,0,0,0]', 'text', '', null, null, null, null, 5)")


@pytest.mark.parametrize("table", ["chunks_1001", "operator_keys", "rate_buckets"])
def test_leaves_and_platform_tables_are_out_of_reach(two: Two, table: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        two.rows(statement("SELECT * FROM {}", table))


@pytest.mark.parametrize("role", ["atrium_definer", "atrium_migrator", "atrium_relay", "atrium_master", "postgres"])
def test_the_application_becomes_nobody_else(two: Two, role: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        two.app.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
