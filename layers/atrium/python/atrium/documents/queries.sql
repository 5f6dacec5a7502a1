-- name: tenant_exists
-- Whether the transaction's tenant is there.
SELECT true AS found FROM atrium.tenants

-- name: insert_document
-- A new document, its collection's metadata under its own; nothing when the name, or the id, is taken.
INSERT INTO atrium.documents (tenant_id, id, collection, name, metadata, created_by)
VALUES (%(tenant_id)s, %(id)s, %(collection)s, %(name)s,
        coalesce((SELECT c.metadata FROM atrium.collections c WHERE c.tenant_id = %(tenant_id)s AND c.name = %(collection)s), '{}')
            || %(metadata)s::jsonb, %(created_by)s)
ON CONFLICT DO NOTHING

-- name: lock_name
-- The living document of a name; other writers to it wait. A join here would see the versions from before the wait.
SELECT id FROM atrium.documents
WHERE tenant_id = %(tenant_id)s AND collection = %(collection)s AND name = %(name)s AND deleted_at IS NULL
FOR UPDATE

-- name: lock_document
-- A document, tombstone or not; other writers to it wait.
SELECT id FROM atrium.documents WHERE tenant_id = %(tenant_id)s AND id = %(id)s FOR UPDATE

-- name: find_document
-- A document, tombstone or not, with one of its versions (null: the latest).
SELECT v.*, v.updated_at AS touched_at, d.* FROM atrium.documents d
JOIN atrium.document_versions v ON v.tenant_id = d.tenant_id AND v.document_id = d.id
  AND v.version = coalesce(%(version)s::integer, d.latest_version)
WHERE d.tenant_id = %(tenant_id)s AND d.id = %(id)s

-- name: list_documents
-- GET /documents: newest first.
SELECT v.*, v.updated_at AS touched_at, d.* FROM atrium.documents d
JOIN atrium.document_versions v ON v.tenant_id = d.tenant_id AND v.document_id = d.id AND v.version = d.latest_version
WHERE d.tenant_id = %(tenant_id)s AND d.deleted_at IS NULL
  AND (%(status)s::text IS NULL OR v.status = %(status)s)
  AND (%(name)s::text IS NULL OR d.name = %(name)s)
  AND (%(collection)s::text IS NULL OR d.collection = %(collection)s)
  AND (%(created_by)s::text IS NULL OR d.created_by = %(created_by)s)
  AND (%(metadata)s::jsonb IS NULL OR d.metadata @> %(metadata)s)
  AND (%(after_at)s::timestamptz IS NULL OR (d.created_at, d.id) < (%(after_at)s, %(after_id)s::uuid))
ORDER BY d.created_at DESC, d.id DESC
LIMIT %(limit)s

-- name: list_versions
-- A document's history, the newest first.
SELECT v.version, v.status, v.source, v.content_type, v.size, v.sha256, v.error_type, v.error_detail, v.created_at, v.ready_at
FROM atrium.document_versions v
WHERE v.tenant_id = %(tenant_id)s AND v.document_id = %(id)s
ORDER BY v.version DESC
LIMIT %(limit)s

-- name: drop_versions
-- The dropped objects whose bytes a document holds or held, and which versions of them.
SELECT object_key, array_agg(DISTINCT object_version_id) AS ids
FROM (SELECT v.object_key, v.object_version_id FROM atrium.document_versions v
      WHERE v.tenant_id = %(tenant_id)s AND v.document_id = %(id)s AND v.source = 'drop'
      UNION ALL
      SELECT w.object_key, w.object_version_id FROM atrium.drop_writes w
      WHERE w.tenant_id = %(tenant_id)s AND w.document_id = %(id)s) AS known
GROUP BY object_key

-- name: served_drop_versions
-- Which versions of dropped objects living documents hold: a name may have been dropped again, a document renamed.
SELECT object_key, array_agg(DISTINCT object_version_id) AS ids
FROM (SELECT v.object_key, v.object_version_id, v.document_id FROM atrium.document_versions v
      WHERE v.tenant_id = %(tenant_id)s AND v.object_key = ANY (%(keys)s::text[])
      UNION ALL
      SELECT w.object_key, w.object_version_id, w.document_id FROM atrium.drop_writes w
      WHERE w.tenant_id = %(tenant_id)s AND w.object_key = ANY (%(keys)s::text[])) AS known
