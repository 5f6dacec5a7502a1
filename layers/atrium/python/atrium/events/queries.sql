-- name: insert_event
-- The outbox row, in the business transaction.
INSERT INTO atrium.outbox (tenant_id, id, type, subject, payload, created_at)
VALUES (%(tenant_id)s, %(id)s, %(type)s, %(subject)s, %(payload)s, %(created_at)s);
