"""Prompts: the store, and its views by what they are for."""
