-- Housekeeping: erasing a tenant (its record, `erasures`, is of 0005), what the sweeps may see and remove, and the deployment's figures.

-- A tombstone whose objects are known to be gone.
ALTER TABLE atrium.documents ADD COLUMN objects_removed_at timestamptz;
CREATE INDEX documents_tombstones ON atrium.documents (deleted_at)
    WHERE deleted_at IS NOT NULL AND objects_removed_at IS NULL;                             -- the sweep
CREATE POLICY relay ON atrium.documents FOR SELECT TO atrium_relay USING (true);
GRANT SELECT (tenant_id, id, deleted_at, objects_removed_at) ON atrium.documents TO atrium_relay;
-- Of versions it reads whether they are stuck, no longer what they are.
REVOKE SELECT ON atrium.document_versions FROM atrium_relay;
GRANT SELECT (tenant_id, document_id, status, created_at, updated_at)
    ON atrium.document_versions TO atrium_relay;

-- What expires. The relay deletes these rows and reads nothing of them but their times.
CREATE INDEX refresh_tokens_expiry ON atrium.refresh_tokens (idle_expires_at);
CREATE POLICY relay ON atrium.refresh_tokens FOR ALL TO atrium_relay USING (true) WITH CHECK (true);
GRANT SELECT (ctid, tenant_id, family_id, parent_id, idle_expires_at), DELETE ON atrium.refresh_tokens TO atrium_relay;
CREATE POLICY relay ON atrium.idempotency_keys FOR ALL TO atrium_relay USING (true) WITH CHECK (true);
GRANT SELECT (ctid, expires_at), DELETE ON atrium.idempotency_keys TO atrium_relay;
CREATE POLICY relay ON atrium.api_keys FOR ALL TO atrium_relay USING (true) WITH CHECK (true);
GRANT SELECT (ctid, expires_at, revoked_at), DELETE ON atrium.api_keys TO atrium_relay;
CREATE POLICY relay ON atrium.invitations FOR ALL TO atrium_relay USING (true) WITH CHECK (true);
GRANT SELECT (ctid, expires_at), DELETE ON atrium.invitations TO atrium_relay;
CREATE POLICY relay ON atrium.password_resets FOR ALL TO atrium_relay USING (true) WITH CHECK (true);
GRANT SELECT (ctid, expires_at), DELETE ON atrium.password_resets TO atrium_relay;
CREATE INDEX outbox_published ON atrium.outbox (published_at) WHERE published_at IS NOT NULL;

-- As before, and an erasure can remove the rows.
CREATE OR REPLACE PROCEDURE atrium.protect(target regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY tenant ON %s FOR ALL TO atrium_app
           USING (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid))
           WITH CHECK (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid))', target);
    EXECUTE format('CREATE POLICY owner ON %s FOR ALL TO atrium_migrator USING (true) WITH CHECK (true)', target);
    EXECUTE format('CREATE POLICY definer ON %s FOR ALL TO atrium_definer USING (true) WITH CHECK (true)', target);
    EXECUTE format('GRANT SELECT (tenant_id, ctid), DELETE ON %s TO atrium_definer', target);
END
$$;
DO $$
DECLARE
    target regclass;
BEGIN
    FOR target IN SELECT c.oid::regclass FROM pg_class c
                  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
                  WHERE c.relnamespace = 'atrium'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'erasures' LOOP
        EXECUTE format('GRANT SELECT (tenant_id, ctid), DELETE ON %s TO atrium_definer', target);
    END LOOP;
END
$$;
-- The operator's key without the pepper: 256 random bits need none. `system` checks it so, and reads no secret key for it.
ALTER TABLE atrium.operator_keys ADD COLUMN digest bytea CHECK (length(digest) = 32);        -- SHA-256 of the whole key

GRANT SELECT ON atrium.outbox TO atrium_definer;

SET LOCAL ROLE atrium_definer;

-- Every table with rows of tenants, as the catalogue has it, so that none can be forgotten. Not `tenants`, which goes last, nor
-- `erasures`, which stays. Of a partitioned table its leaves.
CREATE FUNCTION atrium.tenant_tables() RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = atrium, public, pg_temp
AS $$
    SELECT c.oid::regclass FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relnamespace = 'atrium'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ('tenants', 'erasures')
    ORDER BY c.oid
$$;
REVOKE ALL ON FUNCTION atrium.tenant_tables() FROM PUBLIC;

-- Removes at most `most` of the tenant's rows from each table; the tenant's own row once nothing else is left. Returns how many
-- went: 0 when there is nothing any more. Only for a tenant whose erasure was asked for.
CREATE FUNCTION atrium.erase_rows(most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp
AS $$
DECLARE
    tenant  uuid := atrium.required_tenant();
    target  regclass;
    gone    bigint;
    total   bigint := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM erasures e WHERE e.tenant_id = tenant) THEN
        RAISE EXCEPTION 'nobody asked to erase this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR target IN SELECT * FROM tenant_tables() LOOP
        EXECUTE format('DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM %1$s t WHERE t.tenant_id = $1 LIMIT $2))', target)
        USING tenant, most;
        GET DIAGNOSTICS gone = ROW_COUNT;
        total := total + gone;
    END LOOP;
    IF total = 0 THEN
        -- Waits for those who are writing; what they wrote goes along, or with the next call.
        DELETE FROM tenants t WHERE t.tenant_id = tenant;
        GET DIAGNOSTICS total = ROW_COUNT;
    END IF;
    RETURN total;
