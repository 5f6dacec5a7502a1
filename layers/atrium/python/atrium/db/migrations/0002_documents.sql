-- Documents, their versions, embedding spaces and the chunks that search reads.

CREATE TABLE atrium.documents (
    tenant_id       uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    id              uuid NOT NULL,
    collection      text NOT NULL DEFAULT 'default' CHECK (collection ~ '^[a-z0-9._-]{1,64}$'),
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 1024),
    metadata        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    created_by      text NOT NULL,                               -- the principal's subject
    latest_version  integer NOT NULL DEFAULT 1 CHECK (latest_version >= 1),
    ready_version   integer,                                     -- the version that search serves
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz,                                 -- a tombstone: late events lose to it
    PRIMARY KEY (tenant_id, id)
);
-- A new upload of the same name and collection is a new version of the same document.
CREATE UNIQUE INDEX documents_name ON atrium.documents (tenant_id, collection, name) WHERE deleted_at IS NULL;
CREATE INDEX documents_list ON atrium.documents (tenant_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;   -- GET /documents
CALL atrium.protect('atrium.documents');
GRANT SELECT, INSERT, UPDATE ON atrium.documents TO atrium_app;
GRANT SELECT ON atrium.documents TO atrium_definer;

CREATE TABLE atrium.document_versions (
    tenant_id          uuid NOT NULL,
    document_id        uuid NOT NULL,
    version            integer NOT NULL CHECK (version >= 1),
    source             text NOT NULL CHECK (source IN ('api', 'drop')),
    object_key         text NOT NULL,
    object_version_id  text NOT NULL DEFAULT '',                 -- S3's; empty until the object is seen
    sequencer          text NOT NULL DEFAULT '',                 -- S3's order of writes to one key
    content_type       text NOT NULL,                            -- declared, replaced by what inspection finds
    size               bigint NOT NULL CHECK (size >= 0),
    sha256             bytea CHECK (length(sha256) = 32),
    status             text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'ready', 'failed')),
    stage              text CHECK (stage IN ('inspecting', 'extracting', 'chunking', 'embedding', 'publishing')),
    progress           real NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    error_type         text,
    error_detail       text,
    attempts           integer NOT NULL DEFAULT 0,
    title              text NOT NULL DEFAULT '',
    language           text NOT NULL DEFAULT '',
    pages              integer,
    characters         bigint,
    chunk_count        integer,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    ready_at           timestamptz,
    PRIMARY KEY (tenant_id, document_id, version),
    FOREIGN KEY (tenant_id, document_id) REFERENCES atrium.documents (tenant_id, id) ON DELETE CASCADE,
    CHECK ((status = 'failed') = (error_type IS NOT NULL)),
    CHECK (status <> 'processing' OR stage IS NOT NULL)
);
CREATE INDEX document_versions_object ON atrium.document_versions (tenant_id, object_key);   -- whether an arrival is news
CREATE INDEX document_versions_unfinished ON atrium.document_versions (tenant_id, updated_at)
    WHERE status IN ('pending', 'processing');                   -- sweeps, in-flight caps
CALL atrium.protect('atrium.document_versions');
CREATE POLICY relay ON atrium.document_versions FOR SELECT TO atrium_relay USING (true);
GRANT SELECT, INSERT, UPDATE ON atrium.document_versions TO atrium_app;
GRANT SELECT ON atrium.document_versions TO atrium_relay;
GRANT SELECT ON atrium.document_versions TO atrium_definer;

-- A model, its vectors' length and its window: declared in the model data file, given a partition by `migrate`.
CREATE TABLE atrium.embedding_spaces (
    id          smallint PRIMARY KEY,
    model       text NOT NULL UNIQUE,                            -- `local/all-minilm-l6-v2`
    dimensions  integer NOT NULL CHECK (dimensions BETWEEN 1 AND 4000),
    max_tokens  integer NOT NULL CHECK (max_tokens > 0)
);
GRANT SELECT ON atrium.embedding_spaces TO atrium_app, atrium_definer;

