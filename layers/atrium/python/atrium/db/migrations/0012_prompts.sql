-- Prompts: templates under a key, their immutable versions, labels that point at versions. A tenant's own go before the platform's
-- of the same key; what ships with the code is the layer below and has no rows. `llm_defaults` is what answers where nobody says.

CREATE TABLE atrium.prompts (
    tenant_id       uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    id              uuid NOT NULL,
    key             text NOT NULL CHECK (key ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
    type            text CHECK (type IN ('chat', 'rag_answer', 'summary', 'project_draft', 'extraction', 'copilot', 'refine')),
    description     text NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
    latest_version  integer NOT NULL DEFAULT 1 CHECK (latest_version >= 1),   -- its row is the lock of whoever adds to it
    created_by      text NOT NULL,                               -- the principal's subject
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX prompts_key ON atrium.prompts (tenant_id, key);   -- resolution, GET /prompts
CALL atrium.protect('atrium.prompts');
GRANT SELECT, INSERT, DELETE, UPDATE (description, latest_version, updated_at) ON atrium.prompts TO atrium_app;

-- Written once: nobody may change a version, and none goes but with its prompt.
CREATE TABLE atrium.prompt_versions (
    tenant_id   uuid NOT NULL,
    prompt_id   uuid NOT NULL,
    version     integer NOT NULL CHECK (version >= 1),
    messages    jsonb NOT NULL CHECK (jsonb_typeof(messages) = 'array'),   -- [{role, content}], content a template
    model       text,                                            -- `provider/name` that the prompt was written for
    parameters  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    note        text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, prompt_id, version),
    FOREIGN KEY (tenant_id, prompt_id) REFERENCES atrium.prompts (tenant_id, id) ON DELETE CASCADE
);
CALL atrium.protect('atrium.prompt_versions');
GRANT SELECT, INSERT ON atrium.prompt_versions TO atrium_app;

-- Where a label points and has pointed: the highest revision counts.
CREATE TABLE atrium.prompt_labels (
    tenant_id   uuid NOT NULL,
    prompt_id   uuid NOT NULL,
    label       text NOT NULL CHECK (label ~ '^[a-z][a-z0-9._-]{0,63}$' AND label <> 'latest'),
    revision    integer NOT NULL CHECK (revision >= 1),
    variants    jsonb NOT NULL CHECK (jsonb_typeof(variants) = 'array'),   -- [{version, weight}]
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, prompt_id, label, revision),
    FOREIGN KEY (tenant_id, prompt_id) REFERENCES atrium.prompts (tenant_id, id) ON DELETE CASCADE
);
CALL atrium.protect('atrium.prompt_labels');
GRANT SELECT, INSERT ON atrium.prompt_labels TO atrium_app;

CREATE TABLE atrium.llm_defaults (
    tenant_id   uuid NOT NULL REFERENCES atrium.tenants ON DELETE CASCADE,
    type        text NOT NULL CHECK (type IN ('chat', 'rag_answer', 'summary', 'project_draft', 'extraction', 'copilot', 'refine')),
    model       text,                                            -- null: the deployment's
    parameters  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    updated_by  text NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, type)
);
CALL atrium.protect('atrium.llm_defaults');
GRANT SELECT, INSERT, UPDATE ON atrium.llm_defaults TO atrium_app;

-- The platform's: every tenant reads them, the operator alone writes them, through the functions below. A deleted one stays as a
-- tombstone, because no tenant's audit log tells of it.
CREATE TABLE atrium.platform_prompts (
    id              uuid PRIMARY KEY,
    key             text NOT NULL CHECK (key ~ '^[a-z0-9][a-z0-9._-]{0,99}$'),
    type            text CHECK (type IN ('chat', 'rag_answer', 'summary', 'project_draft', 'extraction', 'copilot', 'refine')),
    description     text NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
    latest_version  integer NOT NULL DEFAULT 1 CHECK (latest_version >= 1),
    created_by      text NOT NULL,                               -- `operator:<key id>`
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    deleted_by      text,
    deleted_at      timestamptz,
    CHECK ((deleted_by IS NULL) = (deleted_at IS NULL))
);
CREATE UNIQUE INDEX platform_prompts_key ON atrium.platform_prompts (key) WHERE deleted_at IS NULL;   -- resolution, GET /prompts
GRANT SELECT ON atrium.platform_prompts TO atrium_app;
GRANT SELECT, INSERT, UPDATE ON atrium.platform_prompts TO atrium_definer;

CREATE TABLE atrium.platform_prompt_versions (
    prompt_id   uuid NOT NULL REFERENCES atrium.platform_prompts,
    version     integer NOT NULL CHECK (version >= 1),
    messages    jsonb NOT NULL CHECK (jsonb_typeof(messages) = 'array'),
    model       text,
    parameters  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    note        text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (prompt_id, version)
);
GRANT SELECT ON atrium.platform_prompt_versions TO atrium_app;
GRANT SELECT, INSERT ON atrium.platform_prompt_versions TO atrium_definer;

