"""The documents' rows. Every function runs inside the caller's transaction and sees one tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from atrium.db import Transaction, load_queries
from atrium.documents.models import (
    STUCK_SECONDS,
    Candidate,
    Document,
    DocumentFilter,
    Due,
    Source,
    Stage,
    Status,
    VersionSummary,
)
from atrium.documents.parsing.ocr import POOR_CONFIDENCE
from atrium.kernel.errors import NotFound

_queries = load_queries(__package__)


async def tenant_exists(tx: Transaction) -> bool:
    """Whether the transaction's tenant is there."""
    return await tx.fetch_one(_queries.tenant_exists) is not None


async def find(tx: Transaction, document_id: UUID, version: int | None = None) -> Document | None:
    """The document, tombstone or not, with that version or the latest; None when there is none."""
    row = await tx.fetch_one(_queries.find_document, **_key(tx, document_id), version=version)
    return Document.from_row(row) if row else None


async def get(tx: Transaction, document_id: UUID, version: int | None = None) -> Document:
    """The living document. `NotFound` for a tombstone as for an absent one."""
    document = await find(tx, document_id, version)
    if document is None or document.deleted:
        raise NotFound("There is no such document.")
    return document


async def lock(tx: Transaction, document_id: UUID, version: int | None = None) -> Document | None:
    """As `find`, and other writers to the document wait until the transaction ends."""
    await tx.execute(_queries.lock_document, **_key(tx, document_id))
    return await find(tx, document_id, version)


async def lock_named(tx: Transaction, collection: str, name: str) -> Document | None:
    """The living document of that name, locked, with its latest version."""
    row = await tx.fetch_one(_queries.lock_name, tenant_id=tx.principal.tenant_id, collection=collection, name=name)
    return await find(tx, row["id"]) if row else None


async def list_page(tx: Transaction, where: DocumentFilter, after: tuple[datetime, UUID] | None, limit: int) -> list[Document]:
    """Living documents, the newest first, after that creation time and id."""
    after_at, after_id = after or (None, None)
    rows = await tx.fetch_all(
        _queries.list_documents,
        tenant_id=tx.principal.tenant_id, status=where.status, name=where.name, collection=where.collection,
        created_by=where.created_by, metadata=where.metadata, after_at=after_at, after_id=after_id, limit=limit,
    )  # fmt: skip
    return [Document.from_row(row) for row in rows]


async def insert_document(tx: Transaction, document_id: UUID, candidate: Candidate) -> bool:
    """A document of the candidate's name without a version yet; False when the name or the id is taken."""
    inserted = await tx.execute(
        _queries.insert_document,
        **_key(tx, document_id), collection=candidate.collection, name=candidate.name,
        metadata=candidate.metadata or {}, created_by=candidate.created_by,
    )  # fmt: skip
    return inserted == 1


async def insert_version(tx: Transaction, document_id: UUID, number: int, object_key: str, candidate: Candidate) -> None:
    """A pending version, which becomes the document's latest."""
    await tx.execute(
        _queries.insert_version,
        tenant_id=tx.principal.tenant_id, document_id=document_id, version=number, source=candidate.source,
        object_key=object_key, object_version_id=candidate.object_version_id, sequencer=candidate.sequencer,
        content_type=candidate.content_type, size=candidate.size, sha256=candidate.sha256,
        upload_expires_at=candidate.upload_expires_at,
    )  # fmt: skip
    await set_latest(tx, document_id, number, candidate.metadata)


async def set_latest(tx: Transaction, document_id: UUID, number: int, metadata: dict[str, Any] | None) -> None:
    """The document's latest version, and its metadata where given."""
    await tx.execute(_queries.set_latest, **_key(tx, document_id), version=number, metadata=metadata)


async def see_object(tx: Transaction, document: Document, *, sequencer: str, object_version_id: str, size: int) -> None:
    """Record which write to the object the version stands for."""
    await tx.execute(
        _queries.see_object, **_version_key(tx, document), sequencer=sequencer, object_version_id=object_version_id, size=size
    )


async def seen_sequencers(tx: Transaction, object_key: str) -> list[str]:
    """The writes to that object which the tenant's versions stand for, tombstones' too."""
    rows = await tx.fetch_all(_queries.seen_sequencers, tenant_id=tx.principal.tenant_id, object_key=object_key)
    return [row["sequencer"] for row in rows]


