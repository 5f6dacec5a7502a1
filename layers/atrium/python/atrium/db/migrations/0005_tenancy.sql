-- People come by invitation, passwords are reset, keys rotate. Invitation and reset tokens are random, of one use, and here as
-- their SHA-256 alone.

-- Which tenants were erased, when, and how far that is: the operator's record, which outlives the tenant. Nothing personal is in
-- it: no name, no user. `emptied_at`: nothing was left; `finished_at`: nor later, when all that could still write had ended.
CREATE TABLE atrium.erasures (
    tenant_id        uuid PRIMARY KEY,                           -- no foreign key, as the tenant goes
    requested_at     timestamptz NOT NULL DEFAULT now(),
    requested_by     text NOT NULL CHECK (requested_by IN ('user', 'api_key', 'worker')),
    request_id       text NOT NULL DEFAULT '',
    rows_removed     bigint NOT NULL DEFAULT 0,                  -- besides those that went with the request
    objects_removed  bigint NOT NULL DEFAULT 0,                  -- versions and delete markers
    emptied_at       timestamptz,
    finished_at      timestamptz,
    CHECK (finished_at IS NULL OR emptied_at IS NOT NULL)
);
CREATE INDEX erasures_open ON atrium.erasures (requested_at) WHERE finished_at IS NULL;      -- housekeeping
CALL atrium.protect('atrium.erasures');
CREATE POLICY relay ON atrium.erasures FOR SELECT TO atrium_relay USING (true);
GRANT SELECT, UPDATE (rows_removed, objects_removed, emptied_at, finished_at) ON atrium.erasures TO atrium_app;
GRANT SELECT ON atrium.erasures TO atrium_relay;
GRANT SELECT, INSERT ON atrium.erasures TO atrium_definer;

-- Whether nobody asked to erase the tenant; if so, nobody can before the caller's transaction ends. It is asked first, before
-- any of the tenant's rows is locked: the erasure locks the tenant first too.
CREATE FUNCTION atrium.tenant_stays(tenant uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
BEGIN
    PERFORM FROM tenants t WHERE t.tenant_id = tenant FOR KEY SHARE;
    -- A statement of its own: it sees what was committed while the one before waited.
    RETURN NOT EXISTS (SELECT FROM erasures e WHERE e.tenant_id = tenant);
END
$$;
REVOKE ALL ON FUNCTION atrium.tenant_stays(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.tenant_stays(uuid) TO atrium_app, atrium_definer;
GRANT UPDATE (name, settings) ON atrium.tenants TO atrium_definer;                           -- the lock

-- Somebody who may join. Accepted, the row becomes a user under the same id. No e-mail is taken by being invited: it may be
-- invited by several tenants, and belongs to the one that it accepts.
CREATE TABLE atrium.invitations (
    tenant_id   uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    id          uuid NOT NULL,
    email       text NOT NULL CHECK (email = lower(email)),
    role        text NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),
    token_hash  bytea NOT NULL CHECK (length(token_hash) = 32),
    invited_by  text NOT NULL,                                   -- `user:<id>`, `api_key:<id>`: their invitations end with them
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email)                                                                -- inviting again
);
CREATE UNIQUE INDEX invitations_hash ON atrium.invitations (token_hash);                     -- acceptance
CALL atrium.protect('atrium.invitations');
GRANT SELECT, INSERT, UPDATE, DELETE ON atrium.invitations TO atrium_app;
GRANT SELECT, DELETE ON atrium.invitations TO atrium_definer;

