-- name: insert_entry
-- One entry; housekeeping seals entries into the tenant's hash chain later.
INSERT INTO atrium.audit_log (tenant_id, id, actor, action, target, detail, request_id)
VALUES (%(tenant_id)s, %(id)s, %(actor)s, %(action)s, %(target)s, %(detail)s, %(request_id)s)

-- name: list_entries
-- GET /admin/audit: newest first.
SELECT a.id, a.at, a.actor, a.action, a.target, a.detail, a.request_id, a.seq, a.hash FROM atrium.audit_log a
WHERE a.tenant_id = %(tenant_id)s
  AND (%(action)s::text IS NULL OR a.action = %(action)s OR starts_with(a.action, %(action)s || '.'))
  AND (%(actor)s::text IS NULL OR a.actor = %(actor)s)
  AND (%(target)s::text IS NULL OR a.target = %(target)s)
  AND (%(request_id)s::text IS NULL OR a.request_id = %(request_id)s)
  AND (%(since)s::timestamptz IS NULL OR a.at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR a.at < %(until)s)
  AND (%(after_at)s::timestamptz IS NULL OR a.at <= %(after_at)s AND (a.at, a.id) < (%(after_at)s, %(after_id)s::uuid))
ORDER BY a.at DESC, a.id DESC
LIMIT %(limit)s

-- name: seal
-- Seals the oldest of the tenant's unsealed entries; the chain's end after it.
SELECT sealed, seq, hash FROM atrium.seal_audit(%(most)s)

-- name: chain
-- Where the chain should end, where it does, and the unsealed tail: as of one moment.
SELECT c.seq, c.hash, c.sealed_at, sealed.last, tail.unsealed, tail.oldest
FROM (SELECT coalesce(max(a.seq), 0) AS last FROM atrium.audit_log a
      WHERE a.tenant_id = %(tenant_id)s AND a.seq IS NOT NULL) sealed
CROSS JOIN (SELECT count(*) AS unsealed, min(a.at) AS oldest FROM atrium.audit_log a
            WHERE a.tenant_id = %(tenant_id)s AND a.seq IS NULL) tail
LEFT JOIN atrium.audit_chains c ON c.tenant_id = %(tenant_id)s

-- name: hash_of
-- A sealed entry's hash.
SELECT a.hash FROM atrium.audit_log a WHERE a.tenant_id = %(tenant_id)s AND a.seq = %(seq)s

-- name: sealed_entries
-- Entries in the chain's order, each member as the text that is hashed.
SELECT a.seq, a.hash, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, a.id::text, a.actor, a.action,
       a.detail::text, a.target, a.tenant_id::text, a.request_id
FROM atrium.audit_log a
WHERE a.tenant_id = %(tenant_id)s AND a.seq > %(after)s AND a.seq <= %(until)s
ORDER BY a.seq
LIMIT %(limit)s
