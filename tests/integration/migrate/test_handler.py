"""The Lambda entry, called as the stack's trigger calls it."""

import json
from collections.abc import Iterator

import pytest

from atrium import runtime
from atrium.providers.catalogue import embedding_spaces
from functions.migrate import handler
from infra.local.postgres import MASTER
from tests.factories.cluster import Cluster
from tests.fakes.memory import MemorySecrets


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """The container's event loop ends with the test."""
    yield
    runtime._loop().close()
    runtime._loop.cache_clear()


def test_the_trigger_gets_a_report_without_secrets(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster.empty() as name:
        parts = runtime.Runtime(cluster.settings(name, user=MASTER))
        parts.__dict__["secrets"] = secrets = MemorySecrets()
        monkeypatch.setattr(handler, "runtime", lambda: parts)
        first, second = (json.loads(json.dumps(handler.handler({}, None))) for _ in range(2))
    assert first["spaces"] == [space.model for space in embedding_spaces()]
    assert (first["applied"][0], second["applied"]) == ("0001_foundation", [])
    assert first["operator_key_id"] == second["operator_key_id"]
    assert secrets.values["atrium/operator"] not in json.dumps(first)
    assert secrets.values.keys() == {"atrium/keyring", "atrium/operator"}
