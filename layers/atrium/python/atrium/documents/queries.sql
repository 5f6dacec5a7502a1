-- name: tenant_exists
-- Whether the transaction's tenant is there.
SELECT true AS found FROM atrium.tenants

-- name: insert_document
-- A new document; nothing when the name, or the id, is taken.
INSERT INTO atrium.documents (tenant_id, id, collection, name, metadata, created_by)
VALUES (%(tenant_id)s, %(id)s, %(collection)s, %(name)s, %(metadata)s, %(created_by)s)
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

-- name: object_keys
-- The object that each version came from.
SELECT v.version, v.object_key FROM atrium.document_versions v
WHERE v.tenant_id = %(tenant_id)s AND v.document_id = %(id)s
ORDER BY v.version

-- name: object_key_in_use
-- Whether a living document has a version from this object: a deleted name may have been dropped again.
SELECT true AS found FROM atrium.document_versions v
JOIN atrium.documents d ON d.tenant_id = v.tenant_id AND d.id = v.document_id AND d.deleted_at IS NULL
WHERE v.tenant_id = %(tenant_id)s AND v.object_key = %(object_key)s
LIMIT 1

-- name: seen_sequencers
-- The writes to an object that became versions, or were found to hold the same as one; of tombstones too.
SELECT v.sequencer FROM atrium.document_versions v
WHERE v.tenant_id = %(tenant_id)s AND v.object_key = %(object_key)s

-- name: insert_version
-- A pending version.
INSERT INTO atrium.document_versions (tenant_id, document_id, version, source, object_key, object_version_id, sequencer,
                                      content_type, size, sha256)
VALUES (%(tenant_id)s, %(document_id)s, %(version)s, %(source)s, %(object_key)s, %(object_version_id)s, %(sequencer)s,
        %(content_type)s, %(size)s, %(sha256)s)

-- name: set_latest
-- A document's newest version; null metadata keeps what it has.
UPDATE atrium.documents
SET latest_version = %(version)s, metadata = coalesce(%(metadata)s::jsonb, metadata), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND id = %(id)s

-- name: see_object
-- Which write to the object a version stands for. No work on it: one that is stuck stays so, however often it is sent.
UPDATE atrium.document_versions
SET sequencer = %(sequencer)s, object_version_id = %(object_version_id)s, size = %(size)s
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s

-- name: begin_attempt
-- The number of the execution that a pending version is to have: its first, unless it was retried. Again: the same.
UPDATE atrium.document_versions
SET attempts = greatest(attempts, 1), updated_at = CASE attempts WHEN 0 THEN now() ELSE updated_at END
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s
RETURNING attempts

-- name: retry_version
-- Makes a version pending again for one more execution.
UPDATE atrium.document_versions
SET status = 'pending', stage = NULL, progress = 0, error_type = NULL, error_detail = NULL, attempts = attempts + 1, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s
  AND (status = 'failed' OR (status IN ('pending', 'processing') AND updated_at <= now() - make_interval(secs => %(idle)s)))
RETURNING attempts

-- name: set_stage
-- What the pipeline does now. Progress never goes back within an attempt.
UPDATE atrium.document_versions
SET status = 'processing', stage = %(stage)s, progress = greatest(progress, %(progress)s::real), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s AND status IN ('pending', 'processing')

-- name: set_inspection
-- What the file was found to be.
UPDATE atrium.document_versions
SET content_type = %(content_type)s, pages = %(pages)s, title = %(title)s, sha256 = coalesce(sha256, %(sha256)s::bytea), updated_at = now()
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
    ready_at = now(), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s

-- name: serve_version
-- Search serves this version from now on.
UPDATE atrium.documents SET ready_version = %(version)s, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND id = %(id)s

-- name: set_failed
-- The version failed; it keeps the stage it failed in.
UPDATE atrium.document_versions
SET status = 'failed', error_type = %(error_type)s, error_detail = %(error_detail)s, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND document_id = %(id)s AND version = %(version)s AND status IN ('pending', 'processing')

-- name: bury_document
-- Leaves a tombstone.
UPDATE atrium.documents SET deleted_at = now(), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND id = %(id)s AND deleted_at IS NULL
