-- name: find_chat_model
-- The model that answers where a request names none.
SELECT settings ->> 'chat_model' AS chat_model FROM atrium.tenants WHERE tenant_id = %(tenant_id)s
