"""Worker: a document's bytes become the stored text."""
