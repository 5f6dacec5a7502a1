"""Which failures wake an operator: those that are ours, by a line in the log that an alarm counts."""

import json

import pytest

from atrium.documents.outcomes import OURS
from atrium.kernel.principal import Principal
from atrium.kernel.telemetry import configure_logging
from tests.factories.documents import World
from tests.factories.logs import fresh_logging

UNREADABLE = {"Error": "IngestionFailed", "Cause": json.dumps({"errorMessage": json.dumps({"type": "encrypted", "detail": "x"})})}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UNREADABLE, False),
        ({"Error": "Sandbox.Timedout", "Cause": ""}, True),
        ({"Error": "ValueError", "Cause": ""}, True),
        ({"Error": "ProviderUnavailable", "Cause": ""}, True),
        ({"Error": "ProviderError", "Cause": ""}, True),
    ],
)
async def test_a_verdict_that_is_ours_is_logged_once(
    world: World, tenant: Principal, error: dict[str, str], told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    document = await world.upload(tenant, "a.txt", "Bridges are built of steel.")
    await world.receive(world.arrival(document.version.object_key))
    (payload,) = world.workflow.started.values()
    await world.step(payload, "inspect")
    with fresh_logging():
        configure_logging("publish", "INFO")
        await world.step(payload, "fail", error=error)
        await world.step(payload, "fail", error=error)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    verdicts = [line for line in lines if line.get("verdict") == "ours"]
    assert len(verdicts) == int(told)
    failed = await world.documents.get(tenant, document.id)
    assert (failed.version.error_type in OURS) == told
    assert all(line["document_id"] == str(document.id) for line in verdicts)