-- The text search configuration of a language; a plain function, because a regconfig column would block pg_upgrade.
CREATE FUNCTION atrium.text_vector(language text, content text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE language
        WHEN 'en' THEN to_tsvector('pg_catalog.english'::regconfig, content)
        WHEN 'de' THEN to_tsvector('pg_catalog.german'::regconfig, content)
        WHEN 'fr' THEN to_tsvector('pg_catalog.french'::regconfig, content)
        WHEN 'es' THEN to_tsvector('pg_catalog.spanish'::regconfig, content)
        ELSE to_tsvector('pg_catalog.simple'::regconfig, content)
    END;

-- Only published chunks are here: the publish step copies a version's chunks and removes the older ones in one transaction.
CREATE TABLE atrium.chunks (
    space_id     smallint NOT NULL REFERENCES atrium.embedding_spaces,
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,                                  -- uuid5 of document, version, ordinal
    document_id  uuid NOT NULL,
    version      integer NOT NULL,
    ordinal      integer NOT NULL,
    collection   text NOT NULL,
    page_from    integer,
    page_to      integer,
    page_starts  integer[] NOT NULL DEFAULT '{}',                -- where page_from + 1, + 2, … begin, in characters of the stored text
    char_start   integer NOT NULL CHECK (char_start >= 0),       -- in characters of the stored text
    char_end     integer NOT NULL,
    heading      text NOT NULL DEFAULT '',
    language     text NOT NULL DEFAULT 'en',
    text         text NOT NULL,                                  -- exactly stored_text[char_start:char_end]
    tsv          tsvector GENERATED ALWAYS AS (atrium.text_vector(language, heading || ' ' || text)) STORED,
    embedding    public.halfvec NOT NULL,
    bits         bit varying GENERATED ALWAYS AS (public.binary_quantize(embedding)) STORED,
    PRIMARY KEY (space_id, tenant_id, id),
    CHECK (char_end > char_start)
) PARTITION BY LIST (space_id);
CALL atrium.protect('atrium.chunks');
GRANT SELECT, INSERT, DELETE ON atrium.chunks TO atrium_app;
GRANT SELECT ON atrium.chunks TO atrium_definer;

-- Declares a space and makes its partition; run by `migrate` for each row of the model data file, again and again.
CREATE PROCEDURE atrium.declare_embedding_space(space smallint, space_model text, space_dimensions integer, space_max_tokens integer)
LANGUAGE plpgsql AS $$
DECLARE
    leaf text := 'chunks_' || space;
BEGIN
    INSERT INTO atrium.embedding_spaces (id, model, dimensions, max_tokens)
    VALUES (space, space_model, space_dimensions, space_max_tokens)
    ON CONFLICT (id) DO NOTHING;
    IF NOT EXISTS (SELECT FROM atrium.embedding_spaces
                   WHERE id = space AND model = space_model AND dimensions = space_dimensions AND max_tokens = space_max_tokens) THEN
        RAISE EXCEPTION 'embedding space % exists with another model, length or window: declare a new id', space;
    END IF;
    IF to_regclass('atrium.' || leaf) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE atrium.%I PARTITION OF atrium.chunks FOR VALUES IN (%s)', leaf, space);
    EXECUTE format('ALTER TABLE atrium.%I ADD CHECK (public.vector_dims(embedding) = %s)', leaf, space_dimensions);
    IF space_dimensions <= 3584 THEN   -- a longer vector and its text do not fit one page
        EXECUTE format('ALTER TABLE atrium.%I ALTER COLUMN embedding SET STORAGE PLAIN', leaf);
    END IF;
    -- Words are ranked from the row itself, so nothing of it is compressed or moved out as long as it fits the page (measured: keyword
    -- search 10 times slower on compressed text vectors, which every ts_rank unpacks again).
    EXECUTE format('ALTER TABLE atrium.%I SET (toast_tuple_target = 8160)', leaf);
    -- Search reads a tenant's bits from this index alone, of some documents or all; the heap only for the rows it reranks. Publish,
    -- delete and list use the same index: one less to write, as fast to scan as one by collection (filters name documents).
    EXECUTE format('CREATE INDEX %I ON atrium.%I (tenant_id, document_id, version, ordinal) INCLUDE (id, bits)', leaf || '_bits', leaf);
    -- Keyword search; with the tenant in the index (btree_gin) other tenants' frequent words cost nothing (measured: 0.4 ms for 2.2).
    EXECUTE format('CREATE INDEX %I ON atrium.%I USING gin (tenant_id, tsv)', leaf || '_tsv', leaf);
    -- An index-only scan needs a fresh visibility map: vacuum after every 2,000 inserted rows.
    EXECUTE format('ALTER TABLE atrium.%I SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 2000)', leaf);
    EXECUTE format('CALL atrium.protect(%L)', 'atrium.' || leaf);
    EXECUTE format('GRANT SELECT ON atrium.%I TO atrium_definer', leaf);
END
$$;
REVOKE ALL ON PROCEDURE atrium.declare_embedding_space(smallint, text, integer, integer) FROM PUBLIC;
