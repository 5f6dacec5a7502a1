"""API area: documents."""
