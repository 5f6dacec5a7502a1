"""The system area: health, the merged documentation, the public signing keys."""
