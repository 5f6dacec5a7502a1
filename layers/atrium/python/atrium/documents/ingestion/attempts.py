"""An attempt at a version, as its row tells it: whether there is still something to do, how far it is, how it ended."""

from typing import Final

from atrium.db import Database, Transaction
from atrium.documents import outcomes, repository
from atrium.documents.cleanup import remove_objects, remove_remains
from atrium.documents.ingestion.steps import Step
from atrium.documents.models import Document, Stage, Status
from atrium.kernel.errors import NotFound, Unavailable
from atrium.ports.storage import ObjectStorage

MOST_ATTEMPTS: Final = 5  # that nobody asked for
# How far a version is when a stage begins, of 1.
PROGRESS: Final = {
    Stage.INSPECTING: 0.02,
    Stage.EXTRACTING: 0.05,
    Stage.CHUNKING: 0.2,
    Stage.EMBEDDING: 0.25,
    Stage.PUBLISHING: 0.95,
}


def reached(stage: Stage, share: float) -> float:
    """How far a version is when that share of a stage is done; both of 1. For stages that go by pages, or batches."""
    starts = [*PROGRESS.values(), 1.0]
    begins = list(PROGRESS).index(stage)
    return starts[begins] + min(1.0, max(0.0, share)) * (starts[begins + 1] - starts[begins])


class Attempts:
    """The rows that the pipeline's steps read and write, in short transactions."""

    def __init__(self, database: Database, storage: ObjectStorage) -> None:
        self._database = database
        self._storage = storage

    async def begin(self, step: Step, stage: Stage, progress: float | None = None) -> Document | None:
        """The version, now in that stage; None when there is nothing to do any more. `NotFound` without a row.

        `progress` is what `reached` gives; it never goes back within an attempt. Whoever works for long says how far it is: what
        nobody has touched for `STUCK_SECONDS` is given to another attempt.
        Also the last thing a step does that left objects behind: it removes them when the document was deleted meanwhile.
        """
        async with self._database.transaction(step.principal) as tx:
            document = await repository.find(tx, step.document_id, step.version)
            active = document is not None and await self.active(tx, step, document)
            if document is not None and active:
                await repository.set_stage(tx, document, stage, PROGRESS[stage] if progress is None else progress)
        if document is None:
            # The tenant was erased: what this step has just written goes too.
            await remove_remains(self._storage, step.tenant_id, step.document_id)
            raise NotFound("There is no such version.")
        if document.deleted:
            await remove_objects(self._database, self._storage, step.principal, document)
        return document if active else None

    async def active(self, tx: Transaction, step: Step, document: Document) -> bool:
        """Whether this attempt has still something to do; a version that a newer one overtook is ended here."""
        version = document.version
        if document.deleted or not version.unfinished or version.waiting or step.attempt < version.attempts:
            return False
        if document.ready_version is not None and document.ready_version > step.version:
            await outcomes.mark_failed(tx, document, outcomes.SUPERSEDED, "A newer version became ready first.")
            return False
        return True

    async def restart(self, step: Step) -> None:
        """Let the version wait for its next attempt, as this one cannot go on. `Unavailable` after too many."""
        async with self._database.transaction(step.principal) as tx:
            document = await repository.lock(tx, step.document_id, step.version)
            if document is None or not await self.active(tx, step, document):
                return
            if document.version.attempts >= MOST_ATTEMPTS:
                raise Unavailable("What the attempt goes on from is not there.")
            await repository.retry_version(tx, document, 0)

    async def end(self, step: Step) -> bool:
        """The attempt's last word; whether nobody will go on from what the version's steps left one another.

        A failed version may be tried again, and a newer attempt is perhaps at work. A deleted document's version is ended: no
        execution of it runs any more, so it takes no room.
        """
        async with self._database.transaction(step.principal) as tx:
            document = await repository.lock(tx, step.document_id, step.version)
            if document is None:
                return True
            if not document.deleted:
                return document.version.status is Status.READY or document.version.error_type == outcomes.SUPERSEDED
            if step.attempt >= document.version.attempts:
                await repository.end_deleted(tx, document)
            return True

    async def fail(self, step: Step, error_type: str, detail: str) -> None:
        """End the attempt; nothing when it has ended, or its document was deleted."""
        async with self._database.transaction(step.principal) as tx:
            document = await repository.lock(tx, step.document_id, step.version)
            if document is not None and await self.active(tx, step, document):
                await outcomes.mark_failed(tx, document, error_type, detail)
        if document is not None and document.deleted:
            await remove_objects(self._database, self._storage, step.principal, document)
