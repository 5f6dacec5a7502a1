"""Postgres: the pool, tenant transactions, the query loader, the migrator and the schema."""
