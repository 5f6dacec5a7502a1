"""The rules of tenant isolation, checked on whatever tables, roles and functions the migrations made."""

from typing import Any

import pytest

from infra.local.postgres import MASTER, SUPERUSER
from tests.integration.db.catalog import TENANT_TABLES, Catalog

LOGINS = ("atrium_migrator", "atrium_app", "atrium_relay")
ROLES = (*LOGINS, "atrium_definer")

# Tables that belong to the deployment. A new one is listed here with a reason, or has a tenant_id.
PLATFORM_TABLES = {
    "embedding_spaces",  # what the model data file declares
    "operator_keys",  # the operator is no tenant's
    "platform_prompts",  # every tenant reads them, the operator writes them
    "platform_prompt_labels",
    "platform_prompt_versions",
    "rate_buckets",  # public routes are limited before a tenant is known
    "usage_folded",  # sums over all tenants
    "usage_told",  # the same, as of the last sweep
}
# Policies beside tenant, owner and definer: what the relay may see of every tenant.
RELAY_POLICIES = {
    ("outbox", "*"),
    ("document_versions", "r"),
    ("documents", "r"),
    ("erasures", "r"),
    ("refresh_tokens", "*"),
    ("idempotency_keys", "*"),
    ("api_keys", "*"),
    ("invitations", "*"),
    ("password_resets", "*"),
    ("kept_answers", "*"),
    ("ledger_reservations", "r"),
    ("audit_log", "r"),
    ("audit_chains", "r"),
    ("usage_daily", "r"),
}
RELAY_RIGHTS = {
    "outbox": "DELETE,SELECT,UPDATE",
    "rate_buckets": "DELETE,SELECT",
    "erasures": "SELECT",
    "refresh_tokens": "DELETE",
    "idempotency_keys": "DELETE",
    "api_keys": "DELETE",
    "invitations": "DELETE",
    "password_resets": "DELETE",
    "kept_answers": "DELETE",
}
# Where it may not read whole rows: nothing secret, nothing of a document's content.
RELAY_COLUMNS = {
    "documents": {"tenant_id", "id", "deleted_at", "objects_removed_at"},
    "document_versions": {"tenant_id", "document_id", "status", "created_at", "updated_at"},
    "refresh_tokens": {"ctid", "tenant_id", "family_id", "parent_id", "idle_expires_at"},
    "idempotency_keys": {"ctid", "expires_at"},
    "api_keys": {"ctid", "expires_at", "revoked_at"},
    "invitations": {"ctid", "expires_at"},
    "password_resets": {"ctid", "expires_at"},
    "kept_answers": {"ctid", "expires_at"},
    "ledger_reservations": {"tenant_id", "id", "due_at"},
    "audit_log": {"tenant_id", "at", "seq"},
    "audit_chains": {"tenant_id", "ledger_day"},
    "usage_daily": {"tenant_id", "day"},
}  # fmt: skip
# Unique over the whole deployment, because they are looked up before a tenant is known.
GLOBAL_KEYS = {"users_email", "refresh_tokens_hash", "api_keys_key_id", "invitations_hash", "password_resets_hash"}
# Every function that runs with atrium_definer's rights: it sees all tenants' rows, so its body is reviewed.
DEFINER_FUNCTIONS = {
    "admit_key",
    "admit_user",
    "auth_accept",
    "auth_admit_key",
    "auth_admit_user",
    "auth_forgot",
    "auth_login",
    "auth_login_failed",
    "auth_operator",
    "auth_operator_digest",
    "auth_refresh",
    "auth_register",
    "auth_reset",
    "auth_take",
    "auth_throttle",
    "close_ledger_day",
    "erase_rows",
    "erase_tenant",
    # These four take the tenant and ask only that no other one's transaction is open: a call is one statement (ADR 27).
    "ledger_abandon",
    "ledger_record",
    "ledger_reserve",
    "ledger_settle",
    "ledger_digest",
    "ledger_figures",
    "limit_own",
    "limit_tenant",
    "platform_figures",
    "platform_prompt_add",
    "platform_prompt_create",
    "platform_prompt_delete",
    "platform_prompt_point",
    "seal_audit",
    "search_chunks",
    "search_elsewhere",
    "usage_figures",
    "usage_fold_old",
    "usage_tell",
}
# Parts of those, which nobody else may call.
DEFINER_PARTS = {
    "acting_operator",
    "audit_canonical",
    "budget_threshold",
    "key_matches",
    "ledger_charge",
    "ledger_enter",
    "ledger_take",
    "ledger_tenant",
    "ledger_text",
    "limit_put",
    "limits_of",
    "matching_chunks",
    "nearest_by_bits",
    "nearest_by_index",
    "nearest_chunks",
    "question_words",
    "required_tenant",
    "search_scope",
    "take_token",
    "take_tokens",
    "tenant_tables",
    "usage_fold",
}
# Functions and procedures of the migrator's, with the caller's rights.
INVOKER_FUNCTIONS = {
    "current_tenant", "declare_embedding_space", "keep_bits", "protect", "refuse_erased", "refuse_sealed", "stemmed_vector",
    "tenant_stays", "text_vector", "unspaced_letters", "unspaced_vector",
}  # fmt: skip
PINNED_PATH = "search_path=atrium, public, pg_temp"

