"""The auth area: registration, sessions and API keys."""
