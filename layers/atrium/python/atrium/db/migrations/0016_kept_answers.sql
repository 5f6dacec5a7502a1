-- The oldest of a tenant's kept answers are found without reading the others.
CREATE INDEX kept_answers_oldest ON atrium.kept_answers (tenant_id, kept_at);                    -- drop_oldest_answers
