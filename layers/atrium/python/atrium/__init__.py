"""Atrium: tenants, documents, retrieval and answers with verified citations, on Lambda and Postgres."""
