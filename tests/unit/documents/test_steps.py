import json
from typing import Any

import pytest

from atrium.documents.ingestion.steps import INTERNAL, Step, failure_of, reported
from atrium.kernel.errors import IngestionFailed
from atrium.kernel.ids import new_id
from atrium.kernel.principal import TenantId
from tests.factories.documents import event


def test_a_state_names_an_attempt() -> None:
    step = Step.from_event(event("extract/inspect"))
    assert (step.version, step.attempt, step.principal.tenant_id) == (1, 1, step.tenant_id)
    for name in ("extract/extract", "embed/chunk", "embed/embed", "publish/publish", "publish/fail", "publish/fail-timeout"):
        assert Step.from_event(event(name)) == step


def test_a_typed_failure_travels_through_the_state_machine() -> None:
    failure = reported(IngestionFailed("encrypted", 'It says "no".'))
    cause = json.dumps({"errorType": "IngestionFailed", "errorMessage": str(failure), "stackTrace": []})
    assert failure_of({"Error": type(failure).__name__, "Cause": cause}) == ("encrypted", 'It says "no".')
    assert failure_of(event("publish/fail")["error"]) == ("empty-text", "No text was found in the document.")


@pytest.mark.parametrize(
    "error",
    [
        {},
        event("publish/fail-timeout")["error"],
        {"Error": "IngestionFailed", "Cause": ""},
        {"Error": "IngestionFailed", "Cause": "[]"},
        {"Error": "IngestionFailed", "Cause": '{"errorMessage": "plain words with a secret"}'},
        {"Error": "IngestionFailed", "Cause": '{"errorMessage": "[1]"}'},
        {"Error": "KeyError", "Cause": '{"errorMessage": "{\\"type\\": \\"x\\", \\"detail\\": \\"a secret\\"}"}'},
    ],
)
def test_anything_else_is_internal_and_says_nothing(error: dict[str, Any]) -> None:
    kind, detail = failure_of(error)
    assert kind == INTERNAL
    assert "secret" not in detail


def test_a_model_that_stayed_away_is_named() -> None:
    assert failure_of({"Error": "ProviderUnavailable", "Cause": "{}"})[0] == "embedding-unavailable"
    assert failure_of({"Error": "BudgetExceeded", "Cause": "{}"})[0] == "budget-exceeded"
    kind, detail = failure_of({"Error": "InvalidInput", "Cause": "{}"})
    assert (kind, "not set up" in detail) == ("embedding-unavailable", True)


def test_who_sent_a_document_pays_for_it() -> None:
    step = Step(TenantId(new_id()), new_id(), 1, 1)
    own = new_id()
    for kind in ("user", "api_key"):
        payer = step.payer(f"{kind}:{own}")
        assert (payer.tenant_id, payer.subject) == (step.tenant_id, f"{kind}:{own}")


@pytest.mark.parametrize("nobody", ["", "user:", "user:x", "worker:00000000-0000-0000-0000-000000000000", "somebody", "user:{1}"])
def test_what_arrived_by_itself_is_the_tenants(nobody: str) -> None:
    step = Step(TenantId(new_id()), new_id(), 1, 1)
    assert step.payer(nobody) == step.principal
