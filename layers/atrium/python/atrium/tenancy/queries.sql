-- name: admit_key
-- Authenticate an API key and take its tokens, in one call.
SELECT outcome, tenant_id, id, role, scopes, (rate).capacity, (rate).remaining, (rate).retry_after, (rate).full_after
FROM atrium.auth_admit_key(%(key_id)s, %(kids)s, %(macs)s, %(key_rate)s, %(tenant_rate)s, %(caller)s, %(public_rate)s);

-- name: admit_user
-- Admit the user of a verified access token and take their tokens, in one call.
SELECT outcome, role, (rate).capacity, (rate).remaining, (rate).retry_after, (rate).full_after
FROM atrium.auth_admit_user(
    %(tenant_id)s, %(user_id)s, %(version)s, %(session_id)s, %(user_rate)s, %(tenant_rate)s, %(caller)s, %(public_rate)s);

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
FROM atrium.auth_login(%(email)s, %(buckets)s, %(per_minute)s);

-- name: login_failed
-- Audit a failed login, when the e-mail is somebody's.
SELECT atrium.auth_login_failed(%(email)s, %(request_id)s);

-- name: register
-- Make an organisation and its first admin.
SELECT atrium.auth_register(%(tenant_id)s, %(name)s, %(user_id)s, %(email)s, %(password_hash)s, %(actor)s, %(request_id)s) AS made;

-- name: refresh
-- Use a refresh token for a new one.
SELECT outcome, (rate).capacity, (rate).remaining, (rate).retry_after, (rate).full_after, tenant_id, id, family_id
FROM atrium.auth_refresh(%(token_hash)s, %(child_id)s, %(child_hash)s, %(idle)s, %(request_id)s, %(buckets)s, %(per_minute)s);

-- name: begin_session
-- The first refresh token of a login.
INSERT INTO atrium.refresh_tokens (tenant_id, id, family_id, user_id, token_hash, idle_expires_at, family_expires_at)
VALUES (%(tenant_id)s, %(id)s, %(family_id)s, %(user_id)s, %(token_hash)s, now() + %(idle)s, now() + %(absolute)s);

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
SELECT tenant_id, name, created_at FROM atrium.tenants;

-- name: list_keys
-- A page of the keys in force, newest first (the primary key's order: ids are UUIDv7).
SELECT id, name, key_id, last_four, role, scopes, created_by, created_at, expires_at, last_used_at
FROM atrium.api_keys
WHERE revoked_at IS NULL AND (%(after)s::uuid IS NULL OR id < %(after)s)
ORDER BY id DESC
LIMIT %(rows)s;

-- name: find_key
-- One key in force.
SELECT id, name, key_id, last_four, role, scopes, created_by, created_at, expires_at, last_used_at
FROM atrium.api_keys
WHERE id = %(id)s AND revoked_at IS NULL;

-- name: insert_key
-- A new key. The id is the request's own: a request that is taken over makes the same key again, with its new secret;
-- no row when the key was ended in between.
INSERT INTO atrium.api_keys (tenant_id, id, name, key_id, mac, pepper_kid, last_four, role, scopes, created_by, expires_at)
VALUES (%(tenant_id)s, %(id)s, %(name)s, %(key_id)s, %(mac)s, %(pepper_kid)s, %(last_four)s, %(role)s, %(scopes)s, %(created_by)s, %(expires_at)s)
ON CONFLICT (tenant_id, id) DO UPDATE
   SET key_id = excluded.key_id, mac = excluded.mac, pepper_kid = excluded.pepper_kid, last_four = excluded.last_four
 WHERE api_keys.revoked_at IS NULL
RETURNING id, name, key_id, last_four, role, scopes, created_by, created_at, expires_at, last_used_at;

-- name: revoke_key
-- End a key in force.
UPDATE atrium.api_keys SET revoked_at = now() WHERE id = %(id)s AND revoked_at IS NULL;
