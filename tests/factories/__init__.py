"""Makers of what tests start from: databases, tenants, and each domain's own rows in a file beside these."""
