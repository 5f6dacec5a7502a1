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

-- name: close_day
-- Closes the first day of the tenant's ledger that can be and is not.
SELECT closed FROM atrium.close_ledger_day()

-- name: ledger_digest
-- What a day's calls come to now.
SELECT calls, cost, digest FROM atrium.ledger_digest(%(day)s)

-- name: closing_entry
-- What the chain says of a day of the ledger: its first such entry, written by a worker.
SELECT a.id, a.at, a.actor, a.action, a.target, a.detail, a.request_id, a.seq, a.hash FROM atrium.audit_log a
WHERE a.tenant_id = %(tenant_id)s AND a.action = 'ledger.closed' AND a.target = %(target)s AND a.actor = %(actor)s
  AND a.seq IS NOT NULL
ORDER BY a.seq LIMIT 1

-- name: claim_verification
-- Whether nobody else verifies the tenant's log; until the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtextextended('atrium.verification:' || %(tenant_id)s, 0)) AS claimed

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

-- name: list_activity
-- GET /admin/activity: changes and calls of models, newest first; each half brings a page, and names are looked up for one.
-- Renewed logins, every few minutes for whoever works, are left out.
WITH changes AS (
    SELECT a.id, a.at, a.actor, a.action, a.target,
           coalesce(a.detail ->> 'name', CASE WHEN starts_with(a.target, 'prompt:') THEN a.detail ->> 'key' END) AS detail_name, a.request_id, NULL::jsonb AS call
    FROM atrium.audit_log a
    WHERE %(changes)s AND a.tenant_id = %(tenant_id)s AND a.action <> 'auth.refreshed'
      AND (%(actor)s::text IS NULL OR a.actor = %(actor)s)
      AND (%(request_id)s::text IS NULL OR a.request_id = %(request_id)s)
      AND (%(since)s::timestamptz IS NULL OR a.at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR a.at < %(until)s)
      AND (%(after_at)s::timestamptz IS NULL OR a.at <= %(after_at)s AND (a.at, a.id) < (%(after_at)s, %(after_id)s::uuid))
    ORDER BY a.at DESC, a.id DESC
    LIMIT %(limit)s
), calls AS (
    SELECT e.id, e.created_at AS at,
           CASE WHEN e.user_id IS NOT NULL THEN 'user:' || e.user_id WHEN e.api_key_id IS NOT NULL THEN 'api_key:' || e.api_key_id
                ELSE 'worker:00000000-0000-0000-0000-000000000000' END AS actor,
           NULL::text AS action, NULL::text AS target, NULL::text AS detail_name, e.request_id,
           jsonb_build_object('kind', e.kind, 'model', e.model, 'feature', e.feature, 'outcome', e.outcome, 'cost', e.cost,
                              'input_tokens', e.input_tokens, 'output_tokens', e.output_tokens) AS call
    FROM atrium.ledger_entries e
    WHERE %(calls)s AND e.tenant_id = %(tenant_id)s AND (%(embeddings)s OR e.kind <> 'embedding')
      AND (%(actor)s::text IS NULL OR %(actor)s = 'user:' || e.user_id OR %(actor)s = 'api_key:' || e.api_key_id)
      AND (%(request_id)s::text IS NULL OR e.request_id = %(request_id)s)
      AND (%(since)s::timestamptz IS NULL OR e.created_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR e.created_at < %(until)s)
      AND (%(after_at)s::timestamptz IS NULL
           OR e.created_at <= %(after_at)s AND (e.created_at, e.id) < (%(after_at)s, %(after_id)s::uuid))
    ORDER BY e.created_at DESC, e.id DESC
    LIMIT %(limit)s
), page AS (
    SELECT * FROM (SELECT * FROM changes UNION ALL SELECT * FROM calls) both_halves ORDER BY at DESC, id DESC LIMIT %(limit)s
), named AS (
    SELECT p.*,
           CASE WHEN p.actor ~ '^user:[0-9a-f-]{36}$' THEN substr(p.actor, 6)::uuid END AS user_id,
           CASE WHEN p.actor ~ '^api_key:[0-9a-f-]{36}$' THEN substr(p.actor, 9)::uuid END AS api_key_id,
           split_part(p.target, ':', 1) AS kind,
           CASE WHEN p.target ~ '^[a-z_]+:[0-9a-f-]{36}$' THEN split_part(p.target, ':', 2)::uuid END AS target_id
    FROM page p
)
SELECT n.id, n.at, n.actor, n.action, n.target, n.request_id, n.call, coalesce(u.email, k.name) AS actor_name,
       coalesce(d.name, tu.email, tk.name, n.detail_name) AS target_name
FROM named n
LEFT JOIN atrium.users u ON u.tenant_id = %(tenant_id)s AND u.id = n.user_id
LEFT JOIN atrium.api_keys k ON k.tenant_id = %(tenant_id)s AND k.id = n.api_key_id
LEFT JOIN atrium.documents d ON n.kind = 'document' AND d.tenant_id = %(tenant_id)s AND d.id = n.target_id
LEFT JOIN atrium.users tu ON n.kind = 'user' AND tu.tenant_id = %(tenant_id)s AND tu.id = n.target_id
LEFT JOIN atrium.api_keys tk ON n.kind = 'api_key' AND tk.tenant_id = %(tenant_id)s AND tk.id = n.target_id
ORDER BY n.at DESC, n.id DESC

-- name: count_days
-- GET /admin/activity: how much went on in each of the last days (UTC), today first.
WITH days AS (
    SELECT (now() AT TIME ZONE 'UTC')::date - n AS day FROM generate_series(0, %(days)s - 1) n
), changes AS (
    SELECT (a.at AT TIME ZONE 'UTC')::date AS day, count(*) AS changes FROM atrium.audit_log a
    WHERE a.tenant_id = %(tenant_id)s AND a.action <> 'auth.refreshed'
      AND a.at >= (SELECT min(d.day) FROM days d)::timestamp AT TIME ZONE 'UTC'
    GROUP BY 1
), calls AS (
    SELECT s.day, sum(s.calls)::bigint AS calls, sum(s.cost)::bigint AS cost FROM atrium.usage_daily s
    WHERE s.tenant_id = %(tenant_id)s AND s.day >= (SELECT min(d.day) FROM days d)
    GROUP BY 1
)
SELECT d.day, coalesce(c.changes, 0) AS changes, coalesce(s.calls, 0) AS calls, coalesce(s.cost, 0) AS cost
FROM days d LEFT JOIN changes c ON c.day = d.day LEFT JOIN calls s ON s.day = d.day
ORDER BY d.day DESC
