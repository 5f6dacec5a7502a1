"""The wire contracts of collections."""

from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints

from atrium.documents.chunking import ChunkingOptions
from atrium.documents.collections import Collection, CollectionChange, NewCollection
from atrium.web.schemas import Reply, StrictModel, Timestamp
from functions.documents.schemas import ChunkingIn, Metadata
from functions.documents.schemas import Collection as CollectionName

Model = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class CollectionIn(StrictModel):
    """A collection to make."""

    name: CollectionName
    chunking: ChunkingIn | None = None
    embedding_model: Model | None = Field(default=None, description="`provider/name`; absent: the deployment's.")
    metadata: Metadata | None = Field(default=None, description="What its new documents begin with, under their own.")

    def new(self) -> NewCollection:
        """For the service."""
        options = ChunkingOptions() if self.chunking is None else self.chunking.options()
        return NewCollection(self.name, options, self.embedding_model, self.metadata or {})


class CollectionPatch(StrictModel):
    """What changes; what is absent or null stays."""

    chunking: ChunkingIn | None = Field(default=None, description="Of later versions, and of those that are processed again.")
    embedding_model: Model | None = Field(default=None, description="Only while the collection has no documents.")
    metadata: Metadata | None = Field(default=None, description="Merged key by key, for new documents; a null removes its key.")

    def change(self) -> CollectionChange:
        """For the service."""
        return CollectionChange(None if self.chunking is None else self.chunking.given(), self.embedding_model, self.metadata)


class ChunkingReply(Reply):
    """How documents are cut."""

    mode: str
    max_tokens: int | None
    overlap_tokens: int
    contextual: bool


class CollectionReply(Reply):
    """A collection. `default` is always there."""

    name: str
    chunking: ChunkingReply
    embedding_model: str
    metadata: dict[str, Any]
    document_count: int
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, collection: Collection) -> Self:
        """The wire form."""
        return cls.model_validate(collection)
