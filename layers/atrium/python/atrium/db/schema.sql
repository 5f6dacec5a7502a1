-- What the migrations make, written by pg_dump: to read, never to run. Roles are in bootstrap.sql.
-- atrium

CREATE SCHEMA atrium;

ALTER SCHEMA atrium OWNER TO atrium_migrator;

-- atrium_meta

CREATE SCHEMA atrium_meta;

ALTER SCHEMA atrium_meta OWNER TO atrium_migrator;

-- ledger_call

CREATE TYPE atrium.ledger_call AS (
	id uuid,
	kind text,
	model text,
	feature text,
	bound bigint,
	"least" bigint,
	seconds double precision,
	document_id uuid,
	job_id uuid,
	conversation_id uuid,
	request_id text
);

ALTER TYPE atrium.ledger_call OWNER TO atrium_definer;

-- ledger_hold

CREATE TYPE atrium.ledger_hold AS (
	granted boolean,
	bound bigint,
	month date,
	scope text,
	origin text,
	budget bigint,
	spent bigint,
	reserved bigint
);

ALTER TYPE atrium.ledger_hold OWNER TO atrium_definer;

-- ledger_result

CREATE TYPE atrium.ledger_result AS (
	outcome text,
	cost bigint,
	model text,
	input_tokens bigint,
	output_tokens bigint,
	cached_tokens bigint,
	units bigint,
	milliseconds bigint,
	counted boolean,
	attempts jsonb,
	metric text
);

ALTER TYPE atrium.ledger_result OWNER TO atrium_definer;

-- limits_in_force

CREATE TYPE atrium.limits_in_force AS (
	own_rate double precision,
	tenant_rate double precision,
	own_budget bigint,
	tenant_budget bigint
);

ALTER TYPE atrium.limits_in_force OWNER TO atrium_definer;

-- rate_state

CREATE TYPE atrium.rate_state AS (
	granted boolean,
	capacity double precision,
	remaining double precision,
	retry_after double precision,
	full_after double precision
);

ALTER TYPE atrium.rate_state OWNER TO atrium_definer;

-- acting_operator(text, bytea)

CREATE FUNCTION atrium.acting_operator(operator text, proof bytea) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    IF current_tenant() IS NOT NULL
       OR NOT EXISTS (SELECT FROM operator_keys k WHERE k.key_id = operator AND k.digest = proof AND k.revoked_at IS NULL) THEN
        RAISE insufficient_privilege USING MESSAGE = 'this is the operator''s to do';
    END IF;
    RETURN 'operator:' || operator;
END
$$;

ALTER FUNCTION atrium.acting_operator(operator text, proof bytea) OWNER TO atrium_definer;

-- admit_key(text, text[], bytea[], double precision, double precision, text, double precision, atrium.ledger_call)

CREATE FUNCTION atrium.admit_key(presented text, kids text[], macs bytea[], usual_rate double precision, usual_tenant_rate double precision, caller text, per_minute double precision, call atrium.ledger_call, OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state, OUT hold atrium.ledger_hold) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    whose     record;
    limits    limits_in_force;
    admitted  record;
BEGIN
    SELECT k.tenant_id, k.id INTO whose FROM api_keys k WHERE k.key_id = presented;
    limits := limits_of(whose.tenant_id, whose.id, usual_rate, usual_tenant_rate);
    SELECT a.* INTO admitted
      FROM auth_admit_key(presented, kids, macs, limits.own_rate, limits.tenant_rate, caller, per_minute) a;
    outcome := admitted.outcome;
    tenant_id := admitted.tenant_id;
    id := admitted.id;
    role := admitted.role;
    scopes := admitted.scopes;
    rate := admitted.rate;
    IF outcome = 'ok' AND (call).id IS NOT NULL THEN
        hold := ledger_take(tenant_id, 'api_key', id, call, limits.own_budget, limits.tenant_budget);
    END IF;
END
$$;

ALTER FUNCTION atrium.admit_key(presented text, kids text[], macs bytea[], usual_rate double precision, usual_tenant_rate double precision, caller text, per_minute double precision, call atrium.ledger_call, OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state, OUT hold atrium.ledger_hold) OWNER TO atrium_definer;

-- admit_user(uuid, uuid, integer, uuid, double precision, double precision, text, double precision, atrium.ledger_call)

CREATE FUNCTION atrium.admit_user(tenant uuid, member uuid, version integer, session uuid, usual_rate double precision, usual_tenant_rate double precision, caller text, per_minute double precision, call atrium.ledger_call, OUT outcome text, OUT role text, OUT rate atrium.rate_state, OUT hold atrium.ledger_hold) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    limits    limits_in_force;
    admitted  record;
BEGIN
    limits := limits_of(tenant, member, usual_rate, usual_tenant_rate);
    SELECT a.* INTO admitted
      FROM auth_admit_user(tenant, member, version, session, limits.own_rate, limits.tenant_rate, caller, per_minute) a;
    outcome := admitted.outcome;
    role := admitted.role;
    rate := admitted.rate;
    IF outcome = 'ok' AND (call).id IS NOT NULL THEN
        hold := ledger_take(tenant, 'user', member, call, limits.own_budget, limits.tenant_budget);
    END IF;
END
$$;

ALTER FUNCTION atrium.admit_user(tenant uuid, member uuid, version integer, session uuid, usual_rate double precision, usual_tenant_rate double precision, caller text, per_minute double precision, call atrium.ledger_call, OUT outcome text, OUT role text, OUT rate atrium.rate_state, OUT hold atrium.ledger_hold) OWNER TO atrium_definer;

-- audit_log

CREATE TABLE atrium.audit_log (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text DEFAULT ''::text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    request_id text DEFAULT ''::text NOT NULL,
    seq bigint,
    hash bytea,
    CONSTRAINT audit_log_action_check CHECK ((action ~ '^[a-z_]+(\.[a-z_]+)+$'::text)),
    CONSTRAINT audit_log_check CHECK ((num_nulls(seq, hash) = ANY (ARRAY[0, 2]))),
    CONSTRAINT audit_log_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT audit_log_seq_check CHECK ((seq > 0))
);

ALTER TABLE ONLY atrium.audit_log FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.audit_log OWNER TO atrium_migrator;

-- audit_canonical(atrium.audit_log)

