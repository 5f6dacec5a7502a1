-- The audit log's hash chain. Entries are inserted as before, waiting for nobody; housekeeping then seals what it finds, in a
-- chain of each tenant's own: its number, and SHA-256 over the hash before it and its canonical text. Sealing makes the order, so an
-- entry that commits late is sealed late and lost to nobody. docs/operations.md tells how to check an export by oneself.
ALTER TABLE atrium.audit_log
    ADD COLUMN seq   bigint CHECK (seq > 0),
    ADD COLUMN hash  bytea CHECK (length(hash) = 32),
    ADD CHECK (num_nulls(seq, hash) IN (0, 2));
CREATE UNIQUE INDEX audit_log_seq ON atrium.audit_log (tenant_id, seq) WHERE seq IS NOT NULL; -- verifying, export; no fork
CREATE INDEX audit_log_unsealed ON atrium.audit_log (tenant_id, at, id) WHERE seq IS NULL;   -- sealing
CREATE INDEX audit_log_target ON atrium.audit_log (tenant_id, target, at) WHERE target <> '';          -- GET /admin/audit?target=
CREATE INDEX audit_log_actor ON atrium.audit_log (tenant_id, actor, at);                               -- …?actor=
CREATE INDEX audit_log_request ON atrium.audit_log (tenant_id, request_id) WHERE request_id <> '';     -- …?request_id=

-- Whoever writes an entry says neither when nor where in the chain it is.
REVOKE INSERT ON atrium.audit_log FROM atrium_app, atrium_definer;
GRANT INSERT (tenant_id, id, actor, action, target, detail, request_id) ON atrium.audit_log TO atrium_app, atrium_definer;
GRANT UPDATE (seq, hash) ON atrium.audit_log TO atrium_definer;                              -- seal_audit
CREATE POLICY relay ON atrium.audit_log FOR SELECT TO atrium_relay USING (true);
GRANT SELECT (tenant_id, at, seq) ON atrium.audit_log TO atrium_relay;                       -- whose log has something to seal

-- The end of each tenant's chain: without it nobody would miss the last entries.
CREATE TABLE atrium.audit_chains (
    tenant_id   uuid PRIMARY KEY REFERENCES atrium.tenants ON DELETE CASCADE,
    seq         bigint NOT NULL DEFAULT 0 CHECK (seq >= 0),
    hash        bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (length(hash) = 32),
    sealed_at   timestamptz,
    ledger_day  date                                             -- the last day whose calls of models are in it, as a digest
);
CALL atrium.protect('atrium.audit_chains');
GRANT SELECT ON atrium.audit_chains TO atrium_app;
GRANT SELECT, INSERT, UPDATE ON atrium.audit_chains TO atrium_definer;
CREATE POLICY relay ON atrium.audit_chains FOR SELECT TO atrium_relay USING (true);
GRANT SELECT (tenant_id, ledger_day) ON atrium.audit_chains TO atrium_relay;
CREATE POLICY relay ON atrium.usage_daily FOR SELECT TO atrium_relay USING (true);
GRANT SELECT (tenant_id, day) ON atrium.usage_daily TO atrium_relay;                         -- whose day can be closed

-- A sealed entry is not changed by mistake, whoever runs the statement, and goes with its tenant only. Against who can drop
-- triggers there is the chain.
CREATE FUNCTION atrium.refuse_sealed() RETURNS trigger LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT FROM erasures e WHERE e.tenant_id = OLD.tenant_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'a sealed entry of the audit log stays as it is' USING ERRCODE = 'insufficient_privilege';
END
$$;
REVOKE ALL ON FUNCTION atrium.refuse_sealed() FROM PUBLIC;
CREATE TRIGGER sealed BEFORE UPDATE OR DELETE ON atrium.audit_log
    FOR EACH ROW WHEN (OLD.seq IS NOT NULL) EXECUTE FUNCTION atrium.refuse_sealed();
CREATE TRIGGER all_sealed BEFORE TRUNCATE ON atrium.audit_log EXECUTE FUNCTION atrium.refuse_sealed();

SET LOCAL ROLE atrium_definer;

-- What is hashed of an entry: one JSON object as jsonb writes it. `atrium.audit.canonical` writes the same without Postgres.
CREATE FUNCTION atrium.audit_canonical(entry atrium.audit_log) RETURNS text
LANGUAGE sql STABLE SET search_path = atrium, public, pg_temp AS $$
    SELECT jsonb_build_object(
        'tenant_id', entry.tenant_id, 'id', entry.id, 'at', to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'actor', entry.actor, 'action', entry.action, 'target', entry.target, 'detail', entry.detail,
        'request_id', entry.request_id)::text
$$;
REVOKE ALL ON FUNCTION atrium.audit_canonical(atrium.audit_log) FROM PUBLIC;

