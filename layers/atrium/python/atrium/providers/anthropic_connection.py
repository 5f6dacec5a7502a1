"""The SDK's client for one provider on Anthropic's wire, and its errors in our words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from atrium.kernel.errors import ProviderError, ProviderRefused, ProviderUnavailable
from atrium.providers.catalogue import Provider
from atrium.providers.connection import (
    CONNECT_TIMEOUT,
    KEY_REFUSED,
    PASSING,
    PAYMENT_REQUIRED,
    READ_TIMEOUT,
    SERVER_ERROR,
    SdkConnection,
    imported,
    retry_after,
    was_sent,
)
from atrium.providers.credentials import Credentials

if TYPE_CHECKING:
    from anthropic import APIStatusError, AsyncAnthropic

_BAD_REQUEST: Final = 400
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


async def load_sdk(deadline: float) -> None:
    """Import the SDK, once a process. ProviderUnavailable at the deadline, on the loop's clock."""
    await imported(("anthropic.resources.messages",), deadline)


class Connection(SdkConnection["AsyncAnthropic"]):
    """Anthropic's SDK."""

    def made(self, credentials: Credentials) -> "AsyncAnthropic":
        """A new client."""
        from anthropic import AsyncAnthropic, Timeout

        return AsyncAnthropic(
            # A server without keys ignores it, but without one the SDK would look around for others.
            api_key=credentials.api_key or "none",
            # The SDK adds /v1 itself.
            base_url=self.address(credentials).removesuffix("/").removesuffix("/v1"),
            max_retries=0,
            timeout=Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
        )

    def refuses_key(self, error: Exception) -> bool:
        """401 and 403."""
        from anthropic import AuthenticationError, PermissionDeniedError

        return isinstance(error, AuthenticationError | PermissionDeniedError)


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
        raise ProviderUnavailable(f"{label} cannot be reached, or did not answer in time", charged=was_sent(exc)) from exc
    except (anthropic.AnthropicError, ValueError, TypeError, AttributeError) as exc:
        # The SDK does not check what it is sent: a broken frame shows as a JSON error or a missing attribute.
        raise ProviderError(f"The answer of {label} cannot be read", charged=True) from exc


def _status_error(label: str, error: "APIStatusError") -> ProviderError:
    status = error.status_code if error.status_code >= _BAD_REQUEST else _STATUS.get(error.type or "", SERVER_ERROR)
    message = (error.api_message or "no reason given")[:_MESSAGE_LENGTH]
    # These quote parts of the key, so their text stays behind.
    if status in KEY_REFUSED:
        return ProviderError(f"{label} refused this deployment's API key")
    if status == PAYMENT_REQUIRED or "credit balance is too low" in message:
        return ProviderError(f"The account at {label} behind this deployment has no credit left")
    if status in PASSING or status >= SERVER_ERROR:
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
