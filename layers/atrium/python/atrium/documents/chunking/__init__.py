"""Cuts a document into chunks: exact spans of its stored text, each within the embedding model's window."""

from atrium.documents.chunking.models import Chunk, Chunker, embedding_input
from atrium.documents.chunking.options import MAX_TOKENS, MIN_TOKENS, ChunkingOptions, ChunkMode

__all__ = ["MAX_TOKENS", "MIN_TOKENS", "Chunk", "ChunkMode", "Chunker", "ChunkingOptions", "chunker", "embedding_input"]


def chunker(options: ChunkingOptions) -> Chunker:
    """What cuts as the options say. A deployer's own goes here, beside a mode of its own."""
    # What only reads or stores options does not load what cuts.
    from atrium.documents.chunking.cutting import StructuralChunker

    return StructuralChunker(options)
