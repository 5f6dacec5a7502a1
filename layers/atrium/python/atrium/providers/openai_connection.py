"""The SDK's client for one provider on OpenAI's wire, and its errors in our words."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from atrium.kernel.errors import ProviderError, ProviderRefused, ProviderUnavailable
from atrium.providers.catalogue import Provider
from atrium.providers.connection import (
    CONNECT_TIMEOUT,
    PASSING,
    PAYMENT_REQUIRED,
    READ_TIMEOUT,
    SERVER_ERROR,
    SdkConnection,
    imported,
    key_refused,
    retry_after,
    was_sent,
)
from atrium.providers.credentials import Credentials

if TYPE_CHECKING:
    from openai import APIError, APIStatusError, AsyncOpenAI

# What says, as a code or as a type, that the account is empty; DeepSeek and OpenRouter say it by the status 402.
_NO_QUOTA: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"})
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


async def load_sdk(deadline: float) -> None:
    """Import the SDK, once a process. ProviderUnavailable at the deadline, on the loop's clock."""
    await imported(("openai", "openai.resources.chat", "openai.resources.responses", "openai.resources.embeddings"), deadline)


class Connection(SdkConnection["AsyncOpenAI"]):
    """OpenAI's SDK."""

    def made(self, credentials: Credentials) -> "AsyncOpenAI":
        """A new client."""
        from openai import AsyncOpenAI, Timeout

        return AsyncOpenAI(
            # A server without keys ignores it, but the SDK wants one.
            api_key=credentials.api_key or "none",
            base_url=self.address(credentials),
            max_retries=0,
            timeout=Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
        )

    def refuses_key(self, error: Exception) -> bool:
        """401 and 403, and 400 where it is of the key."""
        from openai import APIStatusError

        return isinstance(error, APIStatusError) and key_refused(error.status_code, _reason(error))


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
        raise ProviderError(f"The answer of {label} cannot be read", charged=True) from exc
    except (openai.APIConnectionError, TimeoutError) as exc:
        raise ProviderUnavailable(f"{label} cannot be reached, or did not answer in time", charged=was_sent(exc)) from exc
    except openai.APIError as exc:
        raise stream_error(label, _error_object(exc)) from exc
    except (openai.OpenAIError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as exc:
        # The SDK does not check what it is sent: a broken frame shows as a JSON error or a missing attribute.
        raise ProviderError(f"The answer of {label} cannot be read", charged=True) from exc


def stream_error(label: str, error: Mapping[str, Any]) -> ProviderError:
    """Ours for an error object inside a stream that began well: the provider's own trouble, unless it says otherwise."""
    words = {str(error.get("code")), str(error.get("type"))}
    if words & _NO_QUOTA:
        return _no_quota(label)
    if words & _REQUESTS_FAULT or any(word.startswith(_IMAGE_FAULTS) for word in words):
        return ProviderRefused(f"{label} refused the request: {_message(error)}", 400, error)
    return ProviderUnavailable(f"{label} broke its answer off with an error", charged=True)


def _status_error(label: str, error: "APIStatusError") -> ProviderError:
    """What is said of a refused key quotes parts of it, so it stays behind."""
    status, said = error.status_code, _error_object(error)
    if key_refused(status, _reason(error)):
        return ProviderError(f"{label} refused this deployment's API key")
    if status == PAYMENT_REQUIRED or {str(said.get("code")), str(said.get("type"))} & _NO_QUOTA:
        return _no_quota(label)
    if status in PASSING or status >= SERVER_ERROR:
        detail = f"{label} is overloaded, failing or limits us (status {status})"
        return ProviderUnavailable(detail, status=status, retry_after=retry_after(error.response.headers))
    return ProviderRefused(f"{label} refused the request (status {status}): {_message(said)}", status, said)


def _no_quota(label: str) -> ProviderError:
    return ProviderError(f"The account at {label} behind this deployment has no quota left")


def _error_object(error: "APIError") -> dict[str, Any]:
    return dict(error.body) if isinstance(error.body, dict) else {}


def _reason(error: "APIError") -> object:
    """What it says; xAI's `error` is a text, not an object."""
    return error.body if isinstance(error.body, str) else _error_object(error).get("message")


def _message(said: Mapping[str, Any]) -> str:
    return str(said.get("message") or "no reason given")[:300]
