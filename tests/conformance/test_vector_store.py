"""The store that is in the box is a vector store."""

from atrium.retrieval.store import PostgresVectorStore, VectorStore
from tests.conformance.suites.vector_store import VectorStoreSuite


class TestPostgresVectorStore(VectorStoreSuite):
    def make(self) -> VectorStore:
        return PostgresVectorStore()
