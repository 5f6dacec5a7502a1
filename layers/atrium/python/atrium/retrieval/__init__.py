"""Search over a tenant's published chunks: by meaning, by words, by both; and the store that holds them."""
