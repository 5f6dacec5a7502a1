"""The SDK's client for one provider on OpenAI's wire: its key, and its errors in our words.

Nothing is asked twice here but with a key that was read anew: retries are the caller's (atrium.gateway.routing).
"""

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, Any, Final

from atrium.kernel.errors import (
    InvalidInput,
    NotFound,
    ProviderError,
    ProviderNotConfigured,
    ProviderRefused,
    ProviderUnavailable,
)
from atrium.providers.catalogue import Provider
from atrium.providers.credentials import Credentials, CredentialsSource

if TYPE_CHECKING:
    from openai import APIError, APIStatusError, AsyncOpenAI

CONNECT_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 60.0
SERVER_ERROR: Final = 500
_KEY_REFUSED: Final = frozenset({401, 403})
_RETRYABLE: Final = frozenset({408, 409, 429})
# What says, as a code or as a type, that the account is empty; DeepSeek and OpenRouter say it by the status 402.
_NO_QUOTA: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"})
_PAYMENT_REQUIRED: Final = 402
# Codes and types of an error inside a stream that is the request's fault, so that no retry helps.
_REQUESTS_FAULT: Final = frozenset({"invalid_request_error", "invalid_prompt", "context_length_exceeded", "tool_use_failed"})
_IMAGE_FAULTS: Final = (
    "invalid_image",
    "image_",
    "invalid_base64_image",
    "unsupported_image",
    "empty_image",
    "failed_to_download",
)


class Connection:
    """The SDK's client, made on first use and again when the credentials change."""

    def __init__(self, credentials: CredentialsSource, provider: Provider) -> None:
        self.provider: Final = provider
        self._source = credentials
        # A client whose key was replaced may still be streaming: it stays until `close`.
        self._clients: dict[Credentials, AsyncOpenAI] = {}

    async def use[T](self, call: Callable[["AsyncOpenAI"], Awaitable[T]]) -> T:
        """Make the call with the credentials of this moment, once more with fresh ones where these are refused (401, 403).

        `ProviderNotConfigured` when there are none.
        """
        from openai import AuthenticationError, PermissionDeniedError

        credentials = await self._credentials()
        try:
            return await call(self._client(credentials))
        except (AuthenticationError, PermissionDeniedError):
            fresh = await self._credentials(refresh=True)
            if fresh == credentials:
                raise
            return await call(self._client(fresh))

    async def _credentials(self, *, refresh: bool = False) -> Credentials:
        name = self.provider.name
        try:
            return await self._source(name, refresh=refresh)
        except NotFound as exc:
            missing = "address" if self.provider.open else "API key"
            gives = f"; {self.provider.setting} gives it" if self.provider.setting else ""
            raise ProviderNotConfigured(f"The provider {name} has no {missing} in this deployment{gives}") from exc

    def _client(self, credentials: Credentials) -> "AsyncOpenAI":
        if credentials not in self._clients:
            self._clients[credentials] = _client(credentials, self.provider)
        return self._clients[credentials]

    async def close(self) -> None:
        """Close idle connections."""
        while self._clients:
            await self._clients.popitem()[1].close()


def _client(credentials: Credentials, provider: Provider) -> "AsyncOpenAI":
    from openai import AsyncOpenAI, Timeout

    base_url = credentials.base_url or provider.base_url
    if base_url is None:
        raise InvalidInput(f"The secret of the provider {provider.name} has no base_url")
    return AsyncOpenAI(
        # A server without keys ignores it, but the SDK wants one.
        api_key=credentials.api_key or "none",
        base_url=base_url,
        max_retries=0,
        timeout=Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
    )


@contextmanager
def translated(provider: Provider) -> Iterator[None]:
    """The SDK's errors become ours here and nowhere else."""
    import openai

    label = provider.label
    try:
        yield
    except openai.APIStatusError as exc:
        raise _status_error(label, exc) from exc
    except openai.APIResponseValidationError as exc:
        raise ProviderError(f"The answer of {label} cannot be read") from exc
    except (openai.APIConnectionError, TimeoutError) as exc:
        raise ProviderUnavailable(f"{label} cannot be reached, or did not answer in time") from exc
    except openai.APIError as exc:
        raise stream_error(label, _error_object(exc)) from exc
    except (openai.OpenAIError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as exc:
        # The SDK does not check what it is sent: a broken frame shows as a JSON error or a missing attribute.
        raise ProviderError(f"The answer of {label} cannot be read") from exc


def stream_error(label: str, error: Mapping[str, Any]) -> ProviderError:
    """Ours for an error object inside a stream that began well: the provider's own trouble, unless it says otherwise."""
    words = {str(error.get("code")), str(error.get("type"))}
    if words & _NO_QUOTA:
        return _no_quota(label)
    if words & _REQUESTS_FAULT or any(word.startswith(_IMAGE_FAULTS) for word in words):
        return ProviderRefused(f"{label} refused the request: {_message(error)}", 400, error)
    return ProviderUnavailable(f"{label} broke its answer off with an error")


def _status_error(label: str, error: "APIStatusError") -> ProviderError:
    """401 and 403 quote parts of the key, so their text stays behind."""
    status, said = error.status_code, _error_object(error)
    if status in _KEY_REFUSED:
        return ProviderError(f"{label} refused this deployment's API key")
    if status == _PAYMENT_REQUIRED or {str(said.get("code")), str(said.get("type"))} & _NO_QUOTA:
        return _no_quota(label)
    if status in _RETRYABLE or status >= SERVER_ERROR:
        detail = f"{label} is overloaded, failing or limits us (status {status})"
        return ProviderUnavailable(detail, status=status, retry_after=retry_after(error.response.headers))
    return ProviderRefused(f"{label} refused the request (status {status}): {_message(said)}", status, said)


def _no_quota(label: str) -> ProviderError:
    return ProviderError(f"The account at {label} behind this deployment has no quota left")


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


def _error_object(error: "APIError") -> dict[str, Any]:
    return dict(error.body) if isinstance(error.body, dict) else {}


def _message(said: Mapping[str, Any]) -> str:
    return str(said.get("message") or "no reason given")[:300]