END
$$;
REVOKE ALL ON FUNCTION atrium.erase_rows(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.erase_rows(integer) TO atrium_app;

-- Begins the tenant's erasure, and ends all access to it at once: users, sessions, keys, invitations and whatever else is small
-- goes with the request, `erase_rows` removes the rest. False, and nothing done, unless `confirmation` is the tenant's name.
CREATE FUNCTION atrium.erase_tenant(confirmation text, requester text, request text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp
AS $$
DECLARE
    tenant  uuid := atrium.required_tenant();
    target  regclass;
BEGIN
    -- Waits for every transaction that has written for the tenant: what it made goes with the rest. Whoever comes to make a
    -- credential from here on waits in `tenant_stays`, and is refused.
    PERFORM FROM tenants t WHERE t.tenant_id = tenant AND t.name = confirmation FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO erasures (tenant_id, requested_by, request_id) VALUES (tenant, requester, request) ON CONFLICT DO NOTHING;
    FOR target IN SELECT * FROM tenant_tables() LOOP
        -- There may be millions of these.
        CONTINUE WHEN target::text IN ('documents', 'document_versions', 'drop_writes', 'audit_log', 'outbox', 'chunk_bits')
            OR target::text LIKE 'chunks\_%';
        EXECUTE format('DELETE FROM %s WHERE tenant_id = $1', target) USING tenant;
    END LOOP;
    UPDATE tenants t SET name = 'erased', settings = '{}' WHERE t.tenant_id = tenant;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION atrium.erase_tenant(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.erase_tenant(text, text, text) TO atrium_app;

-- The deployment in numbers, all tenants together: GET /metrics.
CREATE FUNCTION atrium.platform_figures() RETURNS TABLE (name text, label text, value double precision)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 20 SET search_path = atrium, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    space   record;
    leaf    regclass;
    chunks  double precision;
BEGIN
    RETURN QUERY SELECT 'tenants', '', count(*)::float8 FROM tenants;
    RETURN QUERY SELECT 'documents', v.status, count(*)::float8
        FROM documents d JOIN document_versions v ON v.tenant_id = d.tenant_id AND v.document_id = d.id AND v.version = d.latest_version
        WHERE d.deleted_at IS NULL GROUP BY v.status;
    RETURN QUERY SELECT 'versions_in_flight', v.status, count(*)::float8
        FROM document_versions v WHERE v.status IN ('pending', 'processing') GROUP BY v.status;
    RETURN QUERY SELECT 'oldest_unfinished', '', coalesce(extract(epoch FROM now() - min(v.created_at)), 0)::float8
        FROM document_versions v JOIN documents d ON d.tenant_id = v.tenant_id AND d.id = v.document_id AND d.deleted_at IS NULL
        WHERE v.status IN ('pending', 'processing');
    RETURN QUERY SELECT 'outbox_unpublished', '', count(*)::float8 FROM outbox o WHERE o.published_at IS NULL;
    RETURN QUERY SELECT 'outbox_oldest', '', coalesce(extract(epoch FROM now() - min(o.created_at)), 0)::float8
        FROM outbox o WHERE o.published_at IS NULL;
    RETURN QUERY SELECT 'erasures_open', '', count(*)::float8 FROM erasures e WHERE e.finished_at IS NULL;
    RETURN QUERY SELECT 'database_size', '', pg_database_size(current_database())::float8;
    FOR space IN SELECT s.id, s.model FROM embedding_spaces s ORDER BY s.id LOOP
        -- Counting millions takes seconds; the planner's estimate is good enough for those.
        leaf := to_regclass('atrium.chunks_' || space.id);
        CONTINUE WHEN leaf IS NULL;
        SELECT c.reltuples INTO chunks FROM pg_class c WHERE c.oid = leaf;
        IF chunks < 100000 THEN
            EXECUTE format('SELECT count(*) FROM %s', leaf) INTO chunks;
        END IF;
        RETURN QUERY SELECT 'chunks', space.model, chunks;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION atrium.platform_figures() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.platform_figures() TO atrium_app;

-- Whether the text is the operator's key, by its SHA-256; outcome as of auth_operator. Wrong keys share one bucket: without the
-- pepper a network address has no name here, and the right key takes no token.
CREATE FUNCTION atrium.auth_operator_digest(
    presented text, key_digest bytea, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM operator_keys k WHERE k.key_id = presented AND k.digest = key_digest AND k.revoked_at IS NULL) THEN
        outcome := 'ok';
        RETURN;
    END IF;
    rate := auth_throttle(ARRAY['operator:guesses'], per_minute);
    outcome := CASE WHEN rate.granted THEN 'unknown' ELSE 'limited' END;
END
$$;
REVOKE ALL ON FUNCTION atrium.auth_operator_digest(text, bytea, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_operator_digest(text, bytea, double precision) TO atrium_app;

RESET ROLE;
