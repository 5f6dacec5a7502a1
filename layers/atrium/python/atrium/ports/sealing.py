"""Tenants' secrets at rest: AES-256-GCM under the keyring's data keys, bound to the row they are of.

A sealed value is a format byte, the kid's length, the kid, a nonce of 12 bytes and the ciphertext with its tag. What it is
bound to (tenant, table, id) is authenticated and not stored: copied into another row it does not open.
"""

import secrets
from typing import Final
from uuid import UUID

from atrium.kernel.errors import Unavailable
from atrium.ports.keyring import Key, KeyringSource

_FORMAT: Final = 1
_NONCE_BYTES: Final = 12


class Sealer:
    """Seals with the newest key and opens with all. Pure: the keys are there already, so it may work inside a transaction."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self._keys = keys

    @classmethod
    async def of(cls, keyring: KeyringSource) -> "Sealer":
        """With the keyring as it is now. `Unavailable` when it cannot be read."""
        return cls((await keyring.get()).data)

    def seal(self, plain: bytes, *, tenant_id: UUID, table: str, id: str) -> bytes:  # noqa: A002  the row's own word
        """The secret of one row, unreadable."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        newest, nonce = self._keys[0], secrets.token_bytes(_NONCE_BYTES)
        kid = newest.kid.encode()
        sealed = AESGCM(newest.key).encrypt(nonce, plain, _bound_to(tenant_id, table, id))
        return bytes([_FORMAT, len(kid)]) + kid + nonce + sealed

    def open(self, sealed: bytes, *, tenant_id: UUID, table: str, id: str) -> bytes:  # noqa: A002  the row's own word
        """What was sealed for that row. `Unavailable` when no key here opens it: a newer key, or damage."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        kid, nonce, body = _parts(sealed)
        for each in self._keys:
            if each.kid.encode() == kid:
                try:
                    return AESGCM(each.key).decrypt(nonce, body, _bound_to(tenant_id, table, id))
                except InvalidTag as error:
                    raise Unavailable("A sealed secret is damaged, or not of this row.") from error
        raise Unavailable("A sealed secret's key is not in the keyring.")


def _bound_to(tenant_id: UUID, table: str, row: str) -> bytes:
    return f"{tenant_id}|{table}|{row}".encode()


def _parts(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    if len(sealed) < 2 or sealed[0] != _FORMAT or len(sealed) < 2 + sealed[1] + _NONCE_BYTES:  # noqa: PLR2004  format, length
        raise Unavailable("A sealed secret cannot be read.")
    end = 2 + sealed[1]
    return sealed[2:end], sealed[end : end + _NONCE_BYTES], sealed[end + _NONCE_BYTES :]