CREATE FUNCTION atrium.audit_canonical(entry atrium.audit_log) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT jsonb_build_object(
        'tenant_id', entry.tenant_id, 'id', entry.id, 'at', to_char(entry.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'actor', entry.actor, 'action', entry.action, 'target', entry.target, 'detail', entry.detail,
        'request_id', entry.request_id)::text
$$;

ALTER FUNCTION atrium.audit_canonical(entry atrium.audit_log) OWNER TO atrium_definer;

-- auth_accept(bytea, text, text)

CREATE FUNCTION atrium.auth_accept(hash bytea, password text, request text, OUT outcome text, OUT tenant_id uuid, OUT id uuid) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    invited  invitations;
BEGIN
    SELECT i.* INTO invited FROM invitations i WHERE i.token_hash = hash;
    IF invited.id IS NULL OR NOT tenant_stays(invited.tenant_id) THEN
        outcome := 'unknown';
        RETURN;
    END IF;
    DELETE FROM invitations i WHERE i.token_hash = hash AND i.expires_at > now() RETURNING i.* INTO invited;
    IF invited.id IS NULL THEN
        outcome := 'unknown';
        RETURN;
    END IF;
    INSERT INTO users (tenant_id, id, email, password_hash, role)
    VALUES (invited.tenant_id, invited.id, invited.email, password, invited.role);
    INSERT INTO audit_log (tenant_id, id, actor, action, target, request_id)
    VALUES (invited.tenant_id, uuidv7(), 'user:' || invited.id, 'user.accepted', 'user:' || invited.id, request);
    outcome := 'ok';
    tenant_id := invited.tenant_id;
    id := invited.id;
EXCEPTION WHEN unique_violation THEN
    outcome := 'taken';
END
$$;

ALTER FUNCTION atrium.auth_accept(hash bytea, password text, request text, OUT outcome text, OUT tenant_id uuid, OUT id uuid) OWNER TO atrium_definer;

-- auth_admit_key(text, text[], bytea[], double precision, double precision, text, double precision)

CREATE FUNCTION atrium.auth_admit_key(presented text, kids text[], macs bytea[], key_rate double precision, tenant_rate double precision, caller text, per_minute double precision, OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    found_key  api_keys;
    matches    boolean := false;
BEGIN
    SELECT k.* INTO found_key FROM api_keys k
     WHERE k.key_id = presented AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
       AND NOT EXISTS (SELECT FROM erasures e WHERE e.tenant_id = k.tenant_id);
    IF found_key.id IS NOT NULL THEN
        matches := key_matches(found_key, kids, macs);
    END IF;
    IF matches IS NULL THEN
        outcome := 'unknown_pepper';
        RETURN;
    END IF;
    IF NOT matches THEN
        rate := auth_throttle(ARRAY[caller], per_minute);
        outcome := CASE WHEN rate.granted THEN 'unknown' ELSE 'limited' END;
        RETURN;
    END IF;
    rate := take_tokens(ARRAY['key:' || found_key.id, 'tenant:' || found_key.tenant_id],
                        ARRAY[key_rate, tenant_rate], ARRAY[key_rate, tenant_rate]);
    UPDATE api_keys k SET last_used_at = now()
     WHERE k.tenant_id = found_key.tenant_id AND k.id = found_key.id
       AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute');
    outcome := CASE WHEN rate.granted THEN 'ok' ELSE 'limited' END;
    tenant_id := found_key.tenant_id;
    id := found_key.id;
    role := found_key.role;
    scopes := found_key.scopes;
END
$$;

ALTER FUNCTION atrium.auth_admit_key(presented text, kids text[], macs bytea[], key_rate double precision, tenant_rate double precision, caller text, per_minute double precision, OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state) OWNER TO atrium_definer;

-- auth_admit_user(uuid, uuid, integer, uuid, double precision, double precision, text, double precision)

CREATE FUNCTION atrium.auth_admit_user(tenant uuid, member uuid, version integer, session uuid, user_rate double precision, tenant_rate double precision, caller text, per_minute double precision, OUT outcome text, OUT role text, OUT rate atrium.rate_state) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    SELECT u.role INTO role FROM users u
     WHERE u.tenant_id = tenant AND u.id = member AND u.token_version = version AND u.disabled_at IS NULL
       AND NOT EXISTS (SELECT FROM refresh_tokens t
                        WHERE t.tenant_id = tenant AND t.family_id = session AND t.revoked_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM erasures e WHERE e.tenant_id = tenant);
    IF role IS NULL THEN
        rate := auth_throttle(ARRAY[caller], per_minute);
        outcome := CASE WHEN rate.granted THEN 'unknown' ELSE 'limited' END;
        RETURN;
    END IF;
    rate := take_tokens(ARRAY['user:' || member, 'tenant:' || tenant], ARRAY[user_rate, tenant_rate], ARRAY[user_rate, tenant_rate]);
    outcome := CASE WHEN rate.granted THEN 'ok' ELSE 'limited' END;
END
$$;

ALTER FUNCTION atrium.auth_admit_user(tenant uuid, member uuid, version integer, session uuid, user_rate double precision, tenant_rate double precision, caller text, per_minute double precision, OUT outcome text, OUT role text, OUT rate atrium.rate_state) OWNER TO atrium_definer;

-- auth_forgot(text, bytea, interval, text)

CREATE FUNCTION atrium.auth_forgot(address text, hash bytea, life interval, request text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    member  users;
BEGIN
    SELECT u.* INTO member FROM users u WHERE u.email = address AND u.disabled_at IS NULL;
    IF member.id IS NULL OR NOT tenant_stays(member.tenant_id) THEN
        RETURN false;
    END IF;
    -- The user before the token, as everywhere.
    PERFORM FROM users u WHERE u.tenant_id = member.tenant_id AND u.id = member.id FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO password_resets AS r (tenant_id, user_id, token_hash, expires_at)
    VALUES (member.tenant_id, member.id, hash, now() + life)
    ON CONFLICT ON CONSTRAINT password_resets_pkey
    DO UPDATE SET token_hash = excluded.token_hash, created_at = now(), expires_at = excluded.expires_at;
    INSERT INTO audit_log (tenant_id, id, actor, action, target, request_id)
    VALUES (member.tenant_id, uuidv7(), 'anonymous', 'auth.reset_requested', 'user:' || member.id, request);
    RETURN true;
END
$$;

ALTER FUNCTION atrium.auth_forgot(address text, hash bytea, life interval, request text) OWNER TO atrium_definer;

-- auth_login(text, text[], double precision)

CREATE FUNCTION atrium.auth_login(address text, buckets text[], per_minute double precision, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    rate := auth_throttle(buckets, per_minute);
    IF rate.granted THEN
        SELECT u.tenant_id, u.id, u.password_hash INTO tenant_id, id, password_hash
          FROM users u WHERE u.email = address AND u.disabled_at IS NULL
           AND NOT EXISTS (SELECT FROM erasures e WHERE e.tenant_id = u.tenant_id);
    END IF;
END
$$;

ALTER FUNCTION atrium.auth_login(address text, buckets text[], per_minute double precision, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text) OWNER TO atrium_definer;

-- auth_login(text, text[], double precision[], double precision[])

CREATE FUNCTION atrium.auth_login(address text, buckets text[], capacities double precision[], per_second double precision[], OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    rate := take_tokens(buckets, capacities, per_second);
    IF rate.granted THEN
        SELECT u.tenant_id, u.id, u.password_hash INTO tenant_id, id, password_hash
          FROM users u WHERE u.email = address AND u.disabled_at IS NULL
           AND NOT EXISTS (SELECT FROM erasures e WHERE e.tenant_id = u.tenant_id);
    END IF;
END
$$;

ALTER FUNCTION atrium.auth_login(address text, buckets text[], capacities double precision[], per_second double precision[], OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text) OWNER TO atrium_definer;

-- auth_login_failed(text, text)

CREATE FUNCTION atrium.auth_login_failed(address text, request text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO audit_log (tenant_id, id, actor, action, target, request_id)
    SELECT u.tenant_id, uuidv7(), 'anonymous', 'auth.login_failed', 'user:' || u.id, request FROM users u WHERE u.email = address;
END
$$;

ALTER FUNCTION atrium.auth_login_failed(address text, request text) OWNER TO atrium_definer;

-- auth_operator(text, text[], bytea[], text, double precision)

CREATE FUNCTION atrium.auth_operator(presented text, kids text[], macs bytea[], caller text, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    SELECT CASE WHEN array_position(kids, k.pepper_kid) IS NULL THEN 'unknown_pepper'
                WHEN macs[array_position(kids, k.pepper_kid)] = k.mac THEN 'ok' END
      INTO outcome FROM operator_keys k WHERE k.key_id = presented AND k.revoked_at IS NULL;
    IF outcome IS NULL THEN
        rate := auth_throttle(ARRAY[caller], per_minute);
        outcome := CASE WHEN rate.granted THEN 'unknown' ELSE 'limited' END;
    END IF;
END
$$;

ALTER FUNCTION atrium.auth_operator(presented text, kids text[], macs bytea[], caller text, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state) OWNER TO atrium_definer;

-- auth_operator_digest(text, bytea, double precision)

CREATE FUNCTION atrium.auth_operator_digest(presented text, key_digest bytea, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    IF EXISTS (SELECT FROM operator_keys k WHERE k.key_id = presented AND k.digest = key_digest AND k.revoked_at IS NULL) THEN
        outcome := 'ok';
        RETURN;
    END IF;
    rate := auth_throttle(ARRAY['operator:guesses'], per_minute);
    outcome := CASE WHEN rate.granted THEN 'unknown' ELSE 'limited' END;
END
$$;

ALTER FUNCTION atrium.auth_operator_digest(presented text, key_digest bytea, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state) OWNER TO atrium_definer;

-- auth_refresh(bytea, uuid, bytea, interval, text, text[], double precision)

CREATE FUNCTION atrium.auth_refresh(hash bytea, child uuid, child_hash bytea, idle interval, request text, buckets text[], per_minute double precision, OUT outcome text, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT family_id uuid) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    token  refresh_tokens;
    spent  boolean;
BEGIN
    rate := auth_throttle(buckets, per_minute);
    IF NOT rate.granted THEN
        outcome := 'limited';
        RETURN;
    END IF;
    SELECT t.* INTO token FROM refresh_tokens t WHERE t.token_hash = hash;
    IF token.id IS NULL THEN
        outcome := 'unknown';
        RETURN;
    END IF;
    IF NOT tenant_stays(token.tenant_id) THEN
        outcome := 'expired';
        RETURN;
    END IF;
    -- The family's first row is its lock: two uses of its tokens take turns.
    PERFORM FROM refresh_tokens t
      WHERE t.tenant_id = token.tenant_id AND t.family_id = token.family_id AND t.parent_id IS NULL FOR UPDATE;
    SELECT t.* INTO token FROM refresh_tokens t WHERE t.token_hash = hash;
    -- Of any row: a child that was born while its family was being ended has no mark of its own.
    IF EXISTS (SELECT FROM refresh_tokens t
                WHERE t.tenant_id = token.tenant_id AND t.family_id = token.family_id AND t.revoked_at IS NOT NULL)
       OR token.idle_expires_at <= now() OR token.family_expires_at <= now()
       OR NOT EXISTS (SELECT FROM users u WHERE u.tenant_id = token.tenant_id AND u.id = token.user_id AND u.disabled_at IS NULL) THEN
        outcome := 'expired';
        RETURN;
    END IF;
    tenant_id := token.tenant_id;
    id := token.user_id;
    family_id := token.family_id;
    SELECT token.used_at IS NOT NULL
           AND (token.used_at < clock_timestamp() - interval '10 seconds' OR count(*) > 1 OR count(*) FILTER (WHERE t.used_at IS NOT NULL) > 0)
      INTO spent
      FROM refresh_tokens t
     WHERE t.tenant_id = token.tenant_id AND t.family_id = token.family_id AND t.parent_id = token.id;
    -- A session is not lost by a crash, unlike a bucket.
    PERFORM set_config('synchronous_commit', 'on', true);
    IF spent THEN
        UPDATE refresh_tokens t SET revoked_at = now() WHERE t.tenant_id = token.tenant_id AND t.family_id = token.family_id;
        UPDATE users u SET token_version = u.token_version + 1 WHERE u.tenant_id = token.tenant_id AND u.id = token.user_id;
        INSERT INTO audit_log (tenant_id, id, actor, action, target, request_id)
        VALUES (token.tenant_id, uuidv7(), 'anonymous', 'auth.refresh_reused', 'session:' || token.family_id, request);
        outcome := 'reused';
        RETURN;
    END IF;
    UPDATE refresh_tokens t SET used_at = coalesce(t.used_at, clock_timestamp()) WHERE t.tenant_id = token.tenant_id AND t.id = token.id;
    INSERT INTO refresh_tokens (tenant_id, id, family_id, parent_id, user_id, token_hash, idle_expires_at, family_expires_at)
    VALUES (token.tenant_id, child, token.family_id, token.id, token.user_id, child_hash,
            least(now() + idle, token.family_expires_at), token.family_expires_at);
    outcome := 'ok';
END
$$;

ALTER FUNCTION atrium.auth_refresh(hash bytea, child uuid, child_hash bytea, idle interval, request text, buckets text[], per_minute double precision, OUT outcome text, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT family_id uuid) OWNER TO atrium_definer;

-- auth_register(uuid, text, uuid, text, text, text, text)

CREATE FUNCTION atrium.auth_register(tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO tenants (tenant_id, name) VALUES (tenant, organisation);
    INSERT INTO users (tenant_id, id, email, password_hash, role) VALUES (tenant, member, address, hash, 'admin');
    INSERT INTO audit_log (tenant_id, id, actor, action, target, request_id)
    VALUES (tenant, uuidv7(), actor, 'auth.registered', 'user:' || member, request);
    RETURN true;
EXCEPTION WHEN unique_violation THEN
    RETURN false;
END
$$;

ALTER FUNCTION atrium.auth_register(tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text) OWNER TO atrium_definer;

-- auth_register(uuid, text, uuid, text, text, text, text, bigint)

CREATE FUNCTION atrium.auth_register(tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text, budget bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT auth_register(tenant, organisation, member, address, hash, actor, request) THEN
        RETURN false;
    END IF;
    PERFORM limit_put(tenant, 'platform', 'tenant', tenant, budget, 'hard', NULL);
    RETURN true;
END
$$;

ALTER FUNCTION atrium.auth_register(tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text, budget bigint) OWNER TO atrium_definer;

-- auth_reset(bytea, text, text)

CREATE FUNCTION atrium.auth_reset(hash bytea, password text, request text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    used  password_resets;
BEGIN
    SELECT r.* INTO used FROM password_resets r WHERE r.token_hash = hash;
    IF used.user_id IS NULL OR NOT tenant_stays(used.tenant_id) THEN
        RETURN false;
    END IF;
    -- The user before the token, as whoever removes the user or changes the password does: neither waits for the other in a ring.
    PERFORM FROM users u WHERE u.tenant_id = used.tenant_id AND u.id = used.user_id FOR NO KEY UPDATE;
    DELETE FROM password_resets r WHERE r.token_hash = hash AND r.expires_at > now() RETURNING r.* INTO used;
    UPDATE users u SET password_hash = password, token_version = u.token_version + 1
     WHERE u.tenant_id = used.tenant_id AND u.id = used.user_id AND u.disabled_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE refresh_tokens t SET revoked_at = now()
     WHERE t.tenant_id = used.tenant_id AND t.user_id = used.user_id AND t.revoked_at IS NULL;
    INSERT INTO audit_log (tenant_id, id, actor, action, target, request_id)
    VALUES (used.tenant_id, uuidv7(), 'user:' || used.user_id, 'auth.password_reset', 'user:' || used.user_id, request);
    RETURN true;
END
$$;

ALTER FUNCTION atrium.auth_reset(hash bytea, password text, request text) OWNER TO atrium_definer;

-- auth_take(text[], double precision[], double precision[])

CREATE FUNCTION atrium.auth_take(buckets text[], capacities double precision[], per_second double precision[]) RETURNS atrium.rate_state
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT take_tokens(buckets, capacities, per_second)
$$;

ALTER FUNCTION atrium.auth_take(buckets text[], capacities double precision[], per_second double precision[]) OWNER TO atrium_definer;

-- auth_throttle(text[], double precision)

CREATE FUNCTION atrium.auth_throttle(buckets text[], per_minute double precision) RETURNS atrium.rate_state
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT take_tokens(buckets, array_fill(per_minute, ARRAY[cardinality(buckets)]), array_fill(per_minute / 60, ARRAY[cardinality(buckets)]))
$$;

ALTER FUNCTION atrium.auth_throttle(buckets text[], per_minute double precision) OWNER TO atrium_definer;

-- budget_threshold(bigint, bigint)

CREATE FUNCTION atrium.budget_threshold(spent bigint, budget bigint) RETURNS smallint
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT (CASE WHEN spent >= budget THEN 100 WHEN spent >= budget * 0.8 THEN 80 WHEN spent >= budget * 0.5 THEN 50 ELSE 0 END)::smallint
$$;

ALTER FUNCTION atrium.budget_threshold(spent bigint, budget bigint) OWNER TO atrium_definer;

-- close_ledger_day()

CREATE FUNCTION atrium.close_ledger_day(OUT closed date) RETURNS date
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
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

ALTER FUNCTION atrium.close_ledger_day(OUT closed date) OWNER TO atrium_definer;

-- current_tenant()

CREATE FUNCTION atrium.current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid;

ALTER FUNCTION atrium.current_tenant() OWNER TO atrium_migrator;

-- declare_embedding_space(smallint, text, integer, integer)

CREATE PROCEDURE atrium.declare_embedding_space(IN space smallint, IN space_model text, IN space_dimensions integer, IN space_max_tokens integer)
    LANGUAGE plpgsql
    AS $$
DECLARE
    leaf text := 'chunks_' || space;
BEGIN
    INSERT INTO atrium.embedding_spaces (id, model, dimensions, max_tokens)
    VALUES (space, space_model, space_dimensions, space_max_tokens)
    ON CONFLICT (id) DO NOTHING;
    IF NOT EXISTS (SELECT FROM atrium.embedding_spaces
                   WHERE id = space AND model = space_model AND dimensions = space_dimensions AND max_tokens = space_max_tokens) THEN
        RAISE EXCEPTION 'embedding space % exists with another model, length or window: declare a new id', space;
    END IF;
    IF to_regclass('atrium.' || leaf) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE atrium.%I PARTITION OF atrium.chunks FOR VALUES IN (%s)', leaf, space);
    EXECUTE format('ALTER TABLE atrium.%I ADD CHECK (public.vector_dims(embedding) = %s)', leaf, space_dimensions);
    IF space_dimensions <= 3584 THEN   -- a longer vector and its text do not fit one page
        EXECUTE format('ALTER TABLE atrium.%I ALTER COLUMN embedding SET STORAGE PLAIN', leaf);
    END IF;
    -- Words are ranked from the row itself, so nothing of it is compressed or moved out as long as it fits the page (measured: keyword
    -- search 10 times slower on compressed text vectors, which every ts_rank unpacks again).
    EXECUTE format('ALTER TABLE atrium.%I SET (toast_tuple_target = 8160)', leaf);
    -- Plans are made once, for any tenant: they are to suit a large one, not the average. A small one suffers nothing from that.
    EXECUTE format('ALTER TABLE atrium.%I ALTER COLUMN tenant_id SET (n_distinct = 10)', leaf);
    -- Publish, delete and list.
    EXECUTE format('CREATE INDEX %I ON atrium.%I (tenant_id, document_id, version, ordinal)', leaf || '_versions', leaf);
    -- Keyword search; with the tenant in the index (btree_gin) other tenants' frequent words cost nothing (measured: 0.4 ms for 2.2).
    EXECUTE format('CREATE INDEX %I ON atrium.%I USING gin (tenant_id, tsv)', leaf || '_tsv', leaf);
    -- Statistics that are a minute old at most: vacuum after every 2,000 inserted rows.
    EXECUTE format('ALTER TABLE atrium.%I SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 2000)', leaf);
    EXECUTE format('CALL atrium.protect(%L)', 'atrium.' || leaf);
    EXECUTE format('GRANT SELECT ON atrium.%I TO atrium_definer', leaf);
END
$$;

ALTER PROCEDURE atrium.declare_embedding_space(IN space smallint, IN space_model text, IN space_dimensions integer, IN space_max_tokens integer) OWNER TO atrium_migrator;

-- erase_rows(integer)

CREATE FUNCTION atrium.erase_rows(most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $_$
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
$_$;

ALTER FUNCTION atrium.erase_rows(most integer) OWNER TO atrium_definer;

-- erase_tenant(text, text, text)

CREATE FUNCTION atrium.erase_tenant(confirmation text, requester text, request text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $_$
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
    PERFORM usage_fold(tenant, NULL);
    FOR target IN SELECT * FROM tenant_tables() LOOP
        -- There may be millions of these.
        CONTINUE WHEN target::text IN ('documents', 'document_versions', 'drop_writes', 'audit_log', 'outbox', 'chunk_bits',
                                       'ledger_entries')
            OR target::text LIKE 'chunks\_%';
        EXECUTE format('DELETE FROM %s WHERE tenant_id = $1', target) USING tenant;
    END LOOP;
    UPDATE tenants t SET name = 'erased', settings = '{}' WHERE t.tenant_id = tenant;
    RETURN true;
END
$_$;

ALTER FUNCTION atrium.erase_tenant(confirmation text, requester text, request text) OWNER TO atrium_definer;

-- keep_bits()

CREATE FUNCTION atrium.keep_bits() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO atrium.chunk_bits (tenant_id, space_id, document_id, id, bits)
        SELECT tenant_id, space_id, document_id, id, binary_quantize(embedding) FROM written;
    ELSE
        DELETE FROM atrium.chunk_bits AS b   -- lists, not a join, which might compare each with each
        WHERE b.tenant_id = ANY (ARRAY(SELECT DISTINCT tenant_id FROM removed))
          AND b.space_id = ANY (ARRAY(SELECT DISTINCT space_id FROM removed))
          AND b.document_id = ANY (ARRAY(SELECT DISTINCT document_id FROM removed))
          AND b.id = ANY (ARRAY(SELECT id FROM removed));
    END IF;
    RETURN NULL;
END
$$;

ALTER FUNCTION atrium.keep_bits() OWNER TO atrium_migrator;

-- api_keys

CREATE TABLE atrium.api_keys (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    key_id text NOT NULL,
    mac bytea NOT NULL,
    pepper_kid text NOT NULL,
    last_four text NOT NULL,
    role text NOT NULL,
    scopes text[] DEFAULT '{}'::text[] NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    previous_mac bytea,
    previous_pepper_kid text,
    previous_until timestamp with time zone,
    rotation_id uuid,
    CONSTRAINT api_keys_check CHECK ((num_nulls(previous_mac, previous_pepper_kid, previous_until) = ANY (ARRAY[0, 3]))),
    CONSTRAINT api_keys_mac_check CHECK ((length(mac) = 32)),
    CONSTRAINT api_keys_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200))),
    CONSTRAINT api_keys_previous_mac_check CHECK ((length(previous_mac) = 32)),
    CONSTRAINT api_keys_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'member'::text, 'viewer'::text])))
);

ALTER TABLE ONLY atrium.api_keys FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.api_keys OWNER TO atrium_migrator;

-- key_matches(atrium.api_keys, text[], bytea[])

CREATE FUNCTION atrium.key_matches(found atrium.api_keys, kids text[], macs bytea[]) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN bool_or(macs[array_position(kids, s.kid)] = s.mac) THEN true
                WHEN bool_or(array_position(kids, s.kid) IS NULL) THEN NULL
                ELSE false END
      FROM (VALUES (found.pepper_kid, found.mac, true),
                   (found.previous_pepper_kid, found.previous_mac, found.previous_until > now())) s (kid, mac, living)
     WHERE s.living
$$;

ALTER FUNCTION atrium.key_matches(found atrium.api_keys, kids text[], macs bytea[]) OWNER TO atrium_definer;

-- ledger_abandon(uuid, uuid, text[])

CREATE FUNCTION atrium.ledger_abandon(tenant uuid, call_id uuid, metrics text[]) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    held  ledger_reservations;
BEGIN
    PERFORM ledger_tenant(tenant);
    DELETE FROM ledger_reservations r
     WHERE r.tenant_id = tenant AND r.id = call_id AND r.due_at < now() - interval '1 day' RETURNING r.* INTO held;
    RETURN FOUND AND ledger_enter(held, ROW (
        'unknown', held.bound, held.model, 0, 0, 0, 0, 0, false, '[]',
        CASE WHEN held.model = ANY (metrics) OR held.model LIKE 'local/%' THEN held.model
             ELSE split_part(held.model, '/', 1) || '/other' END)::ledger_result);
END
$$;

ALTER FUNCTION atrium.ledger_abandon(tenant uuid, call_id uuid, metrics text[]) OWNER TO atrium_definer;

-- ledger_charge(uuid, date, text, uuid, bigint, bigint, integer)

CREATE FUNCTION atrium.ledger_charge(tenant uuid, of_month date, of_scope text, of_id uuid, cost bigint, released bigint, more_calls integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    balance  ledger_balances;
    budget   record;
BEGIN
    INSERT INTO ledger_balances AS b (tenant_id, month, scope_id, scope, spent, calls)
    VALUES (tenant, of_month, of_id, of_scope, cost, more_calls)
    ON CONFLICT (tenant_id, month, scope_id) DO UPDATE
       SET spent = b.spent + excluded.spent, reserved = greatest(0, b.reserved - released), calls = b.calls + excluded.calls
    RETURNING b.* INTO balance;
    IF cost = 0 THEN
        RETURN;
    END IF;
    FOR budget IN
        SELECT l.origin, l.mode, l.monthly_budget AS amount, budget_threshold(balance.spent, l.monthly_budget) AS reached,
               CASE l.origin WHEN 'platform' THEN balance.platform_told ELSE balance.tenant_told END AS told
          FROM spending_limits l WHERE l.tenant_id = tenant AND l.scope_id = of_id AND l.monthly_budget IS NOT NULL
    LOOP
        CONTINUE WHEN budget.reached <= budget.told;
        UPDATE ledger_balances b
           SET platform_told = CASE budget.origin WHEN 'platform' THEN budget.reached ELSE b.platform_told END,
               tenant_told = CASE budget.origin WHEN 'tenant' THEN budget.reached ELSE b.tenant_told END
         WHERE b.tenant_id = tenant AND b.month = of_month AND b.scope_id = of_id;
        INSERT INTO outbox (tenant_id, id, type, subject, payload)
        SELECT tenant, uuidv7(), 'budget.threshold_reached', of_scope || ':' || of_id,
               jsonb_build_object('scope', of_scope, 'id', of_id, 'month', to_char(of_month, 'YYYY-MM'), 'percent', percent,
                                  'set_by', budget.origin, 'mode', budget.mode,
                                  'monthly_budget_usd', trim_scale(budget.amount / 1e9), 'spent_usd', trim_scale(balance.spent / 1e9))
          FROM unnest(ARRAY[50, 80, 100]) percent WHERE percent > budget.told AND percent <= budget.reached;
    END LOOP;
END
$$;

ALTER FUNCTION atrium.ledger_charge(tenant uuid, of_month date, of_scope text, of_id uuid, cost bigint, released bigint, more_calls integer) OWNER TO atrium_definer;

-- ledger_digest(date)

CREATE FUNCTION atrium.ledger_digest(of_day date, OUT calls bigint, OUT cost bigint, OUT digest text) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
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

ALTER FUNCTION atrium.ledger_digest(of_day date, OUT calls bigint, OUT cost bigint, OUT digest text) OWNER TO atrium_definer;

-- ledger_reservations

CREATE TABLE atrium.ledger_reservations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    month date NOT NULL,
    kind text NOT NULL,
    model text NOT NULL,
    feature text NOT NULL,
    user_id uuid,
    api_key_id uuid,
    document_id uuid,
    job_id uuid,
    conversation_id uuid,
    request_id text DEFAULT ''::text NOT NULL,
    bound bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    due_at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_reservations_bound_check CHECK ((bound >= 0)),
    CONSTRAINT ledger_reservations_check CHECK ((num_nonnulls(user_id, api_key_id) < 2))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');

ALTER TABLE ONLY atrium.ledger_reservations FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.ledger_reservations OWNER TO atrium_migrator;

-- ledger_enter(atrium.ledger_reservations, atrium.ledger_result)

CREATE FUNCTION atrium.ledger_enter(held atrium.ledger_reservations, result atrium.ledger_result) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    tenant    CONSTANT uuid := held.tenant_id;
    cost      bigint := greatest(0, result.cost);
    provider  CONSTANT text := split_part(result.model, '/', 1);
    written   boolean;
BEGIN
    INSERT INTO ledger_entries (
        tenant_id, id, kind, provider, model, feature, user_id, api_key_id, document_id, job_id, conversation_id, request_id,
        input_tokens, output_tokens, cached_tokens, units, cost, bound, outcome, counted, milliseconds, attempts, created_at)
    VALUES (
        tenant, held.id, held.kind, provider, result.model, held.feature, held.user_id, held.api_key_id, held.document_id,
        held.job_id, held.conversation_id, held.request_id, result.input_tokens, result.output_tokens, result.cached_tokens,
        result.units, cost, held.bound, result.outcome, result.counted, result.milliseconds, result.attempts, held.created_at)
    ON CONFLICT (tenant_id, id) DO NOTHING;
    written := FOUND;
    IF written THEN
        INSERT INTO usage_daily AS u (tenant_id, day, model, feature, provider, calls, input_tokens, output_tokens, cached_tokens, cost)
        VALUES (tenant, (held.created_at AT TIME ZONE 'UTC')::date, result.metric, held.feature, split_part(result.metric, '/', 1), 1,
                result.input_tokens, result.output_tokens, result.cached_tokens, cost)
        ON CONFLICT (tenant_id, day, model, feature) DO UPDATE
           SET calls = u.calls + 1, input_tokens = u.input_tokens + excluded.input_tokens,
               output_tokens = u.output_tokens + excluded.output_tokens,
               cached_tokens = u.cached_tokens + excluded.cached_tokens, cost = u.cost + excluded.cost;
    ELSE
        cost := 0;
    END IF;
    IF cost > held.bound THEN
        INSERT INTO outbox (tenant_id, id, type, subject, payload)
        VALUES (tenant, uuidv7(), 'budget.overshot', 'call:' || held.id,
                jsonb_build_object('model', result.model, 'feature', held.feature, 'reserved_usd', trim_scale(held.bound / 1e9),
                                   'cost_usd', trim_scale(cost / 1e9)));
    END IF;
    -- In the order in which they are locked when something is reserved.
    IF held.user_id IS NOT NULL THEN
        PERFORM ledger_charge(tenant, held.month, 'user', held.user_id, cost, held.bound, written::integer);
    ELSIF held.api_key_id IS NOT NULL THEN
        PERFORM ledger_charge(tenant, held.month, 'api_key', held.api_key_id, cost, held.bound, written::integer);
    END IF;
    PERFORM ledger_charge(tenant, held.month, 'tenant', tenant, cost, held.bound, written::integer);
    RETURN written;
END
$$;

ALTER FUNCTION atrium.ledger_enter(held atrium.ledger_reservations, result atrium.ledger_result) OWNER TO atrium_definer;

-- ledger_figures()

CREATE FUNCTION atrium.ledger_figures() RETURNS TABLE(name text, label text, value double precision)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 2
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT 'ledger_open', s.state, count(r.id)::float8
      FROM (VALUES ('calling'), ('unknown')) s (state)
      LEFT JOIN ledger_reservations r ON CASE WHEN r.due_at < now() THEN 'unknown' ELSE 'calling' END = s.state
     GROUP BY 1, 2
$$;

ALTER FUNCTION atrium.ledger_figures() OWNER TO atrium_definer;

-- ledger_record(uuid, text, uuid, atrium.ledger_call, atrium.ledger_result)

CREATE FUNCTION atrium.ledger_record(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, result atrium.ledger_result) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM ledger_tenant(tenant);
    RETURN ledger_enter(
        ROW (tenant, call.id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, call.kind, call.model, call.feature,
             CASE own_scope WHEN 'user' THEN own_id END, CASE own_scope WHEN 'api_key' THEN own_id END,
             call.document_id, call.job_id, call.conversation_id, call.request_id, 0, now(), now())::ledger_reservations,
        result);
END
$$;

ALTER FUNCTION atrium.ledger_record(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, result atrium.ledger_result) OWNER TO atrium_definer;

-- ledger_reserve(uuid, text, uuid, atrium.ledger_call)

CREATE FUNCTION atrium.ledger_reserve(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call) RETURNS atrium.ledger_hold
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    limits  limits_in_force;
BEGIN
    PERFORM ledger_tenant(tenant);
    limits := limits_of(tenant, own_id, 0, 0);
    RETURN ledger_take(tenant, own_scope, own_id, call, limits.own_budget, limits.tenant_budget);
END
$$;

ALTER FUNCTION atrium.ledger_reserve(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call) OWNER TO atrium_definer;

-- ledger_settle(uuid, text, uuid, uuid, atrium.ledger_result)

CREATE FUNCTION atrium.ledger_settle(tenant uuid, own_scope text, own_id uuid, call_id uuid, result atrium.ledger_result, OUT settled boolean, OUT overshoot bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    held  ledger_reservations;
BEGIN
    PERFORM ledger_tenant(tenant);
    DELETE FROM ledger_reservations r WHERE r.tenant_id = tenant AND r.id = call_id RETURNING r.* INTO held;
    IF NOT FOUND THEN
        -- Settled before; or a crash of the server took the reservation back, and money was spent all the same.
        settled := false;
        IF EXISTS (SELECT FROM ledger_entries e WHERE e.tenant_id = tenant AND e.id = call_id) OR NOT tenant_stays(tenant) THEN
            RETURN;
        END IF;
        held := ROW (tenant, call_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 'chat', result.model, 'unknown',
                     CASE own_scope WHEN 'user' THEN own_id END, CASE own_scope WHEN 'api_key' THEN own_id END,
                     NULL, NULL, NULL, '', 0, now(), now())::ledger_reservations;
    END IF;
    settled := ledger_enter(held, result);
    overshoot := greatest(0, result.cost - held.bound);
END
$$;

ALTER FUNCTION atrium.ledger_settle(tenant uuid, own_scope text, own_id uuid, call_id uuid, result atrium.ledger_result, OUT settled boolean, OUT overshoot bigint) OWNER TO atrium_definer;

-- ledger_take(uuid, text, uuid, atrium.ledger_call, bigint, bigint)

CREATE FUNCTION atrium.ledger_take(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, own_budget bigint, tenant_budget bigint) RETURNS atrium.ledger_hold
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    hold        ledger_hold;
    this_month  CONSTANT date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    granted     bigint := call.bound;
    balance     record;
    cap         bigint;
    present     integer;
BEGIN
    IF granted > 0 THEN
        SELECT count(*) INTO present FROM ledger_balances b
         WHERE b.tenant_id = tenant AND b.month = this_month AND b.scope_id IN (own_id, tenant);
        IF present < num_nonnulls(own_id, tenant) THEN
            -- The month's first call. Nothing is locked yet: a row that another call is inserting is waited for.
            INSERT INTO ledger_balances (tenant_id, month, scope_id, scope)
            SELECT tenant, this_month, s.id, s.scope FROM (VALUES (own_id, own_scope), (tenant, 'tenant')) s (id, scope)
             WHERE s.id IS NOT NULL ORDER BY s.scope = 'tenant' ON CONFLICT DO NOTHING;
        END IF;
        FOR balance IN
            SELECT b.scope, b.scope_id, b.spent, b.reserved FROM ledger_balances b
             WHERE b.tenant_id = tenant AND b.month = this_month AND b.scope_id IN (own_id, tenant)
             ORDER BY b.scope = 'tenant' FOR UPDATE
        LOOP
            cap := CASE WHEN balance.scope = 'tenant' THEN tenant_budget ELSE own_budget END;
            CONTINUE WHEN cap IS NULL OR cap - balance.spent - balance.reserved >= granted;
            granted := cap - balance.spent - balance.reserved;
            IF granted < greatest(1, coalesce(call.least, call.bound)) THEN
                hold := ROW (false, 0, this_month, balance.scope,
                             (SELECT l.origin FROM spending_limits l
                               WHERE l.tenant_id = tenant AND l.scope_id = balance.scope_id AND l.mode = 'hard'
                               ORDER BY l.monthly_budget LIMIT 1),
                             cap, balance.spent, balance.reserved)::ledger_hold;
                RETURN hold;
            END IF;
        END LOOP;
        UPDATE ledger_balances b SET reserved = b.reserved + granted
         WHERE b.tenant_id = tenant AND b.month = this_month AND b.scope_id IN (own_id, tenant);
    END IF;
    INSERT INTO ledger_reservations (tenant_id, id, month, kind, model, feature, user_id, api_key_id,
                                     document_id, job_id, conversation_id, request_id, bound, due_at)
    VALUES (tenant, call.id, this_month, call.kind, call.model, call.feature,
            CASE own_scope WHEN 'user' THEN own_id END, CASE own_scope WHEN 'api_key' THEN own_id END,
            call.document_id, call.job_id, call.conversation_id, call.request_id, granted, now() + make_interval(secs => call.seconds));
    hold := ROW (true, granted, this_month, NULL, NULL, NULL, NULL, NULL)::ledger_hold;
    RETURN hold;
END
$$;

ALTER FUNCTION atrium.ledger_take(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, own_budget bigint, tenant_budget bigint) OWNER TO atrium_definer;

-- ledger_tenant(uuid)

CREATE FUNCTION atrium.ledger_tenant(tenant uuid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    IF tenant IS NULL OR tenant <> coalesce(current_tenant(), tenant) THEN
        RAISE EXCEPTION 'this is not the transaction''s tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- Nobody waits for the disk with a balance locked. What a crash of the server takes back is the last moment's, in order:
    -- a settlement that is gone leaves its reservation, which the sweep settles in full; a settlement whose reservation is gone
    -- is written all the same.
    PERFORM set_config('synchronous_commit', 'off', true);
END
$$;

ALTER FUNCTION atrium.ledger_tenant(tenant uuid) OWNER TO atrium_definer;

-- ledger_entries

CREATE TABLE atrium.ledger_entries (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    feature text NOT NULL,
    user_id uuid,
    api_key_id uuid,
    document_id uuid,
    job_id uuid,
    conversation_id uuid,
    request_id text NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    units bigint NOT NULL,
    cost bigint NOT NULL,
    bound bigint NOT NULL,
    outcome text NOT NULL,
    counted boolean NOT NULL,
    milliseconds bigint NOT NULL,
    attempts jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT ledger_entries_cost_check CHECK ((cost >= 0)),
    CONSTRAINT ledger_entries_kind_check CHECK ((kind = ANY (ARRAY['chat'::text, 'embedding'::text, 'ocr'::text, 'training'::text]))),
    CONSTRAINT ledger_entries_outcome_check CHECK ((outcome = ANY (ARRAY['ok'::text, 'failed'::text, 'cancelled'::text, 'cut'::text, 'unknown'::text])))
);

ALTER TABLE ONLY atrium.ledger_entries FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.ledger_entries OWNER TO atrium_migrator;

-- ledger_text(atrium.ledger_entries)

CREATE FUNCTION atrium.ledger_text(entry atrium.ledger_entries) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
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

ALTER FUNCTION atrium.ledger_text(entry atrium.ledger_entries) OWNER TO atrium_definer;

-- limit_own(text, uuid, bigint, text, integer)

CREATE FUNCTION atrium.limit_own(of_scope text, of_id uuid, budget bigint, how text, per_second integer) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT limit_put(required_tenant(), 'tenant', of_scope, of_id, budget, how, per_second)
$$;

ALTER FUNCTION atrium.limit_own(of_scope text, of_id uuid, budget bigint, how text, per_second integer) OWNER TO atrium_definer;

-- limit_put(uuid, text, text, uuid, bigint, text, integer)

CREATE FUNCTION atrium.limit_put(tenant uuid, set_by text, of_scope text, of_id uuid, budget bigint, how text, per_second integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    INSERT INTO spending_limits (tenant_id, scope_id, origin, scope, monthly_budget, mode, rate)
    VALUES (tenant, of_id, set_by, of_scope, budget, how, per_second)
    ON CONFLICT (tenant_id, scope_id, origin) DO UPDATE
       SET monthly_budget = excluded.monthly_budget, mode = excluded.mode, rate = excluded.rate, updated_at = now();
    UPDATE ledger_balances b
       SET platform_told = CASE set_by WHEN 'platform' THEN coalesce(budget_threshold(b.spent, budget), 0) ELSE b.platform_told END,
           tenant_told = CASE set_by WHEN 'tenant' THEN coalesce(budget_threshold(b.spent, budget), 0) ELSE b.tenant_told END
     WHERE b.tenant_id = tenant AND b.scope_id = of_id AND b.month = date_trunc('month', now() AT TIME ZONE 'UTC')::date;
END
$$;

ALTER FUNCTION atrium.limit_put(tenant uuid, set_by text, of_scope text, of_id uuid, budget bigint, how text, per_second integer) OWNER TO atrium_definer;

-- limit_tenant(uuid, bigint, text, integer, text, bytea, text)

CREATE FUNCTION atrium.limit_tenant(tenant uuid, budget bigint, how text, per_second integer, operator text, proof bytea, request text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    author  CONSTANT text := acting_operator(operator, proof);
BEGIN
    IF NOT EXISTS (SELECT FROM tenants t WHERE t.tenant_id = tenant) OR NOT tenant_stays(tenant) THEN
        RETURN false;
    END IF;
    PERFORM limit_put(tenant, 'platform', 'tenant', tenant, budget, how, per_second);
    INSERT INTO audit_log (tenant_id, id, actor, action, target, detail, request_id)
    VALUES (tenant, uuidv7(), author, 'limits.changed', 'tenant:' || tenant,
            jsonb_build_object('set_by', 'platform', 'monthly_budget_usd', trim_scale(budget / 1e9), 'mode', how, 'rate', per_second), request);
    RETURN true;
END
$$;

ALTER FUNCTION atrium.limit_tenant(tenant uuid, budget bigint, how text, per_second integer, operator text, proof bytea, request text) OWNER TO atrium_definer;

-- limits_of(uuid, uuid, double precision, double precision)

CREATE FUNCTION atrium.limits_of(tenant uuid, own_id uuid, usual_rate double precision, usual_tenant_rate double precision) RETURNS atrium.limits_in_force
    LANGUAGE sql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT coalesce(min(l.rate) FILTER (WHERE l.scope <> 'tenant'), usual_rate),
           least(min(l.rate) FILTER (WHERE l.scope = 'tenant' AND l.origin = 'tenant'),
                 coalesce(min(l.rate) FILTER (WHERE l.origin = 'platform'), usual_tenant_rate)),
           min(l.monthly_budget) FILTER (WHERE l.scope <> 'tenant' AND l.mode = 'hard'),
           min(l.monthly_budget) FILTER (WHERE l.scope = 'tenant' AND l.mode = 'hard')
      FROM spending_limits l WHERE l.tenant_id = tenant AND l.scope_id IN (own_id, tenant)
$$;

ALTER FUNCTION atrium.limits_of(tenant uuid, own_id uuid, usual_rate double precision, usual_tenant_rate double precision) OWNER TO atrium_definer;

-- matching_chunks(smallint, text, text, uuid[], integer, integer)

CREATE FUNCTION atrium.matching_chunks(space smallint, question text, asked_in text, scope uuid[], budget integer, top integer, OUT ids uuid[], OUT relevances double precision[], OUT languages text[], OUT compared bigint) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_indexscan TO 'off'
    SET enable_bitmapscan TO 'on'
    SET plan_cache_mode TO 'force_generic_plan'
    SET parallel_setup_cost TO '1000000'
    AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := atrium.required_tenant();
    asked  record;
    lookup tsquery;
    exact  integer;
    q      tsquery[];
    f      double precision[];
    many   boolean;
BEGIN
    asked := atrium.question_words(space, question, asked_in);
    IF asked.words IS NULL THEN
        compared := 0;
        RETURN;
    END IF;
    IF cardinality(scope) <= 100 THEN
        budget := 2147483647;   -- what is frequent among all documents may be all there is in a few
    END IF;
    q := asked.words;
    f := asked.frequencies;
    many := cardinality(q) > 8;   -- most questions have no more; the other eight columns, empty, are a seventh of the work
    -- Any of the rarer words; where even the rarest is everywhere, several of them at once, as far as enough chunks have them all.
    SELECT coalesce(string_agg(word::text, ' | ') FILTER (WHERE together <= budget),
                    string_agg(word::text, ' & ') FILTER (WHERE joint >= budget / 2.0 OR i = 1))::tsquery,
           CASE WHEN scope IS NULL THEN count(*) FILTER (WHERE together <= budget) ELSE 0 END
    INTO lookup, exact
    FROM (SELECT word, i, sum(frequency) OVER (ORDER BY i) AS together,
                 asked.total * exp(sum(ln(least(frequency / asked.total, 1))) OVER (ORDER BY i)) AS joint
          FROM unnest(q, f) WITH ORDINALITY AS t (word, frequency, i)) AS s;
    WITH matched AS MATERIALIZED (
        SELECT c.id, c.language, 1.5 * (0.25 + 0.75 * length(c.tsv) / asked.mean_length) - 0.5 AS k,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[1]), 0) AS y1, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[2]), 0) AS y2,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[3]), 0) AS y3, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[4]), 0) AS y4,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[5]), 0) AS y5, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[6]), 0) AS y6,
               1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[7]), 0) AS y7, 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[8]), 0) AS y8,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[9]), 0) END AS y9,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[10]), 0) END AS y10,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[11]), 0) END AS y11,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[12]), 0) END AS y12,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[13]), 0) END AS y13,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[14]), 0) END AS y14,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[15]), 0) END AS y15,
               CASE WHEN many THEN 1.644934 - 16.44934 * nullif(ts_rank(c.tsv, q[16]), 0) END AS y16
        FROM atrium.chunks c
        WHERE c.space_id = space AND c.tenant_id = tenant AND c.tsv @@ lookup AND (scope IS NULL OR c.document_id = ANY (scope))),
    -- Words that were looked up are counted exactly, all others as the sample says.
    counted AS MATERIALIZED (
        SELECT count(*) AS compared, ARRAY[
            count(y1), count(y2), count(y3), count(y4), count(y5), count(y6), count(y7), count(y8),
            count(y9), count(y10), count(y11), count(y12), count(y13), count(y14), count(y15), count(y16)]::float8[] AS n
        FROM matched),
    weighed AS MATERIALIZED (
        SELECT compared, ARRAY(
            SELECT ln(1 + (greatest(asked.total - s.df, 0) + 0.5) / (s.df + 0.5))
            FROM (SELECT i, CASE WHEN i <= exact THEN n[i] ELSE f[i] END AS df FROM generate_series(1, cardinality(q)) AS i) AS s
            ORDER BY s.i) AS w
        FROM counted),
    ranked AS (
        SELECT m.id, m.language, compared,
               coalesce(w[1] * (2 - y1) / (1 + k * y1), 0) + coalesce(w[2] * (2 - y2) / (1 + k * y2), 0)
             + coalesce(w[3] * (2 - y3) / (1 + k * y3), 0) + coalesce(w[4] * (2 - y4) / (1 + k * y4), 0)
             + coalesce(w[5] * (2 - y5) / (1 + k * y5), 0) + coalesce(w[6] * (2 - y6) / (1 + k * y6), 0)
             + coalesce(w[7] * (2 - y7) / (1 + k * y7), 0) + coalesce(w[8] * (2 - y8) / (1 + k * y8), 0)
             + CASE WHEN many THEN
                   coalesce(w[9] * (2 - y9) / (1 + k * y9), 0) + coalesce(w[10] * (2 - y10) / (1 + k * y10), 0)
                 + coalesce(w[11] * (2 - y11) / (1 + k * y11), 0) + coalesce(w[12] * (2 - y12) / (1 + k * y12), 0)
                 + coalesce(w[13] * (2 - y13) / (1 + k * y13), 0) + coalesce(w[14] * (2 - y14) / (1 + k * y14), 0)
                 + coalesce(w[15] * (2 - y15) / (1 + k * y15), 0) + coalesce(w[16] * (2 - y16) / (1 + k * y16), 0) ELSE 0 END AS relevance
        FROM matched AS m, weighed
        ORDER BY relevance DESC, m.id LIMIT top)
    SELECT array_agg(r.id), array_agg(r.relevance), array_agg(r.language), max(r.compared)
    INTO ids, relevances, languages, compared
    FROM ranked AS r;