JOIN atrium.documents d ON d.tenant_id = %(tenant_id)s AND d.id = known.document_id AND d.deleted_at IS NULL
GROUP BY object_key

-- name: seen_sequencers
-- The writes to an object that became versions, or were found to hold the same as one, or its deletion; of tombstones too.
SELECT v.sequencer FROM atrium.document_versions v
WHERE v.tenant_id = %(tenant_id)s AND v.object_key = %(object_key)s
UNION
SELECT w.sequencer FROM atrium.drop_writes w
WHERE w.tenant_id = %(tenant_id)s AND w.object_key = %(object_key)s

-- name: find_dropped
-- The living document that has the last write to an object, under whichever name. Sequencers: padded with zeros on the right.
SELECT d.id FROM atrium.documents d
JOIN atrium.document_versions v ON v.tenant_id = d.tenant_id AND v.document_id = d.id AND v.version = d.latest_version
WHERE d.tenant_id = %(tenant_id)s AND d.deleted_at IS NULL AND v.object_key = %(object_key)s
ORDER BY rpad(lower(v.sequencer), 64, '0') COLLATE "C" DESC
LIMIT 1

-- name: record_write
-- The last write to a dropped object, or its deletion (no document, no version).
INSERT INTO atrium.drop_writes AS w (tenant_id, object_key, sequencer, object_version_id, document_id)
VALUES (%(tenant_id)s, %(object_key)s, %(sequencer)s, %(object_version_id)s, %(id)s)
ON CONFLICT (tenant_id, object_key) DO UPDATE
SET sequencer = excluded.sequencer, seen_at = now(), document_id = coalesce(excluded.document_id, w.document_id),
    object_version_id = coalesce(nullif(excluded.object_version_id, ''), w.object_version_id)

-- name: insert_version
-- A pending version.
INSERT INTO atrium.document_versions (tenant_id, document_id, version, source, object_key, object_version_id, sequencer,
                                      content_type, size, sha256, upload_expires_at)
VALUES (%(tenant_id)s, %(document_id)s, %(version)s, %(source)s, %(object_key)s, %(object_version_id)s, %(sequencer)s,
        %(content_type)s, %(size)s, %(sha256)s, %(upload_expires_at)s)

-- name: copy_version
-- The same bytes once more, as the next version.
INSERT INTO atrium.document_versions (tenant_id, document_id, version, source, object_key, object_version_id, sequencer,
                                      content_type, size, sha256, chunking, waiting_since)
SELECT v.tenant_id, v.document_id, v.version + 1, v.source, v.object_key, v.object_version_id, v.sequencer, v.content_type,
       v.size, v.sha256, %(chunking)s::jsonb, now()
FROM atrium.document_versions v
WHERE v.tenant_id = %(tenant_id)s AND v.document_id = %(id)s AND v.version = %(version)s

-- name: set_latest
-- A document's newest version; null metadata keeps what it has, other stands over its collection's.
UPDATE atrium.documents d
SET latest_version = %(version)s, updated_at = now(),
    metadata = CASE WHEN %(metadata)s::jsonb IS NULL THEN d.metadata ELSE
        coalesce((SELECT c.metadata FROM atrium.collections c WHERE c.tenant_id = d.tenant_id AND c.name = d.collection), '{}')
            || %(metadata)s::jsonb END
WHERE d.tenant_id = %(tenant_id)s AND d.id = %(id)s

-- name: change_document
-- Its name, its collection, its metadata: searched so from the transaction's end on.
UPDATE atrium.documents SET name = %(name)s, collection = %(collection)s, metadata = %(metadata)s, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND id = %(id)s

-- name: see_object
-- Which write to the object a version stands for. No work on it: one that is stuck stays so, however often it is sent.
UPDATE atrium.document_versions
SET sequencer = %(sequencer)s, object_version_id = %(object_version_id)s, size = %(size)s
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s

-- name: wait_for_turn
-- A pending version's bytes are there. Again: nothing changes.
UPDATE atrium.document_versions SET waiting_since = coalesce(waiting_since, clock_timestamp()), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s AND status = 'pending'

