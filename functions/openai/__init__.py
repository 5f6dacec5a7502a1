"""The OpenAI-compatible door: models, chat completions and embeddings as unmodified OpenAI clients know them."""
