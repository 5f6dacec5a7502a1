"""The Lambda entries, called with the schedules' events, logged in as the roles that they have."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atrium import runtime
from atrium.kernel.errors import InvalidInput
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal, PrincipalKind, Role, TenantId, worker
from atrium.ledger.models import NANO, Kind, Outcome, Settlement, Spend
from atrium.ledger.service import LedgerService
from functions.housekeeping.handler import handler as housekeeping
from functions.indexing.handler import handler as indexing
from infra.areas import function
from tests.factories.cluster import Cluster
from tests.factories.logs import fresh_logging
from tests.factories.retrieval import publish
from tests.fakes.memory import MemoryStorage, MemoryWorkflow

EVENTS = Path(__file__).parents[3] / "events"


@pytest.fixture
def parts(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[runtime.Runtime]:
    """A container's runtime over a database of its own; its event loop and logging end with the test."""
    with cluster.clone() as name, fresh_logging():
        parts = runtime.Runtime(cluster.settings(name).model_copy(update={"index_threshold": 4}))
        parts.__dict__.update(storage=MemoryStorage(), pipeline=MemoryWorkflow())
        monkeypatch.setattr(runtime, "runtime", lambda: parts)
        yield parts
        runtime.run(parts.close())
        runtime._loop().close()
        runtime._loop.cache_clear()


def event(path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{path}.json").read_text())
    return loaded


@pytest.mark.parametrize("task", ["expire", "seal", "sweep", "erase"])
def test_each_task_runs_on_an_empty_deployment(parts: runtime.Runtime, task: str) -> None:
    report = json.loads(json.dumps(housekeeping(event(f"housekeeping/{task}"), None)))
    assert list(report) == [task]
    assert not any(report[task].values())


def test_without_a_name_all_run_and_say_how_old_the_oldest_is(parts: runtime.Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        set(housekeeping(event("housekeeping/all"), None)) == set(housekeeping({}, None)) == {"expire", "seal", "sweep", "erase"}
    )
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["oldest_unfinished_seconds"] for line in lines if "oldest_unfinished_seconds" in line] == [0, 0]
    assert {line["service"] for line in lines} == {"housekeeping"}


def test_the_sweep_tells_what_models_were_used_for(
    parts: runtime.Runtime, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = worker(TenantId(new_id()))
    with cluster.superuser(parts.settings.database_name) as connection:
        connection.execute("INSERT INTO atrium.tenants (tenant_id, name) VALUES (%s, 'Asking')", [tenant.tenant_id])
    ledger = LedgerService(parts.database)
    for feature, cost in (("chat", 3 * NANO), ("rag", NANO // 2)):
        spend = Spend(Kind.CHAT, "openai/gpt-4.1-mini", feature, cost)
        runtime.run(ledger.reserve(tenant, spend))
        told = Settlement(Outcome.OK, cost, spend.model, input_tokens=40, output_tokens=2)
        runtime.run(ledger.settle(tenant, spend.id, told))

    housekeeping(event("housekeeping/sweep"), None)

    (line,) = [line for line in map(json.loads, capsys.readouterr().err.splitlines()) if line["message"] == "usage"]
    assert (line["model"], line["calls"], line["cost_usd"]) == ("openai/gpt-4.1-mini", 2, 3.5)
    assert (line["input_tokens"], line["output_tokens"]) == (80, 4)


def test_an_unknown_task_is_an_error(parts: runtime.Runtime) -> None:
    with pytest.raises(InvalidInput, match="expire"):
        housekeeping({"task": "everything"}, None)


@pytest.mark.parametrize(("name", "module"), [("housekeeping", housekeeping), ("indexing", indexing)])
def test_a_run_ends_before_its_function_does(name: str, module: Any) -> None:
    assert module.__wrapped__.__globals__["_SECONDS"] < function(name).timeout - 30


def test_indexing_logs_in_as_the_owner_and_builds_what_is_due(
    parts: runtime.Runtime, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fill() -> None:
        admin = Principal(TenantId(new_id()), PrincipalKind.USER, new_id(), Role.ADMIN)
        with cluster.superuser(parts.settings.database_name) as connection:
            connection.execute("INSERT INTO atrium.tenants (tenant_id, name) VALUES (%s, 'Large')", [admin.tenant_id])
        await publish(parts.database, admin, [f"text {number}" for number in range(5)])

    runtime.run(fill())
    owner = runtime.Runtime(parts.settings.model_copy(update={"database_user": "atrium_migrator"}))
    monkeypatch.setattr(runtime, "runtime", lambda: owner)
    assert indexing(event("indexing/due"), None) == {"built": 1, "dropped": 0, "left": 0}
    assert indexing(event("indexing/due"), None) == {"built": 0, "dropped": 0, "left": 0}
    with cluster.superuser(parts.settings.database_name) as connection:
        connection.execute("DELETE FROM atrium.chunks")
    assert indexing(event("indexing/due"), None) == {"built": 0, "dropped": 1, "left": 0}
    runtime.run(owner.close())
