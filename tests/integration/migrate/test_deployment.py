"""What the migrate function leaves behind, first time, again, and after half of it was lost."""

import asyncio
import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from atrium.db.migrations import MigrationRefused, read_migrations
from atrium.db.migrator import Space
from atrium.kernel.settings import Settings
from atrium.ports.keyring import Keyring, new_keyring
from atrium.tenancy.keys import key_mac, new_key, parse_key
from functions.migrate.deployment import Report, prepare
from infra.local.postgres import MASTER
from tests.factories.cluster import Cluster
from tests.fakes.memory import MemorySecrets

SPACES = (Space(1, "local/all-minilm-l6-v2", 384, 256),)


class Deployment:
    """A deployment on an empty database."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        # As on AWS: the master's login is in a secret of RDS's.
        login = {"username": MASTER, "password": cluster.server.master_password}
        self.secrets = MemorySecrets({"rds!cluster": json.dumps(login)})
        self.settings = cluster.settings(name).model_copy(update={"database_master_secret": "rds!cluster"})

    async def prepare(self, settings: Settings | None = None) -> Report:
        return await prepare(settings or self.settings, self.secrets, self.cluster.migrator(self.name), SPACES)

    def operator_keys(self) -> list[tuple[Any, ...]]:
        with self.cluster.superuser(self.name) as connection:
            return connection.execute(
                "SELECT key_id, mac, pepper_kid, digest, revoked_at IS NULL FROM atrium.operator_keys"
            ).fetchall()

    def expected_key(self) -> tuple[Any, ...]:
        key = parse_key(self.secrets.values["atrium/operator"])
        pepper = Keyring.from_json(self.secrets.values["atrium/keyring"]).pepper[0]
        assert key is not None
        return key.key_id, key_mac(pepper, key), pepper.kid, sha256(key.text.encode()).digest(), True


@pytest.fixture
def deployment(cluster: Cluster) -> Iterator[Deployment]:
    with cluster.empty() as name:
        yield Deployment(cluster, name)


async def test_an_empty_database_is_made_ready(deployment: Deployment) -> None:
    report = await deployment.prepare()
    assert report.applied[:2] == ("0001_foundation", "0002_documents")
    assert report.spaces == ("local/all-minilm-l6-v2",)
    assert deployment.operator_keys() == [deployment.expected_key()]
    assert report.operator_key_id == deployment.expected_key()[0]
    with deployment.cluster.superuser(deployment.name) as connection:
        assert connection.execute("SELECT to_regclass('atrium.chunks_1') IS NOT NULL").fetchone() == (True,)


async def test_again_nothing_changes(deployment: Deployment) -> None:
    first = await deployment.prepare()
    before = dict(deployment.secrets.values), deployment.operator_keys()
    second = await deployment.prepare()
    assert (dict(deployment.secrets.values), deployment.operator_keys()) == before
    assert second == Report((), first.spaces, first.operator_key_id)


async def test_two_at_once_end_as_one(deployment: Deployment) -> None:
    reports = await asyncio.gather(deployment.prepare(), deployment.prepare())
    ran = [label for report in reports for label in report.applied]
    assert len(ran) == len(set(ran)) == len(read_migrations())
    assert deployment.operator_keys() == [deployment.expected_key()]
    assert reports[0].operator_key_id == reports[1].operator_key_id


async def test_a_lost_row_is_written_again(deployment: Deployment) -> None:
    await deployment.prepare()
    before = deployment.operator_keys()
    with deployment.cluster.superuser(deployment.name) as connection:
        connection.execute("DELETE FROM atrium.operator_keys")
    await deployment.prepare()
    assert deployment.operator_keys() == before


async def test_a_lost_secret_makes_a_new_key_and_the_old_one_opens_nothing(deployment: Deployment) -> None:
    await deployment.prepare()
    old = deployment.expected_key()
    del deployment.secrets.values["atrium/operator"]
    await deployment.prepare()
    assert sorted(deployment.operator_keys()) == sorted([(*old[:-1], False), deployment.expected_key()])


async def test_a_secret_that_is_no_key_is_refused(deployment: Deployment) -> None:
    deployment.secrets.values["atrium/operator"] = new_key().text[:-1] + "!"
    with pytest.raises(MigrationRefused, match="atrium/operator"):
        await deployment.prepare()


async def test_without_a_master_secret_the_function_is_the_master(deployment: Deployment) -> None:
    login = {
        "database_master_secret": "",
        "database_user": MASTER,
        "database_password": deployment.cluster.server.master_password,
    }
    report = await deployment.prepare(deployment.settings.model_copy(update=login))
    assert report.applied


async def test_the_public_keys_are_published_and_follow_a_rotation(deployment: Deployment) -> None:
    await deployment.prepare()
    ring = json.loads(deployment.secrets.values["atrium/keyring"])
    ring["signing"].insert(0, json.loads(new_keyring())["signing"][0])
    deployment.secrets.values["atrium/keyring"] = json.dumps(ring)
    await deployment.prepare()
    published = json.loads(deployment.secrets.values["atrium/jwks"])["keys"]
    assert [key["kid"] for key in published] == [key["kid"] for key in ring["signing"]]
    assert all(key.keys() == {"kty", "crv", "alg", "use", "kid", "x"} for key in published)