FUNCTIONS = """SELECT p.proname AS name, p.prosecdef AS definer, p.proowner::regrole::text AS owner, p.proconfig AS config,
        coalesce((SELECT array_agg(CASE WHEN e.grantee = 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END)
                  FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) e), '{}') AS grantees
    FROM pg_proc p WHERE p.pronamespace = 'atrium'::regnamespace ORDER BY 1"""


class TestRoles:
    def test_none_has_powers_over_the_cluster(self, catalog: Catalog) -> None:
        rows = catalog.rows(
            """SELECT rolname AS name, rolcanlogin AS login,
                      rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS powerful
               FROM pg_roles WHERE rolname LIKE 'atrium%%'"""
        )
        found = {row["name"]: (row["login"], row["powerful"]) for row in rows if row["name"] != MASTER}
        assert found == {role: (role in LOGINS, False) for role in ROLES}

    def test_only_the_superuser_bypasses_row_level_security(self, catalog: Catalog) -> None:
        assert catalog.values("SELECT rolname FROM pg_roles WHERE rolbypassrls OR rolsuper") == [SUPERUSER]

    def test_the_migrator_alone_may_become_another_role(self, catalog: Catalog) -> None:
        rows = catalog.rows(
            """SELECT login.rolname AS login, other.rolname AS other FROM pg_roles login, pg_roles other
               WHERE login.rolname = ANY (%(logins)s) AND login.oid <> other.oid
                 AND (pg_has_role(login.oid, other.oid, 'SET') OR pg_has_role(login.oid, other.oid, 'USAGE'))""",
            logins=list(LOGINS),
        )
        assert rows == [{"login": "atrium_migrator", "other": "atrium_definer"}]

    def test_memberships_are_the_migrators_and_the_masters_automatic_ones(self, catalog: Catalog) -> None:
        rows = catalog.rows(
            """SELECT roleid::regrole::text AS role, member::regrole::text AS member,
                      admin_option AS admin, inherit_option AS inherit, set_option AS set
               FROM pg_auth_members
               WHERE roleid::regrole::text = ANY (%(roles)s) OR member::regrole::text = ANY (%(roles)s)""",
            roles=list(ROLES),
        )
        automatic = [{"role": role, "member": MASTER, "admin": True, "inherit": False, "set": False} for role in ROLES]
        granted = {"role": "atrium_definer", "member": "atrium_migrator", "admin": False, "inherit": False, "set": True}
        assert sorted(rows, key=str) == sorted([*automatic, granted], key=str)

    @pytest.mark.parametrize("schema", ["atrium", "atrium_meta", "public"])
    def test_the_application_creates_nothing(self, catalog: Catalog, schema: str) -> None:
        rows = catalog.values(
            "SELECT r FROM unnest(ARRAY['atrium_app', 'atrium_relay']) r WHERE has_schema_privilege(r, %(schema)s, 'CREATE')",
            schema=schema,
        )
        assert rows == []


