"""Atrium: tenants, documents, retrieval and answers with verified citations, on Lambda and Postgres."""

# Of pyproject.toml, which a layer does not carry; a test compares.
__version__ = "0.1.0"
