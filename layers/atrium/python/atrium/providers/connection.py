"""What connections of all SDKs share: a client for each key, a second look at a key that was refused, and when to come back."""

import asyncio
import math
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from importlib import import_module
from time import time
from typing import Final, Protocol

from atrium.kernel.errors import NotFound, ProviderNotConfigured, ProviderUnavailable
from atrium.providers.catalogue import Provider
from atrium.providers.credentials import Credentials, CredentialsSource

_UNCONNECTED: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
CONNECT_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 60.0
SERVER_ERROR: Final = 500
PASSING: Final = frozenset({408, 409, 429})
KEY_REFUSED: Final = frozenset({401, 403})
PAYMENT_REQUIRED: Final = 402
_BAD_REQUEST: Final = 400
# At its beginning: further on, a message may quote what a caller wrote.
_OF_THE_KEY: Final = re.compile(r"\s*(?:(?:incorrect|invalid) api.?key|api.?key not valid)", re.IGNORECASE)


class Client(Protocol):
    """An SDK's."""

    async def close(self) -> None:
        """Close its connections."""
        ...


class SdkConnection[C: Client](ABC):
    """An SDK's client, made on first use and again when the credentials change. A subclass says how, and what a refused key is.

    Nothing is asked twice here but with a key that was read anew: retries are the caller's (atrium.gateway.routing).
    """

    def __init__(self, credentials: CredentialsSource, provider: Provider) -> None:
        self.provider: Final = provider
        self._source = credentials
        # A client whose key was replaced may still be streaming: it stays until `close`.
        self._clients: dict[Credentials, C] = {}

    @abstractmethod
    def made(self, credentials: Credentials) -> C:
        """A new client."""

    @abstractmethod
    def refuses_key(self, error: Exception) -> bool:
        """Whether it is the SDK's error for a key that is refused."""

    async def use[T](self, call: Callable[[C], Awaitable[T]]) -> T:
        """Make the call with the credentials of this moment, once more with fresh ones where these are refused.

        `ProviderNotConfigured` when there are none.
        """
        credentials = await self._credentials()
        try:
            return await call(self._client(credentials))
        except Exception as error:
            if not self.refuses_key(error):
                raise
            fresh = await self._credentials(refresh=True)
            if fresh == credentials:
                raise
            return await call(self._client(fresh))

    async def close(self) -> None:
        """Close idle connections."""
        while self._clients:
            await self._clients.popitem()[1].close()

    def address(self, credentials: Credentials) -> str:
        """Where the provider listens."""
        base_url = credentials.base_url or self.provider.base_url
        if base_url is None:
            raise ProviderNotConfigured(f"The secret of the provider {self.provider.name} has no base_url")
        return base_url

    async def _credentials(self, *, refresh: bool = False) -> Credentials:
        name = self.provider.name
        try:
            return await self._source(name, refresh=refresh)
        except NotFound as exc:
            missing = "address" if self.provider.open else "API key"
            gives = f"; {self.provider.setting} gives it" if self.provider.setting else ""
            raise ProviderNotConfigured(f"The provider {name} has no {missing} in this deployment{gives}") from exc

    def _client(self, credentials: Credentials) -> C:
        if credentials not in self._clients:
            self._clients[credentials] = self.made(credentials)
        return self._clients[credentials]


async def imported(modules: tuple[str, ...], deadline: float) -> None:
    """Import an SDK, once a process. It takes a processor a second or two: other streams go on meanwhile.

    ProviderUnavailable at the deadline, on the loop's clock; the import goes on for the next who calls.
    """
    if all(module in sys.modules for module in modules):
        return
    try:
        async with asyncio.timeout_at(deadline):
            for module in modules:
                await asyncio.to_thread(import_module, module)
    except TimeoutError as exc:
        raise ProviderUnavailable("The time was over before the call could go out") from exc


def key_refused(status: int, message: object) -> bool:
    """401 and 403; xAI and Google answer 400, and say so. What they say quotes parts of the key."""
    return status in KEY_REFUSED or (status == _BAD_REQUEST and _OF_THE_KEY.match(str(message)) is not None)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, as `retry-after-ms` or `Retry-After` say it, in a number or as a date; None where they say nothing of use."""
    seconds = _number(headers.get("retry-after-ms"), 1000)
    if seconds is None:
        seconds = _number(headers.get("retry-after"), 1)
    if seconds is None:
        try:
            seconds = parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time()
        except (ValueError, OverflowError, OSError):
            return None
    return max(0.0, seconds)


def _number(text: str | None, per: int) -> float | None:
    try:
        value = float(text or "") / per
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def was_sent(error: BaseException | None) -> bool:
    """Whether a call that failed without an answer may have reached the provider: not where no connection came about."""
    while error is not None:
        # Named, since the SDKs bring HTTP clients of their own.
        if type(error).__name__ in _UNCONNECTED:
            return False
        error = error.__cause__
    return True