class TestTables:
    def test_each_is_a_tenants_or_listed(self, catalog: Catalog) -> None:
        tables = catalog.values(
            "SELECT relname FROM pg_class WHERE relnamespace = 'atrium'::regnamespace AND relkind IN ('r', 'p')"
        )
        assert set(tables) - set(catalog.tenant_tables()) == PLATFORM_TABLES

    def test_each_is_the_migrators(self, catalog: Catalog) -> None:
        owners = catalog.values(
            """SELECT DISTINCT relowner::regrole::text FROM pg_class
               WHERE relnamespace IN ('atrium'::regnamespace, 'atrium_meta'::regnamespace) AND relkind <> 'c'"""
        )
        assert owners == ["atrium_migrator"]

    def test_tenants_tables_force_row_level_security(self, catalog: Catalog) -> None:
        rows = catalog.rows(TENANT_TABLES)
        assert len(rows) > 10
        assert [row["name"] for row in rows if not (row["enabled"] and row["forced"])] == []

    def test_tenants_tables_have_the_three_policies(self, catalog: Catalog) -> None:
        rule = "(tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS \"nullif\"))"
        expected = {
            ("tenant", "atrium_app", "*", True, rule, rule),
            ("owner", "atrium_migrator", "*", True, "true", "true"),
            ("definer", "atrium_definer", "*", True, "true", "true"),
        }
        for table in catalog.tenant_tables():
            assert {policy for policy in self._policies(catalog, table) if policy[0] != "relay"} == expected, table

    def test_the_relay_sees_named_tables_only(self, catalog: Catalog) -> None:
        found = {
            (table, policy[2])
            for table in catalog.tenant_tables()
            for policy in self._policies(catalog, table)
            if policy[0] == "relay" and policy[1] == "atrium_relay"
        }
        assert found == RELAY_POLICIES

    def test_the_relay_has_these_rights_and_no_others(self, catalog: Catalog) -> None:
        rows = catalog.rows(
            """SELECT c.relname, string_agg(e.privilege_type, ',' ORDER BY e.privilege_type) AS rights
               FROM pg_class c, aclexplode(c.relacl) e
               WHERE c.relnamespace = 'atrium'::regnamespace AND e.grantee = 'atrium_relay'::regrole GROUP BY 1"""
        )
        assert {row["relname"]: row["rights"] for row in rows} == RELAY_RIGHTS

    def test_the_relay_reads_these_columns_and_no_others(self, catalog: Catalog) -> None:
        rows = catalog.rows(
            """SELECT c.relname, array_agg(a.attname::text) AS columns, array_agg(DISTINCT e.privilege_type) AS rights
               FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid, aclexplode(a.attacl) e
               WHERE c.relnamespace = 'atrium'::regnamespace AND e.grantee = 'atrium_relay'::regrole GROUP BY 1"""
        )
        assert {row["relname"]: set(row["columns"]) for row in rows} == RELAY_COLUMNS
        assert all(row["rights"] == ["SELECT"] for row in rows)

    def test_nobody_but_the_owner_truncates_references_or_triggers(self, catalog: Catalog) -> None:
        rows = catalog.rows(
            """SELECT c.relname, e.grantee::regrole::text AS grantee, e.privilege_type
               FROM pg_class c, aclexplode(c.relacl) e
               WHERE c.relnamespace IN ('atrium'::regnamespace, 'atrium_meta'::regnamespace) AND c.relkind IN ('r', 'p', 'v')
                 AND e.grantee <> c.relowner
                 AND (e.grantee = 0 OR e.is_grantable OR e.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))"""
        )
        assert rows == []

    def test_the_ledger_is_out_of_everyones_sight(self, catalog: Catalog) -> None:
        grants = catalog.values("SELECT count(*) FROM pg_namespace n, aclexplode(n.nspacl) e WHERE n.nspname = 'atrium_meta'")
        assert grants == [0]

    def test_views_run_with_the_callers_rights_and_none_is_materialized(self, catalog: Catalog) -> None:
        rows = catalog.rows(
            """SELECT relname, relkind FROM pg_class WHERE relnamespace = 'atrium'::regnamespace
                 AND (relkind = 'm' OR relkind = 'v' AND NOT coalesce(reloptions @> ARRAY['security_invoker=true'], false))"""
        )
        assert rows == []

    @staticmethod
    def _policies(catalog: Catalog, table: str) -> list[tuple[Any, ...]]:
        rows = catalog.rows(
            """SELECT polname, (SELECT string_agg(r::regrole::text, ',') FROM unnest(polroles) r) AS roles, polcmd::text,
                      polpermissive, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) AS checked
               FROM pg_policy WHERE polrelid = ('atrium.' || %(table)s)::regclass""",
            table=table,
        )
        return [tuple(row.values()) for row in rows]


