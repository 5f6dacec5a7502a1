"""Worker: a document's text becomes chunks, and they vectors."""