async def find_dropped(tx: Transaction, object_key: str) -> UUID | None:
    """The living document whose latest version holds the last write to that object, wherever it is now."""
    row = await tx.fetch_one(_queries.find_dropped, tenant_id=tx.principal.tenant_id, object_key=object_key)
    return None if row is None else row["id"]


async def record_write(
    tx: Transaction, object_key: str, sequencer: str, *, object_version_id: str = "", document_id: UUID | None = None
) -> None:
    """The last write that was seen of a dropped object; without version and document its deletion."""
    await tx.execute(
        _queries.record_write,
        tenant_id=tx.principal.tenant_id, object_key=object_key, sequencer=sequencer, object_version_id=object_version_id,
        id=document_id,
    )  # fmt: skip


async def drop_versions(tx: Transaction, document_id: UUID) -> dict[str, list[str]]:
    """Key to the versions of the dropped objects whose bytes the document holds or held."""
    rows = await tx.fetch_all(_queries.drop_versions, **_key(tx, document_id))
    return {row["object_key"]: row["ids"] for row in rows}


async def served_drop_versions(tx: Transaction, keys: list[str]) -> dict[str, list[str]]:
    """Key to the versions of those dropped objects that living documents hold."""
    rows = await tx.fetch_all(_queries.served_drop_versions, tenant_id=tx.principal.tenant_id, keys=keys)
    return {row["object_key"]: row["ids"] for row in rows}


async def list_versions(tx: Transaction, document_id: UUID, limit: int) -> list[VersionSummary]:
    """The document's history, the newest first."""
    rows = await tx.fetch_all(_queries.list_versions, **_key(tx, document_id), limit=limit)
    return [
        VersionSummary(
            number=row.pop("version"), status=Status(row.pop("status")), source=Source(row.pop("source")), **row
        )
        for row in rows
    ]  # fmt: skip


async def change(tx: Transaction, document_id: UUID, *, name: str, collection: str, metadata: dict[str, Any]) -> None:
    """The document's name, collection and metadata."""
    await tx.execute(_queries.change_document, **_key(tx, document_id), name=name, collection=collection, metadata=metadata)


async def copy_version(tx: Transaction, document: Document, chunking: dict[str, Any] | None) -> Document:
    """The version's bytes once more, as the next version, which waits its turn and becomes the latest."""
    await tx.execute(_queries.copy_version, **_version_key(tx, document), chunking=chunking)
    await set_latest(tx, document.id, document.version.number + 1, None)
    return await get(tx, document.id)


async def retry_version(tx: Transaction, document: Document, idle: float, chunking: dict[str, Any] | None = None) -> bool:
    """The version waits for its next attempt; False for one that is ready, waits, or was touched within `idle` seconds."""
    return await tx.fetch_one(_queries.retry_version, **_version_key(tx, document), idle=idle, chunking=chunking) is not None


async def wait_for_turn(tx: Transaction, document: Document) -> None:
    """The pending version's bytes are there; it waits its turn, since the first call."""
    await tx.execute(_queries.wait_for_turn, **_version_key(tx, document))


async def take_turns(tx: Transaction, cap: int) -> list[Due]:
    """The next attempts of waiting versions, so that at most `cap` of the tenant's are under way. Others wait for this to end."""
    await tx.execute(_queries.lock_turns, tenant_id=str(tx.principal.tenant_id))
    rows = await tx.fetch_all(_queries.take_turns, tenant_id=tx.principal.tenant_id, cap=cap, stuck=STUCK_SECONDS)
    return [Due(**row) for row in rows]


async def take_unstarted(tx: Transaction, idle: float) -> list[Due]:
    """Attempts whose turn came `idle` seconds ago or earlier and that have not begun: perhaps nobody started them."""
    rows = await tx.fetch_all(_queries.take_unstarted, tenant_id=tx.principal.tenant_id, idle=idle)
    return [Due(**row) for row in rows]


async def wait_again(tx: Transaction, due: Due) -> None:
    """The attempt's execution has ended and said nothing: the version waits for another, unless it has gone on meanwhile."""
    await tx.execute(_queries.wait_again, **_key(tx, due.document_id), version=due.version, attempt=due.attempt)


async def stuck_versions(tx: Transaction, idle: float, limit: int) -> list[tuple[UUID, int]]:
    """Started versions that nothing has touched for `idle` seconds, the longest untouched first."""
    rows = await tx.fetch_all(_queries.stuck_versions, tenant_id=tx.principal.tenant_id, idle=idle, limit=limit)
    return [(row["document_id"], row["version"]) for row in rows]