class TestKeys:
    def test_every_tenants_table_has_an_index_that_leads_with_the_tenant(self, catalog: Catalog) -> None:
        for table in catalog.tenant_tables():
            assert any(index["tenant_leads"] for index in self._indexes(catalog, table)), table

    def test_unique_keys_lead_with_the_tenant(self, catalog: Catalog) -> None:
        found = {
            index["name"]
            for table in catalog.tenant_tables()
            for index in self._indexes(catalog, table)
            if index["unique"] and not index["tenant_leads"]
        }
        assert found == GLOBAL_KEYS

    def test_foreign_keys_between_tenants_tables_lead_with_the_tenant(self, catalog: Catalog) -> None:
        rows = catalog.rows(
            """SELECT f.conname, a.attname AS column, b.attname AS referenced
               FROM pg_constraint f
               JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
               JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = f.confkey[1]
               WHERE f.contype = 'f' AND f.connamespace = 'atrium'::regnamespace
                 AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = f.confrelid AND attname = 'tenant_id')"""
        )
        assert len(rows) > 5
        assert [row for row in rows if (row["column"], row["referenced"]) != ("tenant_id", "tenant_id")] == []

    @staticmethod
    def _indexes(catalog: Catalog, table: str) -> list[dict[str, Any]]:
        """`space_id` may stand before the tenant: it is the partition key, one value in each leaf."""
        return catalog.rows(
            """SELECT i.indexrelid::regclass::text AS qualified, c.relname AS name, i.indisunique AS unique,
                      columns[1] = 'tenant_id' OR columns[1:2] = ARRAY['space_id', 'tenant_id'] AS tenant_leads
               FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid,
                    LATERAL (SELECT array_agg(coalesce(a.attname, '')::text ORDER BY k.position) AS columns
                             FROM unnest(i.indkey::smallint[]) WITH ORDINALITY k(number, position)
                             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number) named
               WHERE i.indrelid = ('atrium.' || %(table)s)::regclass""",
            table=table,
        )


class TestFunctions:
    def test_each_is_on_a_list(self, catalog: Catalog) -> None:
        rows = catalog.rows(FUNCTIONS)
        assert {row["name"] for row in rows if row["definer"]} == DEFINER_FUNCTIONS
        assert {row["name"] for row in rows if not row["definer"] and row["owner"] == "atrium_definer"} == DEFINER_PARTS
        assert {row["name"] for row in rows if row["owner"] == "atrium_migrator"} == INVOKER_FUNCTIONS

    def test_definer_functions_belong_to_the_definer(self, catalog: Catalog) -> None:
        assert {row["owner"] for row in catalog.rows(FUNCTIONS) if row["definer"]} == {"atrium_definer"}

    def test_what_runs_as_the_definer_pins_its_search_path(self, catalog: Catalog) -> None:
        """Planner settings may stand beside it; anything else is set in the body."""
        planner = set(catalog.values("SELECT name FROM pg_settings WHERE category LIKE 'Query Tuning%%'"))
        for row in catalog.rows(FUNCTIONS):
            if row["owner"] == "atrium_definer":
                assert row["config"][0] == PINNED_PATH, row["name"]
                assert {setting.split("=")[0] for setting in row["config"][1:]} <= planner, row["name"]

    def test_definer_functions_are_the_applications_alone(self, catalog: Catalog) -> None:
        for row in catalog.rows(FUNCTIONS):
            if row["owner"] == "atrium_definer":
                expected = {"atrium_definer", "atrium_app"} if row["definer"] else {"atrium_definer"}
                assert set(row["grantees"]) == expected, row["name"]

    def test_no_definer_function_lies_elsewhere(self, catalog: Catalog) -> None:
        rows = catalog.values(
            """SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE p.prosecdef AND n.nspname NOT IN ('atrium', 'pg_catalog', 'information_schema')"""
        )
        assert rows == []

    def test_procedures_of_migrations_are_the_migrators_alone(self, catalog: Catalog) -> None:
        rows = {row["name"]: row["grantees"] for row in catalog.rows(FUNCTIONS)}
        assert rows["protect"] == rows["declare_embedding_space"] == ["atrium_migrator"]
