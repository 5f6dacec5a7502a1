"""Prompts: templates with immutable versions, labels that say which one is served, a tenant's over the platform's."""
