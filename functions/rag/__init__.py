"""Search and answers: /api/v1/rag and /api/v1/query; streams when asked to."""
