-- name: get_space
-- The embedding space of a model.
SELECT id, model, dimensions, max_tokens FROM atrium.embedding_spaces WHERE model = %(model)s

-- name: halfvec_type
-- The type's number in this database: binary arrays carry it.
SELECT 'public.halfvec'::regtype::oid::bigint AS oid

-- name: delete_chunks_by_id
-- Clears the way for chunks that are written again.
DELETE FROM atrium.chunks
WHERE space_id = %(space_id)s AND tenant_id = %(tenant_id)s AND id = ANY(%(ids)b::uuid[])

-- name: insert_chunks
-- One batch, a column per array. COPY FROM is refused on a table under row level security; this is a tenth slower at most.
INSERT INTO atrium.chunks (space_id, tenant_id, id, document_id, version, ordinal, collection, page_from, page_to,
                           page_starts, char_start, char_end, heading, language, text, embedding)
SELECT %(space_id)s, %(tenant_id)s, batch.id, document_id, version, ordinal, collection, page_from, page_to,
       page_starts::integer[], char_start, char_end, heading, language, text, embedding
FROM unnest(%(ids)b::uuid[], %(document_ids)b::uuid[], %(versions)b::integer[], %(ordinals)b::integer[],
            %(collections)b::text[], %(pages_from)b::integer[], %(pages_to)b::integer[], %(page_starts)b::text[],
            %(starts)b::integer[], %(ends)b::integer[], %(headings)b::text[], %(languages)b::text[], %(texts)b::text[],
            %(vectors)b::public.halfvec[])
     AS batch (id, document_id, version, ordinal, collection, page_from, page_to, page_starts,
               char_start, char_end, heading, language, text, embedding)

-- name: delete_document_chunks
-- All chunks of a document, or all but those of one version.
DELETE FROM atrium.chunks
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s
  AND (%(keep_version)s::integer IS NULL OR version <> %(keep_version)s)

-- name: move_document_chunks
-- They follow their document into another collection of the same space.
UPDATE atrium.chunks SET collection = %(collection)s
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s

-- name: list_chunks
-- A version's chunks in the order of the text.
SELECT id, document_id, version, ordinal, collection, page_from, page_to, char_start, char_end, heading, language, text,
       page_starts
FROM atrium.chunks
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s AND version = %(version)s AND ordinal > %(after)s
ORDER BY ordinal
LIMIT %(limit)s

-- name: search_chunks
-- By the vector, by the words, or both, in one statement, which also tells whether the tenant has chunks in other spaces: always in
-- its first row, which has no chunk where nothing was found. It reads no table itself, so that a connection plans it once.
SELECT found.*, elsewhere
FROM atrium.search_elsewhere(%(space_id)s::smallint) AS elsewhere
LEFT JOIN atrium.search_chunks(%(space_id)s::smallint, %(vector)b::public.halfvec, %(words)s::text, %(asked_in)s::text,
                               %(known)s::text[], %(collections)s::text[], %(document_ids)s::uuid[], %(filter)s::jsonpath,
                               %(limit)s::integer) AS found ON true

-- name: bound_filters
-- How long the statements that follow in this transaction may take.
SELECT set_config('statement_timeout', %(milliseconds)s, true)

-- name: spaces_of_tenant
-- Where the tenant has chunks: from one space to the next by the index.
WITH RECURSIVE used AS (
    (SELECT b.space_id FROM atrium.chunk_bits AS b WHERE b.tenant_id = %(tenant_id)s ORDER BY b.space_id LIMIT 1)
    UNION ALL
    SELECT (SELECT b.space_id FROM atrium.chunk_bits AS b
            WHERE b.tenant_id = %(tenant_id)s AND b.space_id > used.space_id ORDER BY b.space_id LIMIT 1)
    FROM used WHERE used.space_id IS NOT NULL)
SELECT s.id, s.model, s.dimensions, s.max_tokens FROM atrium.embedding_spaces AS s
WHERE s.id IN (SELECT used.space_id FROM used)
ORDER BY s.id

-- name: postpone_index
-- The words of the chunks that follow are collected, and indexed at once with the last of them: a third of the work.
SELECT set_config('work_mem', '64MB', true), set_config('gin_pending_list_limit', '64MB', true)

-- name: index_now
-- What waits is indexed with the next insert where it is more than this: searches read it from end to end (0.5 ms for 2 MB, 1.6
-- for 4), but indexing a few chunks takes nearly as long as indexing hundreds, whose words are the same.
SELECT set_config('gin_pending_list_limit', '2MB', true)

-- name: plan_tenant_indexes
-- Whose partial HNSW has to be made, dropped or registered. The statements are composed here, where identifiers and values are quoted.
-- First what takes no time, then the smaller before the larger, last whose build broke before: nobody is kept waiting for ever.
WITH sizes AS (
    SELECT tenant_id, space_id, count(*) AS chunks FROM atrium.chunk_bits GROUP BY tenant_id, space_id),
built AS (
    SELECT right(i.relname, 32)::uuid AS tenant_id, s.id AS space_id, x.indisvalid AS valid
    FROM atrium.embedding_spaces AS s
    JOIN pg_index AS x ON x.indrelid = to_regclass('atrium.chunks_' || s.id)
    JOIN pg_class AS i ON i.oid = x.indexrelid AND i.relname ~ '^chunks_[0-9]+_hnsw_[0-9a-f]{32}$'),
state AS (
    SELECT tenant_id, space_id, coalesce(chunks, 0) AS chunks, valid, coalesce(registered, false) AS registered,
           coalesce(valid, false) AND coalesce(chunks, 0) * 2 >= %(threshold)s::bigint AS stays,
           format('chunks_%%s_hnsw_%%s', space_id, replace(tenant_id::text, '-', '')) AS name
    FROM sizes FULL JOIN built USING (tenant_id, space_id)
    FULL JOIN (SELECT tenant_id, space_id, true AS registered FROM atrium.tenant_indexes) AS r USING (tenant_id, space_id)),
due AS (
    SELECT state.*, valid IS NOT NULL AND NOT stays AS drops, NOT stays AND chunks >= %(threshold)s::bigint AS builds
    FROM state)
SELECT tenant_id, space_id, chunks, stays,
       format('DROP INDEX CONCURRENTLY IF EXISTS atrium.%%I', name) AS undo, drops,
       CASE WHEN builds THEN format(
           'CREATE INDEX CONCURRENTLY %%I ON atrium.%%I USING hnsw ((embedding::public.halfvec(%%s)) public.halfvec_cosine_ops) WHERE tenant_id = %%L',
           name, 'chunks_' || space_id, s.dimensions, tenant_id) END AS build
FROM due JOIN atrium.embedding_spaces AS s ON s.id = space_id
WHERE drops OR builds OR registered <> stays
ORDER BY builds, valid IS FALSE, chunks, space_id, tenant_id

-- name: register_tenant_index
-- From now on search uses the tenant's index. No row: the tenant was erased meanwhile.
INSERT INTO atrium.tenant_indexes (tenant_id, space_id, chunks)
SELECT tenant_id, %(space_id)s, %(chunks)s FROM atrium.tenants WHERE tenant_id = %(tenant_id)s FOR KEY SHARE
ON CONFLICT (tenant_id, space_id) DO UPDATE SET chunks = excluded.chunks, built_at = now()
RETURNING tenant_id

-- name: unregister_tenant_index
-- From now on search does without.
DELETE FROM atrium.tenant_indexes WHERE tenant_id = %(tenant_id)s AND space_id = %(space_id)s
RETURNING tenant_id
