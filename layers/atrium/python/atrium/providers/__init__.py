"""Chat and embedding providers behind two small interfaces (`ChatModel`, `Embedder`). SDKs load on first use."""
