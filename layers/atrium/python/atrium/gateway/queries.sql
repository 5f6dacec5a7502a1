-- name: find_answer
-- What the tenant's same request was answered, unless the answer is older than this one allows.
SELECT answer FROM atrium.kept_answers
WHERE tenant_id = %(tenant_id)s AND key = %(key)s AND expires_at > now() AND kept_at > now() - make_interval(secs => %(seconds)s);

-- name: keep_answer
-- Keep an answer, instead of an older one.
INSERT INTO atrium.kept_answers (tenant_id, key, answer, expires_at)
VALUES (%(tenant_id)s, %(key)s, %(answer)s::jsonb, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (tenant_id, key) DO UPDATE SET answer = excluded.answer, kept_at = now(), expires_at = excluded.expires_at;

-- name: drop_oldest_answers
-- Of very many kept answers the newest stay.
DELETE FROM atrium.kept_answers WHERE tenant_id = %(tenant_id)s AND kept_at < (
    SELECT kept_at FROM atrium.kept_answers WHERE tenant_id = %(tenant_id)s ORDER BY kept_at DESC OFFSET %(most)s - 1 LIMIT 1);
