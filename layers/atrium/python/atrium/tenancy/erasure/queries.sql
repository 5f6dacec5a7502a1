-- A tenant's erasure, each statement inside that tenant's transaction. The two functions are of 0008_housekeeping.sql.

-- name: erase_tenant
-- Begins it and ends all access; not begun when the confirmation is not the tenant's name.
SELECT atrium.erase_tenant(%(confirmation)s, %(requester)s, %(request_id)s) AS begun;

-- name: erase_rows
-- At most so many rows of each table; how many went.
SELECT atrium.erase_rows(%(most)s) AS removed;

-- name: find_erasure
-- The record; none for a tenant that nobody asked to erase.
SELECT tenant_id, requested_at, rows_removed, objects_removed, emptied_at, finished_at FROM atrium.erasures
WHERE tenant_id = %(tenant_id)s;

-- name: advance_erasure
-- What went, and whether that was all; final once nothing can be under way any more.
UPDATE atrium.erasures
SET rows_removed = rows_removed + %(rows)s, objects_removed = objects_removed + %(objects)s,
    emptied_at = CASE WHEN %(empty)s THEN coalesce(emptied_at, now()) ELSE emptied_at END,
    finished_at = CASE WHEN %(empty)s AND requested_at < now() - %(settled)s::interval THEN coalesce(finished_at, now())
                       ELSE finished_at END
WHERE tenant_id = %(tenant_id)s
RETURNING tenant_id, requested_at, rows_removed, objects_removed, emptied_at, finished_at;
