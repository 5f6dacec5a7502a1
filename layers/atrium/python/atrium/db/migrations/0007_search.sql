-- Search at full speed: which tenants have an index of their own.

-- A large tenant's partial HNSW index on a space's partition. A row is there exactly while the index is there and valid: search reads
-- it to choose, without a look into the catalogue. Made and removed by housekeeping, as the owner.
CREATE TABLE atrium.tenant_indexes (
    tenant_id  uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    space_id   smallint NOT NULL REFERENCES atrium.embedding_spaces,
    chunks     bigint NOT NULL CHECK (chunks >= 0),              -- when it was made
    built_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, space_id)
);
CALL atrium.protect('atrium.tenant_indexes');
GRANT SELECT ON atrium.tenant_indexes TO atrium_app, atrium_definer;
