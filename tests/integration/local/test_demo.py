"""The demo's account, made by the real auth area however registration is set; AWS alone is a stand-in."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from atrium.db import Database
from atrium.kernel.settings import Settings
from atrium.tenancy.keys import key_mac, new_key
from functions.auth.app import create_app
from infra.local.cloud import Cloud
from infra.local.demo import OPERATOR, ensure_account
from infra.local.edge.launch import Edge
from infra.local.emulator import Emulator
from infra.local.postgres import PostgresServer
from infra.local.processes import Process
from infra.local.state import LocalCloudError
from tests.factories.auth import UNLIMITED, LocalRuntime
from tests.fakes.wire import Reply, Request, Script, ScriptedServer
from tests.unit.local.test_edge import serving

Admin = psycopg.AsyncConnection[dict[str, Any]]
NO_PROCESS = Process(0, "")


class SecretStore(ScriptedServer):
    """Secrets Manager's wire, as far as reading goes."""

    def __init__(self, secrets: dict[str, str]) -> None:
        super().__init__()
        self._secrets = secrets

    def reply(self, request: Request, script: Script) -> Reply:
        assert request.headers["x-amz-target"] == "secretsmanager.GetSecretValue"
        name = request.json()["SecretId"]
        if name not in self._secrets:
            return Reply({"__type": "ResourceNotFoundException", "message": "no such secret"}, status=400)
        return Reply({"Name": name, "SecretString": self._secrets[name]})


def cloud(state: Path, store: SecretStore, url: str) -> Cloud:
    postgres = PostgresServer(state, 1, "", "", NO_PROCESS)
    return Cloud(state, postgres, Emulator(store.port, NO_PROCESS), Edge(int(url.rpartition(":")[2]), NO_PROCESS), {})


@pytest.fixture
async def operator(database: Database, settings: Settings, admin_connection: Admin) -> tuple[LocalRuntime, str]:
    """A runtime whose operator has a key, and the key."""
    runtime, key = LocalRuntime(settings, database, **UNLIMITED), new_key()
    pepper = (await runtime.keyring.get()).pepper[0]
    query = "INSERT INTO atrium.operator_keys (key_id, mac, pepper_kid) VALUES (%s, %s, %s)"
    await admin_connection.execute(query, [key.key_id, key_mac(pepper, key), pepper.kid])
    return runtime, key.text


@pytest.mark.parametrize("registration", ["open", "invite", "closed"])
async def test_the_demo_has_its_account_in_every_registration_mode(
    operator: tuple[LocalRuntime, str], tmp_path: Path, registration: str
) -> None:
    runtime, key = operator
    runtime.settings = runtime.settings.model_copy(update={"registration": registration})
    async with SecretStore({OPERATOR: key}) as store, serving(create_app(runtime)) as url:
        made = await asyncio.to_thread(ensure_account, cloud(tmp_path, store, url))
        assert made.api_key.startswith("atr_live_")
        # It is remembered, not made again.
        assert await asyncio.to_thread(ensure_account, cloud(tmp_path, store, url)) == made


async def test_a_missing_operator_key_is_explained(operator: tuple[LocalRuntime, str], tmp_path: Path) -> None:
    async with SecretStore({}) as store, serving(create_app(operator[0])) as url:
        with pytest.raises(LocalCloudError, match="make migrate"):
            await asyncio.to_thread(ensure_account, cloud(tmp_path, store, url))


def test_the_operators_secret_is_where_migrate_keeps_it() -> None:
    assert Settings().operator_secret == OPERATOR