CREATE TABLE atrium.platform_prompt_labels (
    prompt_id   uuid NOT NULL REFERENCES atrium.platform_prompts,
    label       text NOT NULL CHECK (label ~ '^[a-z][a-z0-9._-]{0,63}$' AND label <> 'latest'),
    revision    integer NOT NULL CHECK (revision >= 1),
    variants    jsonb NOT NULL CHECK (jsonb_typeof(variants) = 'array'),
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (prompt_id, label, revision)
);
GRANT SELECT ON atrium.platform_prompt_labels TO atrium_app;
GRANT SELECT, INSERT ON atrium.platform_prompt_labels TO atrium_definer;

-- What the one who asks may read, both layers: the tenant's rows are those of row level security.
CREATE VIEW atrium.readable_prompts WITH (security_invoker = true) AS
    SELECT 'tenant'::text AS layer, id, key, type, description, latest_version, created_by, created_at, updated_at FROM atrium.prompts
    UNION ALL
    SELECT 'platform', id, key, type, description, latest_version, created_by, created_at, updated_at
    FROM atrium.platform_prompts WHERE deleted_at IS NULL;
CREATE VIEW atrium.readable_prompt_versions WITH (security_invoker = true) AS
    SELECT prompt_id, version, messages, model, parameters, note, created_by, created_at FROM atrium.prompt_versions
    UNION ALL
    SELECT prompt_id, version, messages, model, parameters, note, created_by, created_at FROM atrium.platform_prompt_versions;
CREATE VIEW atrium.readable_prompt_labels WITH (security_invoker = true) AS
    SELECT prompt_id, label, revision, variants, created_by, created_at FROM atrium.prompt_labels
    UNION ALL
    SELECT prompt_id, label, revision, variants, created_by, created_at FROM atrium.platform_prompt_labels;
GRANT SELECT ON atrium.readable_prompts, atrium.readable_prompt_versions, atrium.readable_prompt_labels TO atrium_app;

SET LOCAL ROLE atrium_definer;

-- A new platform prompt and its first version; false, and nothing made, when the key is taken.
CREATE FUNCTION atrium.platform_prompt_create(
    operator text, proof bytea, prompt uuid, name text, kind text, about text, content jsonb, chosen text, settings jsonb, remark text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    author text := acting_operator(operator, proof);
BEGIN
    INSERT INTO platform_prompts (id, key, type, description, created_by) VALUES (prompt, name, kind, about, author)
    ON CONFLICT (key) WHERE deleted_at IS NULL DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO platform_prompt_versions (prompt_id, version, messages, model, parameters, note, created_by)
    VALUES (prompt, 1, content, chosen, settings, remark, author);
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION atrium.platform_prompt_create(text, bytea, uuid, text, text, text, jsonb, text, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.platform_prompt_create(text, bytea, uuid, text, text, text, jsonb, text, jsonb, text) TO atrium_app;

-- The next version of a platform prompt; null where there is none. A null description stays what it was.
CREATE FUNCTION atrium.platform_prompt_add(
    operator text, proof bytea, prompt uuid, about text, content jsonb, chosen text, settings jsonb, remark text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    author text := acting_operator(operator, proof);
    made   integer;
BEGIN
    UPDATE platform_prompts p
       SET latest_version = p.latest_version + 1, description = coalesce(about, p.description), updated_at = now()
     WHERE p.id = prompt AND p.deleted_at IS NULL RETURNING p.latest_version INTO made;
    IF made IS NOT NULL THEN
        INSERT INTO platform_prompt_versions (prompt_id, version, messages, model, parameters, note, created_by)
        VALUES (prompt, made, content, chosen, settings, remark, author);
    END IF;
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION atrium.platform_prompt_add(text, bytea, uuid, text, jsonb, text, jsonb, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.platform_prompt_add(text, bytea, uuid, text, jsonb, text, jsonb, text) TO atrium_app;

-- Points a label of a platform prompt; its new revision, null where there is no such prompt.
CREATE FUNCTION atrium.platform_prompt_point(operator text, proof bytea, prompt uuid, name text, targets jsonb) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    author text := acting_operator(operator, proof);
    made   integer;
BEGIN
    PERFORM FROM platform_prompts p WHERE p.id = prompt AND p.deleted_at IS NULL FOR UPDATE;
    IF FOUND THEN
        INSERT INTO platform_prompt_labels AS l (prompt_id, label, revision, variants, created_by)
        SELECT prompt, name, coalesce(max(o.revision), 0) + 1, targets, author
          FROM platform_prompt_labels o WHERE o.prompt_id = prompt AND o.label = name
        RETURNING l.revision INTO made;
    END IF;
    RETURN made;
END
$$;
REVOKE ALL ON FUNCTION atrium.platform_prompt_point(text, bytea, uuid, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.platform_prompt_point(text, bytea, uuid, text, jsonb) TO atrium_app;

-- Takes a platform prompt away; false where there is none.
CREATE FUNCTION atrium.platform_prompt_delete(operator text, proof bytea, prompt uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = atrium, public, pg_temp AS $$
DECLARE
    author text := acting_operator(operator, proof);
BEGIN
    UPDATE platform_prompts p SET deleted_by = author, deleted_at = now() WHERE p.id = prompt AND p.deleted_at IS NULL;
    RETURN FOUND;
END
$$;
REVOKE ALL ON FUNCTION atrium.platform_prompt_delete(text, bytea, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION atrium.platform_prompt_delete(text, bytea, uuid) TO atrium_app;
RESET ROLE;
