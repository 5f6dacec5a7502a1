"""Cursors: a list's sort key, readable by nobody's promise and writable by us alone."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from atrium.kernel.errors import MalformedRequest
from atrium.ports.keyring import Key

_MAC_BYTES: Final = 16


def encode(keys: tuple[Key, ...], context: str, values: tuple[Any, ...]) -> str:
    """The cursor for `values` (str, int, None, datetime, UUID), signed with the newest key and bound to `context`."""
    payload = json.dumps([_to_wire(value) for value in values], separators=(",", ":"), ensure_ascii=False).encode()
    return urlsafe_b64encode(_mac(keys[0], context, payload) + payload).decode().rstrip("=")


def decode(keys: tuple[Key, ...], context: str, cursor: str) -> tuple[Any, ...]:
    """The values again. Raises `MalformedRequest` for anything that `encode` did not make for this context."""
    try:
        blob = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (UnicodeEncodeError, Base64Error, ValueError) as exc:
        raise _tampered() from exc
    mac, payload = blob[:_MAC_BYTES], blob[_MAC_BYTES:]
    # Decoding forgives stray characters; one cursor has one spelling.
    canonical = urlsafe_b64encode(blob).decode().rstrip("=") == cursor
    if not canonical or not any(hmac.compare_digest(mac, _mac(key, context, payload)) for key in keys):
        raise _tampered()
    return tuple(_from_wire(value) for value in json.loads(payload))


def _mac(key: Key, context: str, payload: bytes) -> bytes:
    message = len(context.encode()).to_bytes(4) + context.encode() + payload
    return hmac.digest(key.key, message, sha256)[:_MAC_BYTES]


def _to_wire(value: object) -> object:
    match value:
        case datetime():
            return {"at": value.isoformat()}
        case UUID():
            return {"id": str(value)}
        case None | str() | int():
            return value
    raise TypeError(f"a cursor cannot carry {type(value).__name__}")


def _from_wire(value: object) -> object:
    match value:
        case {"at": moment}:
            return datetime.fromisoformat(str(moment))
        case {"id": identifier}:
            return UUID(str(identifier))
    return value


def _tampered() -> MalformedRequest:
    return MalformedRequest("The cursor is not one of this list's.")