-- name: lock_turns
-- One at a time decides whose turn it is; others of the tenant wait until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('atrium.turns:' || %(tenant_id)s, 0)) IS NULL AS locked

-- name: take_turns
-- The next attempt of as many waiting versions as there is room for, the longest waiting first. What nothing has touched for so
-- long takes no room; what was deleted in the middle does, until its execution has ended. A version that somebody else is registering now is skipped: its turn comes with that.
WITH busy AS (
    SELECT count(*) AS n FROM atrium.document_versions v
    JOIN atrium.documents d ON d.tenant_id = v.tenant_id AND d.id = v.document_id
    WHERE v.tenant_id = %(tenant_id)s AND v.status IN ('pending', 'processing') AND v.attempts > 0
      AND (d.deleted_at IS NULL OR v.status = 'processing')
      AND NOT (v.status = 'pending' AND v.waiting_since IS NOT NULL) AND v.updated_at > now() - make_interval(secs => %(stuck)s)),
due AS (
    SELECT v.document_id, v.version FROM atrium.document_versions v
    JOIN atrium.documents d ON d.tenant_id = v.tenant_id AND d.id = v.document_id AND d.deleted_at IS NULL
    WHERE v.tenant_id = %(tenant_id)s AND v.status = 'pending' AND v.waiting_since IS NOT NULL
    ORDER BY v.waiting_since, v.document_id, v.version
    LIMIT greatest(0, %(cap)s - (SELECT n FROM busy))
    FOR UPDATE OF v SKIP LOCKED)
UPDATE atrium.document_versions v
SET attempts = attempts + 1, waiting_since = NULL, started_at = now(), updated_at = now()
FROM due WHERE v.tenant_id = %(tenant_id)s AND v.document_id = due.document_id AND v.version = due.version
RETURNING v.document_id, v.version, v.attempts AS attempt

-- name: take_unstarted
-- Versions whose turn came a while ago and whose execution has not begun: perhaps it was never started.
WITH due AS (
    SELECT v.document_id, v.version FROM atrium.document_versions v
    JOIN atrium.documents d ON d.tenant_id = v.tenant_id AND d.id = v.document_id AND d.deleted_at IS NULL
    WHERE v.tenant_id = %(tenant_id)s AND v.status = 'pending' AND v.waiting_since IS NULL AND v.attempts > 0
      AND coalesce(v.started_at, v.updated_at) <= now() - make_interval(secs => %(idle)s)
    FOR UPDATE OF v SKIP LOCKED)
UPDATE atrium.document_versions v SET started_at = now()
FROM due WHERE v.tenant_id = %(tenant_id)s AND v.document_id = due.document_id AND v.version = due.version
RETURNING v.document_id, v.version, v.attempts AS attempt

-- name: wait_again
-- An execution ended without a word on its version: its next attempt waits its turn.
UPDATE atrium.document_versions SET waiting_since = now(), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s
  AND status = 'pending' AND waiting_since IS NULL AND attempts = %(attempt)s

-- name: retry_version
-- Makes a version wait for one more attempt.
UPDATE atrium.document_versions
SET status = 'pending', stage = NULL, progress = 0, error_type = NULL, error_detail = NULL, waiting_since = now(), updated_at = now(),
    chunking = coalesce(%(chunking)s::jsonb, chunking)
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s
  AND (status = 'failed' OR (status IN ('pending', 'processing') AND attempts > 0 AND waiting_since IS NULL
                             AND updated_at <= now() - make_interval(secs => %(idle)s)))
RETURNING attempts

-- name: stuck_versions
-- Living documents' versions that an execution was started for and that nothing works on any more.
SELECT v.document_id, v.version FROM atrium.document_versions v
JOIN atrium.documents d ON d.tenant_id = v.tenant_id AND d.id = v.document_id AND d.deleted_at IS NULL
WHERE v.tenant_id = %(tenant_id)s AND v.status IN ('pending', 'processing') AND v.attempts > 0 AND v.waiting_since IS NULL
  AND v.updated_at <= now() - make_interval(secs => %(idle)s)
ORDER BY v.updated_at
LIMIT %(limit)s

