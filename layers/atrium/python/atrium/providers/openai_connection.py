"""The SDK's client for one provider on OpenAI's wire: its key, its retries, and its errors in our words."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from atrium.kernel.errors import InvalidInput, NotFound, ProviderError, ProviderUnavailable
from atrium.providers.catalogue import Provider
from atrium.providers.credentials import Credentials, CredentialsSource

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

CONNECT_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 60.0
# The SDK retries lost connections, 408, 409, 429 and 5xx before the first byte, waiting as Retry-After says. A reader
# waits for a chat, so once; our own timeout bounds all attempts together.
CHAT_RETRIES: Final = 1
SERVER_ERROR: Final = 500


class Connection:
    """The SDK's client, made on first use and again when the credentials change."""

    def __init__(self, credentials: CredentialsSource, provider: Provider) -> None:
        self.provider: Final = provider
        self._source = credentials
        # A client whose key was replaced may still be streaming: it stays until `close`.
        self._clients: dict[Credentials, AsyncOpenAI] = {}

    async def use[T](self, call: Callable[["AsyncOpenAI"], Awaitable[T]]) -> T:
        """Make the call with the credentials of this moment, once more with fresh ones where these are refused (401).

        `InvalidInput` when there are none.
        """
        from openai import AuthenticationError

        credentials = await self._credentials()
        try:
            return await call(self._client(credentials))
        except AuthenticationError:
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
            raise InvalidInput(f"The provider {name} has no {missing} in this deployment") from exc

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
        max_retries=CHAT_RETRIES,
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
    except (openai.APIConnectionError, TimeoutError) as exc:
        raise ProviderUnavailable(f"{label} cannot be reached, or did not answer in time") from exc
    except openai.APIError as exc:
        # An error frame inside a stream that began well: they are the provider's own troubles.
        raise ProviderUnavailable(f"{label} broke its answer off with an error") from exc
    except (openai.OpenAIError, ValueError, TypeError, AttributeError) as exc:
        # The SDK does not check what it is sent: a broken frame shows as a JSON error or a missing attribute.
        raise ProviderError(f"The answer of {label} cannot be read") from exc


def _status_error(label: str, error: "APIStatusError") -> ProviderError:
    """401 and 403 quote parts of the key, so their text stays behind."""
    if error.status_code in {401, 403}:
        return ProviderError(f"{label} refused this deployment's API key")
    if error.code == "insufficient_quota":
        return ProviderError(f"The account at {label} behind this deployment has no quota left")
    if error.status_code in {408, 409, 429} or error.status_code >= SERVER_ERROR:
        return ProviderUnavailable(f"{label} is overloaded, failing or limits us (status {error.status_code})")
    return ProviderError(f"{label} refused the request (status {error.status_code}): {_message(error)}")


def _message(error: "APIStatusError") -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message", "no reason given"))[:300]
