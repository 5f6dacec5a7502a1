"""The gateway behind /api/v1/llm."""
