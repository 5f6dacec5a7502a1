-- Housekeeping's own statements, run as atrium_relay outside any transaction. Each delete takes a batch at a time: two runs at
-- once delete what the other has not, and a row that changed meanwhile stays.

-- name: expire_refresh_tokens
-- A day after they could last be used, which is longer than any access token lives. A login's first token is its lock and keeps
-- the mark of its end, so it goes last.
WITH gone AS (
    DELETE FROM atrium.refresh_tokens WHERE ctid = ANY (ARRAY(
        SELECT t.ctid FROM atrium.refresh_tokens t
        WHERE t.idle_expires_at < now() - interval '1 day'
          AND (t.parent_id IS NOT NULL OR NOT EXISTS (
              SELECT FROM atrium.refresh_tokens other
              WHERE other.tenant_id = t.tenant_id AND other.family_id = t.family_id
                AND other.idle_expires_at >= now() - interval '1 day'))
        LIMIT %(most)s))
    RETURNING 1)
SELECT count(*) AS removed FROM gone

-- name: expire_idempotency_keys
-- Their day is over.
WITH gone AS (
    DELETE FROM atrium.idempotency_keys WHERE ctid = ANY (ARRAY(
        SELECT k.ctid FROM atrium.idempotency_keys k WHERE k.expires_at < now() LIMIT %(most)s))
    RETURNING 1)
SELECT count(*) AS removed FROM gone

-- name: expire_rate_buckets
-- A bucket fills up in an hour at most, and a full one is as good as none.
WITH gone AS (
    DELETE FROM atrium.rate_buckets WHERE ctid = ANY (ARRAY(
        SELECT b.ctid FROM atrium.rate_buckets b WHERE b.updated_at < now() - interval '1 hour' LIMIT %(most)s))
    RETURNING 1)
SELECT count(*) AS removed FROM gone

-- name: expire_invitations
-- A week after they could last be accepted: until then the list shows that they were not.
WITH gone AS (
    DELETE FROM atrium.invitations WHERE ctid = ANY (ARRAY(
        SELECT i.ctid FROM atrium.invitations i WHERE i.expires_at < now() - interval '7 days' LIMIT %(most)s))
    RETURNING 1)
SELECT count(*) AS removed FROM gone

-- name: expire_password_resets
-- Nobody can use them any more.
WITH gone AS (
    DELETE FROM atrium.password_resets WHERE ctid = ANY (ARRAY(
        SELECT r.ctid FROM atrium.password_resets r WHERE r.expires_at < now() LIMIT %(most)s))
    RETURNING 1)
SELECT count(*) AS removed FROM gone

-- name: expire_api_keys
-- Ninety days after they ended; who made and ended them stays in the audit log.
WITH gone AS (
    DELETE FROM atrium.api_keys WHERE ctid = ANY (ARRAY(
        SELECT k.ctid FROM atrium.api_keys k
        WHERE least(k.expires_at, k.revoked_at) < now() - interval '90 days' LIMIT %(most)s))
    RETURNING 1)
SELECT count(*) AS removed FROM gone

-- name: expire_outbox
-- A week after they were published.
WITH gone AS (
    DELETE FROM atrium.outbox WHERE ctid = ANY (ARRAY(
        SELECT o.ctid FROM atrium.outbox o WHERE o.published_at < now() - interval '7 days' LIMIT %(most)s))
    RETURNING 1)
SELECT count(*) AS removed FROM gone

-- name: expire_kept_answers
-- Nobody is given them any more.
WITH gone AS (
    DELETE FROM atrium.kept_answers WHERE ctid = ANY (ARRAY(
        SELECT a.ctid FROM atrium.kept_answers a WHERE a.expires_at < now() LIMIT %(most)s))
    RETURNING 1)
SELECT count(*) AS removed FROM gone

-- name: open_erasures
-- The erasures that are not over, the oldest first.
SELECT tenant_id FROM atrium.erasures WHERE finished_at IS NULL ORDER BY requested_at, tenant_id

-- name: unfinished_tenants
-- Tenants with something unfinished, whose documents are then looked at one tenant at a time; who has waited longest comes first.
SELECT v.tenant_id FROM atrium.document_versions v
JOIN atrium.documents d ON d.tenant_id = v.tenant_id AND d.id = v.document_id AND d.deleted_at IS NULL
WHERE v.status IN ('pending', 'processing')
GROUP BY v.tenant_id ORDER BY min(v.updated_at), v.tenant_id

-- name: oldest_unfinished
-- For how many seconds the oldest unfinished version of a living document has been.
SELECT coalesce(extract(epoch FROM now() - min(v.created_at)), 0)::float8 AS seconds
FROM atrium.document_versions v
JOIN atrium.documents d ON d.tenant_id = v.tenant_id AND d.id = v.document_id AND d.deleted_at IS NULL
WHERE v.status IN ('pending', 'processing')

-- name: tombstones
-- Deleted documents whose objects may still be there, the oldest first; those of the last minutes are being removed.
SELECT d.tenant_id, d.id FROM atrium.documents d
WHERE d.deleted_at < now() - make_interval(secs => %(idle)s) AND d.objects_removed_at IS NULL
ORDER BY d.deleted_at, d.id
LIMIT %(most)s

-- name: set_objects_removed
-- In the tenant's own transaction: nothing of a tombstone is in the bucket any more, so no sweep looks again.
UPDATE atrium.documents SET objects_removed_at = now()
WHERE tenant_id = %(tenant_id)s AND id = %(id)s AND deleted_at IS NOT NULL AND objects_removed_at IS NULL

-- name: platform_figures
-- As atrium_app: the deployment's numbers, by a definer function that names no tenant.
SELECT name, label, value FROM atrium.platform_figures()

-- name: admit_operator
-- As atrium_app: whether this is the operator's key, by its digest.
SELECT a.outcome, (a.rate).capacity, (a.rate).retry_after
FROM atrium.auth_operator_digest(%(key_id)s, %(digest)s, %(per_minute)s) AS a

-- name: unclosed_tenants
-- Whose ledger has a day of the last week that is over and not closed; older ones are closed along.
SELECT DISTINCT u.tenant_id FROM atrium.usage_daily u
LEFT JOIN atrium.audit_chains c ON c.tenant_id = u.tenant_id
WHERE u.day >= (now() AT TIME ZONE 'UTC')::date - 7 AND u.day < ((now() - interval '1 hour') AT TIME ZONE 'UTC')::date
  AND u.day > coalesce(c.ledger_day, '-infinity'::date)
  AND NOT EXISTS (SELECT FROM atrium.erasures e WHERE e.tenant_id = u.tenant_id)
ORDER BY u.tenant_id

-- name: unsealed_tenants
-- Whose audit log has entries to seal, the longest waiting first. What is being erased is not sealed any more.
SELECT a.tenant_id FROM atrium.audit_log a
WHERE a.seq IS NULL AND NOT EXISTS (SELECT FROM atrium.erasures e WHERE e.tenant_id = a.tenant_id)
GROUP BY a.tenant_id ORDER BY min(a.at), a.tenant_id
