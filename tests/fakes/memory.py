"""The ports, in memory: same behaviour, same errors, no network. What a test wants to see is in public attributes."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from atrium.kernel.errors import NotFound, Unavailable
from atrium.ports.queue import QueueDepth
from atrium.ports.storage import PresignedPost, StoredObject


@dataclass
class MemoryStorage:
    """`ObjectStorage` with versions. `down` makes every call fail; `fail_puts` makes the next n writes fail.

    `markers`: keys whose newest entry is a delete marker.
    """

    objects: dict[str, list[tuple[StoredObject, bytes]]] = field(default_factory=dict)
    down: bool = False
    fail_puts: int = 0
    markers: set[str] = field(default_factory=set)
    _versions: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def put(self, key: str, data: bytes, *, content_type: str, metadata: dict[str, str] | None = None) -> StoredObject:
        self._check()
        if self.fail_puts:
            self.fail_puts -= 1
            raise Unavailable("object storage is unavailable")
        stored = StoredObject(key, len(data), f"v{next(self._versions):06d}", content_type)
        self.objects.setdefault(key, []).append((stored, data))
        self.markers.discard(key)
        return stored

    def mark_deleted(self, key: str) -> None:
        """What a user's plain deletion does in a versioned bucket."""
        self.markers.add(key)

    async def get(self, key: str, version_id: str | None = None) -> bytes:
        return self._find(key, version_id)[1]

    async def read(self, key: str, version_id: str | None = None) -> AsyncIterator[bytes]:
        data = await self.get(key, version_id)
        for start in range(0, len(data), 1024 * 1024):
            yield data[start : start + 1024 * 1024]

    async def head(self, key: str, version_id: str | None = None) -> StoredObject:
        return self._find(key, version_id)[0]

    async def exists(self, key: str) -> bool:
        self._check()
        return key in self.objects and key not in self.markers

    async def list(self, prefix: str) -> AsyncIterator[str]:
        self._check()
        for key in sorted(k for k in self.objects if k.startswith(prefix) and k not in self.markers):
            yield key

    async def versions(self, key: str) -> tuple[str, ...]:
        self._check()
        return tuple(stored.version_id for stored, _ in reversed(self.objects.get(key, [])))

    async def delete(self, key: str, version_id: str | None = None) -> None:
        self._check()
        self._keep(key, [] if version_id is None else [e for e in self.objects.get(key, []) if e[0].version_id != version_id])
        if key not in self.objects:
            self.markers.discard(key)

    async def purge(self, prefix: str, *, limit: int = 1000) -> int:
        self._check()
        doomed = [(key, each[0].version_id) for key in self.objects if key.startswith(prefix) for each in self.objects[key]]
        for key, version_id in doomed[:limit]:
            await self.delete(key, version_id)
        markers = {key for key in self.markers if key.startswith(prefix)} if len(doomed) < limit else set()
        self.markers -= markers
        return len(doomed[:limit]) + len(markers)

    def _keep(self, key: str, entries: Sequence[tuple[StoredObject, bytes]]) -> None:
        self.objects[key] = [*entries]
        if not entries:
            del self.objects[key]

    async def presign_get(
        self, key: str, *, filename: str, content_type: str, version_id: str | None = None, expires_in: int = 300
    ) -> str:
        self._check()
        return f"http://127.0.0.1/memory/{key}?versionId={version_id or ''}&filename={filename}&expires={expires_in}"

    async def presign_post(self, key: str, *, content_type: str, sizes: tuple[int, int], expires_in: int) -> PresignedPost:
        self._check()
        fields = {"key": key, "Content-Type": content_type, "policy": f"{sizes[0]}-{sizes[1]}, {expires_in} s"}
        return PresignedPost("http://127.0.0.1/memory", fields)

    def _check(self) -> None:
        if self.down:
            raise Unavailable("object storage is unavailable")

    def _find(self, key: str, version_id: str | None) -> tuple[StoredObject, bytes]:
        self._check()
        if not version_id and key in self.markers:
            raise NotFound(f"no object {key}")
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
    """`Workflow`: `started` maps an execution's name to its input; names in `ended` run no more."""

    started: dict[str, dict[str, object]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    down: bool = False

    async def start(self, name: str, payload: dict[str, object]) -> bool:
        if self.down:
            raise Unavailable("workflow is unavailable")
        self.started.setdefault(name, payload)
        return name not in self.ended


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


@dataclass
class MemoryMail:
    """`Mail` that keeps what it was given. `down` makes every mail fail; `slow` is how many seconds one takes."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)
    down: bool = False
    slow: float = 0

    async def send(self, to: str, subject: str, text: str) -> None:
        await asyncio.sleep(self.slow)
        if self.down:
            raise Unavailable("mail is unavailable")
        self.sent.append((to, subject, text))
