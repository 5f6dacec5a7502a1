"""The adapter that speaks for a candidate: the deployment's own for its key, another for each key of a tenant."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from atrium.kernel.settings import Settings
from atrium.providers.base import ChatModel, Closable, Embedder
from atrium.providers.credentials import Credentials, CredentialsSource

# Adapters for tenants' own keys that are kept at a time; one that had to go is closed when no call can be on it any more.
_MOST: Final = 64
_LONGEST_CALL: Final = 900


class Platform(Protocol):
    """The deployment's own adapters, by the model's name."""

    @property
    def settings(self) -> Settings:
        """Of these the folder of local models."""
        ...

    async def chat_model(self, name: str) -> ChatModel:
        """The chat model of a name, made once."""
        ...

    async def embedder(self, name: str) -> Embedder:
        """The embedding model of a name, made once."""
        ...


class _Kept[A]:
    """What was made for tenants' keys. When there are many, the least used goes."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[str, Credentials], A] = OrderedDict()
        self._gone: deque[tuple[float, A]] = deque()

    async def get(self, made_for: str, key: Credentials, make: Callable[[], A]) -> A:
        name = (made_for, key)
        if name not in self._made:
            # An SDK's client takes its time to be made.
            made = await asyncio.to_thread(make)
            self._made.setdefault(name, made)
        self._made.move_to_end(name)
        found = self._made[name]
        while len(self._made) > _MOST:
            self._gone.append((time.monotonic(), self._made.popitem(last=False)[1]))
        while self._gone and time.monotonic() - self._gone[0][0] > _LONGEST_CALL:
            await _close(self._gone.popleft()[1])
        return found

    async def close(self) -> None:
        while self._made:
            await _close(self._made.popitem()[1])
        while self._gone:
            await _close(self._gone.popleft()[1])


class Adapters:
    """Made once a key."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._chats = _Kept[ChatModel]()
        self._embedders = _Kept[Embedder]()

    async def chat(self, model: str, own_key: Credentials | None = None) -> ChatModel:
        """Speaks with the tenant's own key, where there is one."""
        if own_key is None:
            return await self._platform.chat_model(model)
        from atrium.providers import registry

        # A provider's chat models share an adapter.
        provider = model.partition("/")[0]
        return await self._chats.get(provider, own_key, lambda: registry.chat_model(model, credentials=_fixed(own_key)))

    async def embedding(self, model: str, own_key: Credentials | None = None) -> Embedder:
        """Speaks with the tenant's own key, where there is one."""
        if own_key is None:
            return await self._platform.embedder(model)
        from atrium.providers import registry

        folder, source = Path(self._platform.settings.model_dir), _fixed(own_key)
        return await self._embedders.get(model, own_key, lambda: registry.embedder(model, credentials=source, model_dir=folder))

    async def close(self) -> None:
        """Close those for tenants' own keys."""
        await self._chats.close()
        await self._embedders.close()


async def _close(adapter: object) -> None:
    if isinstance(adapter, Closable):
        await adapter.close()


def _fixed(key: Credentials) -> CredentialsSource:
    async def source(provider: str, *, refresh: bool = False) -> Credentials:  # noqa: ARG001  a source is called so
        """A key that is refused stays so until its tenant gives another."""
        return key

    return source
