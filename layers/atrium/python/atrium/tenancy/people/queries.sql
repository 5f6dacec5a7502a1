-- name: list_members
-- A page of users and invitations, newest first (the primary keys' order: ids are UUIDv7).
SELECT * FROM (
    (SELECT id, email, role, CASE WHEN disabled_at IS NULL THEN 'active' ELSE 'disabled' END AS status, created_at,
            NULL::timestamptz AS expires_at
       FROM atrium.users WHERE %(after)s::uuid IS NULL OR id < %(after)s ORDER BY id DESC LIMIT %(rows)s)
    UNION ALL
    (SELECT id, email, role, 'invited', created_at, expires_at
       FROM atrium.invitations WHERE %(after)s::uuid IS NULL OR id < %(after)s ORDER BY id DESC LIMIT %(rows)s)) m
ORDER BY id DESC
LIMIT %(rows)s;

-- name: email_is_members
-- Whether an e-mail is that of a user of this tenant.
SELECT FROM atrium.users WHERE email = %(email)s;

-- name: invite
-- Invite somebody, or invite them again: with a new token, under the id of the first invitation.
INSERT INTO atrium.invitations AS i (tenant_id, id, email, role, token_hash, invited_by, expires_at)
VALUES (%(tenant_id)s, %(id)s, %(email)s, %(role)s, %(token_hash)s, %(invited_by)s, now() + %(life)s)
ON CONFLICT (tenant_id, email) DO UPDATE
   SET role = excluded.role, token_hash = excluded.token_hash, invited_by = excluded.invited_by, expires_at = excluded.expires_at
RETURNING id, email, role, 'invited' AS status, created_at, expires_at;

-- name: lock_admins
-- The admins who may act. Whoever takes one away asks here first, so that two who do so at once take turns.
SELECT id FROM atrium.users WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id FOR NO KEY UPDATE;

-- name: find_member
-- A user, or an invitation.
SELECT id, email, role, CASE WHEN disabled_at IS NULL THEN 'active' ELSE 'disabled' END AS status, created_at,
       NULL::timestamptz AS expires_at
FROM atrium.users WHERE id = %(id)s
UNION ALL
SELECT id, email, role, 'invited', created_at, expires_at FROM atrium.invitations WHERE id = %(id)s;

-- name: update_user
-- Another role, or whether they may act; what is null stays. Their access tokens so far say otherwise and are refused.
UPDATE atrium.users
   SET role = coalesce(%(role)s, role), token_version = token_version + 1,
       disabled_at = CASE WHEN %(disabled)s::boolean IS NULL THEN disabled_at WHEN %(disabled)s THEN coalesce(disabled_at, now()) END
 WHERE id = %(id)s;

-- name: update_invitation
-- Invited for another role.
UPDATE atrium.invitations SET role = %(role)s WHERE id = %(id)s;

-- name: delete_user
-- With their sessions.
DELETE FROM atrium.users WHERE id = %(id)s;

-- name: delete_invitation
-- Its token is nobody's any more.
DELETE FROM atrium.invitations WHERE id = %(id)s;