-- The newest reset token of a user; an older one is gone.
CREATE TABLE atrium.password_resets (
    tenant_id   uuid NOT NULL,
    user_id     uuid NOT NULL,
    token_hash  bytea NOT NULL CHECK (length(token_hash) = 32),
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES atrium.users (tenant_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX password_resets_hash ON atrium.password_resets (token_hash);             -- reset
CALL atrium.protect('atrium.password_resets');
GRANT SELECT, DELETE ON atrium.password_resets TO atrium_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON atrium.password_resets TO atrium_definer;

-- A rotated key has two secrets under its one public id until `previous_until`. `rotation_id` is the request that rotated it: the
-- same request again replaces the secret that nobody has seen, not the one that is in use.
ALTER TABLE atrium.api_keys
    ADD COLUMN previous_mac bytea CHECK (length(previous_mac) = 32),
    ADD COLUMN previous_pepper_kid text,
    ADD COLUMN previous_until timestamptz,
    ADD COLUMN rotation_id uuid,
    ADD CHECK (num_nulls(previous_mac, previous_pepper_kid, previous_until) IN (0, 3));

-- Nothing that gives access is made for a tenant that is going, by whatever way.
CREATE FUNCTION atrium.refuse_erased() RETURNS trigger LANGUAGE plpgsql SET search_path = atrium, public, pg_temp AS $$
BEGIN
    IF NOT tenant_stays(NEW.tenant_id) THEN
        RAISE EXCEPTION 'this tenant is being erased' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION atrium.refuse_erased() FROM PUBLIC;
CREATE TRIGGER erased BEFORE INSERT ON atrium.users FOR EACH ROW EXECUTE FUNCTION atrium.refuse_erased();
CREATE TRIGGER erased BEFORE INSERT ON atrium.refresh_tokens FOR EACH ROW EXECUTE FUNCTION atrium.refuse_erased();
CREATE TRIGGER erased BEFORE INSERT ON atrium.api_keys FOR EACH ROW EXECUTE FUNCTION atrium.refuse_erased();
CREATE TRIGGER erased BEFORE INSERT ON atrium.invitations FOR EACH ROW EXECUTE FUNCTION atrium.refuse_erased();
CREATE TRIGGER erased BEFORE INSERT ON atrium.password_resets FOR EACH ROW EXECUTE FUNCTION atrium.refuse_erased();

SET LOCAL ROLE atrium_definer;

-- Takes a token from each of any buckets: for what is limited by another measure than requests, such as mails.
CREATE FUNCTION atrium.auth_take(buckets text[], capacities double precision[], per_second double precision[]) RETURNS atrium.rate_state
LANGUAGE sql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
    SELECT take_tokens(buckets, capacities, per_second)
$$;
REVOKE ALL ON FUNCTION atrium.auth_take(text[], double precision[], double precision[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_take(text[], double precision[], double precision[]) TO atrium_app;

-- Whether one of a key's living secrets has the MAC that the text has under its pepper; null: under a pepper that is not in `kids`.
CREATE FUNCTION atrium.key_matches(found atrium.api_keys, kids text[], macs bytea[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = atrium, public, pg_temp AS $$
    SELECT CASE WHEN bool_or(macs[array_position(kids, s.kid)] = s.mac) THEN true
                WHEN bool_or(array_position(kids, s.kid) IS NULL) THEN NULL
                ELSE false END
      FROM (VALUES (found.pepper_kid, found.mac, true),
                   (found.previous_pepper_kid, found.previous_mac, found.previous_until > now())) s (kid, mac, living)
     WHERE s.living
$$;
REVOKE ALL ON FUNCTION atrium.key_matches(atrium.api_keys, text[], bytea[]) FROM PUBLIC;

-- As before, and a rotated key's older secret is good until its overlap ends; none is of a tenant that is being erased.
CREATE OR REPLACE FUNCTION atrium.auth_admit_key(
    presented text, kids text[], macs bytea[], key_rate double precision, tenant_rate double precision,
    caller text, per_minute double precision,
    OUT outcome text, OUT tenant_id uuid, OUT id uuid, OUT role text, OUT scopes text[], OUT rate atrium.rate_state)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
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

-- As before, and nobody of a tenant that is being erased.
CREATE OR REPLACE FUNCTION atrium.auth_admit_user(
    tenant uuid, member uuid, version integer, session uuid, user_rate double precision, tenant_rate double precision,
    caller text, per_minute double precision,
    OUT outcome text, OUT role text, OUT rate atrium.rate_state)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
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

-- As before, and nobody of a tenant that is being erased.
CREATE OR REPLACE FUNCTION atrium.auth_login(
    address text, buckets text[], per_minute double precision,
    OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
BEGIN
    rate := auth_throttle(buckets, per_minute);
    IF rate.granted THEN
        SELECT u.tenant_id, u.id, u.password_hash INTO tenant_id, id, password_hash
          FROM users u WHERE u.email = address AND u.disabled_at IS NULL
           AND NOT EXISTS (SELECT FROM erasures e WHERE e.tenant_id = u.tenant_id);
    END IF;
END
$$;

-- The same with buckets of their own sizes; the other goes when no release calls it any more.
CREATE FUNCTION atrium.auth_login(
    address text, buckets text[], capacities double precision[], per_second double precision[],
    OUT rate atrium.rate_state, OUT tenant_id uuid, OUT id uuid, OUT password_hash text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
BEGIN
    rate := take_tokens(buckets, capacities, per_second);
    IF rate.granted THEN
        SELECT u.tenant_id, u.id, u.password_hash INTO tenant_id, id, password_hash
          FROM users u WHERE u.email = address AND u.disabled_at IS NULL
           AND NOT EXISTS (SELECT FROM erasures e WHERE e.tenant_id = u.tenant_id);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION atrium.auth_login(text, text[], double precision[], double precision[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_login(text, text[], double precision[], double precision[]) TO atrium_app;

-- As before, and nobody of a tenant that is being erased.
CREATE OR REPLACE FUNCTION atrium.auth_refresh(
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

-- Makes the invited person a user. outcome: ok, unknown (no such invitation, or it has expired) or taken (the e-mail is a
-- user's by now, here or elsewhere; the invitation stays).
CREATE FUNCTION atrium.auth_accept(
    hash bytea, password text, request text, OUT outcome text, OUT tenant_id uuid, OUT id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
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
REVOKE ALL ON FUNCTION atrium.auth_accept(bytea, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_accept(bytea, text, text) TO atrium_app;

-- Gives the user of an e-mail a reset token, the only one from now on; whether there is such a user.
CREATE FUNCTION atrium.auth_forgot(address text, hash bytea, life interval, request text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
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
REVOKE ALL ON FUNCTION atrium.auth_forgot(text, bytea, interval, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_forgot(text, bytea, interval, text) TO atrium_app;

-- Uses a reset token: a new password, and the end of every session. False for a token that is not (or no longer) good.
CREATE FUNCTION atrium.auth_reset(hash bytea, password text, request text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
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
REVOKE ALL ON FUNCTION atrium.auth_reset(bytea, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.auth_reset(bytea, text, text) TO atrium_app;

RESET ROLE;
