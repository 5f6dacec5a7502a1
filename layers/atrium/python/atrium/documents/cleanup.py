"""Removing a document's objects from the bucket. Everything here can be repeated."""

from collections.abc import Iterable, Sequence
from itertools import dropwhile
from uuid import UUID

from atrium.db import Database
from atrium.documents import repository
from atrium.documents.keys import own_prefixes, work_prefix
from atrium.documents.models import Document
from atrium.kernel.principal import Principal, TenantId
from atrium.ports.storage import ObjectStorage


async def remove_objects(database: Database, storage: ObjectStorage, principal: Principal, document: Document) -> None:
    """Remove everything a deleted document left in the bucket, every version of every object, and record that it is gone."""
    async with database.transaction(principal) as tx:
        dropped = await repository.drop_versions(tx, document.id)
        others = await repository.served_drop_versions(tx, list(dropped))
    for key, known in dropped.items():
        for version_id in doomed(await storage.versions(key), known, others.get(key, ())):
            await storage.delete(key, version_id)
    await remove_remains(storage, principal.tenant_id, document.id)
    async with database.transaction(principal) as tx:
        await repository.set_objects_removed(tx, document.id)


def doomed(stored: Sequence[str], known: Iterable[str], kept: Iterable[str]) -> list[str]:
    """Which versions of a dropped file go with its document, the oldest first; `stored` has the newest first.

    The last write that the document knew of, and all before it: what was written since and not seen yet is another
    document's beginning. Never one that a living document serves. The last known goes last, so that a removal that was cut
    off finds where it stood.
    """
    mine, others = set(known), set(kept)
    old = dropwhile(lambda version_id: version_id not in mine, stored)
    return [version_id for version_id in reversed(list(old)) if version_id not in others]


async def remove_work(storage: ObjectStorage, tenant_id: TenantId, document_id: UUID, number: int) -> None:
    """Remove what the pipeline's steps left one another for a version."""
    await _purge(storage, work_prefix(tenant_id, document_id, number))


async def remove_remains(storage: ObjectStorage, tenant_id: TenantId, document_id: UUID) -> None:
    """Remove what a document has in the bucket whose rows are gone, but for a file in a drop folder, which has no key of ours."""
    for prefix in own_prefixes(tenant_id, document_id):
        await _purge(storage, prefix)


async def _purge(storage: ObjectStorage, prefix: str) -> None:
    while await storage.purge(prefix):
        pass
