"""The Lambda entry, called as the stack's trigger calls it."""

import json
from collections.abc import Iterator

import pytest

from atrium import runtime
from atrium.db.migrations import MigrationRefused
from atrium.providers.catalogue import embedding_spaces
from functions.migrate.handler import handler
from infra.local.postgres import MASTER
from tests.factories.cluster import Cluster
from tests.factories.logs import fresh_logging
from tests.fakes.memory import MemorySecrets


@pytest.fixture(autouse=True)
def container() -> Iterator[None]:
    """The container's event loop ends with the test, and its logging."""
    with fresh_logging():
        yield
    runtime._loop().close()
    runtime._loop.cache_clear()


def test_the_trigger_gets_a_report_without_secrets(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with cluster.empty() as name:
        parts = runtime.Runtime(cluster.settings(name, user=MASTER))
        parts.__dict__["secrets"] = secrets = MemorySecrets()
        monkeypatch.setattr(runtime, "runtime", lambda: parts)
        first, second = (json.loads(json.dumps(handler({}, None))) for _ in range(2))
    assert first["spaces"] == [space.model for space in embedding_spaces()]
    assert (first["applied"][0], second["applied"]) == ("0001_foundation", [])
    assert first["operator_key_id"] == second["operator_key_id"]
    assert secrets.values["atrium/operator"] not in json.dumps(first)
    assert secrets.values.keys() == {"atrium/keyring", "atrium/operator", "atrium/jwks"}
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {(line["service"], line["level"], line["message"]) for line in said} == {("migrate", "INFO", "prepared")}
    assert [line["applied"] for line in said] == [first["applied"], second["applied"]]


def test_why_a_deployment_was_not_prepared_is_logged(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with cluster.empty() as name:
        parts = runtime.Runtime(cluster.settings(name, user=MASTER))
        parts.__dict__["secrets"] = MemorySecrets({"atrium/operator": "no key"})
        monkeypatch.setattr(runtime, "runtime", lambda: parts)
        with pytest.raises(MigrationRefused):
            handler({}, None)
    (line,) = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (line["service"], line["level"]) == ("migrate", "ERROR")
    assert "the secret atrium/operator holds no operator key" in line["exception"]
