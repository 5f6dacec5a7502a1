-- name: claim_key
-- Begin a request under an idempotency key, or take over one whose lease or life has ended; no row when neither is so.
INSERT INTO atrium.idempotency_keys AS i (tenant_id, subject, route, key, fingerprint, resource_id, lease_until, expires_at)
VALUES (%(tenant_id)s, %(subject)s, %(route)s, %(key)s, %(fingerprint)s, %(resource_id)s, now() + %(lease)s, now() + interval '24 hours')
ON CONFLICT (tenant_id, subject, route, key) DO UPDATE
   SET lease_until = excluded.lease_until,
       fingerprint = excluded.fingerprint,
       state = 'running', status = NULL, headers = NULL, response = NULL,
       resource_id = CASE WHEN i.expires_at <= now() THEN excluded.resource_id ELSE i.resource_id END,
       expires_at = CASE WHEN i.expires_at <= now() THEN excluded.expires_at ELSE i.expires_at END
 WHERE i.expires_at <= now() OR (i.state = 'running' AND i.lease_until <= now() AND i.fingerprint = ANY(%(fingerprints)s::bytea[]))
RETURNING resource_id, lease_until;

-- name: find_key
-- What a key's earlier request is, or came to.
SELECT fingerprint, state, status, headers, response
FROM atrium.idempotency_keys
WHERE subject = %(subject)s AND route = %(route)s AND key = %(key)s;

-- name: finish_key
-- Keep the response for replays, if the lease is still this request's.
UPDATE atrium.idempotency_keys
   SET state = 'finished', status = %(status)s, headers = %(headers)s, response = %(response)s
 WHERE subject = %(subject)s AND route = %(route)s AND key = %(key)s AND state = 'running' AND lease_until = %(lease_until)s;

-- name: release_key
-- End the lease now: the work failed, a retry may take over with the same resource id.
UPDATE atrium.idempotency_keys SET lease_until = now()
 WHERE subject = %(subject)s AND route = %(route)s AND key = %(key)s AND state = 'running' AND lease_until = %(lease_until)s;

-- name: forget_key
-- The request was refused before it did anything: the key is free again, also for a corrected body.
DELETE FROM atrium.idempotency_keys
 WHERE subject = %(subject)s AND route = %(route)s AND key = %(key)s AND state = 'running' AND lease_until = %(lease_until)s;
