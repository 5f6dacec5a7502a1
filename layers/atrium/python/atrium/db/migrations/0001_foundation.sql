-- Tenants, identities, and the tables that every write goes through: idempotency, rate limits, outbox, audit.

-- Bodies name their objects by the schema or find them here; pg_catalog is searched first as always.
CREATE SCHEMA atrium;
GRANT USAGE ON SCHEMA atrium TO atrium_app, atrium_relay;
GRANT USAGE, CREATE ON SCHEMA atrium TO atrium_definer;

-- The tenant of this transaction, null outside one: `WHERE tenant_id = null` sees no row.
CREATE FUNCTION atrium.current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;

-- Every table with tenant_id passes through here: one policy for the application, one for the owner's backfills, one
-- for the definer functions (which read app.tenant_id themselves).
CREATE PROCEDURE atrium.protect(target regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY tenant ON %s FOR ALL TO atrium_app
           USING (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid))
           WITH CHECK (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid))', target);
    EXECUTE format('CREATE POLICY owner ON %s FOR ALL TO atrium_migrator USING (true) WITH CHECK (true)', target);
    EXECUTE format('CREATE POLICY definer ON %s FOR ALL TO atrium_definer USING (true) WITH CHECK (true)', target);
END
$$;
REVOKE ALL ON PROCEDURE atrium.protect(regclass) FROM PUBLIC;

CREATE TABLE atrium.tenants (
    tenant_id   uuid PRIMARY KEY,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    settings    jsonb NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now()
);
CALL atrium.protect('atrium.tenants');
GRANT SELECT, UPDATE (name, settings) ON atrium.tenants TO atrium_app;
GRANT SELECT, INSERT ON atrium.tenants TO atrium_definer;

CREATE TABLE atrium.users (
    tenant_id      uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    id             uuid NOT NULL,
    email          text NOT NULL CHECK (email = lower(email)),   -- case-folded by the application
    password_hash  text NOT NULL,
    role           text NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),
    token_version  integer NOT NULL DEFAULT 1,                   -- access tokens of an older version are refused
    created_at     timestamptz NOT NULL DEFAULT now(),
    disabled_at    timestamptz,
    PRIMARY KEY (tenant_id, id)
);
-- Login looks an e-mail up before a tenant is known; it belongs to one tenant of the deployment.
CREATE UNIQUE INDEX users_email ON atrium.users (email);
CALL atrium.protect('atrium.users');
GRANT SELECT, INSERT, UPDATE, DELETE ON atrium.users TO atrium_app;
GRANT SELECT, INSERT, UPDATE ON atrium.users TO atrium_definer;

