"""Reading an object piece by piece: its bytes are counted and hashed on the way, whatever anybody said of them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from atrium.documents.parsing.failures import FailureKind, failed
from atrium.ports.storage import ObjectStorage


@dataclass(frozen=True, slots=True)
class Digest:
    """How many bytes there were, and their SHA-256."""

    size: int
    sha256: bytes = field(repr=False)


async def digest(storage: ObjectStorage, key: str, version_id: str | None, limit: int) -> Digest:
    """An object's digest. `NotFound`; `IngestionFailed` as soon as there are more than `limit` bytes."""
    return await _count(storage.read(key, version_id), limit, None)


async def fetch(storage: ObjectStorage, key: str, version_id: str | None, limit: int, target: Path) -> Digest:
    """Write an object to `target`; errors as `digest` has them."""
    return await _count(storage.read(key, version_id), limit, target)


async def _count(pieces: AsyncIterator[bytes], limit: int, target: Path | None) -> Digest:
    size, running = 0, hashlib.sha256()
    if target is not None:
        await asyncio.to_thread(target.touch)
    async for piece in pieces:
        size += len(piece)
        if size > limit:
            raise failed(FailureKind.TOO_LARGE, f"The file is larger than {limit:,} bytes.")
        await asyncio.to_thread(running.update, piece)
        if target is not None:
            await asyncio.to_thread(_append, target, piece)
    return Digest(size, running.digest())


def _append(target: Path, piece: bytes) -> None:
    with target.open("ab") as file:
        file.write(piece)