async def missing_uploads(tx: Transaction, late: float, unheard: float, limit: int) -> list[tuple[UUID, int]]:
    """Versions of whose bytes nothing was heard until `late` seconds after their form expired, or `unheard` after their row."""
    rows = await tx.fetch_all(_queries.missing_uploads, tenant_id=tx.principal.tenant_id, late=late, unheard=unheard, limit=limit)
    return [(row["document_id"], row["version"]) for row in rows]


async def keep_password(tx: Transaction, document: Document, sealed: bytes) -> None:
    """Keep a sealed password for the version's extraction; nothing when that has passed, or another is kept."""
    await tx.execute(_queries.keep_password, **_version_key(tx, document), password=sealed)


async def forget_password(tx: Transaction, document: Document) -> None:
    """Forget the version's sealed password."""
    await tx.execute(_queries.forget_password, **_version_key(tx, document))


async def find_password(tx: Transaction, document: Document) -> bytes | None:
    """The version's sealed password, if one was sent and its text is not extracted yet."""
    row = await tx.fetch_one(_queries.find_password, **_version_key(tx, document))
    return None if row is None else bytes(row["password"])


async def set_stage(tx: Transaction, document: Document, stage: Stage, progress: float) -> None:
    """What the pipeline does now, and how far it is, from 0 to 1."""
    await tx.execute(_queries.set_stage, **_version_key(tx, document), stage=stage, progress=progress)


async def set_inspection(
    tx: Transaction, document: Document, *, content_type: str, pages: int | None, title: str, size: int, sha256: bytes
) -> None:
    """What the file was found to be, and its bytes as they were counted."""
    await tx.execute(
        _queries.set_inspection,
        **_version_key(tx, document), content_type=content_type, pages=pages, title=title, size=size, sha256=sha256,
    )  # fmt: skip


async def set_extraction(tx: Transaction, document: Document, *, characters: int, pages: int | None, title: str) -> None:
    """What its text was found to be."""
    await tx.execute(_queries.set_extraction, **_version_key(tx, document), characters=characters, pages=pages, title=title)


async def set_recognition(tx: Transaction, document: Document, confidences: Sequence[tuple[int, float]]) -> None:
    """What OCR read of it: (page, confidence from 0 to 1)."""
    mean = sum(confidence for _, confidence in confidences) / len(confidences) if confidences else None
    poor = [page for page, confidence in confidences if confidence < POOR_CONFIDENCE]
    await tx.execute(
        _queries.set_recognition, **_version_key(tx, document), pages=len(confidences), confidence=mean, poor_pages=poor
    )


async def set_language(tx: Transaction, document: Document, language: str) -> None:
    """Which language the text is in; '' where that cannot be told."""
    await tx.execute(_queries.set_language, **_version_key(tx, document), language=language)


async def set_ready(tx: Transaction, document: Document, chunk_count: int) -> None:
    """The version is published, and search serves it from the transaction's end on."""
    await tx.execute(_queries.set_ready, **_version_key(tx, document), chunk_count=chunk_count)
    await tx.execute(_queries.serve_version, **_key(tx, document.id), version=document.version.number)


async def set_failed(tx: Transaction, document: Document, error_type: str, detail: str) -> bool:
    """The version failed; False when it had ended already."""
    changed = await tx.execute(_queries.set_failed, **_version_key(tx, document), error_type=error_type, error_detail=detail)
    return changed == 1


async def end_deleted(tx: Transaction, document: Document) -> None:
    """No execution works on the deleted document's version any more."""
    await tx.execute(_queries.end_deleted, **_version_key(tx, document))


async def bury(tx: Transaction, document: Document) -> bool:
    """Leave a tombstone, and no answer that may quote the document; False when there is one."""
    await tx.execute(_queries.forget_passwords, **_key(tx, document.id))
    await tx.execute(_queries.forget_answers, tenant_id=tx.principal.tenant_id)
    return await tx.execute(_queries.bury_document, **_key(tx, document.id)) == 1


async def set_objects_removed(tx: Transaction, document_id: UUID) -> None:
    """A tombstone's objects are gone: no sweep has to look at it."""
    await tx.execute(_queries.set_objects_removed, **_key(tx, document_id))


def _key(tx: Transaction, document_id: UUID) -> dict[str, object]:
    return {"tenant_id": tx.principal.tenant_id, "id": document_id}


def _version_key(tx: Transaction, document: Document) -> dict[str, object]:
    return {**_key(tx, document.id), "version": document.version.number}
