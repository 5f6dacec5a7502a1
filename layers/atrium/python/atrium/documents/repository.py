"""The documents' rows. Every function runs inside the caller's transaction and sees one tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from atrium.db import Transaction, load_queries
from atrium.documents.models import Candidate, Document, DocumentFilter, Stage
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


async def object_keys(tx: Transaction, document_id: UUID) -> dict[int, str]:
    """Version number to the key of the object it came from."""
    rows = await tx.fetch_all(_queries.object_keys, **_key(tx, document_id))
    return {row["version"]: row["object_key"] for row in rows}


async def object_key_in_use(tx: Transaction, object_key: str) -> bool:
    """Whether a living document has a version from that object."""
    row = await tx.fetch_one(_queries.object_key_in_use, tenant_id=tx.principal.tenant_id, object_key=object_key)
    return row is not None


async def begin_attempt(tx: Transaction, document: Document) -> int:
    """The number of the execution that the pending version is to have."""
    row = await tx.fetch_one(_queries.begin_attempt, **_version_key(tx, document))
    return int(row["attempts"]) if row else 1


async def retry_version(tx: Transaction, document: Document, idle: float) -> int | None:
    """Pending again, under the next attempt's number; None for one that is ready or was touched within `idle` seconds."""
    row = await tx.fetch_one(_queries.retry_version, **_version_key(tx, document), idle=idle)
    return int(row["attempts"]) if row else None


async def set_stage(tx: Transaction, document: Document, stage: Stage, progress: float) -> None:
    """What the pipeline does now, and how far it is, from 0 to 1."""
    await tx.execute(_queries.set_stage, **_version_key(tx, document), stage=stage, progress=progress)


async def set_inspection(
    tx: Transaction, document: Document, *, content_type: str, pages: int | None, title: str, sha256: bytes
) -> None:
    """What the file was found to be."""
    await tx.execute(
        _queries.set_inspection, **_version_key(tx, document), content_type=content_type, pages=pages, title=title, sha256=sha256
    )


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


async def bury(tx: Transaction, document: Document) -> bool:
    """Leave a tombstone; False when there is one."""
    return await tx.execute(_queries.bury_document, **_key(tx, document.id)) == 1


def _key(tx: Transaction, document_id: UUID) -> dict[str, object]:
    return {"tenant_id": tx.principal.tenant_id, "id": document_id}


def _version_key(tx: Transaction, document: Document) -> dict[str, object]:
    return {**_key(tx, document.id), "version": document.version.number}
