"""How files come through the API: with the request, or straight into the bucket by a form that is signed here."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from atrium.documents import outcomes, repository
from atrium.documents.models import Candidate, Document, PlannedUpload, Source, Status, Upload
from atrium.documents.naming import planned_type
from atrium.documents.parts import Parts
from atrium.documents.passwords import Passwords
from atrium.documents.registration import Registration, register
from atrium.kernel.clock import now
from atrium.kernel.errors import PayloadTooLarge, Unavailable
from atrium.kernel.principal import Principal
from atrium.ports.storage import PresignedPost

# A slow line sends 100 MB in this time; the form's signature is good for no longer.
UPLOAD_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class PresignedUpload:
    """A pending document and the form that its file is sent with until `expires_at`."""

    document: Document
    post: PresignedPost
    expires_at: datetime


class UploadService:
    """Takes files from one tenant's users and keys."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._storage = parts.storage
        self._settings = parts.settings
        self._passwords = Passwords(parts.database, parts.keyring)

    async def upload(self, principal: Principal, upload: Upload, document_id: UUID, *, request_id: str = "") -> Document:
        """Take the bytes; the pipeline makes them searchable. `document_id` is the id of a document that has to be made.

        The next version where the name is there already; that version itself where it holds the same bytes, unless it failed
        or is stuck.
        `Unavailable` when the bytes could not be stored: the version has failed, sending it again makes another.
        """
        candidate = self._received(principal, upload)
        registration = await self._register(principal, candidate, document_id, upload.password, request_id)
        document = registration.document
        # A pending version whose object is missing was cut off between the commit and the put.
        if registration.new or await self._cut_off(document):
            await self._put(principal, document, upload.data)
        return document

    async def plan(
        self, principal: Principal, planned: PlannedUpload, document_id: UUID, *, request_id: str = ""
    ) -> PresignedUpload:
        """A pending version and the form to send its file with; the file's arrival starts it. Always a new version.

        The form takes one key, one type and a limited size. Used again, it changes nothing; never used, its version fails as
        `upload-expired`. `PayloadTooLarge`, `UnsupportedMediaType` for a file that would not be taken.
        """
        limit = self._settings.document_limit
        if planned.size is not None and planned.size > limit:
            raise PayloadTooLarge(f"A file may have {limit:,} bytes.")
        candidate = self._announced(principal, planned)
        document = await self._again(principal, document_id, candidate)
        if document is None:
            registration = await self._register(principal, candidate, document_id, planned.password, request_id)
            document = registration.document
        sizes = (1, limit) if planned.size is None else (planned.size, planned.size)
        version = document.version
        expires_at = version.upload_expires_at or now()
        seconds = max(1, round((expires_at - now()).total_seconds()))
        post = await self._storage.presign_post(
            version.object_key, content_type=version.content_type, sizes=sizes, expires_in=seconds
        )
        return PresignedUpload(document, post, expires_at)

    def _received(self, principal: Principal, upload: Upload) -> Candidate:
        return Candidate(
            name=upload.name,
            collection=upload.collection,
            source=Source.API,
            content_type=upload.content_type,
            size=len(upload.data),
            sha256=hashlib.sha256(upload.data).digest(),
            created_by=upload.created_by or principal.subject,
            metadata=upload.metadata,
            model=self._settings.embedding_model,
        )

    def _announced(self, principal: Principal, planned: PlannedUpload) -> Candidate:
        return Candidate(
            name=planned.name,
            collection=planned.collection,
            source=Source.API,
            content_type=planned_type(planned.name, planned.content_type),
            size=planned.size or 0,
            sha256=None,
            created_by=planned.created_by or principal.subject,
            metadata=planned.metadata,
            model=self._settings.embedding_model,
            upload_expires_at=now() + timedelta(seconds=UPLOAD_SECONDS),
        )

    async def _register(
        self, principal: Principal, candidate: Candidate, document_id: UUID, password: str | None, request_id: str
    ) -> Registration:
        sealer = await self._passwords.sealer(password)
        async with self._database.transaction(principal) as tx:
            registration = await register(tx, candidate, document_id, request_id=request_id)
            if registration.document.version.unfinished:
                await self._passwords.keep(tx, registration.document, password, sealer)
        return registration

    async def _again(self, principal: Principal, document_id: UUID, candidate: Candidate) -> Document | None:
        """The version that an earlier try of the same request made, if it still waits for its bytes: no second is made."""
        async with self._database.transaction(principal) as tx:
            document = await repository.find(tx, document_id)
        if document is None or document.deleted or document.version.status is not Status.PENDING:
            return None
        version = document.version
        open_still = version.attempts == 0 and version.upload_expires_at is not None and version.upload_expires_at > now()
        return document if open_still and version.content_type == candidate.content_type else None

    async def _cut_off(self, document: Document) -> bool:
        version = document.version
        waiting = version.status is Status.PENDING and version.source is Source.API and not version.waiting
        return waiting and not await self._storage.exists(version.object_key)

    async def _put(self, principal: Principal, document: Document, data: bytes) -> None:
        version = document.version
        try:
            await self._storage.put(version.object_key, data, content_type=version.content_type)
        except Unavailable:
            async with self._database.transaction(principal) as tx:
                await outcomes.mark_failed(tx, document, outcomes.STORAGE_UNAVAILABLE, outcomes.NOT_STORED)
            raise
