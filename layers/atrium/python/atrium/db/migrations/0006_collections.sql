-- Collections; and what a document needs to be uploaded directly, to wait its turn, to be processed again, to leave nothing behind.

-- `default` needs no row: until it has one it is as the deployment has it.
CREATE TABLE atrium.collections (
    tenant_id        uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    name             text NOT NULL CHECK (name ~ '^[a-z0-9._-]{1,64}$'),
    chunking         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(chunking) = 'object'),   -- empty: the defaults
    embedding_model  text NOT NULL,                              -- whose space its chunks are in
    metadata         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),   -- what new documents begin with
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, name)
);
CALL atrium.protect('atrium.collections');
GRANT SELECT, INSERT, UPDATE, DELETE ON atrium.collections TO atrium_app;
GRANT SELECT ON atrium.collections TO atrium_definer;

-- Collections that are searched already belong to the space they are in; others get their row with their next document.
INSERT INTO atrium.collections (tenant_id, name, embedding_model)
SELECT DISTINCT d.tenant_id, d.collection, s.model
FROM atrium.documents d
CROSS JOIN LATERAL (SELECT c.space_id FROM atrium.chunks c WHERE c.tenant_id = d.tenant_id AND c.document_id = d.id LIMIT 1) AS c
JOIN atrium.embedding_spaces s ON s.id = c.space_id
WHERE d.deleted_at IS NULL
ON CONFLICT DO NOTHING;

ALTER TABLE atrium.document_versions
    ADD COLUMN upload_expires_at timestamptz,                    -- a presigned upload: until when its bytes may come
    ADD COLUMN waiting_since timestamptz,                        -- its bytes are there, and others of the tenant go first
    ADD COLUMN started_at timestamptz,                           -- when its attempt's execution was last asked for
    ADD COLUMN chunking jsonb CHECK (jsonb_typeof(chunking) = 'object'),   -- for this version; null: its collection's
    ADD COLUMN password bytea;                                   -- sealed; until its text is extracted
CREATE INDEX document_versions_waiting ON atrium.document_versions (tenant_id, waiting_since)
    WHERE status = 'pending' AND waiting_since IS NOT NULL;      -- whose turn is next

-- The last write (or mirrored deletion) that was seen of each object in a drop folder, whatever became of it: older ones are stale.
CREATE TABLE atrium.drop_writes (
    tenant_id          uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    object_key         text NOT NULL,
    sequencer          text NOT NULL,                            -- S3's order of writes to one key
    object_version_id  text NOT NULL,
    document_id        uuid,                                     -- which holds these bytes; null: none does
    seen_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, object_key),
    FOREIGN KEY (tenant_id, document_id) REFERENCES atrium.documents (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX drop_writes_document ON atrium.drop_writes (tenant_id, document_id);   -- deletion, the foreign key
CALL atrium.protect('atrium.drop_writes');
GRANT SELECT, INSERT, UPDATE ON atrium.drop_writes TO atrium_app;

-- A document that moves takes its chunks along.
GRANT UPDATE (collection) ON atrium.chunks TO atrium_app;
