-- Run by `migrate` as the cluster's master (CREATEROLE, no superuser) before any migration; every statement can run again.
-- Roles: atrium_migrator owns the tables; atrium_app logs in the API areas and workers; atrium_relay logs in the relay and
-- the sweeps; atrium_definer owns the SECURITY DEFINER functions and never logs in. None may bypass row level security.

CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA public;

DO $$
DECLARE
    login text;
BEGIN
    FOREACH login IN ARRAY ARRAY['atrium_migrator', 'atrium_app', 'atrium_relay'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', login);
        END IF;
        -- On Aurora the functions log in with IAM tokens; elsewhere this role does not exist.
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN
            EXECUTE format('GRANT rds_iam TO %I', login);
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'atrium_definer') THEN
        CREATE ROLE atrium_definer NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
    EXECUTE format('GRANT CREATE, CONNECT ON DATABASE %I TO atrium_migrator', current_database());
END
$$;

GRANT atrium_definer TO atrium_migrator WITH INHERIT FALSE, SET TRUE;