END
$$;

ALTER FUNCTION atrium.matching_chunks(space smallint, question text, asked_in text, scope uuid[], budget integer, top integer, OUT ids uuid[], OUT relevances double precision[], OUT languages text[], OUT compared bigint) OWNER TO atrium_definer;

-- nearest_by_bits(smallint, public.halfvec, uuid[], integer, integer)

CREATE FUNCTION atrium.nearest_by_bits(space smallint, question public.halfvec, scope uuid[], width integer, top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_indexscan TO 'off'
    SET enable_indexonlyscan TO 'off'
    SET enable_bitmapscan TO 'on'
    SET plan_cache_mode TO 'force_generic_plan'
    SET parallel_setup_cost TO '1000000'
    AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := atrium.required_tenant();
    code   bit varying := binary_quantize(question);
    near   uuid[];
BEGIN
    IF scope IS NULL THEN
        near := ARRAY(SELECT b.id FROM atrium.chunk_bits b
                      WHERE b.tenant_id = tenant AND b.space_id = space ORDER BY b.bits <~> code LIMIT width);
    ELSE
        near := ARRAY(SELECT b.id FROM atrium.chunk_bits b
                      WHERE b.tenant_id = tenant AND b.space_id = space AND b.document_id = ANY (scope)
                      ORDER BY b.bits <~> code LIMIT width);
    END IF;
    SELECT array_agg(n.id), array_agg(1 - n.distance), array_agg(n.language)
    INTO ids, cosines, languages
    FROM (SELECT c.id, c.embedding <=> question AS distance, c.language FROM atrium.chunks c
          WHERE c.space_id = space AND c.tenant_id = tenant AND c.id = ANY (near)
          ORDER BY distance, c.id LIMIT top) AS n;
    compared := cardinality(near);
END
$$;

ALTER FUNCTION atrium.nearest_by_bits(space smallint, question public.halfvec, scope uuid[], width integer, top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint) OWNER TO atrium_definer;

-- nearest_by_index(smallint, public.halfvec, uuid[], integer, integer)

CREATE FUNCTION atrium.nearest_by_index(space smallint, question public.halfvec, scope uuid[], width integer, top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET enable_sort TO 'off'
    SET parallel_setup_cost TO '1000000'
    AS $_$
BEGIN
    PERFORM set_config('hnsw.ef_search', width::text, true), set_config('hnsw.iterative_scan', 'relaxed_order', true);
    EXECUTE format($sql$
        SELECT (array_agg(id ORDER BY distance, id))[:$3], (array_agg(1 - distance ORDER BY distance, id))[:$3],
               (array_agg(language ORDER BY distance, id))[:$3], count(*)
        FROM (SELECT c.id, c.embedding::halfvec(%1$s) <=> $1::halfvec(%1$s) AS distance, c.language FROM atrium.%2$I c
              WHERE c.tenant_id = %3$L %4$s
              ORDER BY c.embedding::halfvec(%1$s) <=> $1::halfvec(%1$s) LIMIT $2) AS n
        $sql$, vector_dims(question), 'chunks_' || space, atrium.required_tenant(),
        CASE WHEN scope IS NOT NULL THEN 'AND c.document_id = ANY ($4)' END)
    INTO ids, cosines, languages, compared USING question, width, top, scope;
    IF cardinality(ids) < top THEN
        ids := NULL;
    END IF;
END
$_$;

ALTER FUNCTION atrium.nearest_by_index(space smallint, question public.halfvec, scope uuid[], width integer, top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint) OWNER TO atrium_definer;

-- nearest_chunks(smallint, public.halfvec, uuid[], integer)

CREATE FUNCTION atrium.nearest_chunks(space smallint, question public.halfvec, scope uuid[], top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := atrium.required_tenant();
    few    constant bigint := 10000;   -- as many are compared one by one in 2 ms
    before bigint := 0;
BEGIN
    IF EXISTS (SELECT FROM atrium.tenant_indexes i WHERE i.tenant_id = tenant AND i.space_id = space)
       AND (scope IS NULL OR few = (SELECT count(*) FROM (SELECT FROM atrium.chunk_bits b
                WHERE b.tenant_id = tenant AND b.space_id = space AND b.document_id = ANY (scope) LIMIT few) AS s)) THEN
        SELECT n.* INTO ids, cosines, languages, compared FROM atrium.nearest_by_index(space, question, scope, greatest(top, 100), top) AS n;
    END IF;
    IF ids IS NULL THEN
        before := coalesce(compared, 0);
        SELECT n.* INTO ids, cosines, languages, compared FROM atrium.nearest_by_bits(space, question, scope, 200, top) AS n;
        compared := before + compared;
    END IF;
END
$$;

ALTER FUNCTION atrium.nearest_chunks(space smallint, question public.halfvec, scope uuid[], top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint) OWNER TO atrium_definer;

-- platform_figures()

CREATE FUNCTION atrium.platform_figures() RETURNS TABLE(name text, label text, value double precision)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 20
    SET search_path TO 'atrium', 'public', 'pg_temp'
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

ALTER FUNCTION atrium.platform_figures() OWNER TO atrium_definer;

-- platform_prompt_add(text, bytea, uuid, text, jsonb, text, jsonb, text)

CREATE FUNCTION atrium.platform_prompt_add(operator text, proof bytea, prompt uuid, about text, content jsonb, chosen text, settings jsonb, remark text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    author text := acting_operator(operator, proof);
    made   integer;
BEGIN
    UPDATE platform_prompts p
       SET latest_version = p.latest_version + 1, description = coalesce(about, p.description), updated_at = now()
     WHERE p.id = prompt AND p.deleted_at IS NULL RETURNING p.latest_version INTO made;
    IF made IS NOT NULL THEN
        INSERT INTO platform_prompt_versions (prompt_id, version, messages, model, parameters, note, created_by)
        VALUES (prompt, made, content, chosen, settings, remark, author);
    END IF;
    RETURN made;
END
$$;

ALTER FUNCTION atrium.platform_prompt_add(operator text, proof bytea, prompt uuid, about text, content jsonb, chosen text, settings jsonb, remark text) OWNER TO atrium_definer;

-- platform_prompt_create(text, bytea, uuid, text, text, text, jsonb, text, jsonb, text)

CREATE FUNCTION atrium.platform_prompt_create(operator text, proof bytea, prompt uuid, name text, kind text, about text, content jsonb, chosen text, settings jsonb, remark text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    author text := acting_operator(operator, proof);
BEGIN
    INSERT INTO platform_prompts (id, key, type, description, created_by) VALUES (prompt, name, kind, about, author)
    ON CONFLICT (key) WHERE deleted_at IS NULL DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO platform_prompt_versions (prompt_id, version, messages, model, parameters, note, created_by)
    VALUES (prompt, 1, content, chosen, settings, remark, author);
    RETURN true;
END
$$;

ALTER FUNCTION atrium.platform_prompt_create(operator text, proof bytea, prompt uuid, name text, kind text, about text, content jsonb, chosen text, settings jsonb, remark text) OWNER TO atrium_definer;

-- platform_prompt_delete(text, bytea, uuid)

CREATE FUNCTION atrium.platform_prompt_delete(operator text, proof bytea, prompt uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    author text := acting_operator(operator, proof);
BEGIN
    UPDATE platform_prompts p SET deleted_by = author, deleted_at = now() WHERE p.id = prompt AND p.deleted_at IS NULL;
    RETURN FOUND;
END
$$;

ALTER FUNCTION atrium.platform_prompt_delete(operator text, proof bytea, prompt uuid) OWNER TO atrium_definer;

-- platform_prompt_point(text, bytea, uuid, text, jsonb)

CREATE FUNCTION atrium.platform_prompt_point(operator text, proof bytea, prompt uuid, name text, targets jsonb) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    author text := acting_operator(operator, proof);
    made   integer;
BEGIN
    PERFORM FROM platform_prompts p WHERE p.id = prompt AND p.deleted_at IS NULL FOR UPDATE;
    IF FOUND THEN
        INSERT INTO platform_prompt_labels AS l (prompt_id, label, revision, variants, created_by)
        SELECT prompt, name, coalesce(max(o.revision), 0) + 1, targets, author
          FROM platform_prompt_labels o WHERE o.prompt_id = prompt AND o.label = name
        RETURNING l.revision INTO made;
    END IF;
    RETURN made;
END
$$;

ALTER FUNCTION atrium.platform_prompt_point(operator text, proof bytea, prompt uuid, name text, targets jsonb) OWNER TO atrium_definer;

-- protect(regclass)

CREATE PROCEDURE atrium.protect(IN target regclass)
    LANGUAGE plpgsql
    AS $$
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

ALTER PROCEDURE atrium.protect(IN target regclass) OWNER TO atrium_migrator;

-- question_words(smallint, text, text)

CREATE FUNCTION atrium.question_words(space smallint, question text, asked_in text, OUT words tsquery[], OUT frequencies double precision[], OUT mean_length double precision, OUT total double precision) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_indexscan TO 'on'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
DECLARE
    tenant      uuid := atrium.required_tenant();
    sample_size constant integer := 150;
    vectors     tsvector[];
    languages   text[];
    last_id     uuid;
BEGIN
    SELECT array_agg(s.tsv), array_agg(s.language), avg(length(s.tsv)), (array_agg(s.id))[sample_size]
    INTO vectors, languages, mean_length, last_id
    FROM (SELECT c.id, c.language, c.tsv FROM atrium.chunks c
          WHERE c.space_id = space AND c.tenant_id = tenant ORDER BY c.id LIMIT sample_size) AS s;
    total := cardinality(vectors) * coalesce(4294967296.0 / (1 + ('x' || left(last_id::text, 8))::bit(32)::bigint), 1);
    languages := ARRAY(
        SELECT l.code
        FROM (SELECT code, count(*) AS n, row_number() OVER (ORDER BY count(*) DESC, code COLLATE "C") AS place
              FROM unnest(languages) AS code GROUP BY code) AS l
        WHERE l.n * 20 >= cardinality(languages) OR l.place <= 8 OR l.code = asked_in
        ORDER BY CASE WHEN l.code = asked_in AND l.n * 20 >= cardinality(languages) THEN 0
                      WHEN l.place = 1 THEN 1 WHEN l.code = asked_in THEN 2 ELSE 3 END, l.place);
    SELECT array_agg(f.word ORDER BY f.n, f.word::text COLLATE "C"),
           array_agg(f.n * total / cardinality(vectors) ORDER BY f.n, f.word::text COLLATE "C")
    INTO words, frequencies
    FROM (SELECT w.word, greatest((SELECT count(*) FROM unnest(vectors) AS v WHERE v @@ w.word), 0.5) AS n
          FROM (SELECT quoted.word, min(l.place) AS place
                FROM unnest(languages) WITH ORDINALITY AS l (code, place),
                     LATERAL (SELECT t.lexeme FROM unnest(atrium.text_vector(l.code, left(question, 1000))) AS t
                              ORDER BY t.positions[1], t.lexeme COLLATE "C" LIMIT 64) AS first (lexeme),
                     CAST('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''' AS tsquery) AS quoted (word)
                GROUP BY quoted.word) AS w
          ORDER BY w.place, n, w.word::text COLLATE "C" LIMIT 16) AS f;
END
$$;

ALTER FUNCTION atrium.question_words(space smallint, question text, asked_in text, OUT words tsquery[], OUT frequencies double precision[], OUT mean_length double precision, OUT total double precision) OWNER TO atrium_definer;

-- refuse_erased()

CREATE FUNCTION atrium.refuse_erased() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    IF NOT tenant_stays(NEW.tenant_id) THEN
        RAISE EXCEPTION 'this tenant is being erased' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;

ALTER FUNCTION atrium.refuse_erased() OWNER TO atrium_migrator;

-- refuse_sealed()

CREATE FUNCTION atrium.refuse_sealed() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT FROM erasures e WHERE e.tenant_id = OLD.tenant_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'a sealed entry of the audit log stays as it is' USING ERRCODE = 'insufficient_privilege';
END
$$;

ALTER FUNCTION atrium.refuse_sealed() OWNER TO atrium_migrator;

-- required_tenant()

CREATE FUNCTION atrium.required_tenant() RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    tenant uuid := nullif(current_setting('app.tenant_id', true), '')::uuid;
BEGIN
    IF tenant IS NULL THEN
        RAISE EXCEPTION 'app.tenant_id is not set' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN tenant;
END
$$;

ALTER FUNCTION atrium.required_tenant() OWNER TO atrium_definer;

-- seal_audit(integer)

CREATE FUNCTION atrium.seal_audit(most integer, OUT sealed bigint, OUT seq bigint, OUT hash bytea) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
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

ALTER FUNCTION atrium.seal_audit(most integer, OUT sealed bigint, OUT seq bigint, OUT hash bytea) OWNER TO atrium_definer;

-- search_chunks(smallint, public.halfvec, text, text[], uuid[], jsonpath, double precision, integer)

CREATE FUNCTION atrium.search_chunks(space smallint, vector public.halfvec, words text, collections text[], document_ids uuid[], filter jsonpath, foreign_weight double precision, top integer) RETURNS TABLE(chunk_id uuid, document_id uuid, document_name text, version integer, page_from integer, page_to integer, page_starts integer[], char_start integer, char_end integer, heading text, language text, text text, score double precision, vector_score double precision, keyword_score double precision, compared bigint)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 10
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT * FROM atrium.search_chunks(space, vector, words, '', CASE WHEN foreign_weight < 1 THEN '{en}'::text[] END,
                                       collections, document_ids, filter, top)
$$;

ALTER FUNCTION atrium.search_chunks(space smallint, vector public.halfvec, words text, collections text[], document_ids uuid[], filter jsonpath, foreign_weight double precision, top integer) OWNER TO atrium_definer;

-- search_chunks(smallint, public.halfvec, text, text, text[], text[], uuid[], jsonpath, integer)

CREATE FUNCTION atrium.search_chunks(space smallint, vector public.halfvec, words text, asked_in text, known text[], collections text[], document_ids uuid[], filter jsonpath, top integer) RETURNS TABLE(chunk_id uuid, document_id uuid, document_name text, version integer, page_from integer, page_to integer, page_starts integer[], char_start integer, char_end integer, heading text, language text, text text, score double precision, vector_score double precision, keyword_score double precision, compared bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
    SET search_path TO 'atrium', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_nestloop TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := atrium.required_tenant();
    scope  uuid[];
    pool   integer := CASE WHEN vector IS NULL OR words IS NULL THEN top ELSE greatest(top, 50) END;
    near_ids          uuid[];
    near_cosines      double precision[];
    near_languages    text[];
    worded_ids        uuid[];
    worded_relevances double precision[];
    worded_languages  text[];
    near_seen   bigint;
    worded_seen bigint;
    far    double precision;
    spread double precision;
    best   double precision;
BEGIN
    IF num_nonnulls(collections, document_ids, filter) > 0 THEN
        scope := atrium.search_scope(collections, document_ids, filter);
    END IF;
    IF vector IS NOT NULL THEN
        SELECT n.* INTO near_ids, near_cosines, near_languages, near_seen FROM atrium.nearest_chunks(space, vector, scope, pool) AS n;
        far := near_cosines[cardinality(near_cosines)];
        spread := nullif(near_cosines[1] - far, 0);
    END IF;
    IF words IS NOT NULL THEN
        SELECT m.* INTO worded_ids, worded_relevances, worded_languages, worded_seen
        FROM atrium.matching_chunks(space, words, asked_in, scope, 400, pool) AS m;
        best := nullif(worded_relevances[1], 0);
    END IF;
    RETURN QUERY
    WITH found AS MATERIALIZED (
        SELECT id, language, max(nearness) AS nearness, max(relevance) AS relevance
        FROM (SELECT id, language, nearness, NULL::float8 AS relevance
              FROM unnest(near_ids, near_languages, near_cosines) AS n (id, language, nearness)
              UNION ALL
              SELECT id, language, NULL, relevance
              FROM unnest(worded_ids, worded_languages, worded_relevances) AS w (id, language, relevance)) AS halves
        GROUP BY id, language),
    mixture AS MATERIALIZED (
        SELECT count(*) FILTER (WHERE language = ANY (known)) * 2 < count(*) AS foreign FROM found WHERE language <> ''),
    shared AS (
        SELECT found.*,
               CASE WHEN known IS NULL THEN 0.5
                    WHEN CASE WHEN asked_in = '' THEN m.foreign ELSE asked_in <> ALL (known) END THEN 0.2
                    WHEN CASE WHEN language = '' THEN m.foreign ELSE language <> ALL (known) END THEN 0.2
                    ELSE 0.5 END AS share
        FROM found, mixture AS m),
    best_of AS MATERIALIZED (
        SELECT id, nearness, relevance,
               CASE WHEN words IS NULL THEN nearness
                    WHEN vector IS NULL THEN relevance
                    ELSE CASE WHEN nearness IS NULL THEN 0
                              WHEN spread IS NULL THEN share
                              ELSE share * (0.2 + 0.8 * (nearness - far) / spread) END
                       + coalesce((1 - share) * relevance / best, 0) END AS final
        FROM shared ORDER BY final DESC, id LIMIT top),
    -- By lists of ids, not by joins: whatever the planner believes of a growing table, these are one pass over an index.
    rows AS MATERIALIZED (
        SELECT c.id, c.document_id, c.version, c.page_from, c.page_to, c.page_starts, c.char_start, c.char_end, c.heading,
               c.language, c.text
        FROM atrium.chunks c
        WHERE c.space_id = space AND c.tenant_id = tenant AND c.id = ANY (ARRAY(SELECT best_of.id FROM best_of))),
    owners AS MATERIALIZED (
        SELECT d.id, d.name, d.ready_version FROM atrium.documents d
        WHERE d.tenant_id = tenant AND d.deleted_at IS NULL AND d.id = ANY (ARRAY(SELECT rows.document_id FROM rows)))
    SELECT c.id, c.document_id, d.name, c.version, c.page_from, c.page_to, c.page_starts, c.char_start, c.char_end, c.heading,
           c.language, c.text, f.final, f.nearness, f.relevance,
           coalesce(near_seen, 0) + coalesce(worded_seen, 0)
    FROM best_of AS f
    JOIN rows AS c ON c.id = f.id
    JOIN owners AS d ON d.id = c.document_id AND d.ready_version = c.version
    ORDER BY f.final DESC, c.id;
END
$$;

ALTER FUNCTION atrium.search_chunks(space smallint, vector public.halfvec, words text, asked_in text, known text[], collections text[], document_ids uuid[], filter jsonpath, top integer) OWNER TO atrium_definer;

-- search_elsewhere(smallint)

CREATE FUNCTION atrium.search_elsewhere(space smallint) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
    tenant uuid := atrium.required_tenant();
BEGIN
    RETURN coalesce((SELECT b.space_id FROM atrium.chunk_bits b WHERE b.tenant_id = tenant ORDER BY b.space_id LIMIT 1) <> space
        OR (SELECT b.space_id FROM atrium.chunk_bits b WHERE b.tenant_id = tenant ORDER BY b.space_id DESC LIMIT 1) <> space, false);
END
$$;

ALTER FUNCTION atrium.search_elsewhere(space smallint) OWNER TO atrium_definer;

-- search_scope(text[], uuid[], jsonpath)

CREATE FUNCTION atrium.search_scope(collections text[], document_ids uuid[], filter jsonpath) RETURNS uuid[]
    LANGUAGE sql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT CASE WHEN num_nonnulls(collections, document_ids, filter) > 0 THEN ARRAY(
        SELECT d.id FROM atrium.documents d
        WHERE d.tenant_id = atrium.required_tenant() AND d.deleted_at IS NULL AND d.ready_version IS NOT NULL
          AND (collections IS NULL OR d.collection = ANY (collections))
          AND (document_ids IS NULL OR d.id = ANY (document_ids))
          AND (filter IS NULL OR d.metadata @@ filter)
        ORDER BY d.id) END
$$;

ALTER FUNCTION atrium.search_scope(collections text[], document_ids uuid[], filter jsonpath) OWNER TO atrium_definer;

-- stemmed_vector(text, text)

CREATE FUNCTION atrium.stemmed_vector(language text, content text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE language WHEN 'en'::text THEN to_tsvector('english'::regconfig, content) WHEN 'de'::text THEN to_tsvector('german'::regconfig, content) WHEN 'fr'::text THEN to_tsvector('french'::regconfig, content) WHEN 'es'::text THEN to_tsvector('spanish'::regconfig, content) WHEN 'ar'::text THEN to_tsvector('arabic'::regconfig, content) WHEN 'ca'::text THEN to_tsvector('catalan'::regconfig, content) WHEN 'da'::text THEN to_tsvector('danish'::regconfig, content) WHEN 'el'::text THEN to_tsvector('greek'::regconfig, content) WHEN 'et'::text THEN to_tsvector('estonian'::regconfig, content) WHEN 'eu'::text THEN to_tsvector('basque'::regconfig, content) WHEN 'fi'::text THEN to_tsvector('finnish'::regconfig, content) WHEN 'ga'::text THEN to_tsvector('irish'::regconfig, content) WHEN 'hi'::text THEN to_tsvector('hindi'::regconfig, content) WHEN 'hu'::text THEN to_tsvector('hungarian'::regconfig, content) WHEN 'hy'::text THEN to_tsvector('armenian'::regconfig, content) WHEN 'id'::text THEN to_tsvector('indonesian'::regconfig, content) WHEN 'it'::text THEN to_tsvector('italian'::regconfig, content) WHEN 'lt'::text THEN to_tsvector('lithuanian'::regconfig, content) WHEN 'ne'::text THEN to_tsvector('nepali'::regconfig, content) WHEN 'nl'::text THEN to_tsvector('dutch'::regconfig, content) WHEN 'no'::text THEN to_tsvector('norwegian'::regconfig, content) WHEN 'pt'::text THEN to_tsvector('portuguese'::regconfig, content) WHEN 'ro'::text THEN to_tsvector('romanian'::regconfig, content) WHEN 'ru'::text THEN to_tsvector('russian'::regconfig, content) WHEN 'sr'::text THEN to_tsvector('serbian'::regconfig, content) WHEN 'sv'::text THEN to_tsvector('swedish'::regconfig, content) WHEN 'ta'::text THEN to_tsvector('tamil'::regconfig, content) WHEN 'tr'::text THEN to_tsvector('turkish'::regconfig, content) WHEN 'yi'::text THEN to_tsvector('yiddish'::regconfig, content) ELSE to_tsvector('simple'::regconfig, content) END;

ALTER FUNCTION atrium.stemmed_vector(language text, content text) OWNER TO atrium_migrator;

-- take_token(text, double precision, double precision)

CREATE FUNCTION atrium.take_token(bucket_name text, capacity double precision, per_second double precision) RETURNS atrium.rate_state
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    left_over double precision;
BEGIN
    INSERT INTO rate_buckets AS b (bucket, tokens, updated_at) VALUES (bucket_name, capacity - 1, clock_timestamp())
    ON CONFLICT (bucket) DO UPDATE
       SET tokens = least(capacity, b.tokens + greatest(0, extract(epoch FROM excluded.updated_at - b.updated_at)) * per_second) - 1,
           updated_at = greatest(b.updated_at, excluded.updated_at)
     WHERE least(capacity, b.tokens + greatest(0, extract(epoch FROM excluded.updated_at - b.updated_at)) * per_second) >= 1
    RETURNING tokens INTO left_over;
    IF FOUND THEN
        RETURN ROW (true, capacity, left_over, 0::double precision, (capacity - left_over) / per_second);
    END IF;
    SELECT least(1, tokens + greatest(0, extract(epoch FROM clock_timestamp() - updated_at)) * per_second)
      INTO left_over FROM rate_buckets WHERE bucket = bucket_name;
    RETURN ROW (false, capacity, 0::double precision, greatest(0, 1 - coalesce(left_over, 1)) / per_second, capacity / per_second);
END
$$;

ALTER FUNCTION atrium.take_token(bucket_name text, capacity double precision, per_second double precision) OWNER TO atrium_definer;

-- take_tokens(text[], double precision[], double precision[])

CREATE FUNCTION atrium.take_tokens(buckets text[], capacities double precision[], per_second double precision[]) RETURNS atrium.rate_state
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
DECLARE
    taken    rate_state;
    tightest rate_state;
BEGIN
    -- Nothing here is worth waiting for the disk; the buckets themselves are not logged.
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR i IN 1 .. coalesce(array_length(buckets, 1), 0) LOOP
        taken := take_token(buckets[i], capacities[i], per_second[i]);
        IF NOT taken.granted THEN
            RETURN taken;
        END IF;
        IF tightest IS NULL OR taken.remaining < tightest.remaining THEN
            tightest := taken;
        END IF;
    END LOOP;
    RETURN tightest;
END
$$;

ALTER FUNCTION atrium.take_tokens(buckets text[], capacities double precision[], per_second double precision[]) OWNER TO atrium_definer;

-- tenant_stays(uuid)

CREATE FUNCTION atrium.tenant_stays(tenant uuid) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
BEGIN
    PERFORM FROM tenants t WHERE t.tenant_id = tenant FOR KEY SHARE;
    -- A statement of its own: it sees what was committed while the one before waited.
    RETURN NOT EXISTS (SELECT FROM erasures e WHERE e.tenant_id = tenant);
END
$$;

ALTER FUNCTION atrium.tenant_stays(tenant uuid) OWNER TO atrium_migrator;

-- tenant_tables()

CREATE FUNCTION atrium.tenant_tables() RETURNS SETOF regclass
    LANGUAGE sql STABLE
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT c.oid::regclass FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relnamespace = 'atrium'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ('tenants', 'erasures')
    ORDER BY c.oid
$$;

ALTER FUNCTION atrium.tenant_tables() OWNER TO atrium_definer;

-- unspaced_letters()

CREATE FUNCTION atrium.unspaced_letters() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (('[\u3005\u3007\u3041-\u3096\u309D-\u309F\u30A1-\u30FA\u30FC-\u30FF\u3131-\u318E\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF'::text || '\uAC00-\uD7A3\uF900-\uFAFF\uFF66-\uFF9F\U00020000-\U0003FFFF]+|[\u0E01-\u0E3A\u0E40-\u0E4E\u0E81-\u0ECE\u0EDC-\u0EDF'::text) || '\u1000-\u103F\u1780-\u17D3]+'::text);

ALTER FUNCTION atrium.unspaced_letters() OWNER TO atrium_migrator;

-- unspaced_vector(text)

CREATE FUNCTION atrium.unspaced_vector(content text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT (COALESCE(string_agg(format('''%s'':%s'::text, parts.part, LEAST(parts.at, (16383)::bigint)), ' '::text), ''::text))::tsvector AS "coalesce"
    FROM ( SELECT substr(sized.run, i.i, sized.size) AS part,
             row_number() OVER () AS at
            FROM regexp_matches(unspaced_vector.content, atrium.unspaced_letters(), 'g'::text) found(runs),
             LATERAL ( SELECT found.runs[1] AS run,
                         CASE
                             WHEN ((found.runs[1] COLLATE "C") < ' '::text) THEN 3
                             ELSE 2
                         END AS size) sized,
             LATERAL generate_series(1, GREATEST(((length(sized.run) - sized.size) + 1), 1)) i(i)) parts;
END;

ALTER FUNCTION atrium.unspaced_vector(content text) OWNER TO atrium_migrator;

-- text_vector(text, text)

CREATE FUNCTION atrium.text_vector(language text, content text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ((octet_length(content) > length(content)) AND (content ~ atrium.unspaced_letters())) THEN (atrium.stemmed_vector(language, regexp_replace(NORMALIZE(content, NFKC), (atrium.unspaced_letters() || '|[\u3000-\u303F\u30FB]'::text), ' '::text, 'g'::text)) || atrium.unspaced_vector(NORMALIZE(content, NFKC))) ELSE atrium.stemmed_vector(language, content) END;

ALTER FUNCTION atrium.text_vector(language text, content text) OWNER TO atrium_migrator;

-- usage_figures()

CREATE FUNCTION atrium.usage_figures() RETURNS TABLE(provider text, model text, feature text, calls bigint, input_tokens bigint, output_tokens bigint, cached_tokens bigint, cost bigint)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 50
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT a.provider, a.model, a.feature, sum(a.calls)::bigint, sum(a.input_tokens)::bigint, sum(a.output_tokens)::bigint,
           sum(a.cached_tokens)::bigint, sum(a.cost)::bigint
      FROM (SELECT u.provider, u.model, u.feature, u.calls, u.input_tokens, u.output_tokens, u.cached_tokens, u.cost FROM usage_daily u
            UNION ALL
            SELECT f.provider, f.model, f.feature, f.calls, f.input_tokens, f.output_tokens, f.cached_tokens, f.cost FROM usage_folded f) a
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
$$;

ALTER FUNCTION atrium.usage_figures() OWNER TO atrium_definer;

-- usage_fold(uuid, date)

CREATE FUNCTION atrium.usage_fold(of_tenant uuid, before date) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    WITH gone AS (
        DELETE FROM usage_daily u WHERE u.tenant_id = of_tenant OR u.day < before
        RETURNING u.provider, u.model, u.feature, u.calls, u.input_tokens, u.output_tokens, u.cached_tokens, u.cost),
    folded AS (
        INSERT INTO usage_folded AS f (provider, model, feature, calls, input_tokens, output_tokens, cached_tokens, cost)
        SELECT g.provider, g.model, g.feature, sum(g.calls), sum(g.input_tokens), sum(g.output_tokens), sum(g.cached_tokens), sum(g.cost)
          FROM gone g GROUP BY 1, 2, 3 ORDER BY 2, 3
        ON CONFLICT (model, feature) DO UPDATE
           SET calls = f.calls + excluded.calls, input_tokens = f.input_tokens + excluded.input_tokens,
               output_tokens = f.output_tokens + excluded.output_tokens,
               cached_tokens = f.cached_tokens + excluded.cached_tokens, cost = f.cost + excluded.cost)
    SELECT count(*) FROM gone
$$;

ALTER FUNCTION atrium.usage_fold(of_tenant uuid, before date) OWNER TO atrium_definer;

-- usage_fold_old()

CREATE FUNCTION atrium.usage_fold_old() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
    SELECT usage_fold(NULL, (now() AT TIME ZONE 'UTC')::date - 35)
$$;

ALTER FUNCTION atrium.usage_fold_old() OWNER TO atrium_definer;

-- usage_tell()

CREATE FUNCTION atrium.usage_tell() RETURNS TABLE(model text, calls bigint, input_tokens bigint, output_tokens bigint, cached_tokens bigint, cost bigint)
    LANGUAGE plpgsql SECURITY DEFINER ROWS 50
    SET search_path TO 'atrium', 'public', 'pg_temp'
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('atrium.usage_told', 0));
    RETURN QUERY
    WITH sums AS (
        SELECT u.model, sum(u.calls)::bigint AS calls, sum(u.input_tokens)::bigint AS input_tokens,
               sum(u.output_tokens)::bigint AS output_tokens, sum(u.cached_tokens)::bigint AS cached_tokens, sum(u.cost)::bigint AS cost
          FROM usage_figures() u GROUP BY u.model),
    kept AS (
        INSERT INTO usage_told (model, calls, input_tokens, output_tokens, cached_tokens, cost)
        SELECT s.model, s.calls, s.input_tokens, s.output_tokens, s.cached_tokens, s.cost FROM sums s
        ON CONFLICT (model) DO UPDATE
           SET calls = excluded.calls, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
               cached_tokens = excluded.cached_tokens, cost = excluded.cost)
    SELECT s.model, s.calls - coalesce(t.calls, 0), s.input_tokens - coalesce(t.input_tokens, 0),
           s.output_tokens - coalesce(t.output_tokens, 0), s.cached_tokens - coalesce(t.cached_tokens, 0), s.cost - coalesce(t.cost, 0)
      FROM sums s LEFT JOIN usage_told t ON t.model = s.model
     WHERE s.calls > coalesce(t.calls, 0) ORDER BY s.model;
END
$$;

ALTER FUNCTION atrium.usage_tell() OWNER TO atrium_definer;

-- audit_chains

CREATE TABLE atrium.audit_chains (
    tenant_id uuid NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    hash bytea DEFAULT decode(repeat('00'::text, 32), 'hex'::text) NOT NULL,
    sealed_at timestamp with time zone,
    ledger_day date,
    CONSTRAINT audit_chains_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT audit_chains_seq_check CHECK ((seq >= 0))
);

ALTER TABLE ONLY atrium.audit_chains FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.audit_chains OWNER TO atrium_migrator;

-- chunk_bits

CREATE TABLE atrium.chunk_bits (
    tenant_id uuid NOT NULL,
    space_id smallint NOT NULL,
    document_id uuid NOT NULL,
    id uuid NOT NULL,
    bits bit varying NOT NULL
);
ALTER TABLE ONLY atrium.chunk_bits ALTER COLUMN bits SET STORAGE PLAIN;

ALTER TABLE ONLY atrium.chunk_bits FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.chunk_bits OWNER TO atrium_migrator;

-- chunks

CREATE TABLE atrium.chunks (
    space_id smallint NOT NULL,
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    document_id uuid NOT NULL,
    version integer NOT NULL,
    ordinal integer NOT NULL,
    collection text NOT NULL,
    page_from integer,
    page_to integer,
    page_starts integer[] DEFAULT '{}'::integer[] NOT NULL,
    char_start integer NOT NULL,
    char_end integer NOT NULL,
    heading text DEFAULT ''::text NOT NULL,
    language text DEFAULT 'en'::text NOT NULL,
    text text NOT NULL,
    tsv tsvector GENERATED ALWAYS AS (atrium.text_vector(language, ((heading || ' '::text) || text))) STORED,
    embedding public.halfvec NOT NULL,
    CONSTRAINT chunks_char_start_check CHECK ((char_start >= 0)),
    CONSTRAINT chunks_check CHECK ((char_end > char_start))
)
PARTITION BY LIST (space_id);

ALTER TABLE ONLY atrium.chunks FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.chunks OWNER TO atrium_migrator;

-- collections

CREATE TABLE atrium.collections (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    chunking jsonb DEFAULT '{}'::jsonb NOT NULL,
    embedding_model text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT collections_chunking_check CHECK ((jsonb_typeof(chunking) = 'object'::text)),
    CONSTRAINT collections_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT collections_name_check CHECK ((name ~ '^[a-z0-9._-]{1,64}$'::text))
);

ALTER TABLE ONLY atrium.collections FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.collections OWNER TO atrium_migrator;

-- document_versions

CREATE TABLE atrium.document_versions (
    tenant_id uuid NOT NULL,
    document_id uuid NOT NULL,
    version integer NOT NULL,
    source text NOT NULL,
    object_key text NOT NULL,
    object_version_id text DEFAULT ''::text NOT NULL,
    sequencer text DEFAULT ''::text NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL,
    sha256 bytea,
    status text DEFAULT 'pending'::text NOT NULL,
    stage text,
    progress real DEFAULT 0 NOT NULL,
    error_type text,
    error_detail text,
    attempts integer DEFAULT 0 NOT NULL,
    title text DEFAULT ''::text NOT NULL,
    language text DEFAULT ''::text NOT NULL,
    pages integer,
    characters bigint,
    chunk_count integer,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    ready_at timestamp with time zone,
    upload_expires_at timestamp with time zone,
    waiting_since timestamp with time zone,
    started_at timestamp with time zone,
    chunking jsonb,
    password bytea,
    ocr_pages integer,
    ocr_confidence real,
    ocr_poor_pages integer[] DEFAULT '{}'::integer[] NOT NULL,
    CONSTRAINT document_versions_check CHECK (((status = 'failed'::text) = (error_type IS NOT NULL))),
    CONSTRAINT document_versions_check1 CHECK (((status <> 'processing'::text) OR (stage IS NOT NULL))),
    CONSTRAINT document_versions_chunking_check CHECK ((jsonb_typeof(chunking) = 'object'::text)),
    CONSTRAINT document_versions_ocr_confidence_check CHECK (((ocr_confidence >= (0)::double precision) AND (ocr_confidence <= (1)::double precision))),
    CONSTRAINT document_versions_ocr_pages_check CHECK ((ocr_pages >= 0)),
    CONSTRAINT document_versions_progress_check CHECK (((progress >= (0)::double precision) AND (progress <= (1)::double precision))),
    CONSTRAINT document_versions_sha256_check CHECK ((length(sha256) = 32)),
    CONSTRAINT document_versions_size_check CHECK ((size >= 0)),
    CONSTRAINT document_versions_source_check CHECK ((source = ANY (ARRAY['api'::text, 'drop'::text]))),
    CONSTRAINT document_versions_stage_check CHECK ((stage = ANY (ARRAY['inspecting'::text, 'extracting'::text, 'chunking'::text, 'embedding'::text, 'publishing'::text]))),
    CONSTRAINT document_versions_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'processing'::text, 'ready'::text, 'failed'::text]))),
    CONSTRAINT document_versions_version_check CHECK ((version >= 1))
);

ALTER TABLE ONLY atrium.document_versions FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.document_versions OWNER TO atrium_migrator;

-- documents

CREATE TABLE atrium.documents (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    collection text DEFAULT 'default'::text NOT NULL,
    name text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_by text NOT NULL,
    latest_version integer DEFAULT 1 NOT NULL,
    ready_version integer,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    objects_removed_at timestamp with time zone,
    CONSTRAINT documents_collection_check CHECK ((collection ~ '^[a-z0-9._-]{1,64}$'::text)),
    CONSTRAINT documents_latest_version_check CHECK ((latest_version >= 1)),
    CONSTRAINT documents_metadata_check CHECK ((jsonb_typeof(metadata) = 'object'::text)),
    CONSTRAINT documents_name_check CHECK (((length(name) >= 1) AND (length(name) <= 1024)))
);

ALTER TABLE ONLY atrium.documents FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.documents OWNER TO atrium_migrator;

-- drop_writes

CREATE TABLE atrium.drop_writes (
    tenant_id uuid NOT NULL,
    object_key text NOT NULL,
    sequencer text NOT NULL,
    object_version_id text NOT NULL,
    document_id uuid,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY atrium.drop_writes FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.drop_writes OWNER TO atrium_migrator;

-- embedding_spaces

CREATE TABLE atrium.embedding_spaces (
    id smallint NOT NULL,
    model text NOT NULL,
    dimensions integer NOT NULL,
    max_tokens integer NOT NULL,
    CONSTRAINT embedding_spaces_dimensions_check CHECK (((dimensions >= 1) AND (dimensions <= 4000))),
    CONSTRAINT embedding_spaces_max_tokens_check CHECK ((max_tokens > 0))
);

ALTER TABLE atrium.embedding_spaces OWNER TO atrium_migrator;

-- erasures

CREATE TABLE atrium.erasures (
    tenant_id uuid NOT NULL,
    requested_at timestamp with time zone DEFAULT now() NOT NULL,
    requested_by text NOT NULL,
    request_id text DEFAULT ''::text NOT NULL,
    rows_removed bigint DEFAULT 0 NOT NULL,
    objects_removed bigint DEFAULT 0 NOT NULL,
    emptied_at timestamp with time zone,
    finished_at timestamp with time zone,
    CONSTRAINT erasures_check CHECK (((finished_at IS NULL) OR (emptied_at IS NOT NULL))),
    CONSTRAINT erasures_requested_by_check CHECK ((requested_by = ANY (ARRAY['user'::text, 'api_key'::text, 'worker'::text])))
);

ALTER TABLE ONLY atrium.erasures FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.erasures OWNER TO atrium_migrator;

-- idempotency_keys

CREATE TABLE atrium.idempotency_keys (
    tenant_id uuid NOT NULL,
    subject text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    resource_id uuid NOT NULL,
    state text DEFAULT 'running'::text NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    status integer,
    headers jsonb,
    response bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_keys_check CHECK (((state = 'finished'::text) = (status IS NOT NULL))),
    CONSTRAINT idempotency_keys_fingerprint_check CHECK ((length(fingerprint) = 32)),
    CONSTRAINT idempotency_keys_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255))),
    CONSTRAINT idempotency_keys_state_check CHECK ((state = ANY (ARRAY['running'::text, 'finished'::text])))
);

ALTER TABLE ONLY atrium.idempotency_keys FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.idempotency_keys OWNER TO atrium_migrator;

-- invitations

CREATE TABLE atrium.invitations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    token_hash bytea NOT NULL,
    invited_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT invitations_email_check CHECK ((email = lower(email))),
    CONSTRAINT invitations_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'member'::text, 'viewer'::text]))),
    CONSTRAINT invitations_token_hash_check CHECK ((length(token_hash) = 32))
);

ALTER TABLE ONLY atrium.invitations FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.invitations OWNER TO atrium_migrator;

-- kept_answers

CREATE TABLE atrium.kept_answers (
    tenant_id uuid NOT NULL,
    key bytea NOT NULL,
    answer jsonb NOT NULL,
    kept_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT kept_answers_key_check CHECK ((length(key) = 32))
);

ALTER TABLE ONLY atrium.kept_answers FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.kept_answers OWNER TO atrium_migrator;

-- ledger_balances

CREATE TABLE atrium.ledger_balances (
    tenant_id uuid NOT NULL,
    month date NOT NULL,
    scope_id uuid NOT NULL,
    scope text NOT NULL,
    spent bigint DEFAULT 0 NOT NULL,
    reserved bigint DEFAULT 0 NOT NULL,
    calls bigint DEFAULT 0 NOT NULL,
    platform_told smallint DEFAULT 0 NOT NULL,
    tenant_told smallint DEFAULT 0 NOT NULL,
    CONSTRAINT ledger_balances_reserved_check CHECK ((reserved >= 0)),
    CONSTRAINT ledger_balances_scope_check CHECK ((scope = ANY (ARRAY['tenant'::text, 'user'::text, 'api_key'::text]))),
    CONSTRAINT ledger_balances_spent_check CHECK ((spent >= 0))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');

ALTER TABLE ONLY atrium.ledger_balances FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.ledger_balances OWNER TO atrium_migrator;

-- llm_defaults

CREATE TABLE atrium.llm_defaults (
    tenant_id uuid NOT NULL,
    type text NOT NULL,
    model text,
    parameters jsonb DEFAULT '{}'::jsonb NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT llm_defaults_parameters_check CHECK ((jsonb_typeof(parameters) = 'object'::text)),
    CONSTRAINT llm_defaults_type_check CHECK ((type = ANY (ARRAY['chat'::text, 'rag_answer'::text, 'summary'::text, 'project_draft'::text, 'extraction'::text, 'copilot'::text, 'refine'::text])))
);

ALTER TABLE ONLY atrium.llm_defaults FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.llm_defaults OWNER TO atrium_migrator;

-- model_overrides

CREATE TABLE atrium.model_overrides (
    tenant_id uuid NOT NULL,
    model text NOT NULL,
    enabled boolean NOT NULL,
    input_price bigint,
    output_price bigint,
    cached_price bigint,
    note text DEFAULT ''::text NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT model_overrides_check CHECK (((cached_price >= 0) AND (cached_price <= input_price))),
    CONSTRAINT model_overrides_check1 CHECK ((num_nulls(input_price, output_price, cached_price) = ANY (ARRAY[0, 3]))),
    CONSTRAINT model_overrides_input_price_check CHECK ((input_price >= 0)),
    CONSTRAINT model_overrides_model_check CHECK ((((length(model) >= 3) AND (length(model) <= 200)) AND (model ~~ '_%/_%'::text))),
    CONSTRAINT model_overrides_note_check CHECK ((length(note) <= 500)),
    CONSTRAINT model_overrides_output_price_check CHECK ((output_price >= 0))
);

ALTER TABLE ONLY atrium.model_overrides FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.model_overrides OWNER TO atrium_migrator;

-- operator_keys

CREATE TABLE atrium.operator_keys (
    key_id text NOT NULL,
    mac bytea NOT NULL,
    pepper_kid text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    revoked_at timestamp with time zone,
    digest bytea,
    CONSTRAINT operator_keys_digest_check CHECK ((length(digest) = 32)),
    CONSTRAINT operator_keys_mac_check CHECK ((length(mac) = 32))
);

ALTER TABLE atrium.operator_keys OWNER TO atrium_migrator;

-- outbox

CREATE TABLE atrium.outbox (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_until timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    published_at timestamp with time zone,
    CONSTRAINT outbox_type_check CHECK ((type ~ '^[a-z_]+(\.[a-z_]+)+$'::text))
);

ALTER TABLE ONLY atrium.outbox FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.outbox OWNER TO atrium_migrator;

-- password_resets

CREATE TABLE atrium.password_resets (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT password_resets_token_hash_check CHECK ((length(token_hash) = 32))
);

ALTER TABLE ONLY atrium.password_resets FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.password_resets OWNER TO atrium_migrator;

-- platform_prompt_labels

CREATE TABLE atrium.platform_prompt_labels (
    prompt_id uuid NOT NULL,
    label text NOT NULL,
    revision integer NOT NULL,
    variants jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT platform_prompt_labels_label_check CHECK (((label ~ '^[a-z][a-z0-9._-]{0,63}$'::text) AND (label <> 'latest'::text))),
    CONSTRAINT platform_prompt_labels_revision_check CHECK ((revision >= 1)),
    CONSTRAINT platform_prompt_labels_variants_check CHECK ((jsonb_typeof(variants) = 'array'::text))
);

ALTER TABLE atrium.platform_prompt_labels OWNER TO atrium_migrator;

-- platform_prompt_versions

CREATE TABLE atrium.platform_prompt_versions (
    prompt_id uuid NOT NULL,
    version integer NOT NULL,
    messages jsonb NOT NULL,
    model text,
    parameters jsonb DEFAULT '{}'::jsonb NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT platform_prompt_versions_messages_check CHECK ((jsonb_typeof(messages) = 'array'::text)),
    CONSTRAINT platform_prompt_versions_note_check CHECK ((length(note) <= 2000)),
    CONSTRAINT platform_prompt_versions_parameters_check CHECK ((jsonb_typeof(parameters) = 'object'::text)),
    CONSTRAINT platform_prompt_versions_version_check CHECK ((version >= 1))
);

ALTER TABLE atrium.platform_prompt_versions OWNER TO atrium_migrator;

-- platform_prompts

CREATE TABLE atrium.platform_prompts (
    id uuid NOT NULL,
    key text NOT NULL,
    type text,
    description text DEFAULT ''::text NOT NULL,
    latest_version integer DEFAULT 1 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_by text,
    deleted_at timestamp with time zone,
    CONSTRAINT platform_prompts_check CHECK (((deleted_by IS NULL) = (deleted_at IS NULL))),
    CONSTRAINT platform_prompts_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT platform_prompts_key_check CHECK ((key ~ '^[a-z0-9][a-z0-9._-]{0,99}$'::text)),
    CONSTRAINT platform_prompts_latest_version_check CHECK ((latest_version >= 1)),
    CONSTRAINT platform_prompts_type_check CHECK ((type = ANY (ARRAY['chat'::text, 'rag_answer'::text, 'summary'::text, 'project_draft'::text, 'extraction'::text, 'copilot'::text, 'refine'::text])))
);

ALTER TABLE atrium.platform_prompts OWNER TO atrium_migrator;

-- prompt_labels

CREATE TABLE atrium.prompt_labels (
    tenant_id uuid NOT NULL,
    prompt_id uuid NOT NULL,
    label text NOT NULL,
    revision integer NOT NULL,
    variants jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT prompt_labels_label_check CHECK (((label ~ '^[a-z][a-z0-9._-]{0,63}$'::text) AND (label <> 'latest'::text))),
    CONSTRAINT prompt_labels_revision_check CHECK ((revision >= 1)),
    CONSTRAINT prompt_labels_variants_check CHECK ((jsonb_typeof(variants) = 'array'::text))
);

ALTER TABLE ONLY atrium.prompt_labels FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.prompt_labels OWNER TO atrium_migrator;

-- prompt_versions

CREATE TABLE atrium.prompt_versions (
    tenant_id uuid NOT NULL,
    prompt_id uuid NOT NULL,
    version integer NOT NULL,
    messages jsonb NOT NULL,
    model text,
    parameters jsonb DEFAULT '{}'::jsonb NOT NULL,
    note text DEFAULT ''::text NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT prompt_versions_messages_check CHECK ((jsonb_typeof(messages) = 'array'::text)),
    CONSTRAINT prompt_versions_note_check CHECK ((length(note) <= 2000)),
    CONSTRAINT prompt_versions_parameters_check CHECK ((jsonb_typeof(parameters) = 'object'::text)),
    CONSTRAINT prompt_versions_version_check CHECK ((version >= 1))
);

ALTER TABLE ONLY atrium.prompt_versions FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.prompt_versions OWNER TO atrium_migrator;

-- prompts

CREATE TABLE atrium.prompts (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    key text NOT NULL,
    type text,
    description text DEFAULT ''::text NOT NULL,
    latest_version integer DEFAULT 1 NOT NULL,
    created_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT prompts_description_check CHECK ((length(description) <= 2000)),
    CONSTRAINT prompts_key_check CHECK ((key ~ '^[a-z0-9][a-z0-9._-]{0,99}$'::text)),
    CONSTRAINT prompts_latest_version_check CHECK ((latest_version >= 1)),
    CONSTRAINT prompts_type_check CHECK ((type = ANY (ARRAY['chat'::text, 'rag_answer'::text, 'summary'::text, 'project_draft'::text, 'extraction'::text, 'copilot'::text, 'refine'::text])))
);

ALTER TABLE ONLY atrium.prompts FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.prompts OWNER TO atrium_migrator;

-- provider_keys

CREATE TABLE atrium.provider_keys (
    tenant_id uuid NOT NULL,
    provider text NOT NULL,
    sealed bytea NOT NULL,
    last_four text NOT NULL,
    updated_by text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT provider_keys_last_four_check CHECK ((length(last_four) = ANY (ARRAY[0, 4]))),
    CONSTRAINT provider_keys_provider_check CHECK (((length(provider) >= 1) AND (length(provider) <= 100)))
);

ALTER TABLE ONLY atrium.provider_keys FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.provider_keys OWNER TO atrium_migrator;

-- rate_buckets

CREATE UNLOGGED TABLE atrium.rate_buckets (
    bucket text NOT NULL,
    tokens double precision NOT NULL,
    updated_at timestamp with time zone NOT NULL
)
WITH (fillfactor='70');

ALTER TABLE atrium.rate_buckets OWNER TO atrium_migrator;

-- readable_prompt_labels

CREATE VIEW atrium.readable_prompt_labels WITH (security_invoker='true') AS
 SELECT prompt_labels.prompt_id,
    prompt_labels.label,
    prompt_labels.revision,
    prompt_labels.variants,
    prompt_labels.created_by,
    prompt_labels.created_at
   FROM atrium.prompt_labels
UNION ALL
 SELECT platform_prompt_labels.prompt_id,
    platform_prompt_labels.label,
    platform_prompt_labels.revision,
    platform_prompt_labels.variants,
    platform_prompt_labels.created_by,
    platform_prompt_labels.created_at
   FROM atrium.platform_prompt_labels;

ALTER VIEW atrium.readable_prompt_labels OWNER TO atrium_migrator;

-- readable_prompt_versions

CREATE VIEW atrium.readable_prompt_versions WITH (security_invoker='true') AS
 SELECT prompt_versions.prompt_id,
    prompt_versions.version,
    prompt_versions.messages,
    prompt_versions.model,
    prompt_versions.parameters,
    prompt_versions.note,
    prompt_versions.created_by,
    prompt_versions.created_at
   FROM atrium.prompt_versions
UNION ALL
 SELECT platform_prompt_versions.prompt_id,
    platform_prompt_versions.version,
    platform_prompt_versions.messages,
    platform_prompt_versions.model,
    platform_prompt_versions.parameters,
    platform_prompt_versions.note,
    platform_prompt_versions.created_by,
    platform_prompt_versions.created_at
   FROM atrium.platform_prompt_versions;

ALTER VIEW atrium.readable_prompt_versions OWNER TO atrium_migrator;

-- readable_prompts

CREATE VIEW atrium.readable_prompts WITH (security_invoker='true') AS
 SELECT 'tenant'::text AS layer,
    prompts.id,
    prompts.key,
    prompts.type,
    prompts.description,
    prompts.latest_version,
    prompts.created_by,
    prompts.created_at,
    prompts.updated_at
   FROM atrium.prompts
UNION ALL
 SELECT 'platform'::text AS layer,
    platform_prompts.id,
    platform_prompts.key,
    platform_prompts.type,
    platform_prompts.description,
    platform_prompts.latest_version,
    platform_prompts.created_by,
    platform_prompts.created_at,
    platform_prompts.updated_at
   FROM atrium.platform_prompts
  WHERE (platform_prompts.deleted_at IS NULL);

ALTER VIEW atrium.readable_prompts OWNER TO atrium_migrator;

-- refresh_tokens

CREATE TABLE atrium.refresh_tokens (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    family_id uuid NOT NULL,
    parent_id uuid,
    user_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    issued_at timestamp with time zone DEFAULT now() NOT NULL,
    used_at timestamp with time zone,
    idle_expires_at timestamp with time zone NOT NULL,
    family_expires_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT refresh_tokens_token_hash_check CHECK ((length(token_hash) = 32))
);

ALTER TABLE ONLY atrium.refresh_tokens FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.refresh_tokens OWNER TO atrium_migrator;

-- spending_limits

CREATE TABLE atrium.spending_limits (
    tenant_id uuid NOT NULL,
    scope_id uuid NOT NULL,
    origin text NOT NULL,
    scope text NOT NULL,
    monthly_budget bigint,
    mode text DEFAULT 'hard'::text NOT NULL,
    rate integer,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT spending_limits_check CHECK (((scope = 'tenant'::text) = (scope_id = tenant_id))),
    CONSTRAINT spending_limits_check1 CHECK (((origin = 'tenant'::text) OR (scope = 'tenant'::text))),
    CONSTRAINT spending_limits_mode_check CHECK ((mode = ANY (ARRAY['hard'::text, 'soft'::text]))),
    CONSTRAINT spending_limits_monthly_budget_check CHECK ((monthly_budget >= 0)),
    CONSTRAINT spending_limits_origin_check CHECK ((origin = ANY (ARRAY['platform'::text, 'tenant'::text]))),
    CONSTRAINT spending_limits_rate_check CHECK (((rate >= 1) AND (rate <= 1000000))),
    CONSTRAINT spending_limits_scope_check CHECK ((scope = ANY (ARRAY['tenant'::text, 'user'::text, 'api_key'::text])))
);

ALTER TABLE ONLY atrium.spending_limits FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.spending_limits OWNER TO atrium_migrator;

-- tenant_indexes

CREATE TABLE atrium.tenant_indexes (
    tenant_id uuid NOT NULL,
    space_id smallint NOT NULL,
    chunks bigint NOT NULL,
    built_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tenant_indexes_chunks_check CHECK ((chunks >= 0))
);

ALTER TABLE ONLY atrium.tenant_indexes FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.tenant_indexes OWNER TO atrium_migrator;

-- tenants

CREATE TABLE atrium.tenants (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT tenants_name_check CHECK (((length(name) >= 1) AND (length(name) <= 200)))
);

ALTER TABLE ONLY atrium.tenants FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.tenants OWNER TO atrium_migrator;

-- usage_daily

CREATE TABLE atrium.usage_daily (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    model text NOT NULL,
    feature text NOT NULL,
    provider text NOT NULL,
    calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    cost bigint NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');

ALTER TABLE ONLY atrium.usage_daily FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.usage_daily OWNER TO atrium_migrator;

-- usage_folded

CREATE TABLE atrium.usage_folded (
    provider text NOT NULL,
    model text NOT NULL,
    feature text NOT NULL,
    calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    cost bigint NOT NULL
);

ALTER TABLE atrium.usage_folded OWNER TO atrium_migrator;

-- usage_told

CREATE TABLE atrium.usage_told (
    model text NOT NULL,
    calls bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_tokens bigint NOT NULL,
    cost bigint NOT NULL
);

ALTER TABLE atrium.usage_told OWNER TO atrium_migrator;

-- users

CREATE TABLE atrium.users (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    email text NOT NULL,
    password_hash text NOT NULL,
    role text NOT NULL,
    token_version integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    disabled_at timestamp with time zone,
    CONSTRAINT users_email_check CHECK ((email = lower(email))),
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'member'::text, 'viewer'::text])))
);

ALTER TABLE ONLY atrium.users FORCE ROW LEVEL SECURITY;

ALTER TABLE atrium.users OWNER TO atrium_migrator;

-- migrations

CREATE TABLE atrium_meta.migrations (
    number integer NOT NULL,
    name text NOT NULL,
    checksum bytea NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT migrations_checksum_check CHECK ((length(checksum) = 32))
);

ALTER TABLE atrium_meta.migrations OWNER TO atrium_migrator;

-- api_keys api_keys_pkey

ALTER TABLE ONLY atrium.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (tenant_id, id);

-- audit_chains audit_chains_pkey

ALTER TABLE ONLY atrium.audit_chains
    ADD CONSTRAINT audit_chains_pkey PRIMARY KEY (tenant_id);

-- audit_log audit_log_pkey

ALTER TABLE ONLY atrium.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (tenant_id, id);

-- chunks chunks_pkey

ALTER TABLE ONLY atrium.chunks
    ADD CONSTRAINT chunks_pkey PRIMARY KEY (space_id, tenant_id, id);

-- collections collections_pkey

ALTER TABLE ONLY atrium.collections
    ADD CONSTRAINT collections_pkey PRIMARY KEY (tenant_id, name);

-- document_versions document_versions_pkey

ALTER TABLE ONLY atrium.document_versions
    ADD CONSTRAINT document_versions_pkey PRIMARY KEY (tenant_id, document_id, version);

-- documents documents_pkey

ALTER TABLE ONLY atrium.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (tenant_id, id);

-- drop_writes drop_writes_pkey

ALTER TABLE ONLY atrium.drop_writes
    ADD CONSTRAINT drop_writes_pkey PRIMARY KEY (tenant_id, object_key);

-- embedding_spaces embedding_spaces_model_key

ALTER TABLE ONLY atrium.embedding_spaces
    ADD CONSTRAINT embedding_spaces_model_key UNIQUE (model);

-- embedding_spaces embedding_spaces_pkey

ALTER TABLE ONLY atrium.embedding_spaces
    ADD CONSTRAINT embedding_spaces_pkey PRIMARY KEY (id);

-- erasures erasures_pkey

ALTER TABLE ONLY atrium.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (tenant_id);

-- idempotency_keys idempotency_keys_pkey

ALTER TABLE ONLY atrium.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (tenant_id, subject, route, key);

-- invitations invitations_pkey

ALTER TABLE ONLY atrium.invitations
    ADD CONSTRAINT invitations_pkey PRIMARY KEY (tenant_id, id);

-- invitations invitations_tenant_id_email_key

ALTER TABLE ONLY atrium.invitations
    ADD CONSTRAINT invitations_tenant_id_email_key UNIQUE (tenant_id, email);

-- kept_answers kept_answers_pkey

ALTER TABLE ONLY atrium.kept_answers
    ADD CONSTRAINT kept_answers_pkey PRIMARY KEY (tenant_id, key);

-- ledger_balances ledger_balances_pkey

ALTER TABLE ONLY atrium.ledger_balances
    ADD CONSTRAINT ledger_balances_pkey PRIMARY KEY (tenant_id, month, scope_id);

-- ledger_entries ledger_entries_pkey

ALTER TABLE ONLY atrium.ledger_entries
    ADD CONSTRAINT ledger_entries_pkey PRIMARY KEY (tenant_id, id);

-- ledger_reservations ledger_reservations_pkey

ALTER TABLE ONLY atrium.ledger_reservations
    ADD CONSTRAINT ledger_reservations_pkey PRIMARY KEY (tenant_id, id);

-- llm_defaults llm_defaults_pkey

ALTER TABLE ONLY atrium.llm_defaults
    ADD CONSTRAINT llm_defaults_pkey PRIMARY KEY (tenant_id, type);

-- model_overrides model_overrides_pkey

ALTER TABLE ONLY atrium.model_overrides
    ADD CONSTRAINT model_overrides_pkey PRIMARY KEY (tenant_id, model);

-- operator_keys operator_keys_pkey

ALTER TABLE ONLY atrium.operator_keys
    ADD CONSTRAINT operator_keys_pkey PRIMARY KEY (key_id);

-- outbox outbox_pkey

ALTER TABLE ONLY atrium.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (tenant_id, id);

-- password_resets password_resets_pkey

ALTER TABLE ONLY atrium.password_resets
    ADD CONSTRAINT password_resets_pkey PRIMARY KEY (tenant_id, user_id);

-- platform_prompt_labels platform_prompt_labels_pkey

ALTER TABLE ONLY atrium.platform_prompt_labels
    ADD CONSTRAINT platform_prompt_labels_pkey PRIMARY KEY (prompt_id, label, revision);

-- platform_prompt_versions platform_prompt_versions_pkey

ALTER TABLE ONLY atrium.platform_prompt_versions
    ADD CONSTRAINT platform_prompt_versions_pkey PRIMARY KEY (prompt_id, version);

-- platform_prompts platform_prompts_pkey

ALTER TABLE ONLY atrium.platform_prompts
    ADD CONSTRAINT platform_prompts_pkey PRIMARY KEY (id);

-- prompt_labels prompt_labels_pkey

ALTER TABLE ONLY atrium.prompt_labels
    ADD CONSTRAINT prompt_labels_pkey PRIMARY KEY (tenant_id, prompt_id, label, revision);

-- prompt_versions prompt_versions_pkey

ALTER TABLE ONLY atrium.prompt_versions
    ADD CONSTRAINT prompt_versions_pkey PRIMARY KEY (tenant_id, prompt_id, version);

-- prompts prompts_pkey

ALTER TABLE ONLY atrium.prompts
    ADD CONSTRAINT prompts_pkey PRIMARY KEY (tenant_id, id);

-- provider_keys provider_keys_pkey

ALTER TABLE ONLY atrium.provider_keys
    ADD CONSTRAINT provider_keys_pkey PRIMARY KEY (tenant_id, provider);

-- rate_buckets rate_buckets_pkey

ALTER TABLE ONLY atrium.rate_buckets
    ADD CONSTRAINT rate_buckets_pkey PRIMARY KEY (bucket);

-- refresh_tokens refresh_tokens_pkey

ALTER TABLE ONLY atrium.refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (tenant_id, id);

-- spending_limits spending_limits_pkey

ALTER TABLE ONLY atrium.spending_limits
    ADD CONSTRAINT spending_limits_pkey PRIMARY KEY (tenant_id, scope_id, origin);

-- tenant_indexes tenant_indexes_pkey

ALTER TABLE ONLY atrium.tenant_indexes
    ADD CONSTRAINT tenant_indexes_pkey PRIMARY KEY (tenant_id, space_id);

-- tenants tenants_pkey

ALTER TABLE ONLY atrium.tenants
    ADD CONSTRAINT tenants_pkey PRIMARY KEY (tenant_id);

-- usage_daily usage_daily_pkey

ALTER TABLE ONLY atrium.usage_daily
    ADD CONSTRAINT usage_daily_pkey PRIMARY KEY (tenant_id, day, model, feature);

-- usage_folded usage_folded_pkey

ALTER TABLE ONLY atrium.usage_folded
    ADD CONSTRAINT usage_folded_pkey PRIMARY KEY (model, feature);

-- usage_told usage_told_pkey

ALTER TABLE ONLY atrium.usage_told
    ADD CONSTRAINT usage_told_pkey PRIMARY KEY (model);

-- users users_pkey

ALTER TABLE ONLY atrium.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (tenant_id, id);

-- migrations migrations_pkey

ALTER TABLE ONLY atrium_meta.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (number);

-- api_keys_key_id

CREATE UNIQUE INDEX api_keys_key_id ON atrium.api_keys USING btree (key_id);

-- audit_log_actor

CREATE INDEX audit_log_actor ON atrium.audit_log USING btree (tenant_id, actor, at);

-- audit_log_at

CREATE INDEX audit_log_at ON atrium.audit_log USING btree (tenant_id, at DESC, id);

-- audit_log_request

CREATE INDEX audit_log_request ON atrium.audit_log USING btree (tenant_id, request_id) WHERE (request_id <> ''::text);

-- audit_log_seq

CREATE UNIQUE INDEX audit_log_seq ON atrium.audit_log USING btree (tenant_id, seq) WHERE (seq IS NOT NULL);

-- audit_log_target

CREATE INDEX audit_log_target ON atrium.audit_log USING btree (tenant_id, target, at) WHERE (target <> ''::text);

-- audit_log_unsealed

CREATE INDEX audit_log_unsealed ON atrium.audit_log USING btree (tenant_id, at, id) WHERE (seq IS NULL);

-- chunk_bits_documents

CREATE INDEX chunk_bits_documents ON atrium.chunk_bits USING btree (tenant_id, space_id, document_id);

-- document_versions_object

CREATE INDEX document_versions_object ON atrium.document_versions USING btree (tenant_id, object_key);

-- document_versions_unfinished

CREATE INDEX document_versions_unfinished ON atrium.document_versions USING btree (tenant_id, updated_at) WHERE (status = ANY (ARRAY['pending'::text, 'processing'::text]));

-- document_versions_waiting

CREATE INDEX document_versions_waiting ON atrium.document_versions USING btree (tenant_id, waiting_since) WHERE ((status = 'pending'::text) AND (waiting_since IS NOT NULL));

-- documents_list

CREATE INDEX documents_list ON atrium.documents USING btree (tenant_id, created_at DESC, id DESC) WHERE (deleted_at IS NULL);

-- documents_name

CREATE UNIQUE INDEX documents_name ON atrium.documents USING btree (tenant_id, collection, name) WHERE (deleted_at IS NULL);

-- documents_tombstones

CREATE INDEX documents_tombstones ON atrium.documents USING btree (deleted_at) WHERE ((deleted_at IS NOT NULL) AND (objects_removed_at IS NULL));

-- drop_writes_document

CREATE INDEX drop_writes_document ON atrium.drop_writes USING btree (tenant_id, document_id);

-- erasures_open

CREATE INDEX erasures_open ON atrium.erasures USING btree (requested_at) WHERE (finished_at IS NULL);

-- idempotency_keys_expiry

CREATE INDEX idempotency_keys_expiry ON atrium.idempotency_keys USING btree (expires_at);

-- invitations_hash

CREATE UNIQUE INDEX invitations_hash ON atrium.invitations USING btree (token_hash);

-- kept_answers_expiry

CREATE INDEX kept_answers_expiry ON atrium.kept_answers USING btree (expires_at);

-- kept_answers_oldest

CREATE INDEX kept_answers_oldest ON atrium.kept_answers USING btree (tenant_id, kept_at);

-- ledger_entries_created

CREATE INDEX ledger_entries_created ON atrium.ledger_entries USING btree (tenant_id, created_at);

-- ledger_entries_time

CREATE INDEX ledger_entries_time ON atrium.ledger_entries USING brin (settled_at);

-- ledger_reservations_due

CREATE INDEX ledger_reservations_due ON atrium.ledger_reservations USING btree (due_at);

-- outbox_published

CREATE INDEX outbox_published ON atrium.outbox USING btree (published_at) WHERE (published_at IS NOT NULL);

-- outbox_unpublished

CREATE INDEX outbox_unpublished ON atrium.outbox USING btree (created_at) WHERE (published_at IS NULL);

-- password_resets_hash

CREATE UNIQUE INDEX password_resets_hash ON atrium.password_resets USING btree (token_hash);

-- platform_prompts_key

CREATE UNIQUE INDEX platform_prompts_key ON atrium.platform_prompts USING btree (key) WHERE (deleted_at IS NULL);

-- prompts_key

CREATE UNIQUE INDEX prompts_key ON atrium.prompts USING btree (tenant_id, key);

-- refresh_tokens_expiry

CREATE INDEX refresh_tokens_expiry ON atrium.refresh_tokens USING btree (idle_expires_at);

-- refresh_tokens_family

CREATE INDEX refresh_tokens_family ON atrium.refresh_tokens USING btree (tenant_id, family_id);

-- refresh_tokens_hash

CREATE UNIQUE INDEX refresh_tokens_hash ON atrium.refresh_tokens USING btree (token_hash);

-- refresh_tokens_user

CREATE INDEX refresh_tokens_user ON atrium.refresh_tokens USING btree (tenant_id, user_id);

-- usage_daily_day

CREATE INDEX usage_daily_day ON atrium.usage_daily USING btree (day);

-- users_email

CREATE UNIQUE INDEX users_email ON atrium.users USING btree (email);

-- audit_log all_sealed

CREATE TRIGGER all_sealed BEFORE TRUNCATE ON atrium.audit_log FOR EACH STATEMENT EXECUTE FUNCTION atrium.refuse_sealed();

-- chunks bits_of_removed

CREATE TRIGGER bits_of_removed AFTER DELETE ON atrium.chunks REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION atrium.keep_bits();

-- chunks bits_of_written

CREATE TRIGGER bits_of_written AFTER INSERT ON atrium.chunks REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION atrium.keep_bits();

-- api_keys erased

CREATE TRIGGER erased BEFORE INSERT ON atrium.api_keys FOR EACH ROW EXECUTE FUNCTION atrium.refuse_erased();

-- invitations erased

CREATE TRIGGER erased BEFORE INSERT ON atrium.invitations FOR EACH ROW EXECUTE FUNCTION atrium.refuse_erased();

-- password_resets erased

CREATE TRIGGER erased BEFORE INSERT ON atrium.password_resets FOR EACH ROW EXECUTE FUNCTION atrium.refuse_erased();

-- refresh_tokens erased

CREATE TRIGGER erased BEFORE INSERT ON atrium.refresh_tokens FOR EACH ROW EXECUTE FUNCTION atrium.refuse_erased();

-- users erased

CREATE TRIGGER erased BEFORE INSERT ON atrium.users FOR EACH ROW EXECUTE FUNCTION atrium.refuse_erased();

-- audit_log sealed

CREATE TRIGGER sealed BEFORE DELETE OR UPDATE ON atrium.audit_log FOR EACH ROW WHEN ((old.seq IS NOT NULL)) EXECUTE FUNCTION atrium.refuse_sealed();

-- api_keys api_keys_tenant_id_fkey

ALTER TABLE ONLY atrium.api_keys
    ADD CONSTRAINT api_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- audit_chains audit_chains_tenant_id_fkey

ALTER TABLE ONLY atrium.audit_chains
    ADD CONSTRAINT audit_chains_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- audit_log audit_log_tenant_id_fkey

ALTER TABLE ONLY atrium.audit_log
    ADD CONSTRAINT audit_log_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- chunks chunks_space_id_fkey

ALTER TABLE atrium.chunks
    ADD CONSTRAINT chunks_space_id_fkey FOREIGN KEY (space_id) REFERENCES atrium.embedding_spaces(id);

-- collections collections_tenant_id_fkey

ALTER TABLE ONLY atrium.collections
    ADD CONSTRAINT collections_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- document_versions document_versions_tenant_id_document_id_fkey

ALTER TABLE ONLY atrium.document_versions
    ADD CONSTRAINT document_versions_tenant_id_document_id_fkey FOREIGN KEY (tenant_id, document_id) REFERENCES atrium.documents(tenant_id, id) ON DELETE CASCADE;

-- documents documents_tenant_id_fkey

ALTER TABLE ONLY atrium.documents
    ADD CONSTRAINT documents_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- drop_writes drop_writes_tenant_id_document_id_fkey

ALTER TABLE ONLY atrium.drop_writes
    ADD CONSTRAINT drop_writes_tenant_id_document_id_fkey FOREIGN KEY (tenant_id, document_id) REFERENCES atrium.documents(tenant_id, id) ON DELETE CASCADE;

-- drop_writes drop_writes_tenant_id_fkey

ALTER TABLE ONLY atrium.drop_writes
    ADD CONSTRAINT drop_writes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- idempotency_keys idempotency_keys_tenant_id_fkey

ALTER TABLE ONLY atrium.idempotency_keys
    ADD CONSTRAINT idempotency_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- invitations invitations_tenant_id_fkey

ALTER TABLE ONLY atrium.invitations
    ADD CONSTRAINT invitations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- kept_answers kept_answers_tenant_id_fkey

ALTER TABLE ONLY atrium.kept_answers
    ADD CONSTRAINT kept_answers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- ledger_balances ledger_balances_tenant_id_fkey

ALTER TABLE ONLY atrium.ledger_balances
    ADD CONSTRAINT ledger_balances_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- llm_defaults llm_defaults_tenant_id_fkey

ALTER TABLE ONLY atrium.llm_defaults
    ADD CONSTRAINT llm_defaults_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- model_overrides model_overrides_tenant_id_fkey

ALTER TABLE ONLY atrium.model_overrides
    ADD CONSTRAINT model_overrides_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- outbox outbox_tenant_id_fkey

ALTER TABLE ONLY atrium.outbox
    ADD CONSTRAINT outbox_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- password_resets password_resets_tenant_id_user_id_fkey

ALTER TABLE ONLY atrium.password_resets
    ADD CONSTRAINT password_resets_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES atrium.users(tenant_id, id) ON DELETE CASCADE;

-- platform_prompt_labels platform_prompt_labels_prompt_id_fkey

ALTER TABLE ONLY atrium.platform_prompt_labels
    ADD CONSTRAINT platform_prompt_labels_prompt_id_fkey FOREIGN KEY (prompt_id) REFERENCES atrium.platform_prompts(id);

-- platform_prompt_versions platform_prompt_versions_prompt_id_fkey

ALTER TABLE ONLY atrium.platform_prompt_versions
    ADD CONSTRAINT platform_prompt_versions_prompt_id_fkey FOREIGN KEY (prompt_id) REFERENCES atrium.platform_prompts(id);

-- prompt_labels prompt_labels_tenant_id_prompt_id_fkey

ALTER TABLE ONLY atrium.prompt_labels
    ADD CONSTRAINT prompt_labels_tenant_id_prompt_id_fkey FOREIGN KEY (tenant_id, prompt_id) REFERENCES atrium.prompts(tenant_id, id) ON DELETE CASCADE;

-- prompt_versions prompt_versions_tenant_id_prompt_id_fkey

ALTER TABLE ONLY atrium.prompt_versions
    ADD CONSTRAINT prompt_versions_tenant_id_prompt_id_fkey FOREIGN KEY (tenant_id, prompt_id) REFERENCES atrium.prompts(tenant_id, id) ON DELETE CASCADE;

-- prompts prompts_tenant_id_fkey

ALTER TABLE ONLY atrium.prompts
    ADD CONSTRAINT prompts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- provider_keys provider_keys_tenant_id_fkey

ALTER TABLE ONLY atrium.provider_keys
    ADD CONSTRAINT provider_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- refresh_tokens refresh_tokens_tenant_id_user_id_fkey

ALTER TABLE ONLY atrium.refresh_tokens
    ADD CONSTRAINT refresh_tokens_tenant_id_user_id_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES atrium.users(tenant_id, id) ON DELETE CASCADE;

-- spending_limits spending_limits_tenant_id_fkey

ALTER TABLE ONLY atrium.spending_limits
    ADD CONSTRAINT spending_limits_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- tenant_indexes tenant_indexes_space_id_fkey

ALTER TABLE ONLY atrium.tenant_indexes
    ADD CONSTRAINT tenant_indexes_space_id_fkey FOREIGN KEY (space_id) REFERENCES atrium.embedding_spaces(id);

-- tenant_indexes tenant_indexes_tenant_id_fkey

ALTER TABLE ONLY atrium.tenant_indexes
    ADD CONSTRAINT tenant_indexes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- users users_tenant_id_fkey

ALTER TABLE ONLY atrium.users
    ADD CONSTRAINT users_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES atrium.tenants(tenant_id) ON DELETE CASCADE;

-- api_keys

ALTER TABLE atrium.api_keys ENABLE ROW LEVEL SECURITY;

-- audit_chains

ALTER TABLE atrium.audit_chains ENABLE ROW LEVEL SECURITY;

-- audit_log

ALTER TABLE atrium.audit_log ENABLE ROW LEVEL SECURITY;

-- chunk_bits

ALTER TABLE atrium.chunk_bits ENABLE ROW LEVEL SECURITY;

-- chunks

ALTER TABLE atrium.chunks ENABLE ROW LEVEL SECURITY;

-- collections

ALTER TABLE atrium.collections ENABLE ROW LEVEL SECURITY;

-- api_keys definer

CREATE POLICY definer ON atrium.api_keys TO atrium_definer USING (true) WITH CHECK (true);

-- audit_chains definer

CREATE POLICY definer ON atrium.audit_chains TO atrium_definer USING (true) WITH CHECK (true);

-- audit_log definer

CREATE POLICY definer ON atrium.audit_log TO atrium_definer USING (true) WITH CHECK (true);

-- chunk_bits definer

CREATE POLICY definer ON atrium.chunk_bits TO atrium_definer USING (true) WITH CHECK (true);

-- chunks definer

CREATE POLICY definer ON atrium.chunks TO atrium_definer USING (true) WITH CHECK (true);

-- collections definer

CREATE POLICY definer ON atrium.collections TO atrium_definer USING (true) WITH CHECK (true);

-- document_versions definer

CREATE POLICY definer ON atrium.document_versions TO atrium_definer USING (true) WITH CHECK (true);

-- documents definer

CREATE POLICY definer ON atrium.documents TO atrium_definer USING (true) WITH CHECK (true);

-- drop_writes definer

CREATE POLICY definer ON atrium.drop_writes TO atrium_definer USING (true) WITH CHECK (true);

-- erasures definer

CREATE POLICY definer ON atrium.erasures TO atrium_definer USING (true) WITH CHECK (true);

-- idempotency_keys definer

CREATE POLICY definer ON atrium.idempotency_keys TO atrium_definer USING (true) WITH CHECK (true);

-- invitations definer

CREATE POLICY definer ON atrium.invitations TO atrium_definer USING (true) WITH CHECK (true);

-- kept_answers definer

CREATE POLICY definer ON atrium.kept_answers TO atrium_definer USING (true) WITH CHECK (true);

-- ledger_balances definer

CREATE POLICY definer ON atrium.ledger_balances TO atrium_definer USING (true) WITH CHECK (true);

-- ledger_entries definer

CREATE POLICY definer ON atrium.ledger_entries TO atrium_definer USING (true) WITH CHECK (true);

-- ledger_reservations definer

CREATE POLICY definer ON atrium.ledger_reservations TO atrium_definer USING (true) WITH CHECK (true);

-- llm_defaults definer

CREATE POLICY definer ON atrium.llm_defaults TO atrium_definer USING (true) WITH CHECK (true);

-- model_overrides definer

CREATE POLICY definer ON atrium.model_overrides TO atrium_definer USING (true) WITH CHECK (true);

-- outbox definer

CREATE POLICY definer ON atrium.outbox TO atrium_definer USING (true) WITH CHECK (true);

-- password_resets definer

CREATE POLICY definer ON atrium.password_resets TO atrium_definer USING (true) WITH CHECK (true);

-- prompt_labels definer

CREATE POLICY definer ON atrium.prompt_labels TO atrium_definer USING (true) WITH CHECK (true);

-- prompt_versions definer

CREATE POLICY definer ON atrium.prompt_versions TO atrium_definer USING (true) WITH CHECK (true);

-- prompts definer

CREATE POLICY definer ON atrium.prompts TO atrium_definer USING (true) WITH CHECK (true);

-- provider_keys definer

CREATE POLICY definer ON atrium.provider_keys TO atrium_definer USING (true) WITH CHECK (true);

-- refresh_tokens definer

CREATE POLICY definer ON atrium.refresh_tokens TO atrium_definer USING (true) WITH CHECK (true);

-- spending_limits definer

CREATE POLICY definer ON atrium.spending_limits TO atrium_definer USING (true) WITH CHECK (true);

-- tenant_indexes definer

CREATE POLICY definer ON atrium.tenant_indexes TO atrium_definer USING (true) WITH CHECK (true);

-- tenants definer

CREATE POLICY definer ON atrium.tenants TO atrium_definer USING (true) WITH CHECK (true);

-- usage_daily definer

CREATE POLICY definer ON atrium.usage_daily TO atrium_definer USING (true) WITH CHECK (true);

-- users definer

CREATE POLICY definer ON atrium.users TO atrium_definer USING (true) WITH CHECK (true);

-- document_versions

ALTER TABLE atrium.document_versions ENABLE ROW LEVEL SECURITY;

-- documents

ALTER TABLE atrium.documents ENABLE ROW LEVEL SECURITY;

-- drop_writes

ALTER TABLE atrium.drop_writes ENABLE ROW LEVEL SECURITY;

-- erasures

ALTER TABLE atrium.erasures ENABLE ROW LEVEL SECURITY;

-- idempotency_keys

ALTER TABLE atrium.idempotency_keys ENABLE ROW LEVEL SECURITY;

-- invitations

ALTER TABLE atrium.invitations ENABLE ROW LEVEL SECURITY;

-- kept_answers

ALTER TABLE atrium.kept_answers ENABLE ROW LEVEL SECURITY;

-- ledger_balances

ALTER TABLE atrium.ledger_balances ENABLE ROW LEVEL SECURITY;

-- ledger_entries

ALTER TABLE atrium.ledger_entries ENABLE ROW LEVEL SECURITY;

-- ledger_reservations

ALTER TABLE atrium.ledger_reservations ENABLE ROW LEVEL SECURITY;

-- llm_defaults

ALTER TABLE atrium.llm_defaults ENABLE ROW LEVEL SECURITY;

-- model_overrides

ALTER TABLE atrium.model_overrides ENABLE ROW LEVEL SECURITY;

-- outbox

ALTER TABLE atrium.outbox ENABLE ROW LEVEL SECURITY;

-- api_keys owner

CREATE POLICY owner ON atrium.api_keys TO atrium_migrator USING (true) WITH CHECK (true);

-- audit_chains owner

CREATE POLICY owner ON atrium.audit_chains TO atrium_migrator USING (true) WITH CHECK (true);

-- audit_log owner

CREATE POLICY owner ON atrium.audit_log TO atrium_migrator USING (true) WITH CHECK (true);

-- chunk_bits owner

CREATE POLICY owner ON atrium.chunk_bits TO atrium_migrator USING (true) WITH CHECK (true);

-- chunks owner

CREATE POLICY owner ON atrium.chunks TO atrium_migrator USING (true) WITH CHECK (true);

-- collections owner

CREATE POLICY owner ON atrium.collections TO atrium_migrator USING (true) WITH CHECK (true);

-- document_versions owner

CREATE POLICY owner ON atrium.document_versions TO atrium_migrator USING (true) WITH CHECK (true);

-- documents owner

CREATE POLICY owner ON atrium.documents TO atrium_migrator USING (true) WITH CHECK (true);

-- drop_writes owner

CREATE POLICY owner ON atrium.drop_writes TO atrium_migrator USING (true) WITH CHECK (true);

-- erasures owner

CREATE POLICY owner ON atrium.erasures TO atrium_migrator USING (true) WITH CHECK (true);

-- idempotency_keys owner

CREATE POLICY owner ON atrium.idempotency_keys TO atrium_migrator USING (true) WITH CHECK (true);

-- invitations owner

CREATE POLICY owner ON atrium.invitations TO atrium_migrator USING (true) WITH CHECK (true);

-- kept_answers owner

CREATE POLICY owner ON atrium.kept_answers TO atrium_migrator USING (true) WITH CHECK (true);

-- ledger_balances owner

CREATE POLICY owner ON atrium.ledger_balances TO atrium_migrator USING (true) WITH CHECK (true);

-- ledger_entries owner

CREATE POLICY owner ON atrium.ledger_entries TO atrium_migrator USING (true) WITH CHECK (true);

-- ledger_reservations owner

CREATE POLICY owner ON atrium.ledger_reservations TO atrium_migrator USING (true) WITH CHECK (true);

-- llm_defaults owner

CREATE POLICY owner ON atrium.llm_defaults TO atrium_migrator USING (true) WITH CHECK (true);

-- model_overrides owner

CREATE POLICY owner ON atrium.model_overrides TO atrium_migrator USING (true) WITH CHECK (true);

-- outbox owner

CREATE POLICY owner ON atrium.outbox TO atrium_migrator USING (true) WITH CHECK (true);

-- password_resets owner

CREATE POLICY owner ON atrium.password_resets TO atrium_migrator USING (true) WITH CHECK (true);

-- prompt_labels owner

CREATE POLICY owner ON atrium.prompt_labels TO atrium_migrator USING (true) WITH CHECK (true);

-- prompt_versions owner

CREATE POLICY owner ON atrium.prompt_versions TO atrium_migrator USING (true) WITH CHECK (true);

-- prompts owner

CREATE POLICY owner ON atrium.prompts TO atrium_migrator USING (true) WITH CHECK (true);

-- provider_keys owner

CREATE POLICY owner ON atrium.provider_keys TO atrium_migrator USING (true) WITH CHECK (true);

-- refresh_tokens owner

CREATE POLICY owner ON atrium.refresh_tokens TO atrium_migrator USING (true) WITH CHECK (true);

-- spending_limits owner

CREATE POLICY owner ON atrium.spending_limits TO atrium_migrator USING (true) WITH CHECK (true);

-- tenant_indexes owner

CREATE POLICY owner ON atrium.tenant_indexes TO atrium_migrator USING (true) WITH CHECK (true);

-- tenants owner

CREATE POLICY owner ON atrium.tenants TO atrium_migrator USING (true) WITH CHECK (true);

-- usage_daily owner

CREATE POLICY owner ON atrium.usage_daily TO atrium_migrator USING (true) WITH CHECK (true);

-- users owner

CREATE POLICY owner ON atrium.users TO atrium_migrator USING (true) WITH CHECK (true);

-- password_resets

ALTER TABLE atrium.password_resets ENABLE ROW LEVEL SECURITY;

-- prompt_labels

ALTER TABLE atrium.prompt_labels ENABLE ROW LEVEL SECURITY;

-- prompt_versions

ALTER TABLE atrium.prompt_versions ENABLE ROW LEVEL SECURITY;

-- prompts

ALTER TABLE atrium.prompts ENABLE ROW LEVEL SECURITY;

-- provider_keys

ALTER TABLE atrium.provider_keys ENABLE ROW LEVEL SECURITY;

-- refresh_tokens

ALTER TABLE atrium.refresh_tokens ENABLE ROW LEVEL SECURITY;

-- api_keys relay

CREATE POLICY relay ON atrium.api_keys TO atrium_relay USING (true) WITH CHECK (true);

-- audit_chains relay

CREATE POLICY relay ON atrium.audit_chains FOR SELECT TO atrium_relay USING (true);

-- audit_log relay

CREATE POLICY relay ON atrium.audit_log FOR SELECT TO atrium_relay USING (true);

-- document_versions relay

CREATE POLICY relay ON atrium.document_versions FOR SELECT TO atrium_relay USING (true);

-- documents relay

CREATE POLICY relay ON atrium.documents FOR SELECT TO atrium_relay USING (true);

-- erasures relay

CREATE POLICY relay ON atrium.erasures FOR SELECT TO atrium_relay USING (true);

-- idempotency_keys relay

CREATE POLICY relay ON atrium.idempotency_keys TO atrium_relay USING (true) WITH CHECK (true);

-- invitations relay

CREATE POLICY relay ON atrium.invitations TO atrium_relay USING (true) WITH CHECK (true);

-- kept_answers relay

CREATE POLICY relay ON atrium.kept_answers TO atrium_relay USING (true) WITH CHECK (true);

-- ledger_reservations relay

CREATE POLICY relay ON atrium.ledger_reservations FOR SELECT TO atrium_relay USING (true);

-- outbox relay

CREATE POLICY relay ON atrium.outbox TO atrium_relay USING (true) WITH CHECK (true);

-- password_resets relay

CREATE POLICY relay ON atrium.password_resets TO atrium_relay USING (true) WITH CHECK (true);

-- refresh_tokens relay

CREATE POLICY relay ON atrium.refresh_tokens TO atrium_relay USING (true) WITH CHECK (true);

-- usage_daily relay

CREATE POLICY relay ON atrium.usage_daily FOR SELECT TO atrium_relay USING (true);

-- spending_limits

ALTER TABLE atrium.spending_limits ENABLE ROW LEVEL SECURITY;

-- api_keys tenant

CREATE POLICY tenant ON atrium.api_keys TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- audit_chains tenant

CREATE POLICY tenant ON atrium.audit_chains TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- audit_log tenant

CREATE POLICY tenant ON atrium.audit_log TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- chunk_bits tenant

CREATE POLICY tenant ON atrium.chunk_bits TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- chunks tenant

CREATE POLICY tenant ON atrium.chunks TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- collections tenant

CREATE POLICY tenant ON atrium.collections TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- document_versions tenant

CREATE POLICY tenant ON atrium.document_versions TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- documents tenant

CREATE POLICY tenant ON atrium.documents TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- drop_writes tenant

CREATE POLICY tenant ON atrium.drop_writes TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- erasures tenant

CREATE POLICY tenant ON atrium.erasures TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- idempotency_keys tenant

CREATE POLICY tenant ON atrium.idempotency_keys TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- invitations tenant

CREATE POLICY tenant ON atrium.invitations TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- kept_answers tenant

CREATE POLICY tenant ON atrium.kept_answers TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- ledger_balances tenant

CREATE POLICY tenant ON atrium.ledger_balances TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- ledger_entries tenant

CREATE POLICY tenant ON atrium.ledger_entries TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- ledger_reservations tenant

CREATE POLICY tenant ON atrium.ledger_reservations TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- llm_defaults tenant

CREATE POLICY tenant ON atrium.llm_defaults TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- model_overrides tenant

CREATE POLICY tenant ON atrium.model_overrides TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- outbox tenant

CREATE POLICY tenant ON atrium.outbox TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- password_resets tenant

CREATE POLICY tenant ON atrium.password_resets TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- prompt_labels tenant

CREATE POLICY tenant ON atrium.prompt_labels TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- prompt_versions tenant

CREATE POLICY tenant ON atrium.prompt_versions TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- prompts tenant

CREATE POLICY tenant ON atrium.prompts TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- provider_keys tenant

CREATE POLICY tenant ON atrium.provider_keys TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- refresh_tokens tenant

CREATE POLICY tenant ON atrium.refresh_tokens TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- spending_limits tenant

CREATE POLICY tenant ON atrium.spending_limits TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- tenant_indexes tenant

CREATE POLICY tenant ON atrium.tenant_indexes TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- tenants tenant

CREATE POLICY tenant ON atrium.tenants TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- usage_daily tenant

CREATE POLICY tenant ON atrium.usage_daily TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- users tenant

CREATE POLICY tenant ON atrium.users TO atrium_app USING ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif"))) WITH CHECK ((tenant_id = ( SELECT (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

-- tenant_indexes

ALTER TABLE atrium.tenant_indexes ENABLE ROW LEVEL SECURITY;

-- tenants

ALTER TABLE atrium.tenants ENABLE ROW LEVEL SECURITY;

-- usage_daily

ALTER TABLE atrium.usage_daily ENABLE ROW LEVEL SECURITY;

-- users

ALTER TABLE atrium.users ENABLE ROW LEVEL SECURITY;

-- SCHEMA atrium

GRANT USAGE ON SCHEMA atrium TO atrium_app;
GRANT USAGE ON SCHEMA atrium TO atrium_relay;
GRANT ALL ON SCHEMA atrium TO atrium_definer;

-- FUNCTION acting_operator(operator text, proof bytea)

REVOKE ALL ON FUNCTION atrium.acting_operator(operator text, proof bytea) FROM PUBLIC;

-- FUNCTION admit_key(presented text, kids text[], macs bytea[], usual_rate double precision, usual_tenant_rate double precision, caller text, per_minute double precision, call atrium.ledger_call, OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state, OUT hold atrium.ledger_hold)

REVOKE ALL ON FUNCTION atrium.admit_key(presented text, kids text[], macs bytea[], usual_rate double precision, usual_tenant_rate double precision, caller text, per_minute double precision, call atrium.ledger_call, OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state, OUT hold atrium.ledger_hold) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.admit_key(presented text, kids text[], macs bytea[], usual_rate double precision, usual_tenant_rate double precision, caller text, per_minute double precision, call atrium.ledger_call, OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state, OUT hold atrium.ledger_hold) TO atrium_app;

-- FUNCTION admit_user(tenant uuid, member uuid, version integer, session uuid, usual_rate double precision, usual_tenant_rate double precision, caller text, per_minute double precision, call atrium.ledger_call, OUT outcome text, OUT role text, OUT rate atrium.rate_state, OUT hold atrium.ledger_hold)

REVOKE ALL ON FUNCTION atrium.admit_user(tenant uuid, member uuid, version integer, session uuid, usual_rate double precision, usual_tenant_rate double precision, caller text, per_minute double precision, call atrium.ledger_call, OUT outcome text, OUT role text, OUT rate atrium.rate_state, OUT hold atrium.ledger_hold) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.admit_user(tenant uuid, member uuid, version integer, session uuid, usual_rate double precision, usual_tenant_rate double precision, caller text, per_minute double precision, call atrium.ledger_call, OUT outcome text, OUT role text, OUT rate atrium.rate_state, OUT hold atrium.ledger_hold) TO atrium_app;

-- TABLE audit_log

GRANT SELECT ON TABLE atrium.audit_log TO atrium_app;
GRANT SELECT,DELETE ON TABLE atrium.audit_log TO atrium_definer;

-- COLUMN audit_log.ctid

GRANT SELECT(ctid) ON TABLE atrium.audit_log TO atrium_definer;

-- COLUMN audit_log.tenant_id

GRANT SELECT(tenant_id),INSERT(tenant_id) ON TABLE atrium.audit_log TO atrium_definer;
GRANT INSERT(tenant_id) ON TABLE atrium.audit_log TO atrium_app;
GRANT SELECT(tenant_id) ON TABLE atrium.audit_log TO atrium_relay;

-- COLUMN audit_log.id

GRANT INSERT(id) ON TABLE atrium.audit_log TO atrium_app;
GRANT INSERT(id) ON TABLE atrium.audit_log TO atrium_definer;

-- COLUMN audit_log.at

GRANT SELECT(at) ON TABLE atrium.audit_log TO atrium_relay;

-- COLUMN audit_log.actor

GRANT INSERT(actor) ON TABLE atrium.audit_log TO atrium_app;
GRANT INSERT(actor) ON TABLE atrium.audit_log TO atrium_definer;

-- COLUMN audit_log.action

GRANT INSERT(action) ON TABLE atrium.audit_log TO atrium_app;
GRANT INSERT(action) ON TABLE atrium.audit_log TO atrium_definer;

-- COLUMN audit_log.target

GRANT INSERT(target) ON TABLE atrium.audit_log TO atrium_app;
GRANT INSERT(target) ON TABLE atrium.audit_log TO atrium_definer;

-- COLUMN audit_log.detail

GRANT INSERT(detail) ON TABLE atrium.audit_log TO atrium_app;
GRANT INSERT(detail) ON TABLE atrium.audit_log TO atrium_definer;

-- COLUMN audit_log.request_id

GRANT INSERT(request_id) ON TABLE atrium.audit_log TO atrium_app;
GRANT INSERT(request_id) ON TABLE atrium.audit_log TO atrium_definer;

-- COLUMN audit_log.seq

GRANT UPDATE(seq) ON TABLE atrium.audit_log TO atrium_definer;
GRANT SELECT(seq) ON TABLE atrium.audit_log TO atrium_relay;

-- COLUMN audit_log.hash

GRANT UPDATE(hash) ON TABLE atrium.audit_log TO atrium_definer;

-- FUNCTION audit_canonical(entry atrium.audit_log)

REVOKE ALL ON FUNCTION atrium.audit_canonical(entry atrium.audit_log) FROM PUBLIC;

-- FUNCTION auth_accept(hash bytea, password text, request text, OUT outcome text, OUT tenant_id uuid, OUT id uuid)

REVOKE ALL ON FUNCTION atrium.auth_accept(hash bytea, password text, request text, OUT outcome text, OUT tenant_id uuid, OUT id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_accept(hash bytea, password text, request text, OUT outcome text, OUT tenant_id uuid, OUT id uuid) TO atrium_app;

-- FUNCTION auth_admit_key(presented text, kids text[], macs bytea[], key_rate double precision, tenant_rate double precision, caller text, per_minute double precision, OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state)

REVOKE ALL ON FUNCTION atrium.auth_admit_key(presented text, kids text[], macs bytea[], key_rate double precision, tenant_rate double precision, caller text, per_minute double precision, OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_admit_key(presented text, kids text[], macs bytea[], key_rate double precision, tenant_rate double precision, caller text, per_minute double precision, OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state) TO atrium_app;

-- FUNCTION auth_admit_user(tenant uuid, member uuid, version integer, session uuid, user_rate double precision, tenant_rate double precision, caller text, per_minute double precision, OUT outcome text, OUT role text, OUT rate atrium.rate_state)

REVOKE ALL ON FUNCTION atrium.auth_admit_user(tenant uuid, member uuid, version integer, session uuid, user_rate double precision, tenant_rate double precision, caller text, per_minute double precision, OUT outcome text, OUT role text, OUT rate atrium.rate_state) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_admit_user(tenant uuid, member uuid, version integer, session uuid, user_rate double precision, tenant_rate double precision, caller text, per_minute double precision, OUT outcome text, OUT role text, OUT rate atrium.rate_state) TO atrium_app;

-- FUNCTION auth_forgot(address text, hash bytea, life interval, request text)

REVOKE ALL ON FUNCTION atrium.auth_forgot(address text, hash bytea, life interval, request text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_forgot(address text, hash bytea, life interval, request text) TO atrium_app;

-- FUNCTION auth_login(address text, buckets text[], per_minute double precision, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text)

REVOKE ALL ON FUNCTION atrium.auth_login(address text, buckets text[], per_minute double precision, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_login(address text, buckets text[], per_minute double precision, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text) TO atrium_app;

-- FUNCTION auth_login(address text, buckets text[], capacities double precision[], per_second double precision[], OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text)

REVOKE ALL ON FUNCTION atrium.auth_login(address text, buckets text[], capacities double precision[], per_second double precision[], OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_login(address text, buckets text[], capacities double precision[], per_second double precision[], OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text) TO atrium_app;

-- FUNCTION auth_login_failed(address text, request text)

REVOKE ALL ON FUNCTION atrium.auth_login_failed(address text, request text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_login_failed(address text, request text) TO atrium_app;

-- FUNCTION auth_operator(presented text, kids text[], macs bytea[], caller text, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state)

REVOKE ALL ON FUNCTION atrium.auth_operator(presented text, kids text[], macs bytea[], caller text, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_operator(presented text, kids text[], macs bytea[], caller text, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state) TO atrium_app;

-- FUNCTION auth_operator_digest(presented text, key_digest bytea, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state)

REVOKE ALL ON FUNCTION atrium.auth_operator_digest(presented text, key_digest bytea, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_operator_digest(presented text, key_digest bytea, per_minute double precision, OUT outcome text, OUT rate atrium.rate_state) TO atrium_app;

-- FUNCTION auth_refresh(hash bytea, child uuid, child_hash bytea, idle interval, request text, buckets text[], per_minute double precision, OUT outcome text, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT family_id uuid)

REVOKE ALL ON FUNCTION atrium.auth_refresh(hash bytea, child uuid, child_hash bytea, idle interval, request text, buckets text[], per_minute double precision, OUT outcome text, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT family_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_refresh(hash bytea, child uuid, child_hash bytea, idle interval, request text, buckets text[], per_minute double precision, OUT outcome text, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT family_id uuid) TO atrium_app;

-- FUNCTION auth_register(tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text)

REVOKE ALL ON FUNCTION atrium.auth_register(tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_register(tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text) TO atrium_app;

-- FUNCTION auth_register(tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text, budget bigint)

REVOKE ALL ON FUNCTION atrium.auth_register(tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text, budget bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_register(tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text, budget bigint) TO atrium_app;

-- FUNCTION auth_reset(hash bytea, password text, request text)

REVOKE ALL ON FUNCTION atrium.auth_reset(hash bytea, password text, request text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_reset(hash bytea, password text, request text) TO atrium_app;

-- FUNCTION auth_take(buckets text[], capacities double precision[], per_second double precision[])

REVOKE ALL ON FUNCTION atrium.auth_take(buckets text[], capacities double precision[], per_second double precision[]) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_take(buckets text[], capacities double precision[], per_second double precision[]) TO atrium_app;

-- FUNCTION auth_throttle(buckets text[], per_minute double precision)

REVOKE ALL ON FUNCTION atrium.auth_throttle(buckets text[], per_minute double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.auth_throttle(buckets text[], per_minute double precision) TO atrium_app;

-- FUNCTION budget_threshold(spent bigint, budget bigint)

REVOKE ALL ON FUNCTION atrium.budget_threshold(spent bigint, budget bigint) FROM PUBLIC;

-- FUNCTION close_ledger_day(OUT closed date)

REVOKE ALL ON FUNCTION atrium.close_ledger_day(OUT closed date) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.close_ledger_day(OUT closed date) TO atrium_app;

-- PROCEDURE declare_embedding_space(IN space smallint, IN space_model text, IN space_dimensions integer, IN space_max_tokens integer)

REVOKE ALL ON PROCEDURE atrium.declare_embedding_space(IN space smallint, IN space_model text, IN space_dimensions integer, IN space_max_tokens integer) FROM PUBLIC;

-- FUNCTION erase_rows(most integer)

REVOKE ALL ON FUNCTION atrium.erase_rows(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.erase_rows(most integer) TO atrium_app;

-- FUNCTION erase_tenant(confirmation text, requester text, request text)

REVOKE ALL ON FUNCTION atrium.erase_tenant(confirmation text, requester text, request text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.erase_tenant(confirmation text, requester text, request text) TO atrium_app;

-- FUNCTION keep_bits()

REVOKE ALL ON FUNCTION atrium.keep_bits() FROM PUBLIC;

-- TABLE api_keys

GRANT SELECT,INSERT,UPDATE ON TABLE atrium.api_keys TO atrium_app;
GRANT SELECT,DELETE,UPDATE ON TABLE atrium.api_keys TO atrium_definer;
GRANT DELETE ON TABLE atrium.api_keys TO atrium_relay;

-- COLUMN api_keys.ctid

GRANT SELECT(ctid) ON TABLE atrium.api_keys TO atrium_relay;
GRANT SELECT(ctid) ON TABLE atrium.api_keys TO atrium_definer;

-- COLUMN api_keys.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.api_keys TO atrium_definer;

-- COLUMN api_keys.expires_at

GRANT SELECT(expires_at) ON TABLE atrium.api_keys TO atrium_relay;

-- COLUMN api_keys.revoked_at

GRANT SELECT(revoked_at) ON TABLE atrium.api_keys TO atrium_relay;

-- FUNCTION key_matches(found atrium.api_keys, kids text[], macs bytea[])

REVOKE ALL ON FUNCTION atrium.key_matches(found atrium.api_keys, kids text[], macs bytea[]) FROM PUBLIC;

-- FUNCTION ledger_abandon(tenant uuid, call_id uuid, metrics text[])

REVOKE ALL ON FUNCTION atrium.ledger_abandon(tenant uuid, call_id uuid, metrics text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.ledger_abandon(tenant uuid, call_id uuid, metrics text[]) TO atrium_app;

-- FUNCTION ledger_charge(tenant uuid, of_month date, of_scope text, of_id uuid, cost bigint, released bigint, more_calls integer)

REVOKE ALL ON FUNCTION atrium.ledger_charge(tenant uuid, of_month date, of_scope text, of_id uuid, cost bigint, released bigint, more_calls integer) FROM PUBLIC;

-- FUNCTION ledger_digest(of_day date, OUT calls bigint, OUT cost bigint, OUT digest text)

REVOKE ALL ON FUNCTION atrium.ledger_digest(of_day date, OUT calls bigint, OUT cost bigint, OUT digest text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.ledger_digest(of_day date, OUT calls bigint, OUT cost bigint, OUT digest text) TO atrium_app;

-- TABLE ledger_reservations

GRANT SELECT,INSERT,DELETE ON TABLE atrium.ledger_reservations TO atrium_definer;
GRANT SELECT ON TABLE atrium.ledger_reservations TO atrium_app;

-- COLUMN ledger_reservations.ctid

GRANT SELECT(ctid) ON TABLE atrium.ledger_reservations TO atrium_definer;

-- COLUMN ledger_reservations.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.ledger_reservations TO atrium_definer;
GRANT SELECT(tenant_id) ON TABLE atrium.ledger_reservations TO atrium_relay;

-- COLUMN ledger_reservations.id

GRANT SELECT(id) ON TABLE atrium.ledger_reservations TO atrium_relay;

-- COLUMN ledger_reservations.due_at

GRANT SELECT(due_at) ON TABLE atrium.ledger_reservations TO atrium_relay;

-- FUNCTION ledger_enter(held atrium.ledger_reservations, result atrium.ledger_result)

REVOKE ALL ON FUNCTION atrium.ledger_enter(held atrium.ledger_reservations, result atrium.ledger_result) FROM PUBLIC;

-- FUNCTION ledger_figures()

REVOKE ALL ON FUNCTION atrium.ledger_figures() FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.ledger_figures() TO atrium_app;

-- FUNCTION ledger_record(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, result atrium.ledger_result)

REVOKE ALL ON FUNCTION atrium.ledger_record(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, result atrium.ledger_result) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.ledger_record(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, result atrium.ledger_result) TO atrium_app;

-- FUNCTION ledger_reserve(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call)

REVOKE ALL ON FUNCTION atrium.ledger_reserve(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.ledger_reserve(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call) TO atrium_app;

-- FUNCTION ledger_settle(tenant uuid, own_scope text, own_id uuid, call_id uuid, result atrium.ledger_result, OUT settled boolean, OUT overshoot bigint)

REVOKE ALL ON FUNCTION atrium.ledger_settle(tenant uuid, own_scope text, own_id uuid, call_id uuid, result atrium.ledger_result, OUT settled boolean, OUT overshoot bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.ledger_settle(tenant uuid, own_scope text, own_id uuid, call_id uuid, result atrium.ledger_result, OUT settled boolean, OUT overshoot bigint) TO atrium_app;

-- FUNCTION ledger_take(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, own_budget bigint, tenant_budget bigint)

REVOKE ALL ON FUNCTION atrium.ledger_take(tenant uuid, own_scope text, own_id uuid, call atrium.ledger_call, own_budget bigint, tenant_budget bigint) FROM PUBLIC;

-- FUNCTION ledger_tenant(tenant uuid)

REVOKE ALL ON FUNCTION atrium.ledger_tenant(tenant uuid) FROM PUBLIC;

-- TABLE ledger_entries

GRANT SELECT,INSERT,DELETE ON TABLE atrium.ledger_entries TO atrium_definer;
GRANT SELECT ON TABLE atrium.ledger_entries TO atrium_app;

-- COLUMN ledger_entries.ctid

GRANT SELECT(ctid) ON TABLE atrium.ledger_entries TO atrium_definer;

-- COLUMN ledger_entries.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.ledger_entries TO atrium_definer;

-- FUNCTION ledger_text(entry atrium.ledger_entries)

REVOKE ALL ON FUNCTION atrium.ledger_text(entry atrium.ledger_entries) FROM PUBLIC;

-- FUNCTION limit_own(of_scope text, of_id uuid, budget bigint, how text, per_second integer)

REVOKE ALL ON FUNCTION atrium.limit_own(of_scope text, of_id uuid, budget bigint, how text, per_second integer) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.limit_own(of_scope text, of_id uuid, budget bigint, how text, per_second integer) TO atrium_app;

-- FUNCTION limit_put(tenant uuid, set_by text, of_scope text, of_id uuid, budget bigint, how text, per_second integer)

REVOKE ALL ON FUNCTION atrium.limit_put(tenant uuid, set_by text, of_scope text, of_id uuid, budget bigint, how text, per_second integer) FROM PUBLIC;

-- FUNCTION limit_tenant(tenant uuid, budget bigint, how text, per_second integer, operator text, proof bytea, request text)

REVOKE ALL ON FUNCTION atrium.limit_tenant(tenant uuid, budget bigint, how text, per_second integer, operator text, proof bytea, request text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.limit_tenant(tenant uuid, budget bigint, how text, per_second integer, operator text, proof bytea, request text) TO atrium_app;

-- FUNCTION limits_of(tenant uuid, own_id uuid, usual_rate double precision, usual_tenant_rate double precision)

REVOKE ALL ON FUNCTION atrium.limits_of(tenant uuid, own_id uuid, usual_rate double precision, usual_tenant_rate double precision) FROM PUBLIC;

-- FUNCTION matching_chunks(space smallint, question text, asked_in text, scope uuid[], budget integer, top integer, OUT ids uuid[], OUT relevances double precision[], OUT languages text[], OUT compared bigint)

REVOKE ALL ON FUNCTION atrium.matching_chunks(space smallint, question text, asked_in text, scope uuid[], budget integer, top integer, OUT ids uuid[], OUT relevances double precision[], OUT languages text[], OUT compared bigint) FROM PUBLIC;

-- FUNCTION nearest_by_bits(space smallint, question public.halfvec, scope uuid[], width integer, top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint)

REVOKE ALL ON FUNCTION atrium.nearest_by_bits(space smallint, question public.halfvec, scope uuid[], width integer, top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint) FROM PUBLIC;

-- FUNCTION nearest_by_index(space smallint, question public.halfvec, scope uuid[], width integer, top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint)

REVOKE ALL ON FUNCTION atrium.nearest_by_index(space smallint, question public.halfvec, scope uuid[], width integer, top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint) FROM PUBLIC;

-- FUNCTION nearest_chunks(space smallint, question public.halfvec, scope uuid[], top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint)

REVOKE ALL ON FUNCTION atrium.nearest_chunks(space smallint, question public.halfvec, scope uuid[], top integer, OUT ids uuid[], OUT cosines double precision[], OUT languages text[], OUT compared bigint) FROM PUBLIC;

-- FUNCTION platform_figures()

REVOKE ALL ON FUNCTION atrium.platform_figures() FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.platform_figures() TO atrium_app;

-- FUNCTION platform_prompt_add(operator text, proof bytea, prompt uuid, about text, content jsonb, chosen text, settings jsonb, remark text)

REVOKE ALL ON FUNCTION atrium.platform_prompt_add(operator text, proof bytea, prompt uuid, about text, content jsonb, chosen text, settings jsonb, remark text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.platform_prompt_add(operator text, proof bytea, prompt uuid, about text, content jsonb, chosen text, settings jsonb, remark text) TO atrium_app;

-- FUNCTION platform_prompt_create(operator text, proof bytea, prompt uuid, name text, kind text, about text, content jsonb, chosen text, settings jsonb, remark text)

REVOKE ALL ON FUNCTION atrium.platform_prompt_create(operator text, proof bytea, prompt uuid, name text, kind text, about text, content jsonb, chosen text, settings jsonb, remark text) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.platform_prompt_create(operator text, proof bytea, prompt uuid, name text, kind text, about text, content jsonb, chosen text, settings jsonb, remark text) TO atrium_app;

-- FUNCTION platform_prompt_delete(operator text, proof bytea, prompt uuid)

REVOKE ALL ON FUNCTION atrium.platform_prompt_delete(operator text, proof bytea, prompt uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.platform_prompt_delete(operator text, proof bytea, prompt uuid) TO atrium_app;

-- FUNCTION platform_prompt_point(operator text, proof bytea, prompt uuid, name text, targets jsonb)

REVOKE ALL ON FUNCTION atrium.platform_prompt_point(operator text, proof bytea, prompt uuid, name text, targets jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.platform_prompt_point(operator text, proof bytea, prompt uuid, name text, targets jsonb) TO atrium_app;

-- PROCEDURE protect(IN target regclass)

REVOKE ALL ON PROCEDURE atrium.protect(IN target regclass) FROM PUBLIC;

-- FUNCTION question_words(space smallint, question text, asked_in text, OUT words tsquery[], OUT frequencies double precision[], OUT mean_length double precision, OUT total double precision)

REVOKE ALL ON FUNCTION atrium.question_words(space smallint, question text, asked_in text, OUT words tsquery[], OUT frequencies double precision[], OUT mean_length double precision, OUT total double precision) FROM PUBLIC;

-- FUNCTION refuse_erased()

REVOKE ALL ON FUNCTION atrium.refuse_erased() FROM PUBLIC;

-- FUNCTION refuse_sealed()

REVOKE ALL ON FUNCTION atrium.refuse_sealed() FROM PUBLIC;

-- FUNCTION required_tenant()

REVOKE ALL ON FUNCTION atrium.required_tenant() FROM PUBLIC;

-- FUNCTION seal_audit(most integer, OUT sealed bigint, OUT seq bigint, OUT hash bytea)

REVOKE ALL ON FUNCTION atrium.seal_audit(most integer, OUT sealed bigint, OUT seq bigint, OUT hash bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.seal_audit(most integer, OUT sealed bigint, OUT seq bigint, OUT hash bytea) TO atrium_app;

-- FUNCTION search_chunks(space smallint, vector public.halfvec, words text, collections text[], document_ids uuid[], filter jsonpath, foreign_weight double precision, top integer)

REVOKE ALL ON FUNCTION atrium.search_chunks(space smallint, vector public.halfvec, words text, collections text[], document_ids uuid[], filter jsonpath, foreign_weight double precision, top integer) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.search_chunks(space smallint, vector public.halfvec, words text, collections text[], document_ids uuid[], filter jsonpath, foreign_weight double precision, top integer) TO atrium_app;

-- FUNCTION search_chunks(space smallint, vector public.halfvec, words text, asked_in text, known text[], collections text[], document_ids uuid[], filter jsonpath, top integer)

REVOKE ALL ON FUNCTION atrium.search_chunks(space smallint, vector public.halfvec, words text, asked_in text, known text[], collections text[], document_ids uuid[], filter jsonpath, top integer) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.search_chunks(space smallint, vector public.halfvec, words text, asked_in text, known text[], collections text[], document_ids uuid[], filter jsonpath, top integer) TO atrium_app;

-- FUNCTION search_elsewhere(space smallint)

REVOKE ALL ON FUNCTION atrium.search_elsewhere(space smallint) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.search_elsewhere(space smallint) TO atrium_app;

-- FUNCTION search_scope(collections text[], document_ids uuid[], filter jsonpath)

REVOKE ALL ON FUNCTION atrium.search_scope(collections text[], document_ids uuid[], filter jsonpath) FROM PUBLIC;

-- FUNCTION take_token(bucket_name text, capacity double precision, per_second double precision)

REVOKE ALL ON FUNCTION atrium.take_token(bucket_name text, capacity double precision, per_second double precision) FROM PUBLIC;

-- FUNCTION take_tokens(buckets text[], capacities double precision[], per_second double precision[])

REVOKE ALL ON FUNCTION atrium.take_tokens(buckets text[], capacities double precision[], per_second double precision[]) FROM PUBLIC;

-- FUNCTION tenant_stays(tenant uuid)

REVOKE ALL ON FUNCTION atrium.tenant_stays(tenant uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.tenant_stays(tenant uuid) TO atrium_app;
GRANT ALL ON FUNCTION atrium.tenant_stays(tenant uuid) TO atrium_definer;

-- FUNCTION tenant_tables()

REVOKE ALL ON FUNCTION atrium.tenant_tables() FROM PUBLIC;

-- FUNCTION usage_figures()

REVOKE ALL ON FUNCTION atrium.usage_figures() FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.usage_figures() TO atrium_app;

-- FUNCTION usage_fold(of_tenant uuid, before date)

REVOKE ALL ON FUNCTION atrium.usage_fold(of_tenant uuid, before date) FROM PUBLIC;

-- FUNCTION usage_fold_old()

REVOKE ALL ON FUNCTION atrium.usage_fold_old() FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.usage_fold_old() TO atrium_app;

-- FUNCTION usage_tell()

REVOKE ALL ON FUNCTION atrium.usage_tell() FROM PUBLIC;
GRANT ALL ON FUNCTION atrium.usage_tell() TO atrium_app;

-- TABLE audit_chains

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.audit_chains TO atrium_definer;
GRANT SELECT ON TABLE atrium.audit_chains TO atrium_app;

-- COLUMN audit_chains.ctid

GRANT SELECT(ctid) ON TABLE atrium.audit_chains TO atrium_definer;

-- COLUMN audit_chains.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.audit_chains TO atrium_definer;
GRANT SELECT(tenant_id) ON TABLE atrium.audit_chains TO atrium_relay;

-- COLUMN audit_chains.ledger_day

GRANT SELECT(ledger_day) ON TABLE atrium.audit_chains TO atrium_relay;

-- TABLE chunk_bits

GRANT SELECT,INSERT,DELETE ON TABLE atrium.chunk_bits TO atrium_app;
GRANT SELECT,INSERT,DELETE ON TABLE atrium.chunk_bits TO atrium_definer;

-- COLUMN chunk_bits.ctid

GRANT SELECT(ctid) ON TABLE atrium.chunk_bits TO atrium_definer;

-- COLUMN chunk_bits.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.chunk_bits TO atrium_definer;

-- TABLE chunks

GRANT SELECT,INSERT,DELETE ON TABLE atrium.chunks TO atrium_app;
GRANT SELECT,DELETE ON TABLE atrium.chunks TO atrium_definer;

-- COLUMN chunks.ctid

GRANT SELECT(ctid) ON TABLE atrium.chunks TO atrium_definer;

-- COLUMN chunks.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.chunks TO atrium_definer;

-- COLUMN chunks.collection

GRANT UPDATE(collection) ON TABLE atrium.chunks TO atrium_app;

-- TABLE collections

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.collections TO atrium_app;
GRANT SELECT,DELETE ON TABLE atrium.collections TO atrium_definer;

-- COLUMN collections.ctid

GRANT SELECT(ctid) ON TABLE atrium.collections TO atrium_definer;

-- COLUMN collections.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.collections TO atrium_definer;

-- TABLE document_versions

GRANT SELECT,INSERT,UPDATE ON TABLE atrium.document_versions TO atrium_app;
GRANT SELECT,DELETE ON TABLE atrium.document_versions TO atrium_definer;

-- COLUMN document_versions.ctid

GRANT SELECT(ctid) ON TABLE atrium.document_versions TO atrium_definer;

-- COLUMN document_versions.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.document_versions TO atrium_relay;
GRANT SELECT(tenant_id) ON TABLE atrium.document_versions TO atrium_definer;

-- COLUMN document_versions.document_id

GRANT SELECT(document_id) ON TABLE atrium.document_versions TO atrium_relay;

-- COLUMN document_versions.status

GRANT SELECT(status) ON TABLE atrium.document_versions TO atrium_relay;

-- COLUMN document_versions.created_at

GRANT SELECT(created_at) ON TABLE atrium.document_versions TO atrium_relay;

-- COLUMN document_versions.updated_at

GRANT SELECT(updated_at) ON TABLE atrium.document_versions TO atrium_relay;

-- TABLE documents

GRANT SELECT,INSERT,UPDATE ON TABLE atrium.documents TO atrium_app;
GRANT SELECT,DELETE ON TABLE atrium.documents TO atrium_definer;

-- COLUMN documents.ctid

GRANT SELECT(ctid) ON TABLE atrium.documents TO atrium_definer;

-- COLUMN documents.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.documents TO atrium_relay;
GRANT SELECT(tenant_id) ON TABLE atrium.documents TO atrium_definer;

-- COLUMN documents.id

GRANT SELECT(id) ON TABLE atrium.documents TO atrium_relay;

-- COLUMN documents.deleted_at

GRANT SELECT(deleted_at) ON TABLE atrium.documents TO atrium_relay;

-- COLUMN documents.objects_removed_at

GRANT SELECT(objects_removed_at) ON TABLE atrium.documents TO atrium_relay;

-- TABLE drop_writes

GRANT SELECT,INSERT,UPDATE ON TABLE atrium.drop_writes TO atrium_app;
GRANT DELETE ON TABLE atrium.drop_writes TO atrium_definer;

-- COLUMN drop_writes.ctid

GRANT SELECT(ctid) ON TABLE atrium.drop_writes TO atrium_definer;

-- COLUMN drop_writes.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.drop_writes TO atrium_definer;

-- TABLE embedding_spaces

GRANT SELECT ON TABLE atrium.embedding_spaces TO atrium_app;
GRANT SELECT ON TABLE atrium.embedding_spaces TO atrium_definer;

-- TABLE erasures

GRANT SELECT ON TABLE atrium.erasures TO atrium_app;
GRANT SELECT ON TABLE atrium.erasures TO atrium_relay;
GRANT SELECT,INSERT ON TABLE atrium.erasures TO atrium_definer;

-- COLUMN erasures.rows_removed

GRANT UPDATE(rows_removed) ON TABLE atrium.erasures TO atrium_app;

-- COLUMN erasures.objects_removed

GRANT UPDATE(objects_removed) ON TABLE atrium.erasures TO atrium_app;

-- COLUMN erasures.emptied_at

GRANT UPDATE(emptied_at) ON TABLE atrium.erasures TO atrium_app;

-- COLUMN erasures.finished_at

GRANT UPDATE(finished_at) ON TABLE atrium.erasures TO atrium_app;

-- TABLE idempotency_keys

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.idempotency_keys TO atrium_app;
GRANT DELETE ON TABLE atrium.idempotency_keys TO atrium_relay;
GRANT DELETE ON TABLE atrium.idempotency_keys TO atrium_definer;

-- COLUMN idempotency_keys.ctid

GRANT SELECT(ctid) ON TABLE atrium.idempotency_keys TO atrium_relay;
GRANT SELECT(ctid) ON TABLE atrium.idempotency_keys TO atrium_definer;

-- COLUMN idempotency_keys.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.idempotency_keys TO atrium_definer;

-- COLUMN idempotency_keys.expires_at

GRANT SELECT(expires_at) ON TABLE atrium.idempotency_keys TO atrium_relay;

-- TABLE invitations

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.invitations TO atrium_app;
GRANT SELECT,DELETE ON TABLE atrium.invitations TO atrium_definer;
GRANT DELETE ON TABLE atrium.invitations TO atrium_relay;

-- COLUMN invitations.ctid

GRANT SELECT(ctid) ON TABLE atrium.invitations TO atrium_relay;
GRANT SELECT(ctid) ON TABLE atrium.invitations TO atrium_definer;

-- COLUMN invitations.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.invitations TO atrium_definer;

-- COLUMN invitations.expires_at

GRANT SELECT(expires_at) ON TABLE atrium.invitations TO atrium_relay;

-- TABLE kept_answers

GRANT DELETE ON TABLE atrium.kept_answers TO atrium_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.kept_answers TO atrium_app;
GRANT DELETE ON TABLE atrium.kept_answers TO atrium_relay;

-- COLUMN kept_answers.ctid

GRANT SELECT(ctid) ON TABLE atrium.kept_answers TO atrium_definer;
GRANT SELECT(ctid) ON TABLE atrium.kept_answers TO atrium_relay;

-- COLUMN kept_answers.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.kept_answers TO atrium_definer;

-- COLUMN kept_answers.expires_at

GRANT SELECT(expires_at) ON TABLE atrium.kept_answers TO atrium_relay;

-- TABLE ledger_balances

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.ledger_balances TO atrium_definer;
GRANT SELECT ON TABLE atrium.ledger_balances TO atrium_app;

-- COLUMN ledger_balances.ctid

GRANT SELECT(ctid) ON TABLE atrium.ledger_balances TO atrium_definer;

-- COLUMN ledger_balances.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.ledger_balances TO atrium_definer;

-- TABLE llm_defaults

GRANT DELETE ON TABLE atrium.llm_defaults TO atrium_definer;
GRANT SELECT,INSERT,UPDATE ON TABLE atrium.llm_defaults TO atrium_app;

-- COLUMN llm_defaults.ctid

GRANT SELECT(ctid) ON TABLE atrium.llm_defaults TO atrium_definer;

-- COLUMN llm_defaults.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.llm_defaults TO atrium_definer;

-- TABLE model_overrides

GRANT DELETE ON TABLE atrium.model_overrides TO atrium_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.model_overrides TO atrium_app;

-- COLUMN model_overrides.ctid

GRANT SELECT(ctid) ON TABLE atrium.model_overrides TO atrium_definer;

-- COLUMN model_overrides.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.model_overrides TO atrium_definer;

-- TABLE operator_keys

GRANT SELECT ON TABLE atrium.operator_keys TO atrium_definer;

-- TABLE outbox

GRANT SELECT,INSERT ON TABLE atrium.outbox TO atrium_app;
GRANT SELECT,DELETE,UPDATE ON TABLE atrium.outbox TO atrium_relay;
GRANT SELECT,INSERT,DELETE ON TABLE atrium.outbox TO atrium_definer;

-- COLUMN outbox.ctid

GRANT SELECT(ctid) ON TABLE atrium.outbox TO atrium_definer;

-- COLUMN outbox.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.outbox TO atrium_definer;

-- TABLE password_resets

GRANT SELECT,DELETE ON TABLE atrium.password_resets TO atrium_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.password_resets TO atrium_definer;
GRANT DELETE ON TABLE atrium.password_resets TO atrium_relay;

-- COLUMN password_resets.ctid

GRANT SELECT(ctid) ON TABLE atrium.password_resets TO atrium_relay;
GRANT SELECT(ctid) ON TABLE atrium.password_resets TO atrium_definer;

-- COLUMN password_resets.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.password_resets TO atrium_definer;

-- COLUMN password_resets.expires_at

GRANT SELECT(expires_at) ON TABLE atrium.password_resets TO atrium_relay;

-- TABLE platform_prompt_labels

GRANT SELECT ON TABLE atrium.platform_prompt_labels TO atrium_app;
GRANT SELECT,INSERT ON TABLE atrium.platform_prompt_labels TO atrium_definer;

-- TABLE platform_prompt_versions

GRANT SELECT ON TABLE atrium.platform_prompt_versions TO atrium_app;
GRANT SELECT,INSERT ON TABLE atrium.platform_prompt_versions TO atrium_definer;

-- TABLE platform_prompts

GRANT SELECT ON TABLE atrium.platform_prompts TO atrium_app;
GRANT SELECT,INSERT,UPDATE ON TABLE atrium.platform_prompts TO atrium_definer;

-- TABLE prompt_labels

GRANT DELETE ON TABLE atrium.prompt_labels TO atrium_definer;
GRANT SELECT,INSERT ON TABLE atrium.prompt_labels TO atrium_app;

-- COLUMN prompt_labels.ctid

GRANT SELECT(ctid) ON TABLE atrium.prompt_labels TO atrium_definer;

-- COLUMN prompt_labels.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.prompt_labels TO atrium_definer;

-- TABLE prompt_versions

GRANT DELETE ON TABLE atrium.prompt_versions TO atrium_definer;
GRANT SELECT,INSERT ON TABLE atrium.prompt_versions TO atrium_app;

-- COLUMN prompt_versions.ctid

GRANT SELECT(ctid) ON TABLE atrium.prompt_versions TO atrium_definer;

-- COLUMN prompt_versions.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.prompt_versions TO atrium_definer;

-- TABLE prompts

GRANT DELETE ON TABLE atrium.prompts TO atrium_definer;
GRANT SELECT,INSERT,DELETE ON TABLE atrium.prompts TO atrium_app;

-- COLUMN prompts.ctid

GRANT SELECT(ctid) ON TABLE atrium.prompts TO atrium_definer;

-- COLUMN prompts.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.prompts TO atrium_definer;

-- COLUMN prompts.description

GRANT UPDATE(description) ON TABLE atrium.prompts TO atrium_app;

-- COLUMN prompts.latest_version

GRANT UPDATE(latest_version) ON TABLE atrium.prompts TO atrium_app;

-- COLUMN prompts.updated_at

GRANT UPDATE(updated_at) ON TABLE atrium.prompts TO atrium_app;

-- TABLE provider_keys

GRANT DELETE ON TABLE atrium.provider_keys TO atrium_definer;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.provider_keys TO atrium_app;

-- COLUMN provider_keys.ctid

GRANT SELECT(ctid) ON TABLE atrium.provider_keys TO atrium_definer;

-- COLUMN provider_keys.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.provider_keys TO atrium_definer;

-- TABLE rate_buckets

GRANT SELECT,INSERT,UPDATE ON TABLE atrium.rate_buckets TO atrium_definer;
GRANT SELECT,DELETE ON TABLE atrium.rate_buckets TO atrium_relay;

-- TABLE readable_prompt_labels

GRANT SELECT ON TABLE atrium.readable_prompt_labels TO atrium_app;

-- TABLE readable_prompt_versions

GRANT SELECT ON TABLE atrium.readable_prompt_versions TO atrium_app;

-- TABLE readable_prompts

GRANT SELECT ON TABLE atrium.readable_prompts TO atrium_app;

-- TABLE refresh_tokens

GRANT SELECT,INSERT,UPDATE ON TABLE atrium.refresh_tokens TO atrium_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.refresh_tokens TO atrium_definer;
GRANT DELETE ON TABLE atrium.refresh_tokens TO atrium_relay;

-- COLUMN refresh_tokens.ctid

GRANT SELECT(ctid) ON TABLE atrium.refresh_tokens TO atrium_relay;
GRANT SELECT(ctid) ON TABLE atrium.refresh_tokens TO atrium_definer;

-- COLUMN refresh_tokens.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.refresh_tokens TO atrium_relay;
GRANT SELECT(tenant_id) ON TABLE atrium.refresh_tokens TO atrium_definer;

-- COLUMN refresh_tokens.family_id

GRANT SELECT(family_id) ON TABLE atrium.refresh_tokens TO atrium_relay;

-- COLUMN refresh_tokens.parent_id

GRANT SELECT(parent_id) ON TABLE atrium.refresh_tokens TO atrium_relay;

-- COLUMN refresh_tokens.idle_expires_at

GRANT SELECT(idle_expires_at) ON TABLE atrium.refresh_tokens TO atrium_relay;

-- TABLE spending_limits

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.spending_limits TO atrium_definer;
GRANT SELECT ON TABLE atrium.spending_limits TO atrium_app;

-- COLUMN spending_limits.ctid

GRANT SELECT(ctid) ON TABLE atrium.spending_limits TO atrium_definer;

-- COLUMN spending_limits.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.spending_limits TO atrium_definer;

-- TABLE tenant_indexes

GRANT SELECT ON TABLE atrium.tenant_indexes TO atrium_app;
GRANT SELECT,DELETE ON TABLE atrium.tenant_indexes TO atrium_definer;

-- COLUMN tenant_indexes.ctid

GRANT SELECT(ctid) ON TABLE atrium.tenant_indexes TO atrium_definer;

-- COLUMN tenant_indexes.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.tenant_indexes TO atrium_definer;

-- TABLE tenants

GRANT SELECT ON TABLE atrium.tenants TO atrium_app;
GRANT SELECT,INSERT,DELETE ON TABLE atrium.tenants TO atrium_definer;

-- COLUMN tenants.ctid

GRANT SELECT(ctid) ON TABLE atrium.tenants TO atrium_definer;

-- COLUMN tenants.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.tenants TO atrium_definer;

-- COLUMN tenants.name

GRANT UPDATE(name) ON TABLE atrium.tenants TO atrium_app;
GRANT UPDATE(name) ON TABLE atrium.tenants TO atrium_definer;

-- COLUMN tenants.settings

GRANT UPDATE(settings) ON TABLE atrium.tenants TO atrium_app;
GRANT UPDATE(settings) ON TABLE atrium.tenants TO atrium_definer;

-- TABLE usage_daily

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.usage_daily TO atrium_definer;
GRANT SELECT ON TABLE atrium.usage_daily TO atrium_app;

-- COLUMN usage_daily.ctid

GRANT SELECT(ctid) ON TABLE atrium.usage_daily TO atrium_definer;

-- COLUMN usage_daily.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.usage_daily TO atrium_definer;
GRANT SELECT(tenant_id) ON TABLE atrium.usage_daily TO atrium_relay;

-- COLUMN usage_daily.day

GRANT SELECT(day) ON TABLE atrium.usage_daily TO atrium_relay;

-- TABLE usage_folded

GRANT SELECT,INSERT,UPDATE ON TABLE atrium.usage_folded TO atrium_definer;

-- TABLE usage_told

GRANT SELECT,INSERT,UPDATE ON TABLE atrium.usage_told TO atrium_definer;

-- TABLE users

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.users TO atrium_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE atrium.users TO atrium_definer;

-- COLUMN users.ctid

GRANT SELECT(ctid) ON TABLE atrium.users TO atrium_definer;

-- COLUMN users.tenant_id

GRANT SELECT(tenant_id) ON TABLE atrium.users TO atrium_definer;
