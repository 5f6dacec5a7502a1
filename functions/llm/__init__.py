"""The gateway to models: /api/v1/llm; streams when asked to."""
