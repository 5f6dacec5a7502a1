"""Collections: the folders of a tenant's documents, each with its way of cutting them and its embedding space."""

from atrium.documents.collections.models import Collection, CollectionChange, NewCollection
from atrium.documents.collections.service import CollectionService

__all__ = ["Collection", "CollectionChange", "CollectionService", "NewCollection"]
