-- Reading goes through the `readable_…` views: the tenant's own rows and the platform's; without a tenant the platform's alone.

-- name: find_prompt
-- One prompt.
SELECT layer, id, key, type, description, latest_version, created_by, created_at, updated_at
FROM atrium.readable_prompts WHERE id = %(id)s

-- name: find_by_key
-- The prompts of a key, the tenant's first, each with where the label points.
SELECT p.layer, p.id, p.key, p.type, p.description, p.latest_version, p.created_by, p.created_at, p.updated_at,
       (SELECT l.variants FROM atrium.readable_prompt_labels l
        WHERE l.prompt_id = p.id AND l.label = %(label)s ORDER BY l.revision DESC LIMIT 1) AS variants
FROM atrium.readable_prompts p
WHERE p.key = %(key)s
ORDER BY p.layer DESC

-- name: list_prompts
-- GET /prompts: by key, the tenant's before the platform's.
SELECT layer, id, key, type, description, latest_version, created_by, created_at, updated_at
FROM atrium.readable_prompts
WHERE (%(type)s::text IS NULL OR type = %(type)s) AND (%(key)s::text IS NULL OR key = %(key)s)
  AND (%(layer)s::text IS NULL OR layer = %(layer)s)
  AND (%(after_key)s::text IS NULL OR key > %(after_key)s OR key = %(after_key)s AND layer < %(after_layer)s)
ORDER BY key, layer DESC
LIMIT %(limit)s

-- name: find_version
-- One version.
SELECT version, messages, model, parameters, note, created_by, created_at
FROM atrium.readable_prompt_versions WHERE prompt_id = %(id)s AND version = %(version)s

-- name: list_versions
-- The newest first.
SELECT version, messages, model, parameters, note, created_by, created_at
FROM atrium.readable_prompt_versions
WHERE prompt_id = %(id)s AND (%(before)s::integer IS NULL OR version < %(before)s)
ORDER BY version DESC
LIMIT %(limit)s

-- name: list_labels
-- Where each label points now.
SELECT DISTINCT ON (label) label, revision, variants, created_by, created_at
FROM atrium.readable_prompt_labels WHERE prompt_id = %(id)s
ORDER BY label, revision DESC

-- name: label_history
-- Where a label has pointed, the newest first.
SELECT label, revision, variants, created_by, created_at
FROM atrium.readable_prompt_labels
WHERE prompt_id = %(id)s AND label = %(label)s AND (%(before)s::integer IS NULL OR revision < %(before)s)
ORDER BY revision DESC
LIMIT %(limit)s

-- name: insert_prompt
-- A tenant's prompt; nothing when the key is taken.
INSERT INTO atrium.prompts (tenant_id, id, key, type, description, created_by)
VALUES (%(tenant_id)s, %(id)s, %(key)s, %(type)s, %(description)s, %(by)s)
ON CONFLICT DO NOTHING

-- name: count_prompts
-- How many prompts a tenant has.
SELECT count(*) AS present FROM atrium.prompts WHERE tenant_id = %(tenant_id)s

-- name: count_labels
-- How many labels a tenant's prompt has.
SELECT count(DISTINCT label) AS present FROM atrium.prompt_labels WHERE tenant_id = %(tenant_id)s AND prompt_id = %(id)s

-- name: insert_version
-- A version of a tenant's prompt.
INSERT INTO atrium.prompt_versions (tenant_id, prompt_id, version, messages, model, parameters, note, created_by)
VALUES (%(tenant_id)s, %(id)s, %(version)s, %(messages)s::jsonb, %(model)s, %(parameters)s, %(note)s, %(by)s)

-- name: next_version
-- The number of a tenant's prompt's next version; whoever wants one too waits.
UPDATE atrium.prompts
SET latest_version = latest_version + 1, description = coalesce(%(description)s, description), updated_at = now()
WHERE tenant_id = %(tenant_id)s AND id = %(id)s
RETURNING latest_version AS version

-- name: hold_prompt
-- Nobody else changes a tenant's prompt until the transaction ends.
SELECT id FROM atrium.prompts WHERE tenant_id = %(tenant_id)s AND id = %(id)s FOR UPDATE

-- name: insert_label
-- A tenant's label's next revision.
INSERT INTO atrium.prompt_labels AS l (tenant_id, prompt_id, label, revision, variants, created_by)
SELECT %(tenant_id)s, %(id)s, %(label)s, coalesce(max(o.revision), 0) + 1, %(variants)s::jsonb, %(by)s
FROM atrium.prompt_labels o WHERE o.tenant_id = %(tenant_id)s AND o.prompt_id = %(id)s AND o.label = %(label)s
RETURNING l.revision

-- name: delete_prompt
-- Takes a tenant's prompt away, with its versions and labels.
DELETE FROM atrium.prompts WHERE tenant_id = %(tenant_id)s AND id = %(id)s

-- name: platform_create
-- A platform prompt and its first version; false when the key is taken.
SELECT atrium.platform_prompt_create(%(operator)s, %(proof)s, %(id)s, %(key)s, %(type)s, %(description)s, %(messages)s::jsonb, %(model)s,
                                     %(parameters)s, %(note)s) AS made

-- name: platform_add
-- A platform prompt's next version; null where there is no such prompt.
SELECT atrium.platform_prompt_add(%(operator)s, %(proof)s, %(id)s, %(description)s, %(messages)s::jsonb, %(model)s, %(parameters)s,
                                  %(note)s) AS version

-- name: platform_point
-- A platform prompt's label's next revision; null where there is no such prompt.
SELECT atrium.platform_prompt_point(%(operator)s, %(proof)s, %(id)s, %(label)s, %(variants)s::jsonb) AS revision

-- name: platform_delete
-- Takes a platform prompt away; false where there is none.
SELECT atrium.platform_prompt_delete(%(operator)s, %(proof)s, %(id)s) AS deleted

-- name: find_default
-- What a tenant settled for a type, and its model for all types.
SELECT d.model, d.parameters, t.settings ->> 'chat_model' AS chat_model
FROM atrium.tenants t
LEFT JOIN atrium.llm_defaults d ON d.tenant_id = t.tenant_id AND d.type = %(type)s
WHERE t.tenant_id = %(tenant_id)s

-- name: set_default
-- Settles a type's model and parameters for a tenant.
INSERT INTO atrium.llm_defaults (tenant_id, type, model, parameters, updated_by)
VALUES (%(tenant_id)s, %(type)s, %(model)s, %(parameters)s, %(by)s)
ON CONFLICT (tenant_id, type) DO UPDATE
SET model = excluded.model, parameters = excluded.parameters, updated_by = excluded.updated_by, updated_at = now()
