-- name: find_collection
-- One collection; `default` is there without a row.
SELECT c.name, c.chunking, c.embedding_model, c.metadata, c.created_at, c.updated_at,
       (SELECT count(*) FROM atrium.documents d
        WHERE d.tenant_id = %(tenant_id)s AND d.collection = c.name AND d.deleted_at IS NULL) AS document_count
FROM (SELECT name, chunking, embedding_model, metadata, created_at, updated_at FROM atrium.collections
      WHERE tenant_id = %(tenant_id)s AND name = %(name)s
      UNION ALL
      SELECT 'default', '{}', %(model)s, '{}', t.created_at, t.created_at FROM atrium.tenants t
      WHERE %(name)s = 'default' AND t.tenant_id = %(tenant_id)s
        AND NOT EXISTS (SELECT FROM atrium.collections WHERE tenant_id = %(tenant_id)s AND name = 'default')) AS c

-- name: list_collections
-- GET /collections: by name, `default` without a row too.
SELECT c.name, c.chunking, c.embedding_model, c.metadata, c.created_at, c.updated_at,
       (SELECT count(*) FROM atrium.documents d
        WHERE d.tenant_id = %(tenant_id)s AND d.collection = c.name AND d.deleted_at IS NULL) AS document_count
FROM (SELECT name, chunking, embedding_model, metadata, created_at, updated_at FROM atrium.collections
      WHERE tenant_id = %(tenant_id)s
      UNION ALL
      SELECT 'default', '{}', %(model)s, '{}', t.created_at, t.created_at FROM atrium.tenants t
      WHERE t.tenant_id = %(tenant_id)s
        AND NOT EXISTS (SELECT FROM atrium.collections WHERE tenant_id = %(tenant_id)s AND name = 'default')) AS c
WHERE %(after)s::text IS NULL OR c.name > %(after)s
ORDER BY c.name
LIMIT %(limit)s

-- name: insert_collection
-- A collection; nothing when the name is taken.
INSERT INTO atrium.collections (tenant_id, name, chunking, embedding_model, metadata)
VALUES (%(tenant_id)s, %(name)s, %(chunking)s, %(model)s, %(metadata)s)
ON CONFLICT DO NOTHING

-- name: share_collection
-- Documents come into it: it is not deleted and its model not changed until the transaction ends. Many may do so at once.
SELECT name FROM atrium.collections WHERE tenant_id = %(tenant_id)s AND name = %(name)s FOR KEY SHARE

-- name: hold_collection
-- Nothing comes into it until the transaction ends.
SELECT name FROM atrium.collections WHERE tenant_id = %(tenant_id)s AND name = %(name)s FOR UPDATE

-- name: update_collection
-- What was changed.
UPDATE atrium.collections
SET chunking = %(chunking)s, embedding_model = %(model)s, metadata = %(metadata)s, updated_at = now()
WHERE tenant_id = %(tenant_id)s AND name = %(name)s

-- name: delete_collection
-- Takes the row away.
DELETE FROM atrium.collections WHERE tenant_id = %(tenant_id)s AND name = %(name)s

-- name: some_documents
-- Documents that are still in the collection.
SELECT id FROM atrium.documents
WHERE tenant_id = %(tenant_id)s AND collection = %(name)s AND deleted_at IS NULL
ORDER BY name
LIMIT %(limit)s

-- name: find_way
-- What the pipeline has to know of a collection.
SELECT chunking, embedding_model FROM atrium.collections WHERE tenant_id = %(tenant_id)s AND name = %(name)s
