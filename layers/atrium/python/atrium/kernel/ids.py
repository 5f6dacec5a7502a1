"""Identifiers: UUIDv7 for what is created, UUIDv5 for what must be the same on every retry."""

import secrets
import time
import uuid

# A namespace of our own, so that derived ids never meet anybody else's.
NAMESPACE = uuid.UUID("6f1c3b0e-52f4-5a40-9d0e-0a7a7c1c9d11")


def new_id(unix_ms: int | None = None) -> uuid.UUID:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, 74 random bits, so ids sort by creation time."""
    milliseconds = time.time_ns() // 1_000_000 if unix_ms is None else unix_ms
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return uuid.UUID(int=value)


def derived_id(*parts: object) -> uuid.UUID:
    """The same UUIDv5 for the same parts: what a retried step writes, it writes under the same id."""
    return uuid.uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))


def chunk_id(document_id: uuid.UUID, version: int, ordinal: int) -> uuid.UUID:
    """The id of chunk number `ordinal` (from 0) of a document's version."""
    return derived_id("chunk", document_id, version, ordinal)
