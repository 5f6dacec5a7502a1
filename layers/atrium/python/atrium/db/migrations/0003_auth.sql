-- Who is asking, before a tenant is known: API keys, access tokens, logins and refresh tokens, each in one call that also
-- takes from the caller's rate buckets. Every reason to refuse is an `outcome`, never an exception: what a refused call
-- has written (a bucket, a revoked family) must stay written. Credentials that hold take from their own buckets alone, those
-- that do not from the public one of the network address, `caller`: who guesses is told to wait, and who shares the address
-- with them is not.
SET LOCAL ROLE atrium_definer;

CREATE TYPE atrium.rate_state AS (
    granted      boolean,
    capacity     double precision,
    remaining    double precision,
    retry_after  double precision,   -- seconds until a token is there; 0 when granted
    full_after   double precision    -- seconds until the bucket is full again
);

-- Takes one token from a bucket that holds `capacity` and refills `per_second`.
CREATE FUNCTION atrium.take_token(bucket_name text, capacity double precision, per_second double precision) RETURNS atrium.rate_state
LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
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
REVOKE ALL ON FUNCTION atrium.take_token(text, double precision, double precision) FROM PUBLIC;

-- A token from each bucket in turn; the state is that of the first refusal, else of the bucket with the least left.
CREATE FUNCTION atrium.take_tokens(buckets text[], capacities double precision[], per_second double precision[]) RETURNS atrium.rate_state
LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
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
REVOKE ALL ON FUNCTION atrium.take_tokens(text[], double precision[], double precision[]) FROM PUBLIC;

-- Takes a public caller's tokens: by address, by e-mail, each `per_minute` a minute.
CREATE FUNCTION atrium.auth_throttle(buckets text[], per_minute double precision) RETURNS atrium.rate_state
LANGUAGE sql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
    SELECT take_tokens(buckets, array_fill(per_minute, ARRAY[cardinality(buckets)]), array_fill(per_minute / 60, ARRAY[cardinality(buckets)]))
$$;
REVOKE ALL ON FUNCTION atrium.auth_throttle(text[], double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_throttle(text[], double precision) TO atrium_app;

-- Authenticates an API key by its public id and the MACs of its text under every pepper, and takes its and its tenant's token.
-- outcome: ok, limited, unknown, or unknown_pepper (the row was made under a pepper the caller does not hold yet; it takes no
-- token, as the key may be good: the caller asks again, and then throttles by itself).
CREATE FUNCTION atrium.auth_admit_key(
    presented text, kids text[], macs bytea[], key_rate double precision, tenant_rate double precision,
    caller text, per_minute double precision,
    OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    found_key  api_keys;
    position   integer;
BEGIN
    SELECT k.* INTO found_key FROM api_keys k
     WHERE k.key_id = presented AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
    position := array_position(kids, found_key.pepper_kid);
    IF found_key.id IS NOT NULL AND position IS NULL THEN
        outcome := 'unknown_pepper';
        RETURN;
    END IF;
    IF found_key.id IS NULL OR macs[position] <> found_key.mac THEN
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
REVOKE ALL ON FUNCTION atrium.auth_admit_key(text, text[], bytea[], double precision, double precision, text, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_admit_key(text, text[], bytea[], double precision, double precision, text, double precision) TO atrium_app;

-- Admits the user of a verified access token: still there, of the same token version, the login not ended.
-- outcome: ok, limited or unknown; the role is the user's of now, not the token's of then.
CREATE FUNCTION atrium.auth_admit_user(
    tenant uuid, member uuid, version integer, session uuid, user_rate double precision, tenant_rate double precision,
    caller text, per_minute double precision,
    OUT outcome text, OUT role text, OUT rate atrium.rate_state)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
BEGIN
    SELECT u.role INTO role FROM users u
     WHERE u.tenant_id = tenant AND u.id = member AND u.token_version = version AND u.disabled_at IS NULL
       AND NOT EXISTS (SELECT FROM refresh_tokens t
                        WHERE t.tenant_id = tenant AND t.family_id = session AND t.revoked_at IS NOT NULL);
    IF role IS NULL THEN
        rate := auth_throttle(ARRAY[caller], per_minute);
        outcome := CASE WHEN rate.granted THEN 'unknown' ELSE 'limited' END;
        RETURN;
    END IF;
    rate := take_tokens(ARRAY['user:' || member, 'tenant:' || tenant], ARRAY[user_rate, tenant_rate], ARRAY[user_rate, tenant_rate]);
    outcome := CASE WHEN rate.granted THEN 'ok' ELSE 'limited' END;
END
$$;
REVOKE ALL ON FUNCTION atrium.auth_admit_user(uuid, uuid, integer, uuid, double precision, double precision, text, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_admit_user(uuid, uuid, integer, uuid, double precision, double precision, text, double precision) TO atrium_app;

-- Whether the text is the operator's key; outcome as of auth_admit_key.
CREATE FUNCTION atrium.auth_operator(
    presented text, kids text[], macs bytea[], caller text, per_minute double precision,
    OUT outcome text, OUT rate atrium.rate_state)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
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
REVOKE ALL ON FUNCTION atrium.auth_operator(text, text[], bytea[], text, double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_operator(text, text[], bytea[], text, double precision) TO atrium_app;

-- What a login needs to be checked; no row's columns for an e-mail that nobody has.
CREATE FUNCTION atrium.auth_login(
    address text, buckets text[], per_minute double precision,
    OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
BEGIN
    rate := auth_throttle(buckets, per_minute);
    IF rate.granted THEN
        SELECT u.tenant_id, u.id, u.password_hash INTO tenant_id, id, password_hash
          FROM users u WHERE u.email = address AND u.disabled_at IS NULL;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION atrium.auth_login(text, text[], double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_login(text, text[], double precision) TO atrium_app;

-- Called after every failed login, also of an unknown e-mail, so that both cost the same.
CREATE FUNCTION atrium.auth_login_failed(address text, request text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO audit_log (tenant_id, id, actor, action, target, request_id)
    SELECT u.tenant_id, uuidv7(), 'anonymous', 'auth.login_failed', 'user:' || u.id, request FROM users u WHERE u.email = address;
END
$$;
REVOKE ALL ON FUNCTION atrium.auth_login_failed(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_login_failed(text, text) TO atrium_app;

-- Makes an organisation and its first admin; false, and nothing made, when the e-mail is somebody's.
CREATE FUNCTION atrium.auth_register(
    tenant uuid, organisation text, member uuid, address text, hash text, actor text, request text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
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
REVOKE ALL ON FUNCTION atrium.auth_register(uuid, text, uuid, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_register(uuid, text, uuid, text, text, text, text) TO atrium_app;

-- Uses a refresh token for a new one. The direct parent of the newest may come again within 10 s (a lost response) for one
-- more child; any other second use means that two hold the token: the family ends, and with `token_version` every access
-- token of the user. outcome: ok, limited, unknown, expired or reused.
CREATE FUNCTION atrium.auth_refresh(
    hash bytea, child uuid, child_hash bytea, idle interval, request text, buckets text[], per_minute double precision,
    OUT outcome text, OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT family_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
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
REVOKE ALL ON FUNCTION atrium.auth_refresh(bytea, uuid, bytea, interval, text, text[], double precision) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_refresh(bytea, uuid, bytea, interval, text, text[], double precision) TO atrium_app;

RESET ROLE;