CREATE TABLE atrium.refresh_tokens (
    tenant_id          uuid NOT NULL,
    id                 uuid NOT NULL,
    family_id          uuid NOT NULL,                            -- one family per login
    parent_id          uuid,
    user_id            uuid NOT NULL,
    token_hash         bytea NOT NULL CHECK (length(token_hash) = 32),   -- SHA-256 of the opaque token
    issued_at          timestamptz NOT NULL DEFAULT now(),
    used_at            timestamptz,
    idle_expires_at    timestamptz NOT NULL,
    family_expires_at  timestamptz NOT NULL,
    revoked_at         timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES atrium.users (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX refresh_tokens_hash ON atrium.refresh_tokens (token_hash);               -- refresh
CREATE INDEX refresh_tokens_family ON atrium.refresh_tokens (tenant_id, family_id);          -- rotation, revocation
CREATE INDEX refresh_tokens_user ON atrium.refresh_tokens (tenant_id, user_id);              -- the foreign key
CALL atrium.protect('atrium.refresh_tokens');
GRANT SELECT, INSERT, UPDATE ON atrium.refresh_tokens TO atrium_app;
GRANT SELECT, INSERT, UPDATE ON atrium.refresh_tokens TO atrium_definer;

CREATE TABLE atrium.api_keys (
    tenant_id     uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    id            uuid NOT NULL,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    key_id        text NOT NULL,                                 -- the public part of atr_live_<key_id>_…
    mac           bytea NOT NULL CHECK (length(mac) = 32),       -- HMAC-SHA256 under the pepper
    pepper_kid    text NOT NULL,
    last_four     text NOT NULL,
    role          text NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),
    scopes        text[] NOT NULL DEFAULT '{}',
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX api_keys_key_id ON atrium.api_keys (key_id);                             -- authentication
CALL atrium.protect('atrium.api_keys');
GRANT SELECT, INSERT, UPDATE ON atrium.api_keys TO atrium_app;
GRANT SELECT, UPDATE ON atrium.api_keys TO atrium_definer;

-- Platform keys belong to the deployment, not to a tenant: only the definer functions see them.
CREATE TABLE atrium.operator_keys (
    key_id      text PRIMARY KEY,
    mac         bytea NOT NULL CHECK (length(mac) = 32),
    pepper_kid  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    revoked_at  timestamptz
);
GRANT SELECT ON atrium.operator_keys TO atrium_definer;

-- Token buckets, by a name the application makes: `user:<id>`, `tenant:<id>`, `ip:<hash>`, `email:<hash>`. Losing them in a
-- crash costs nothing, so they are not logged.
CREATE UNLOGGED TABLE atrium.rate_buckets (
    bucket      text PRIMARY KEY,
    tokens      double precision NOT NULL,
    updated_at  timestamptz NOT NULL
) WITH (fillfactor = 70);
GRANT SELECT, INSERT, UPDATE ON atrium.rate_buckets TO atrium_definer;
GRANT SELECT, DELETE ON atrium.rate_buckets TO atrium_relay;

CREATE TABLE atrium.idempotency_keys (
    tenant_id    uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    subject      text NOT NULL,                                  -- the principal
    route        text NOT NULL,                                  -- `POST /api/v1/documents`
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint  bytea NOT NULL CHECK (length(fingerprint) = 32),
    resource_id  uuid NOT NULL,                                  -- allocated before the work, kept by a take-over
    state        text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'finished')),
    lease_until  timestamptz NOT NULL,
    status       integer,
    headers      jsonb,
    response     bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, subject, route, key),
    CHECK ((state = 'finished') = (status IS NOT NULL))
);
CREATE INDEX idempotency_keys_expiry ON atrium.idempotency_keys (expires_at);                -- housekeeping
CALL atrium.protect('atrium.idempotency_keys');
GRANT SELECT, INSERT, UPDATE, DELETE ON atrium.idempotency_keys TO atrium_app;

CREATE TABLE atrium.outbox (
    tenant_id      uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    id             uuid NOT NULL,                                -- the event's id, for ever
    type           text NOT NULL CHECK (type ~ '^[a-z_]+(\.[a-z_]+)+$'),
    subject        text NOT NULL,                                -- what it is about: `document:<id>`
    payload        jsonb NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    claimed_until  timestamptz,
    attempts       integer NOT NULL DEFAULT 0,
    published_at   timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_unpublished ON atrium.outbox (created_at) WHERE published_at IS NULL;    -- the relay's claim
CALL atrium.protect('atrium.outbox');
CREATE POLICY relay ON atrium.outbox FOR ALL TO atrium_relay USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON atrium.outbox TO atrium_app;
GRANT SELECT, UPDATE, DELETE ON atrium.outbox TO atrium_relay;

CREATE TABLE atrium.audit_log (
    tenant_id   uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    id          uuid NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    actor       text NOT NULL,                                   -- `user:<id>`, `api_key:<id>`, `worker:…`, `operator:…`, `anonymous`
    action      text NOT NULL CHECK (action ~ '^[a-z_]+(\.[a-z_]+)+$'),
    target      text NOT NULL DEFAULT '',
    detail      jsonb NOT NULL DEFAULT '{}',
    request_id  text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_log_at ON atrium.audit_log (tenant_id, at DESC, id);                      -- GET /admin/audit
CALL atrium.protect('atrium.audit_log');
GRANT SELECT, INSERT ON atrium.audit_log TO atrium_app;
GRANT SELECT, INSERT ON atrium.audit_log TO atrium_definer;
