"""What people do with collections."""

from dataclasses import replace
from typing import Any, Final

from atrium.audit import record
from atrium.db import Transaction
from atrium.documents import repository as documents
from atrium.documents.chunking import ChunkingOptions
from atrium.documents.collections import repository
from atrium.documents.collections.models import Collection, CollectionChange, NewCollection
from atrium.documents.deletion import Deletions
from atrium.documents.metadata import merged
from atrium.documents.models import DEFAULT_COLLECTION, Document
from atrium.documents.parts import Parts
from atrium.kernel.budget import Budget
from atrium.kernel.errors import Conflict, FieldError, InvalidFields, NotFound, Unavailable
from atrium.kernel.principal import Principal
from atrium.retrieval.store import PostgresVectorStore, VectorStore, get_space

# Documents that one transaction of a collection's deletion buries.
_AT_ONCE: Final = 50


class CollectionService:
    """One tenant's collections. `default` is always there. Errors: `NotFound` for another tenant's as for an absent one."""

    def __init__(self, parts: Parts, store: VectorStore | None = None) -> None:
        self._database = parts.database
        self._model = parts.settings.embedding_model
        self._deletions = Deletions(parts.database, parts.storage, store or PostgresVectorStore())

    async def list_page(self, principal: Principal, *, after: str | None = None, limit: int = 50) -> list[Collection]:
        """The tenant's collections by name, after a name."""
        async with self._database.transaction(principal) as tx:
            return await repository.list_page(tx, self._model, after, limit)

    async def get(self, principal: Principal, name: str) -> Collection:
        """One collection."""
        async with self._database.transaction(principal) as tx:
            return await repository.get(tx, name, self._model)

    async def create(self, principal: Principal, new: NewCollection, *, request_id: str = "") -> Collection:
        """A collection without documents. `Conflict` when there is one of the name; `InvalidFields` for an unknown model."""
        model = new.embedding_model or self._model
        async with self._database.transaction(principal) as tx:
            await _check_model(tx, model)
            if new.name == DEFAULT_COLLECTION or not await repository.insert(tx, new, model):
                raise Conflict("There is a collection of this name.")
            await _audit(tx, "collection.created", new.name, request_id, {"embedding_model": model})
            return await repository.get(tx, new.name, self._model)

    async def change(self, principal: Principal, name: str, change: CollectionChange, *, request_id: str = "") -> Collection:
        """Change how later versions are cut and what new documents begin with; of an empty collection the model.

        `Conflict` for another model while there are documents, `InvalidFields` for values that cannot be.
        """
        async with self._database.transaction(principal) as tx:
            if name == DEFAULT_COLLECTION:
                await repository.ensure(tx, name, self._model)
            if not await repository.hold(tx, name):
                raise NotFound("There is no such collection.")
            before = await repository.get(tx, name, self._model)
            after = _changed(before, change)
            if after.embedding_model != before.embedding_model:
                await _check_model(tx, after.embedding_model)
                if before.document_count:
                    raise Conflict("The model of a collection that has documents cannot be changed.")
            await repository.update(tx, after)
            fields = [field for field in CollectionChange.__slots__ if getattr(change, field) is not None]
            await _audit(tx, "collection.changed", name, request_id, {"changed": fields})
            return await repository.get(tx, name, self._model)

    async def delete(
        self, principal: Principal, name: str, budget: Budget, *, with_documents: bool = False, request_id: str = ""
    ) -> None:
        """Delete the collection; `with_documents` also whatever is in it, as if each had been deleted.

        `Conflict` for `default`, and for one with documents unless `with_documents`. `Unavailable` when there are more documents
        than fit into `budget`: repeat it to go on.
        """
        if name == DEFAULT_COLLECTION:
            raise Conflict("The collection default is always there.")
        buried: list[Document] = []
        while (some := await self._bury_some(principal, name, with_documents=with_documents, request_id=request_id)) is not None:
            buried += some
            if budget.spent:
                raise Unavailable("The collection has very many documents. Repeat the request to go on.")
        for document in buried:
            if budget.spent:
                return  # housekeeping removes the objects of the others
            await self._deletions.clear(principal, document)

    async def _bury_some(
        self, principal: Principal, name: str, *, with_documents: bool, request_id: str
    ) -> list[Document] | None:
        """Bury some of its documents; None when it had none any more, and is deleted."""
        async with self._database.transaction(principal) as tx:
            if not await repository.hold(tx, name):
                raise NotFound("There is no such collection.")
            ids = await repository.some_documents(tx, name, _AT_ONCE)
            if ids and not with_documents:
                raise Conflict("The collection has documents. Delete them first, or with it: ?documents=delete.")
            found = [await documents.lock(tx, document_id) for document_id in ids]
            living = [each for each in found if each is not None and not each.deleted and each.collection == name]
            for document in living:
                await self._deletions.bury(tx, document, request_id=request_id)
            if ids:
                return living
            await repository.delete(tx, name)
            await _audit(tx, "collection.deleted", name, request_id, {})
        return None


def _changed(collection: Collection, change: CollectionChange) -> Collection:
    chunking = collection.chunking
    if change.chunking is not None:
        chunking = ChunkingOptions.parse(chunking.to_json() | change.chunking)
    return replace(
        collection,
        chunking=chunking,
        embedding_model=change.embedding_model or collection.embedding_model,
        metadata=merged(collection.metadata, change.metadata),
    )


async def _check_model(tx: Transaction, model: str) -> None:
    """The model must have its space, which `migrate` makes."""
    try:
        await get_space(tx, model)
    except NotFound as error:
        raise InvalidFields((FieldError("/embedding_model", "is no embedding model of this deployment"),)) from error


async def _audit(tx: Transaction, action: str, name: str, request_id: str, detail: dict[str, Any]) -> None:
    await record(tx, action=action, target=f"collection:{name}", detail=detail, request_id=request_id)
