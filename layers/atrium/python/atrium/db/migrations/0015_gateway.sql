-- The gateway: answers kept for the same question.

-- Only of requests that asked for it. The key is SHA-256 of everything that can change the answer.
CREATE TABLE atrium.kept_answers (
    tenant_id   uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    key         bytea NOT NULL CHECK (length(key) = 32),
    answer      jsonb NOT NULL,
    kept_at     timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX kept_answers_expiry ON atrium.kept_answers (expires_at);                            -- housekeeping
CALL atrium.protect('atrium.kept_answers');
GRANT SELECT, INSERT, UPDATE, DELETE ON atrium.kept_answers TO atrium_app;
CREATE POLICY relay ON atrium.kept_answers FOR ALL TO atrium_relay USING (true) WITH CHECK (true);
GRANT SELECT (ctid, expires_at), DELETE ON atrium.kept_answers TO atrium_relay;
