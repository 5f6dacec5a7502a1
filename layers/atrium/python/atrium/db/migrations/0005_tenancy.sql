-- People come by invitation, passwords are reset, keys rotate. Invitation and reset tokens are random, of one use, and here as
-- their SHA-256 alone.

-- Somebody who may join. Accepted, the row becomes a user under the same id. No e-mail is taken by being invited: it may be
-- invited by several tenants, and belongs to the one that it accepts.
CREATE TABLE atrium.invitations (
    tenant_id   uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    id          uuid NOT NULL,
    email       text NOT NULL CHECK (email = lower(email)),
    role        text NOT NULL CHECK (role IN ('admin', 'member', 'viewer')),
    token_hash  bytea NOT NULL CHECK (length(token_hash) = 32),
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

-- As before, and a rotated key's older secret is good until its overlap ends.
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
     WHERE k.key_id = presented AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now());
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

-- Makes the invited person a user. outcome: ok, unknown (no such invitation, or it has expired) or taken (the e-mail is a
-- user's by now, here or elsewhere; the invitation stays).
CREATE FUNCTION atrium.auth_accept(
    hash bytea, password text, request text, OUT outcome text, OUT tenant_id uuid, OUT id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    invited  invitations;
BEGIN
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
    IF member.id IS NULL THEN
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
