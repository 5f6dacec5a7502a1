"""The four modes are chunkers."""

from atrium.documents.chunking import Chunker, ChunkingOptions, chunker
from tests.conformance.suites.chunker import ChunkerSuite


class TestChunker(ChunkerSuite):
    def make(self, options: ChunkingOptions) -> Chunker:
        return chunker(options)
