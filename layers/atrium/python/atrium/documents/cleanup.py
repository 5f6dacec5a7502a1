"""Removing a document's objects from the bucket. Everything here can be repeated."""

from typing import Final
from uuid import UUID

from atrium.db import Database
from atrium.documents import repository
from atrium.documents.keys import drop_keys, text_key, upload_prefix, work_prefix
from atrium.documents.models import Document
from atrium.kernel.principal import Principal, TenantId
from atrium.ports.storage import ObjectStorage

_DROP: Final = "drop/"


async def remove_objects(database: Database, storage: ObjectStorage, principal: Principal, document: Document) -> None:
    """Remove everything a deleted document left in the bucket, every version of every object."""
    async with database.transaction(principal) as tx:
        sources = await repository.object_keys(tx, document.id)
        successor = await repository.lock_named(tx, document.collection, document.name)
    keys = {*sources.values(), *drop_keys(principal.tenant_id, document.collection, document.name)}
    for key in sorted(keys):
        # The name may have been dropped again: what lies in the drop folder is then the new document's.
        if successor is None or not key.startswith(_DROP):
            await storage.delete(key)
    for number in sources:
        await storage.delete(text_key(principal.tenant_id, document.id, number))
        await remove_work(storage, principal.tenant_id, document.id, number)


async def remove_work(storage: ObjectStorage, tenant_id: TenantId, document_id: UUID, number: int) -> None:
    """Remove what the pipeline's steps left one another for a version."""
    keys = [key async for key in storage.list(work_prefix(tenant_id, document_id, number))]
    for key in keys:
        await storage.delete(key)


async def remove_remains(storage: ObjectStorage, tenant_id: TenantId, document_id: UUID, number: int) -> None:
    """Remove what a version has in the bucket whose row is gone, but for its file in a drop folder, which has no key of ours."""
    await storage.delete(text_key(tenant_id, document_id, number))
    for prefix in (work_prefix(tenant_id, document_id, number), upload_prefix(tenant_id, document_id, number)):
        while await storage.purge(prefix):
            pass