-- name: missing_uploads
-- Living documents' uploads of which no message came: neither from who was to send them directly, nor after we had put them.
SELECT v.document_id, v.version FROM atrium.document_versions v
JOIN atrium.documents d ON d.tenant_id = v.tenant_id AND d.id = v.document_id AND d.deleted_at IS NULL
WHERE v.tenant_id = %(tenant_id)s AND v.status = 'pending' AND v.attempts = 0 AND v.waiting_since IS NULL AND v.source = 'api'
  AND CASE WHEN v.upload_expires_at IS NULL THEN v.updated_at <= now() - make_interval(secs => %(unheard)s)
           ELSE v.upload_expires_at <= now() - make_interval(secs => %(late)s) END
ORDER BY coalesce(v.upload_expires_at, v.updated_at)
LIMIT %(limit)s

-- name: keep_password
-- A sealed password, unless there is one, or the text is extracted already.
UPDATE atrium.document_versions SET password = coalesce(password, %(password)s::bytea)
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s
  AND status IN ('pending', 'processing') AND (stage IS NULL OR stage IN ('inspecting', 'extracting'))

-- name: forget_password
-- Of a version.
UPDATE atrium.document_versions SET password = NULL
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s AND password IS NOT NULL

-- name: find_password
-- The sealed password of a version.
SELECT password FROM atrium.document_versions
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s AND password IS NOT NULL

-- name: set_stage
-- What the pipeline does now. Progress never goes back within an attempt.
UPDATE atrium.document_versions
SET status = 'processing', stage = %(stage)s, progress = greatest(progress, %(progress)s::real), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s AND status IN ('pending', 'processing')
  AND waiting_since IS NULL

-- name: set_inspection
-- What the file was found to be.
UPDATE atrium.document_versions
SET content_type = %(content_type)s, pages = %(pages)s, title = %(title)s, size = %(size)s, sha256 = %(sha256)s, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s

-- name: set_extraction
-- What its text was found to be.
UPDATE atrium.document_versions
SET characters = %(characters)s, pages = coalesce(%(pages)s::integer, pages), title = %(title)s, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s

-- name: set_recognition
-- What OCR read of it.
UPDATE atrium.document_versions
SET ocr_pages = %(pages)s, ocr_confidence = %(confidence)s::real, ocr_poor_pages = %(poor_pages)s::integer[], updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s

-- name: set_language
-- Which language its text is in.
UPDATE atrium.document_versions SET language = %(language)s, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s

-- name: set_ready
-- The version is published.
UPDATE atrium.document_versions
SET status = 'ready', stage = NULL, progress = 1, error_type = NULL, error_detail = NULL, chunk_count = %(chunk_count)s,
    password = NULL, ready_at = now(), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s

-- name: serve_version
-- Search serves this version from now on.
UPDATE atrium.documents SET ready_version = %(version)s, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND id = %(id)s

-- name: set_failed
-- The version failed; it keeps the stage it failed in.
UPDATE atrium.document_versions
SET status = 'failed', error_type = %(error_type)s, error_detail = %(error_detail)s, waiting_since = NULL, password = NULL,
    updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s AND status IN ('pending', 'processing')

-- name: end_deleted
-- A deleted document's version whose execution has ended.
UPDATE atrium.document_versions
SET status = 'failed', error_type = 'superseded', error_detail = 'The document was deleted.', waiting_since = NULL, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s AND status IN ('pending', 'processing')

-- name: bury_document
-- Leaves a tombstone.
UPDATE atrium.documents SET deleted_at = now(), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND id = %(id)s AND deleted_at IS NULL

-- name: forget_passwords
-- Of all versions of a deleted document.
UPDATE atrium.document_versions SET password = NULL
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND password IS NOT NULL

-- name: set_objects_removed
-- A tombstone's objects are gone.
UPDATE atrium.documents SET objects_removed_at = now()
WHERE tenant_id = %(tenant_id)s AND id = %(id)s AND deleted_at IS NOT NULL

-- name: forget_answers
-- What questions came to that were asked under an idempotency key, for a replay: it quotes documents. Also of those still
-- running, which then keep nothing.
DELETE FROM atrium.idempotency_keys
WHERE tenant_id = %(tenant_id)s AND (route LIKE 'POST %%/rag/%%' OR route LIKE 'POST %%/query%%')
