-- name: insert_entry
-- One entry; housekeeping seals entries into the tenant's hash chain later.
INSERT INTO atrium.audit_log (tenant_id, id, actor, action, target, detail, request_id)
VALUES (%(tenant_id)s, %(id)s, %(actor)s, %(action)s, %(target)s, %(detail)s, %(request_id)s);
