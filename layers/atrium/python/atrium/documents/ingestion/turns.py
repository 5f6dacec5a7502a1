"""Whose execution runs: at most so many of a tenant's documents are processed at once, the others wait, the oldest first.

A version that waits is a row and nothing else: no message is held up for it, and other tenants' documents pass. Room is
given when it becomes free (the pipeline's last step), when something arrives, and by a sweep, which mends what was killed
between a commit and a start. An execution's name is its attempt, so that starting it again changes nothing.
"""

from collections.abc import Iterable
from typing import Final

from atrium.db import Database, Transaction
from atrium.documents import repository
from atrium.documents.models import Document, Due
from atrium.kernel.principal import TenantId, worker
from atrium.ports.workflow import Workflow

# An execution's first step begins within seconds, a cold start included; starting it twice is harmless, only work.
UNSTARTED_SECONDS: Final = 10.0


class Turns:
    """`in_flight`: how many executions of one tenant there are at most."""

    def __init__(self, database: Database, pipeline: Workflow, in_flight: int) -> None:
        self._database = database
        self._pipeline = pipeline
        self._in_flight = in_flight

    async def ask(self, tx: Transaction, document: Document) -> list[Due]:
        """A pending version's bytes are there: what is to be started after the transaction; itself only if it is its turn."""
        version = document.version
        if version.attempts > 0 and not version.waiting:  # it had its turn: its message came again
            return [Due(document.id, version.number, version.attempts)]
        await repository.wait_for_turn(tx, document)
        return await self.take(tx)

    async def take(self, tx: Transaction) -> list[Due]:
        """Whose turn it is now: to be started after the transaction."""
        return await repository.take_turns(tx, self._in_flight)

    async def start(self, tenant_id: TenantId, dues: Iterable[Due]) -> None:
        """Start executions, once each. `Unavailable`: those that were not started are found by `start_waiting`."""
        for due in dues:
            payload = {
                "tenant_id": str(tenant_id),
                "document_id": str(due.document_id),
                "version": due.version,
                "attempt": due.attempt,
            }
            if not await self._pipeline.start(f"{due.document_id}-{due.version}-{due.attempt}", payload):
                async with self._database.transaction(worker(tenant_id)) as tx:
                    await repository.wait_again(tx, due)

    async def start_waiting(self, tenant_id: TenantId, *, idle: float = UNSTARTED_SECONDS) -> int:
        """Start whose turn it is, and what had its turn `idle` seconds ago and did not begin; how many those were."""
        async with self._database.transaction(worker(tenant_id)) as tx:
            dues = [*await repository.take_unstarted(tx, idle), *await self.take(tx)]
        await self.start(tenant_id, dues)
        return len(dues)
