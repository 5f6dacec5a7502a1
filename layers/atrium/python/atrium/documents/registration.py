"""How content becomes a version of a document, whether it was uploaded or dropped, and however many arrive at once."""

from dataclasses import dataclass
from uuid import UUID

from atrium.audit import record
from atrium.db import Transaction
from atrium.documents import outcomes, repository
from atrium.documents.collections import repository as collections
from atrium.documents.ingestion.arrivals import is_later
from atrium.documents.keys import upload_key
from atrium.documents.models import Candidate, Document, Status
from atrium.kernel.clock import now
from atrium.kernel.errors import Conflict
from atrium.kernel.ids import new_id


class StaleWrite(Exception):
    """This write to the object, or a later one, was registered and the document deleted or replaced since."""


@dataclass(frozen=True, slots=True)
class Registration:
    """The document as it stands now. `new`: a version was made for this content; else the latest holds the same bytes."""

    document: Document
    new: bool


async def register(tx: Transaction, candidate: Candidate, document_id: UUID, *, request_id: str = "") -> Registration:
    """A pending version for the candidate: the next of the living document of its name, or the first of a new one.

    `document_id` is the id of a document that has to be made. Content that the latest version holds already makes
    none, nor does a write that was registered before; but nothing holds on to a version that nothing works on any more.
    `StaleWrite` when a later write was registered, or the document deleted since.
    """
    await collections.enter(tx, candidate.collection, candidate.model)
    living = await _living(tx, candidate, document_id)
    # Asked again under the document's lock: the writes to one object may be registered at the same time.
    if candidate.sequencer and await is_stale(tx, candidate.object_key, candidate.sequencer):
        raise StaleWrite
    registered = await _registered(tx, candidate)
    if isinstance(living, UUID):
        if registered:  # as a version of a tombstone, whose object could not be removed yet
            raise StaleWrite
        return await _add_version(tx, candidate, living, 1, request_id)
    if registered or _holds(living, candidate):
        return await _keep(tx, candidate, living)
    if living.version.stuck(now()):
        # Its execution, should it come back, is to find nothing to do.
        await outcomes.mark_failed(tx, living, outcomes.SUPERSEDED, "Nothing worked on it any more when it was sent again.")
    return await _add_version(tx, candidate, living.id, living.latest_version + 1, request_id)


async def is_stale(tx: Transaction, object_key: str, sequencer: str) -> bool:
    """Whether a later write to the object is known, of a tombstone's version too: what was deleted does not come back."""
    return any(is_later(seen, sequencer) for seen in await repository.seen_sequencers(tx, object_key))


async def _registered(tx: Transaction, candidate: Candidate) -> bool:
    return bool(candidate.sequencer) and candidate.sequencer in await repository.seen_sequencers(tx, candidate.object_key)


async def _keep(tx: Transaction, candidate: Candidate, living: Document) -> Registration:
    """No new version; the latest stands for this write too, so that older writes are known to be stale."""
    await repository.set_latest(tx, living.id, living.latest_version, candidate.metadata)
    await _record_write(tx, candidate, living.id)
    if candidate.sequencer and living.version.object_key == candidate.object_key:
        await repository.see_object(
            tx, living, sequencer=candidate.sequencer, object_version_id=candidate.object_version_id, size=candidate.size
        )
    return Registration(await repository.get(tx, living.id), new=False)


async def _living(tx: Transaction, candidate: Candidate, document_id: UUID) -> Document | UUID:
    """The living document of the name, locked, or the id of the one just made.

    Twice: the first id may be taken by a tombstone (a retried request whose document was deleted meanwhile), or the
    living document may be deleted between the two statements.
    """
    for new in (document_id, new_id()):
        if await repository.insert_document(tx, new, candidate):
            return new
        living = await repository.lock_named(tx, candidate.collection, candidate.name)
        if living is not None:
            return living
    raise Conflict("The document is being deleted: send it again.")


def _holds(document: Document, candidate: Candidate) -> bool:
    latest = document.version
    alive = latest.status is not Status.FAILED and not latest.stuck(now())
    return alive and candidate.sha256 is not None and latest.sha256 == candidate.sha256


async def _add_version(tx: Transaction, candidate: Candidate, document_id: UUID, number: int, request_id: str) -> Registration:
    key = candidate.object_key or upload_key(tx.principal.tenant_id, document_id, number, candidate.name, candidate.content_type)
    await repository.insert_version(tx, document_id, number, key, candidate)
    await _record_write(tx, candidate, document_id)
    detail = {"version": number, "name": candidate.name, "collection": candidate.collection, "source": candidate.source}
    await record(tx, action="document.received", target=f"document:{document_id}", detail=detail, request_id=request_id)
    return Registration(await repository.get(tx, document_id), new=True)


async def _record_write(tx: Transaction, candidate: Candidate, document_id: UUID) -> None:
    """Whichever object the version's bytes are read from, older writes to this one are stale from now on."""
    if candidate.sequencer:
        await repository.record_write(
            tx,
            candidate.object_key,
            candidate.sequencer,
            object_version_id=candidate.object_version_id,
            document_id=document_id,
        )
