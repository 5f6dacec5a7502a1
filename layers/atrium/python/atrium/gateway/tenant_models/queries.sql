-- name: list_overrides
-- What the tenant changed of the catalogue, by model.
SELECT model, enabled, input_price, output_price, cached_price, note, updated_at
FROM atrium.model_overrides WHERE tenant_id = %(tenant_id)s ORDER BY model;

-- name: list_keys
-- The tenant's own provider keys, sealed, by provider.
SELECT provider, sealed, last_four, created_at, updated_at
FROM atrium.provider_keys WHERE tenant_id = %(tenant_id)s ORDER BY provider;

-- name: put_override
-- What holds of one model from now on.
INSERT INTO atrium.model_overrides (tenant_id, model, enabled, input_price, output_price, cached_price, note, updated_by)
VALUES (%(tenant_id)s, %(model)s, %(enabled)s, %(input)s, %(output)s, %(cached)s, %(note)s, %(updated_by)s)
ON CONFLICT (tenant_id, model) DO UPDATE
SET enabled = excluded.enabled, input_price = excluded.input_price, output_price = excluded.output_price,
    cached_price = excluded.cached_price, note = excluded.note, updated_by = excluded.updated_by, updated_at = now();

-- name: delete_override
-- A model is as the catalogue has it again.
DELETE FROM atrium.model_overrides WHERE tenant_id = %(tenant_id)s AND model = %(model)s;

-- name: count_overrides
-- How many models the tenant has changed.
SELECT count(*) AS overrides FROM atrium.model_overrides WHERE tenant_id = %(tenant_id)s;

-- name: put_key
-- The tenant's key of one provider, in the place of the one before.
INSERT INTO atrium.provider_keys (tenant_id, provider, sealed, last_four, updated_by)
VALUES (%(tenant_id)s, %(provider)s, %(sealed)s, %(last_four)s, %(updated_by)s)
ON CONFLICT (tenant_id, provider) DO UPDATE
SET sealed = excluded.sealed, last_four = excluded.last_four, updated_by = excluded.updated_by, updated_at = now()
RETURNING provider, sealed, last_four, created_at, updated_at;

-- name: delete_key
-- The tenant's key of one provider goes.
DELETE FROM atrium.provider_keys WHERE tenant_id = %(tenant_id)s AND provider = %(provider)s;
