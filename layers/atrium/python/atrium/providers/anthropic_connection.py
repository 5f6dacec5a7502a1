"""The SDK's client for one provider on Anthropic's wire: its key, and its errors in our words."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Final

from atrium.kernel.errors import (
    NotFound,
    ProviderError,
    ProviderNotConfigured,
    ProviderRefused,
    ProviderUnavailable,
)
from atrium.providers.catalogue import Provider
from atrium.providers.credentials import Credentials, CredentialsSource
from atrium.providers.openai_connection import CONNECT_TIMEOUT, READ_TIMEOUT, SERVER_ERROR, retry_after

if TYPE_CHECKING:
    from anthropic import APIStatusError, AsyncAnthropic

_BAD_REQUEST: Final = 400
_PASSING: Final = frozenset({408, 409, 429})
_KEY_REFUSED: Final = frozenset({401, 403})
_UNPAID: Final = 402
# The status that an error frame would have had, were its stream not begun.
_STATUS: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_MESSAGE_LENGTH: Final = 1000


async def load_sdk() -> None:
    """Import the SDK, once a process. It takes two seconds of a processor: other streams go on meanwhile."""
    if "anthropic.resources.messages" not in sys.modules:
        await asyncio.to_thread(import_module, "anthropic.resources.messages")


class Connection:
    """The SDK's client, made on first use and again when the credentials change."""

    def __init__(self, credentials: CredentialsSource, provider: Provider) -> None:
        self.provider: Final = provider
        self._source = credentials
        # A client whose key was replaced may still be streaming: it stays until `close`.
        self._clients: dict[Credentials, AsyncAnthropic] = {}

    async def use[T](self, call: Callable[["AsyncAnthropic"], Awaitable[T]]) -> T:
        """Make the call with the credentials of this moment, once more with fresh ones where these are refused (401, 403)."""
        from anthropic import AuthenticationError, PermissionDeniedError

        credentials = await self._credentials()
        try:
            return await call(self._client(credentials))
        except (AuthenticationError, PermissionDeniedError):
            fresh = await self._credentials(refresh=True)
            if fresh == credentials:
                raise
            return await call(self._client(fresh))

    async def _credentials(self, *, refresh: bool = False) -> Credentials:
        try:
            return await self._source(self.provider.name, refresh=refresh)
        except NotFound as exc:
            gives = f"; {self.provider.setting} gives it" if self.provider.setting else ""
            raise ProviderNotConfigured(f"The provider {self.provider.name} has no API key in this deployment{gives}") from exc

    def _client(self, credentials: Credentials) -> "AsyncAnthropic":
        if credentials not in self._clients:
            self._clients[credentials] = _client(credentials, self.provider)
        return self._clients[credentials]

    async def close(self) -> None:
        """Close idle connections."""
        while self._clients:
            await self._clients.popitem()[1].close()


def _client(credentials: Credentials, provider: Provider) -> "AsyncAnthropic":
    from anthropic import AsyncAnthropic, Timeout

    base_url = credentials.base_url or provider.base_url
    if base_url is None:
        raise ProviderNotConfigured(f"The secret of the provider {provider.name} has no base_url")
    return AsyncAnthropic(
        # A server without keys ignores it, but without one the SDK would look around for others.
        api_key=credentials.api_key or "none",
        # The SDK adds /v1 itself.
        base_url=base_url.removesuffix("/").removesuffix("/v1"),
        max_retries=0,
        timeout=Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
    )


@contextmanager
def translated(provider: Provider) -> Iterator[None]:
    """The SDK's errors become ours here and nowhere else."""
    import anthropic
    import httpx2

    label = provider.label
    try:
        yield
    except anthropic.APIStatusError as exc:
        raise _status_error(label, exc) from exc
    except (anthropic.APIConnectionError, httpx2.HTTPError, TimeoutError) as exc:
        raise ProviderUnavailable(f"{label} cannot be reached, or did not answer in time") from exc
    except (anthropic.AnthropicError, ValueError, TypeError, AttributeError) as exc:
        # The SDK does not check what it is sent: a broken frame shows as a JSON error or a missing attribute.
        raise ProviderError(f"The answer of {label} cannot be read") from exc


def _status_error(label: str, error: "APIStatusError") -> ProviderError:
    status = error.status_code if error.status_code >= _BAD_REQUEST else _STATUS.get(error.type or "", SERVER_ERROR)
    message = (error.api_message or "no reason given")[:_MESSAGE_LENGTH]
    # These quote parts of the key, so their text stays behind.
    if status in _KEY_REFUSED:
        return ProviderError(f"{label} refused this deployment's API key")
    if status == _UNPAID or "credit balance is too low" in message:
        return ProviderError(f"The account at {label} behind this deployment has no credit left")
    if status in _PASSING or status >= SERVER_ERROR:
        detail = f"{label} is overloaded, failing or limits us (status {status})"
        return ProviderUnavailable(detail, status=status, retry_after=retry_after(error.response.headers))
    body = {"message": message, "type": "invalid_request_error", "param": None, "code": _code(error, message)}
    return ProviderRefused(f"{label} refused the request (status {status}): {message}", status, body)


def _code(error: "APIStatusError", message: str) -> str | None:
    """OpenAI's code where it has one for the case."""
    if error.type == "not_found_error":
        return "model_not_found"
    if "prompt is too long" in message:
        return "context_length_exceeded"
    return None if error.type in {None, "invalid_request_error"} else error.type
