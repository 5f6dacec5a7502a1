"""Real files that nobody here made; they are not part of the repository, and tests skip where they are absent."""
