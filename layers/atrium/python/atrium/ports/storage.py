"""Objects by key in one bucket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a store says of an object. `size` in bytes; `version_id` is empty where the bucket keeps no versions."""

    key: str
    size: int
    version_id: str
    content_type: str


class ObjectStorage(Protocol):
    """Errors: `NotFound` for an absent key, `Unavailable` when the store cannot be reached."""

    async def put(self, key: str, data: bytes, *, content_type: str, metadata: dict[str, str] | None = None) -> StoredObject:
        """Write the whole object and return what is stored; the last writer wins, versions are kept."""
        ...

    async def get(self, key: str, version_id: str | None = None) -> bytes:
        """The whole object in memory; callers bound the size by `head` first."""
        ...

    async def head(self, key: str, version_id: str | None = None) -> StoredObject:
        """What is stored under the key, without its bytes."""
        ...

    async def exists(self, key: str) -> bool:
        """Whether the key holds an object."""
        ...

    def list(self, prefix: str) -> AsyncIterator[str]:
        """The keys under a prefix, in order."""
        ...

    async def delete(self, key: str) -> None:
        """Delete every version of the key; an absent key is no error."""
        ...

    async def presign_get(self, key: str, *, filename: str, content_type: str, version_id: str | None = None, expires_in: int = 300) -> str:
        """A URL that downloads the object as an attachment for `expires_in` seconds, signed for the client-visible origin."""
        ...
