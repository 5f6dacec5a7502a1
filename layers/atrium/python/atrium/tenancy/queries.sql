-- name: admit_key
-- Authenticate an API key and take its tokens, in one call.
SELECT outcome, tenant_id, id, role, scopes, (rate).capacity, (rate).remaining, (rate).retry_after, (rate).full_after
FROM atrium.admit_key(
    %(key_id)s, %(kids)s, %(macs)s, %(key_rate)s, %(tenant_rate)s, %(caller)s, %(public_rate)s, NULL::atrium.ledger_call);

-- name: admit_key_to_spend
-- The same, and what it is going to spend is reserved.
SELECT outcome, tenant_id, id, role, scopes, (rate).capacity, (rate).remaining, (rate).retry_after, (rate).full_after,
       (hold).granted, (hold).bound, (hold).month, (hold).scope, (hold).origin, (hold).budget, (hold).spent, (hold).reserved
FROM atrium.admit_key(
    %(key_id)s, %(kids)s, %(macs)s, %(key_rate)s, %(tenant_rate)s, %(caller)s, %(public_rate)s,
    ROW (%(call_id)s, %(kind)s, %(model)s, %(feature)s, %(bound)s, %(least)s, %(seconds)s,
         %(document_id)s, %(job_id)s, %(conversation_id)s, %(request_id)s)::atrium.ledger_call);

-- name: admit_user
-- Admit the user of a verified access token and take their tokens, in one call.
SELECT outcome, role, (rate).capacity, (rate).remaining, (rate).retry_after, (rate).full_after
FROM atrium.admit_user(
    %(tenant_id)s, %(user_id)s, %(version)s, %(session_id)s, %(user_rate)s, %(tenant_rate)s, %(caller)s, %(public_rate)s,
    NULL::atrium.ledger_call);

-- name: admit_user_to_spend
-- The same, and what they are going to spend is reserved.
SELECT outcome, role, (rate).capacity, (rate).remaining, (rate).retry_after, (rate).full_after,
       (hold).granted, (hold).bound, (hold).month, (hold).scope, (hold).origin, (hold).budget, (hold).spent, (hold).reserved
FROM atrium.admit_user(
    %(tenant_id)s, %(user_id)s, %(version)s, %(session_id)s, %(user_rate)s, %(tenant_rate)s, %(caller)s, %(public_rate)s,
    ROW (%(call_id)s, %(kind)s, %(model)s, %(feature)s, %(bound)s, %(least)s, %(seconds)s,
         %(document_id)s, %(job_id)s, %(conversation_id)s, %(request_id)s)::atrium.ledger_call);

-- name: throttle
-- Take a public caller's tokens.
SELECT granted, capacity, remaining, retry_after, full_after
FROM atrium.auth_throttle(%(buckets)s, %(per_minute)s);

-- name: operator
-- Whether a key is the operator's.
SELECT outcome, (rate).capacity, (rate).remaining, (rate).retry_after, (rate).full_after
FROM atrium.auth_operator(%(key_id)s, %(kids)s, %(macs)s, %(caller)s, %(public_rate)s);

-- name: login
-- The password hash behind an e-mail, and the public caller's tokens.
SELECT (rate).granted, (rate).capacity, (rate).remaining, (rate).retry_after, (rate).full_after, tenant_id, id, password_hash
FROM atrium.auth_login(%(email)s, %(buckets)s, %(capacities)s, %(per_second)s);

-- name: login_failed
-- Audit a failed login, when the e-mail is somebody's.
SELECT atrium.auth_login_failed(%(email)s, %(request_id)s);

-- name: register
-- Make an organisation and its first admin, with what it may spend a month.
SELECT atrium.auth_register(
    %(tenant_id)s, %(name)s, %(user_id)s, %(email)s, %(password_hash)s, %(actor)s, %(request_id)s, %(budget)s) AS made;

-- name: refresh
-- Use a refresh token for a new one.
SELECT outcome, (rate).capacity, (rate).remaining, (rate).retry_after, (rate).full_after, tenant_id, id, family_id
FROM atrium.auth_refresh(%(token_hash)s, %(child_id)s, %(child_hash)s, %(idle)s, %(request_id)s, %(buckets)s, %(per_minute)s);

-- name: begin_session
-- The first refresh token of a login, if the password that was checked is still the user's: while it was, somebody may have
-- changed it and ended every session.
INSERT INTO atrium.refresh_tokens (tenant_id, id, family_id, user_id, token_hash, idle_expires_at, family_expires_at)
SELECT tenant_id, %(id)s, %(family_id)s, id, %(token_hash)s, now() + %(idle)s, now() + %(absolute)s
FROM atrium.users
WHERE id = %(user_id)s AND disabled_at IS NULL AND (%(password_hash)s::text IS NULL OR password_hash = %(password_hash)s)
FOR SHARE;

-- name: end_session
-- Revoke every refresh token of a login; its access tokens stop working with it.
UPDATE atrium.refresh_tokens SET revoked_at = now() WHERE family_id = %(family_id)s AND user_id = %(user_id)s AND revoked_at IS NULL;

-- name: session_of_token
-- The login that a refresh token belongs to.
SELECT family_id FROM atrium.refresh_tokens WHERE token_hash = %(token_hash)s AND user_id = %(user_id)s;

-- name: find_user
-- A user of this tenant who may still act.
SELECT id, tenant_id, email, role, token_version, created_at FROM atrium.users WHERE id = %(id)s AND disabled_at IS NULL;

-- name: find_organisation
-- This tenant itself.
SELECT tenant_id, name, created_at, settings FROM atrium.tenants;

