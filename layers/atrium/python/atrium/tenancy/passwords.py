"""Passwords: argon2id (t=2, 19 MiB, p=1), in a thread, at the same price for users who do not exist."""

import asyncio
import os
import unicodedata
from typing import Final

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 256
_ITERATIONS: Final = 2
_MEMORY_KIB: Final = 19 * 1024
_LANES: Final = 1
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
# No password has this hash; verifying against it takes what verifying against a user's takes.
_NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdCE$" + "A" * 43


async def hash_password(password: str) -> str:
    """The PHC string to store."""
    return await asyncio.to_thread(_hash, password)


async def verify_password(password: str, stored: str | None) -> bool:
    """Whether the password is the stored one's; `stored` None (an unknown user) is never, and takes as long."""
    return await asyncio.to_thread(_verify, password, stored or _NOBODY) and stored is not None


def _hash(password: str) -> str:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    salt = os.urandom(_SALT_BYTES)
    kdf = Argon2id(salt=salt, length=_HASH_BYTES, iterations=_ITERATIONS, lanes=_LANES, memory_cost=_MEMORY_KIB)
    return kdf.derive_phc_encoded(_octets(password))


def _verify(password: str, stored: str) -> bool:
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    try:
        Argon2id.verify_phc_encoded(_octets(password), stored)
    except InvalidKey:
        return False
    return True


def _octets(password: str) -> bytes:
    # The same password typed on two systems may come composed or decomposed (RFC 8265, OpaqueString).
    return unicodedata.normalize("NFC", password).encode()
