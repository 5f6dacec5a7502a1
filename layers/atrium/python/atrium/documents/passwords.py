"""The passwords of encrypted files: sealed in the version's row, and there only until its text is extracted."""

from typing import TypedDict
from uuid import UUID

from atrium.db import Database, Transaction
from atrium.documents import repository
from atrium.documents.models import Document
from atrium.kernel.errors import Unavailable
from atrium.kernel.principal import Principal, TenantId
from atrium.ports.keyring import KeyringSource
from atrium.ports.sealing import Sealer

_TABLE = "document_versions"


class _Row(TypedDict):
    tenant_id: UUID
    table: str
    id: str


class Passwords:
    """Keeps and finds them. Reads the keyring only when there is a password."""

    def __init__(self, database: Database, keyring: KeyringSource) -> None:
        self._database = database
        self._keyring = keyring

    async def sealer(self, password: str | None) -> Sealer | None:
        """What `keep` needs, before its transaction begins: the keyring is read over the network."""
        return None if password is None else await Sealer.of(self._keyring)

    async def keep(self, tx: Transaction, document: Document, password: str | None, sealer: Sealer | None) -> None:
        """Keep the version's password until its text is extracted. Nothing happens after that, nor where one is kept already."""
        if password is not None and sealer is not None:
            sealed = sealer.seal(password.encode(), **_row(tx.principal.tenant_id, document))
            await repository.keep_password(tx, document, sealed)

    async def find(self, principal: Principal, document: Document) -> str | None:
        """The version's password, if one was sent. `Unavailable` when no key opens it."""
        async with self._database.transaction(principal) as tx:
            sealed = await repository.find_password(tx, document)
        if sealed is None:
            return None
        row = _row(principal.tenant_id, document)
        try:
            return (await Sealer.of(self._keyring)).open(sealed, **row).decode()
        except Unavailable:  # sealed under a key that is newer than what this process has read
            return Sealer((await self._keyring.get(refresh=True)).data).open(sealed, **row).decode()


def _row(tenant_id: TenantId, document: Document) -> _Row:
    return {"tenant_id": tenant_id, "table": _TABLE, "id": f"{document.id}/{document.version.number}"}
