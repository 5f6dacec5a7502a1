"""Tenants, users, sessions and API keys: who may ask, and how often."""
