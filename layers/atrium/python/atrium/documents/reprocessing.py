"""Processing the same bytes again: after a failure, with a password, cut in another way."""

from dataclasses import dataclass, field
from uuid import UUID

from atrium.audit import record
from atrium.db import Transaction
from atrium.documents import repository
from atrium.documents.chunking import ChunkingOptions
from atrium.documents.ingestion.turns import Turns
from atrium.documents.models import STUCK_SECONDS, Document, Source, Status
from atrium.documents.parts import Parts
from atrium.documents.passwords import Passwords
from atrium.kernel.errors import Conflict, NotFound
from atrium.kernel.principal import Principal


@dataclass(frozen=True, slots=True)
class Again:
    """How: `password` opens an encrypted file, `chunking` stands for this version in place of its collection's."""

    password: str | None = field(default=None, repr=False)
    chunking: ChunkingOptions | None = None


class ReprocessingService:
    """Gives one tenant's documents another attempt, or another version."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._storage = parts.storage
        self._turns = Turns(parts.database, parts.pipeline, parts.settings.ingest_in_flight)
        self._passwords = Passwords(parts.database, parts.keyring)

    async def reprocess(
        self, principal: Principal, document_id: UUID, how: Again, *, idle: float = STUCK_SECONDS, request_id: str = ""
    ) -> Document:
        """Process the latest version's bytes again, as soon as it is the document's turn.

        A version that failed, or that nothing touched for `idle` seconds, gets another attempt; what was embedded before is
        used again. One that is ready becomes the next version, and serves until that is ready.
        `Conflict` while it is being processed, and when there are no bytes.
        """
        async with self._database.transaction(principal) as tx:
            current = await repository.get(tx, document_id)
        await self._check_bytes(current)
        sealer = await self._passwords.sealer(how.password)
        async with self._database.transaction(principal) as tx:
            document = await self._ask(tx, document_id, how, idle)
            if how.password is not None:  # a stuck attempt may have left one, perhaps the wrong one
                await repository.forget_password(tx, document)
            await self._passwords.keep(tx, document, how.password, sealer)
            detail = {"version": document.version.number}
            await record(
                tx, action="document.reprocessed", target=f"document:{document_id}", detail=detail, request_id=request_id
            )
            dues = await self._turns.take(tx)
            document = await repository.get(tx, document_id)
        await self._turns.start(principal.tenant_id, dues)
        return document

    async def _ask(self, tx: Transaction, document_id: UUID, how: Again, idle: float) -> Document:
        """The version that waits for another attempt from now on."""
        locked = await repository.lock(tx, document_id)
        if locked is None or locked.deleted:
            raise NotFound("There is no such document.")
        chunking = None if how.chunking is None else how.chunking.to_json()
        if locked.version.status is Status.READY:
            return await repository.copy_version(tx, locked, chunking)
        if not await repository.retry_version(tx, locked, idle, chunking):
            raise Conflict("The document is being processed, or waits its turn.")
        return await repository.get(tx, document_id)

    async def _check_bytes(self, document: Document) -> None:
        """Uploads that failed on their way, or never came, left nothing to process."""
        version = document.version
        if version.source is Source.API and version.status is not Status.READY:
            try:
                await self._storage.head(version.object_key, version.object_version_id or None)
            except NotFound as error:
                raise Conflict("The file was never stored: send it again.") from error
