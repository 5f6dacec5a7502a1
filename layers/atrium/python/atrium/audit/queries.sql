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
