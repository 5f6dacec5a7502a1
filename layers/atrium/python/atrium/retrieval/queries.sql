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

-- name: list_chunks
-- A version's chunks in the order of the text.
SELECT id, document_id, version, ordinal, collection, page_from, page_to, char_start, char_end, heading, language, text,
       page_starts
FROM atrium.chunks
WHERE tenant_id = %(tenant_id)s AND document_id = %(document_id)s AND version = %(version)s AND ordinal > %(after)s
ORDER BY ordinal
LIMIT %(limit)s

-- name: search_chunks
-- By the vector, by the words, or both, in one statement.
SELECT * FROM atrium.search_chunks(%(space_id)s::smallint, %(vector)b::public.halfvec, %(words)s::text, %(collections)s::text[],
                                   %(document_ids)s::uuid[], %(filter)s::jsonpath, %(foreign_weight)s::float8, %(limit)s::integer)
