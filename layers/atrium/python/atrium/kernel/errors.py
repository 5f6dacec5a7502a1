"""The one error tree.

AtriumError
├── InvalidInput            the request can be understood and is wrong
│   ├── MalformedRequest    it cannot even be read (bad JSON, tampered cursor)
│   ├── UnknownModel        names the nearest that exist
│   ├── ContextTooLong      carries both numbers
│   ├── PayloadTooLarge
│   ├── UnsupportedMediaType
│   └── InvalidFields       field by field, each with a JSON pointer
├── Unauthenticated
├── Forbidden
├── NotFound
├── Conflict                the state of the thing, or a concurrent request, forbids it
│   └── IdempotencyMismatch
├── RateLimited             carries when to come back
├── BudgetExceeded          a monthly budget has no room for this call
├── IngestionFailed         a document cannot become text: typed, permanent, shown to its owner
├── ProviderError           a model provider failed or refused
│   ├── ProviderRefused     the provider says that the request is wrong; carries its status and its words
│   └── ProviderUnavailable retryable
└── Unavailable             a part of ours is down: database, queue, store
    └── ProviderNotConfigured   no key, or no address; names the setting

`code` is stable and becomes the URN of the problem; how each becomes a reply is decided in atrium.web.problems only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


class AtriumError(Exception):
    """Base of every expected failure. `detail` is shown to the caller: no secrets, no internals."""

    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str = "") -> None:
        self.detail = detail or self.title
        super().__init__(self.detail)


class InvalidInput(AtriumError):
    """The request is understood, and wrong."""

    code = "invalid-input"
    title = "Invalid input"


class MalformedRequest(InvalidInput):
    """The request cannot be read: broken JSON, a tampered cursor, a broken multipart body."""

    code = "malformed-request"
    title = "Malformed request"


class UnknownModel(InvalidInput):
    """No such model here, or not for this tenant; the detail names the nearest that there are."""

    code = "unknown-model"
    title = "Unknown model"

    def __init__(self, model: str, detail: str = "") -> None:
        super().__init__(detail)
        self.model = model


class ContextTooLong(InvalidInput):
    """More tokens than the model's window takes: `tokens` counted (what is written and what may be answered), `window` there."""

    code = "context-too-long"
    title = "Context too long"

    def __init__(self, tokens: int, window: int, detail: str = "") -> None:
        super().__init__(detail or f"The request needs about {tokens} tokens; the model's window has {window}.")
        self.tokens = tokens
        self.window = window


class PayloadTooLarge(InvalidInput):
    """The body, or the file, is over the route's limit."""

    code = "payload-too-large"
    title = "Payload too large"


class UnsupportedMediaType(InvalidInput):
    """The declared type is not one this route reads."""

    code = "unsupported-media-type"
    title = "Unsupported media type"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: `pointer` is a JSON pointer into the body (or `/query/limit`, `/path/id`)."""

    pointer: str
    detail: str


class InvalidFields(InvalidInput):
    """Some fields are wrong; each is named."""

    code = "invalid-fields"
    title = "Some fields are invalid"

    def __init__(self, errors: tuple[FieldError, ...], detail: str = "") -> None:
        super().__init__(detail)
        self.errors = errors


class Unauthenticated(AtriumError):
    """No credentials, or credentials that are not (or no longer) valid."""

    code = "unauthenticated"
    title = "Authentication required"


class Forbidden(AtriumError):
    """The principal is known and may not do this."""

    code = "forbidden"
    title = "Not allowed"


class NotFound(AtriumError):
    """Absent, or another tenant's: the two look the same."""

    code = "not-found"
    title = "Not found"


class Conflict(AtriumError):
    """The state of the thing, or a concurrent request, forbids it now."""

    code = "conflict"
    title = "Conflict"


class IdempotencyMismatch(Conflict):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency-mismatch"
    title = "Idempotency key reused with a different request"


class RateLimited(AtriumError):
    """A bucket is empty. `retry_after`: seconds until a token is there; `limit`: tokens in a window."""

    code = "rate-limited"
    title = "Too many requests"

    def __init__(self, retry_after: float, limit: int = 0, detail: str = "") -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.limit = limit


class BudgetExceeded(AtriumError):
    """A hard monthly budget has no room for the call. `scope`: tenant, user or api_key; amounts in US dollars."""

    code = "budget-exceeded"
    title = "Budget exceeded"

    def __init__(self, scope: str, detail: str = "") -> None:
        super().__init__(detail)
        self.scope = scope


class IngestionFailed(AtriumError):
    """A document cannot be ingested. `kind` is the stable failure type its owner sees, such as `empty-text`."""

    code = "ingestion-failed"
    title = "Document could not be ingested"

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class ProviderError(AtriumError):
    """A model provider refused the request, or answered with something unusable."""

    code = "provider-error"
    title = "Model provider error"

    # What was tried before, by whoever tried (atrium.gateway): one JSON object an attempt.
    attempts: tuple[Mapping[str, Any], ...] = ()

    def __init__(self, detail: str = "", *, charged: bool = False) -> None:
        super().__init__(detail)
        # It was asked, and may want to be paid: its answer got lost on the way, or cannot be read.
        self.charged = charged


class ProviderRefused(ProviderError):
    """The provider says that the request is wrong: `status` 4xx and the `error` object of its body, OpenAI's shape."""

    code = "provider-refused"
    title = "The model provider refused the request"

    def __init__(self, detail: str, status: int = 400, error: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.error = error or {}


class ProviderUnavailable(ProviderError):
    """A model provider cannot be reached, is overloaded or limits us: worth a retry."""

    code = "provider-unavailable"
    title = "Model provider unavailable"

    def __init__(
        self, detail: str = "", *, status: int | None = None, retry_after: float | None = None, charged: bool = False
    ) -> None:
        super().__init__(detail, charged=charged)
        # What the provider answered, where it did, and after how many seconds it wants to be asked again.
        self.status = status
        self.retry_after = retry_after


class Unavailable(AtriumError):
    """A part of Atrium's own is down: database, queue, object store, secrets."""

    code = "unavailable"
    title = "Temporarily unavailable"


class ProviderNotConfigured(Unavailable):
    """A model's provider has no key, or no address, in this deployment; the detail names the setting or route that gives it."""

    code = "provider-not-configured"
    title = "Model provider not configured"
