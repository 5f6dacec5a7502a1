"""The ports, in memory: same behaviour, same errors, no network. What a test wants to see is in public attributes."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from atrium.kernel.errors import NotFound, Unavailable
from atrium.ports.queue import QueueDepth
from atrium.ports.storage import StoredObject


@dataclass
class MemoryStorage:
    """`ObjectStorage` with versions. `down` makes every call fail; `fail_puts` makes the next n writes fail."""

    objects: dict[str, list[tuple[StoredObject, bytes]]] = field(default_factory=dict)
    down: bool = False
    fail_puts: int = 0
    _versions: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def put(self, key: str, data: bytes, *, content_type: str, metadata: dict[str, str] | None = None) -> StoredObject:
        self._check()
        if self.fail_puts:
            self.fail_puts -= 1
            raise Unavailable("object storage is unavailable")
        stored = StoredObject(key, len(data), f"v{next(self._versions):06d}", content_type)
        self.objects.setdefault(key, []).append((stored, data))
        return stored

    async def get(self, key: str, version_id: str | None = None) -> bytes:
        return self._find(key, version_id)[1]

    async def head(self, key: str, version_id: str | None = None) -> StoredObject:
        return self._find(key, version_id)[0]

    async def exists(self, key: str) -> bool:
        self._check()
        return key in self.objects

    async def list(self, prefix: str) -> AsyncIterator[str]:
        self._check()
        for key in sorted(k for k in self.objects if k.startswith(prefix)):
            yield key

    async def delete(self, key: str) -> None:
        self._check()
        self.objects.pop(key, None)

    async def purge(self, prefix: str, *, limit: int = 1000) -> int:
        self._check()
        versions = [(key, stored) for key, those in self.objects.items() if key.startswith(prefix) for stored in those]
        for key, stored in versions[:limit]:
            self.objects[key].remove(stored)
            if not self.objects[key]:
                del self.objects[key]
        return len(versions[:limit])

    async def presign_get(
        self, key: str, *, filename: str, content_type: str, version_id: str | None = None, expires_in: int = 300
    ) -> str:
        self._check()
        return f"http://127.0.0.1/memory/{key}?versionId={version_id or ''}&filename={filename}&expires={expires_in}"

    def _check(self) -> None:
        if self.down:
            raise Unavailable("object storage is unavailable")

    def _find(self, key: str, version_id: str | None) -> tuple[StoredObject, bytes]:
        self._check()
        for stored, data in reversed(self.objects.get(key, [])):
            if version_id in {None, "", stored.version_id}:
                return stored, data
        raise NotFound(f"no object {key}")


@dataclass
class MemoryQueue:
    """`Queue`: `sent` holds (body, delay)."""

    sent: list[tuple[str, int]] = field(default_factory=list)
    down: bool = False

    async def send(self, body: str, *, delay: int = 0) -> None:
        await self.reachable()
        self.sent.append((body, delay))

    async def reachable(self) -> None:
        if self.down:
            raise Unavailable("queue is unavailable")

    async def depth(self) -> QueueDepth:
        await self.reachable()
        delayed = sum(delay > 0 for _, delay in self.sent)
        return QueueDepth(len(self.sent) - delayed, 0, delayed)


@dataclass
class MemoryWorkflow:
    """`Workflow`: `started` maps an execution's name to its input."""

    started: dict[str, dict[str, object]] = field(default_factory=dict)
    down: bool = False

    async def start(self, name: str, payload: dict[str, object]) -> bool:
        if self.down:
            raise Unavailable("workflow is unavailable")
        if name in self.started:
            return False
        self.started[name] = payload
        return True


@dataclass
class MemorySecrets:
    """`Secrets`; `reads` counts what was asked for."""

    values: dict[str, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    down: bool = False

    async def get(self, name: str) -> str:
        self._check()
        self.reads.append(name)
        if name not in self.values:
            raise NotFound(f"no secret {name}")
        return self.values[name]

    async def create(self, name: str, value: str) -> bool:
        self._check()
        if name in self.values:
            return False
        self.values[name] = value
        return True

    async def put(self, name: str, value: str) -> None:
        self._check()
        self.values[name] = value

    def _check(self) -> None:
        if self.down:
            raise Unavailable("secret store is unavailable")
