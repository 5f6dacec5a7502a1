"""The collections' rows. Every function runs inside the caller's transaction and sees one tenant."""

from typing import Any
from uuid import UUID

from atrium.db import Transaction, load_queries
from atrium.documents.chunking import ChunkingOptions
from atrium.documents.collections.models import Collection, NewCollection
from atrium.kernel.errors import Conflict, NotFound

_queries = load_queries(__package__)


async def get(tx: Transaction, name: str, model: str) -> Collection:
    """The collection; `model` is that of `default` as long as it has no row. `NotFound`."""
    row = await tx.fetch_one(_queries.find_collection, **_key(tx, name), model=model)
    if row is None:
        raise NotFound("There is no such collection.")
    return Collection.from_row(row)


async def list_page(tx: Transaction, model: str, after: str | None, limit: int) -> list[Collection]:
    """Collections by name, after a name."""
    rows = await tx.fetch_all(_queries.list_collections, tenant_id=tx.principal.tenant_id, model=model, after=after, limit=limit)
    return [Collection.from_row(row) for row in rows]


async def insert(tx: Transaction, new: NewCollection, model: str) -> bool:
    """A collection for `model`; False when the name is taken."""
    inserted = await tx.execute(
        _queries.insert_collection, **_key(tx, new.name), chunking=new.chunking.to_json(), model=model, metadata=new.metadata
    )
    return inserted == 1


async def ensure(tx: Transaction, name: str, model: str) -> None:
    """Make the collection where there is none; nothing is locked, as `hold` comes next."""
    await tx.execute(_queries.insert_collection, **_key(tx, name), chunking={}, model=model, metadata={})


async def enter(tx: Transaction, name: str, model: str) -> None:
    """Keep the collection as it is until the transaction ends, as a document comes into it; make it where there is none."""
    for _ in range(2):
        if await tx.fetch_one(_queries.share_collection, **_key(tx, name)) is not None:
            return
        await ensure(tx, name, model)
    if await tx.fetch_one(_queries.share_collection, **_key(tx, name)) is None:
        raise Conflict("The collection is being deleted: try it again.")


async def way(tx: Transaction, name: str) -> tuple[str, ChunkingOptions]:
    """The embedding model and the chunking of a collection that has a row."""
    row = await tx.fetch_one(_queries.find_way, **_key(tx, name))
    if row is None:
        raise NotFound("There is no such collection.")
    return row["embedding_model"], ChunkingOptions.parse(row["chunking"])


async def hold(tx: Transaction, name: str) -> bool:
    """Let nothing come into the collection until the transaction ends; False where it has no row."""
    return await tx.fetch_one(_queries.hold_collection, **_key(tx, name)) is not None


async def update(tx: Transaction, collection: Collection) -> None:
    """Write what may change of it."""
    await tx.execute(
        _queries.update_collection,
        **_key(tx, collection.name), chunking=collection.chunking.to_json(), model=collection.embedding_model,
        metadata=collection.metadata,
    )  # fmt: skip


async def delete(tx: Transaction, name: str) -> None:
    """Take its row away."""
    await tx.execute(_queries.delete_collection, **_key(tx, name))


async def some_documents(tx: Transaction, name: str, limit: int) -> list[UUID]:
    """Up to `limit` of the documents in it."""
    rows = await tx.fetch_all(_queries.some_documents, **_key(tx, name), limit=limit)
    return [row["id"] for row in rows]


def _key(tx: Transaction, name: str) -> dict[str, Any]:
    return {"tenant_id": tx.principal.tenant_id, "name": name}
