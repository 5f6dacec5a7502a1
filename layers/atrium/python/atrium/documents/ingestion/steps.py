"""The pipeline's wire: what a state gives its function, and how a failure travels back to the state machine and from it."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from atrium.kernel.errors import IngestionFailed
from atrium.kernel.principal import Principal, PrincipalKind, Role, TenantId, worker

_PAYERS: Final = frozenset({PrincipalKind.USER.value, PrincipalKind.API_KEY.value})
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
INTERNAL: Final = "internal"
_INTERNAL_DETAIL: Final = "Something went wrong on our side. The document can be processed again."
# Errors that outlasted the state machine's retries, by the name of the exception's class.
_OUTLASTED: Final = {
    "ProviderError": ("embedding-failed", "The embedding model refused the text."),
    "ProviderUnavailable": ("embedding-unavailable", "The embedding model could not be reached."),
    "BudgetExceeded": (
        "budget-exceeded",
        "A monthly budget, the sender's or the organisation's, has no room for it.",
    ),
    # A provider without a key or an address, or vectors of another length than the model's space.
    "InvalidInput": ("embedding-unavailable", "The collection's embedding model is not set up in this deployment."),
}


@dataclass(frozen=True, slots=True)
class Step:
    """Which attempt at which version of whose document a state works on."""

    tenant_id: TenantId
    document_id: UUID
    version: int
    attempt: int

    @property
    def principal(self) -> Principal:
        """A worker inside the tenant, and nowhere else."""
        return worker(self.tenant_id)

    def payer(self, created_by: str) -> Principal:
        """In whose name what costs money is done: whoever sent the document, so that its own budget holds too. `created_by` is
        a principal's subject; what arrived by itself, or is of before there were such, is the tenant's alone.
        """
        kind, _, own = created_by.partition(":")
        if kind not in _PAYERS or not _ID.fullmatch(own):
            return self.principal
        return Principal(self.tenant_id, PrincipalKind(kind), UUID(own), Role.VIEWER)

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> Self:
        """From a state's input, which the execution's start made from an authenticated request or a verified key."""
        return cls(TenantId(UUID(event["tenant_id"])), UUID(event["document_id"]), int(event["version"]), int(event["attempt"]))


def reported(failure: IngestionFailed) -> IngestionFailed:
    """The same failure with a message that carries its kind: Lambda passes on the class's name and the message alone."""
    return IngestionFailed(failure.kind, json.dumps({"type": failure.kind, "detail": failure.detail}))


def failure_of(error: dict[str, Any]) -> tuple[str, str]:
    """Type and detail, for the document's owner, of a state machine's `{"Error", "Cause"}`. Nothing internal passes through."""
    name = str(error.get("Error", ""))
    if name == "IngestionFailed":
        return _typed(str(error.get("Cause", ""))) or (INTERNAL, _INTERNAL_DETAIL)
    return _OUTLASTED.get(name, (INTERNAL, _INTERNAL_DETAIL))


def _typed(cause: str) -> tuple[str, str] | None:
    """From Lambda's `{"errorType", "errorMessage", …}`, whose message is what `reported` wrote."""
    try:
        message = json.loads(json.loads(cause)["errorMessage"])
        return str(message["type"]), str(message["detail"])
    except (ValueError, KeyError, TypeError):
        return None
