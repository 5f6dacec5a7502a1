"""Cuts a document into chunks: exact spans of its stored text, each within the embedding model's window."""

from atrium.documents.chunking.cutting import chunker
from atrium.documents.chunking.models import Chunk, Chunker, embedding_input
from atrium.documents.chunking.options import MAX_TOKENS, MIN_TOKENS, ChunkingOptions, ChunkMode

__all__ = ["MAX_TOKENS", "MIN_TOKENS", "Chunk", "ChunkMode", "Chunker", "ChunkingOptions", "chunker", "embedding_input"]
