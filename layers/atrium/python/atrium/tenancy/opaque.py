"""Opaque tokens: 256 random bits for their holder, their SHA-256 for us. Refresh, invitation and reset tokens are such."""

import secrets
from hashlib import sha256
from typing import Final

_BYTES: Final = 32


def new_token() -> str:
    """A fresh token, 43 characters that need no escaping in a URL."""
    return secrets.token_urlsafe(_BYTES)


def digest(token: str) -> bytes:
    """What is stored of a token, 32 bytes. It needs no salt and no cost: nobody guesses 256 bits."""
    return sha256(token.encode()).digest()