-- Seals at most `most` of the tenant's entries, the oldest of those it sees first; returns how many, and the chain's end after it.
-- Two at once take turns: the row of the end is locked, and what one has sealed the other sees. Nothing, and nulls, of a tenant
-- that is being erased.
CREATE FUNCTION atrium.seal_audit(most integer, OUT sealed bigint, OUT seq bigint, OUT hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant  uuid := required_tenant();
    head    audit_chains;
    entry   audit_log;
    first   bigint;
    ids     uuid[] := '{}';
    hashes  bytea[] := '{}';
BEGIN
    sealed := 0;
    IF NOT tenant_stays(tenant) THEN
        RETURN;
    END IF;
    INSERT INTO audit_chains (tenant_id) VALUES (tenant) ON CONFLICT DO NOTHING;
    SELECT c.* INTO head FROM audit_chains c WHERE c.tenant_id = tenant FOR UPDATE;
    first := head.seq;
    FOR entry IN SELECT a.* FROM audit_log a WHERE a.tenant_id = tenant AND a.seq IS NULL ORDER BY a.at, a.id LIMIT most LOOP
        head.seq := head.seq + 1;
        head.hash := sha256(head.hash || convert_to(audit_canonical(entry), 'UTF8'));
        ids := ids || entry.id;
        hashes := hashes || head.hash;
    END LOOP;
    UPDATE audit_log a SET seq = first + link.position, hash = link.hash
      FROM unnest(ids, hashes) WITH ORDINALITY link (id, hash, position)
     WHERE a.tenant_id = tenant AND a.id = link.id;
    GET DIAGNOSTICS sealed = ROW_COUNT;
    IF sealed <> cardinality(ids) THEN
        RAISE EXCEPTION 'entries went while they were sealed' USING ERRCODE = 'serialization_failure';
    END IF;
    IF sealed > 0 THEN
        UPDATE audit_chains c SET seq = head.seq, hash = head.hash, sealed_at = clock_timestamp() WHERE c.tenant_id = tenant;
    END IF;
    seq := head.seq;
    hash := head.hash;
END
$$;
REVOKE ALL ON FUNCTION atrium.seal_audit(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.seal_audit(integer) TO atrium_app;

-- A call of a model has its record in the ledger. What of it is hashed for its day's digest: every column there is now.
CREATE FUNCTION atrium.ledger_text(entry atrium.ledger_entries) RETURNS text
LANGUAGE sql STABLE SET search_path = atrium, public, pg_temp AS $$
    SELECT jsonb_build_object(
        'id', entry.id, 'kind', entry.kind, 'provider', entry.provider, 'model', entry.model, 'feature', entry.feature,
        'user_id', entry.user_id, 'api_key_id', entry.api_key_id, 'document_id', entry.document_id, 'job_id', entry.job_id,
        'conversation_id', entry.conversation_id, 'request_id', entry.request_id, 'input_tokens', entry.input_tokens,
        'output_tokens', entry.output_tokens, 'cached_tokens', entry.cached_tokens, 'units', entry.units, 'cost', entry.cost,
        'bound', entry.bound, 'outcome', entry.outcome, 'counted', entry.counted, 'milliseconds', entry.milliseconds,
        'attempts', entry.attempts,
        'created_at', to_char(entry.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'settled_at', to_char(entry.settled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
$$;
REVOKE ALL ON FUNCTION atrium.ledger_text(atrium.ledger_entries) FROM PUBLIC;

-- What the tenant's calls of a day (UTC, by when they were reserved) come to: their number, cost in nano-dollars, and SHA-256 over
-- the SHA-256 of each, by id, in hex.
CREATE FUNCTION atrium.ledger_digest(of_day date, OUT calls bigint, OUT cost bigint, OUT digest text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    tenant  uuid := required_tenant();
BEGIN
    SELECT count(*), coalesce(sum(e.cost), 0)::bigint,
           encode(sha256(coalesce(string_agg(sha256(convert_to(ledger_text(e), 'UTF8')), ''::bytea ORDER BY e.id), ''::bytea)), 'hex')
      INTO calls, cost, digest
      FROM ledger_entries e
     WHERE e.tenant_id = tenant AND e.created_at >= of_day::timestamp AT TIME ZONE 'UTC'
       AND e.created_at < (of_day + 1)::timestamp AT TIME ZONE 'UTC';
END
$$;
REVOKE ALL ON FUNCTION atrium.ledger_digest(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.ledger_digest(date) TO atrium_app;

-- Closes the tenant's first day of calls that is not closed: an entry of the audit log holds its digest. Null, and nothing done,
-- where there is none, where it may still get calls (no transaction lasts an hour), and of a tenant that is being erased.
CREATE FUNCTION atrium.close_ledger_day(OUT closed date)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    tenant  uuid := required_tenant();
    head    audit_chains;
    day     date;
    ends    timestamptz;
BEGIN
    IF NOT tenant_stays(tenant) THEN
        RETURN;
    END IF;
    INSERT INTO audit_chains (tenant_id) VALUES (tenant) ON CONFLICT DO NOTHING;
    SELECT c.* INTO head FROM audit_chains c WHERE c.tenant_id = tenant FOR UPDATE;
    SELECT (min(e.created_at) AT TIME ZONE 'UTC')::date INTO day FROM ledger_entries e
     WHERE e.tenant_id = tenant AND e.created_at >= coalesce((head.ledger_day + 1)::timestamp AT TIME ZONE 'UTC', '-infinity');
    ends := (day + 1)::timestamp AT TIME ZONE 'UTC';
    IF ends IS NULL OR ends > now() - interval '1 hour'
       OR EXISTS (SELECT FROM ledger_reservations r WHERE r.tenant_id = tenant AND r.created_at < ends) THEN
        RETURN;
    END IF;
    INSERT INTO audit_log (tenant_id, id, actor, action, target, detail)
    SELECT tenant, uuidv7(), 'worker:00000000-0000-0000-0000-000000000000', 'ledger.closed', 'ledger:' || day, to_jsonb(sums)
      FROM ledger_digest(day) sums;
    UPDATE audit_chains c SET ledger_day = day WHERE c.tenant_id = tenant;
    closed := day;
END
$$;
REVOKE ALL ON FUNCTION atrium.close_ledger_day() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.close_ledger_day() TO atrium_app;

RESET ROLE;