-- name: hold_tenant
-- Whether nobody asked to erase this tenant; if so, nobody can before this transaction ends.
SELECT atrium.tenant_stays(%(tenant_id)s) AS stays;

-- name: update_organisation
-- Another name, unless it is null; other settings, of which a null removes one.
UPDATE atrium.tenants
   SET name = coalesce(%(name)s, name), settings = jsonb_strip_nulls(settings || %(settings)s::jsonb)
RETURNING tenant_id, name, created_at, settings;

-- name: list_keys
-- A page of the keys in force, newest first (the primary key's order: ids are UUIDv7).
SELECT id, name, key_id, last_four, role, scopes, created_by, created_at, expires_at, last_used_at,
       CASE WHEN previous_until > now() THEN previous_until END AS previous_until
FROM atrium.api_keys
WHERE revoked_at IS NULL AND (%(after)s::uuid IS NULL OR id < %(after)s)
ORDER BY id DESC
LIMIT %(rows)s;

-- name: find_key
-- One key in force.
SELECT id, name, key_id, last_four, role, scopes, created_by, created_at, expires_at, last_used_at,
       CASE WHEN previous_until > now() THEN previous_until END AS previous_until
FROM atrium.api_keys
WHERE id = %(id)s AND revoked_at IS NULL;

-- name: insert_key
-- A new key. The id is the request's own: a request that is taken over makes the same key again, with its new secret;
-- no row when the key was ended in between.
INSERT INTO atrium.api_keys (tenant_id, id, name, key_id, mac, pepper_kid, last_four, role, scopes, created_by, expires_at)
VALUES (%(tenant_id)s, %(id)s, %(name)s, %(key_id)s, %(mac)s, %(pepper_kid)s, %(last_four)s, %(role)s, %(scopes)s, %(created_by)s, %(expires_at)s)
ON CONFLICT (tenant_id, id) DO UPDATE
   SET key_id = excluded.key_id, mac = excluded.mac, pepper_kid = excluded.pepper_kid, last_four = excluded.last_four,
       previous_mac = NULL, previous_pepper_kid = NULL, previous_until = NULL
 WHERE api_keys.revoked_at IS NULL
RETURNING id, name, key_id, last_four, role, scopes, created_by, created_at, expires_at, last_used_at,
       CASE WHEN previous_until > now() THEN previous_until END AS previous_until;

-- name: revoke_key
-- End a key in force.
UPDATE atrium.api_keys SET revoked_at = now() WHERE id = %(id)s AND revoked_at IS NULL;

-- name: rotate_key
-- A new secret; the one in use until now is good for `overlap` more, and an older one no longer. A request that is taken over
-- replaces the secret that it made itself.
UPDATE atrium.api_keys
   SET previous_mac = CASE WHEN rotation_id = %(rotation_id)s THEN previous_mac ELSE mac END,
       previous_pepper_kid = CASE WHEN rotation_id = %(rotation_id)s THEN previous_pepper_kid ELSE pepper_kid END,
       previous_until = CASE WHEN rotation_id = %(rotation_id)s THEN previous_until ELSE now() + %(overlap)s END,
       mac = %(mac)s, pepper_kid = %(pepper_kid)s, last_four = %(last_four)s, rotation_id = %(rotation_id)s,
       expires_at = least(expires_at, %(latest)s::timestamptz)
 WHERE id = %(id)s AND revoked_at IS NULL
RETURNING id, name, key_id, last_four, role, scopes, created_by, created_at, expires_at, last_used_at,
       CASE WHEN previous_until > now() THEN previous_until END AS previous_until;

-- name: take
-- Take tokens from buckets of any size.
SELECT granted, capacity, remaining, retry_after, full_after
FROM atrium.auth_take(%(buckets)s, %(capacities)s, %(per_second)s);

-- name: accept
-- Make the invited person a user.
SELECT outcome, tenant_id, id FROM atrium.auth_accept(%(token_hash)s, %(password_hash)s, %(request_id)s);

-- name: forgot
-- Give the user of an e-mail a reset token, if there is one.
SELECT atrium.auth_forgot(%(email)s, %(token_hash)s, %(life)s, %(request_id)s) AS known;

-- name: reset
-- Use a reset token for a new password.
SELECT atrium.auth_reset(%(token_hash)s, %(password_hash)s, %(request_id)s) AS done;

-- name: find_password
-- A user's e-mail and password hash.
SELECT email, password_hash FROM atrium.users WHERE id = %(id)s AND disabled_at IS NULL;

-- name: change_password
-- Another password, unless somebody else has just changed it.
UPDATE atrium.users SET password_hash = %(new)s WHERE id = %(id)s AND password_hash = %(old)s AND disabled_at IS NULL;

-- name: forget_resets
-- A reset token that was asked for is good no longer.
DELETE FROM atrium.password_resets WHERE user_id = %(user_id)s;

-- name: end_sessions
-- Revoke a user's refresh tokens, but not those of the login `except`.
UPDATE atrium.refresh_tokens SET revoked_at = now()
 WHERE user_id = %(user_id)s AND revoked_at IS NULL AND (%(except)s::uuid IS NULL OR family_id <> %(except)s);

-- name: end_invitations
-- Those of `inviter` for one of the roles are nobody's any more.
DELETE FROM atrium.invitations WHERE invited_by = %(inviter)s AND role = ANY (%(roles)s);

-- name: end_access
-- Every access token of a user so far is refused from now on.
UPDATE atrium.users SET token_version = token_version + 1 WHERE id = %(id)s;
