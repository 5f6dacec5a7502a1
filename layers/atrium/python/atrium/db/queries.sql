-- The migrator's own statements. Everything else of the schema is in bootstrap.sql and migrations/.

-- name: lock_migrations
-- One migrator at a time, till the end of its transaction; waiting for it is not a lock that a deploy gives up on.
SELECT set_config('lock_timeout', '0', true), pg_advisory_xact_lock(8017210633504923), set_config('lock_timeout', '5s', true);

-- name: has_ledger
-- Whether any migration ran here.
SELECT to_regclass('atrium_meta.migrations') IS NOT NULL AS found;

-- name: create_ledger_schema
-- The place of the ledger, out of the application's sight.
CREATE SCHEMA atrium_meta;

-- name: create_ledger
-- What ran, in order: the checksum is SHA-256 of the file.
CREATE TABLE atrium_meta.migrations (
    number      integer PRIMARY KEY,
    name        text NOT NULL,
    checksum    bytea NOT NULL CHECK (length(checksum) = 32),
    applied_at  timestamptz NOT NULL DEFAULT now()
);

-- name: applied
-- What ran, in order.
SELECT number, name, checksum, applied_at FROM atrium_meta.migrations ORDER BY number;

-- name: record_applied
-- Written in the migration's own transaction.
INSERT INTO atrium_meta.migrations (number, name, checksum) VALUES (%(number)s, %(name)s, %(checksum)s);

-- name: reset_role
-- A migration makes definer functions under another role; what follows is the migrator's again.
RESET ROLE;

-- name: pgvector_version
-- Null where the extension is absent.
SELECT (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS version;

-- name: declare_space
-- Makes the space's partition when it is new; raises when it exists with other values.
CALL atrium.declare_embedding_space(%(id)s::smallint, %(model)s, %(dimensions)s, %(max_tokens)s);

-- name: put_operator_key
-- The operator's key as it is in the secret store.
INSERT INTO atrium.operator_keys (key_id, mac, pepper_kid, digest) VALUES (%(key_id)s, %(mac)s, %(pepper_kid)s, %(digest)s)
ON CONFLICT (key_id) DO UPDATE SET mac = excluded.mac, pepper_kid = excluded.pepper_kid, digest = excluded.digest, revoked_at = NULL;

-- name: revoke_other_operator_keys
-- A key that is no longer in the secret store opens nothing: deleting the secret and deploying rotates it.
UPDATE atrium.operator_keys SET revoked_at = now() WHERE key_id <> %(key_id)s AND revoked_at IS NULL;
