"""Unmodified OpenAI clients at our door: each runs in an environment of its own, against the area on real sockets.

The environments are made once, under build/clients: Python's by uv, JavaScript's by npm from its committed lock.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest
import uvicorn

from atrium.db import Database
from atrium.gateway.routing import Router
from atrium.gateway.service import GatewayService
from atrium.kernel.settings import Settings
from functions.auth.app import create_app as create_auth
from functions.openai.app import create_app as create_openai
from infra.local.postgres import SUPERUSER
from tests.factories.auth import UNLIMITED, LocalRuntime, WholeApi, make_key, register
from tests.factories.cluster import Cluster
from tests.fakes.anthropic_server import AnthropicServer
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import in_thread

pytestmark = pytest.mark.xdist_group("openai-clients")

ROOT: Final = Path(__file__).parents[2]
SCRIPTS: Final = Path(__file__).parent / "clients"
BUILD: Final = ROOT / "build" / "clients"
NODE: Final = ROOT / ".tools" / "node" / "bin"
SECONDS: Final = 300
HASTY: Final = "/hasty"

# What each client is to be served.
CASES: Final = (
    *("plain", "streamed", "usage_in_stream", "tools", "parallel_tools", "streamed_tools", "json_schema", "image_parts"),
    *("embeddings", "token_ids", "errors", "rate_limits", "timeouts", "retries", "cut_streams", "anthropic"),
)
# What a client cannot be asked for, and why.
ABSENT: Final[dict[tuple[str, str], str]] = {
    ("llama-index", "token_ids"): "OpenAIEmbedding takes texts, and sends them as they are.",
}
# What is looked at beyond that.
SDK: Final = ("models", "local_model")

FRAMEWORKS: Final = (
    *("openai==2.54.0", "langchain-openai==1.7.3", "llama-index-llms-openai-like==0.8.1"),
    "llama-index-embeddings-openai==0.7.0",
)


def _cases(client: str, *more: str) -> tuple[str, ...]:
    return (*(case for case in CASES if (client, case) not in ABSENT), *more)


CLIENTS: Final[dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]]] = {
    "openai-current": (FRAMEWORKS, "openai_sdk.py", _cases("openai-current", *SDK)),
    "openai-1": (("openai==1.109.1",), "openai_sdk.py", _cases("openai-1", *SDK)),
    "langchain": (FRAMEWORKS, "langchain_sdk.py", _cases("langchain")),
    "llama-index": (FRAMEWORKS, "llama_index_sdk.py", _cases("llama-index")),
    "node": ((), "client.mjs", _cases("node", "models")),
}
ALL: Final = [(client, case) for client, (_, _, cases) in CLIENTS.items() for case in cases]
Run = Callable[[str], dict[str, str]]


async def _at_once(seconds: float) -> None:
    """The gateway's retries do not wait here."""


def _door(settings: Settings, database: Database, secrets: dict[str, str], **limits: int) -> tuple[LocalRuntime, WholeApi]:
    """The area with its own rate limits; doors of one database know each other's keys."""
    runtime = LocalRuntime(settings, database, **(UNLIMITED | limits))
    runtime.__dict__["gateway"] = GatewayService(runtime, Router(sleep=_at_once))
    runtime.memory_secrets.values = secrets or runtime.memory_secrets.values
    return runtime, WholeApi({"auth": create_auth(runtime), "openai": create_openai(runtime)}, nowhere="openai")


@contextmanager
def _area(cluster: Cluster, openai: OpenAIServer, anthropic: AnthropicServer) -> Iterator[tuple[int, Any]]:
    """The area under uvicorn in a thread with its own loop: its port, and the database's administrator."""
    with cluster.clone() as name:
        settings = cluster.settings(name)
        runtime, app = _door(settings, Database(settings), {})
        secrets = runtime.memory_secrets.values
        for provider, url in (("openai", openai.base_url), ("anthropic", anthropic.base_url)):
            secrets[f"atrium/providers/{provider}"] = json.dumps({"api_key": "sk-test", "base_url": url})
        limited, hasty = _door(settings, runtime.database, secrets, rate_limit_principal=1)

        async def served(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                path = scope["path"].removeprefix(HASTY)
                await (app if path == scope["path"] else hasty)({**scope, "path": path}, receive, send)
                return
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await limited.openai_wire.close()
            await runtime.openai_wire.close()
            await runtime.close()
            await send({"type": "lifespan.shutdown.complete"})

        server = uvicorn.Server(uvicorn.Config(served, host="127.0.0.1", port=0, log_level="error", loop="asyncio"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            thread.join(0.01)
        dsn = cluster.server.dsn(SUPERUSER, cluster.server.superuser_password, name)
        with psycopg.connect(dsn, autocommit=True) as administrator:
            yield server.servers[0].sockets[0].getsockname()[1], administrator
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[dict[str, str]]:
    """Where the clients go: the address, one where a key may ask once a second, keys with and without budget, the provider."""
    with (
        in_thread(OpenAIServer()) as openai,
        in_thread(AnthropicServer()) as anthropic,
        _area(cluster, openai, anthropic) as (port, administrator),
    ):
        origin = f"http://127.0.0.1:{port}"
        tenant, key, poor = _keys(origin)
        columns = "tenant_id, scope_id, origin, scope, monthly_budget"
        statement = f"INSERT INTO atrium.spending_limits ({columns}) VALUES (%s, %s, 'tenant', 'api_key', 1)"
        administrator.execute(statement, [tenant, poor["id"]])
        addresses = {"base_url": f"{origin}/v1", "hasty": f"{origin}{HASTY}/v1", "fake": openai.origin}
        yield addresses | {"key": key["key"], "poor": poor["key"]}


def _keys(origin: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    async def make() -> tuple[str, dict[str, Any], dict[str, Any]]:
        async with httpx.AsyncClient(base_url=origin) as http:
            session = await register(http)
            return session["org"]["id"], await make_key(http, session), await make_key(http, session, name="poor")

    return asyncio.run(make())


@pytest.fixture(scope="module")
def told(place: dict[str, str]) -> Run:
    """What a client's script says of its cases; each runs once."""

    @cache
    def run(client: str) -> dict[str, str]:
        packages, script, _ = CLIENTS[client]
        command = [*_python(client, packages), str(SCRIPTS / script)] if packages else [*_node(), str(BUILD / "node" / script)]
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        done = subprocess.run(
            command, input=json.dumps(place), capture_output=True, text=True, env=environment, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, str] = json.loads(done.stdout)
        return answer

    return run


def _python(client: str, packages: tuple[str, ...]) -> list[str]:
    """An interpreter that has the packages and nothing of ours."""
    home = BUILD / ("openai-1" if client == "openai-1" else "current")
    python, stamp = home / "bin" / "python", home / "packages.txt"
    if not stamp.exists() or stamp.read_text() != "\n".join(packages):
        uv = os.environ.get("UV") or shutil.which("uv")
        if uv is None:
            pytest.skip("no uv to make the clients an environment: set UV")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, home], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True)
        stamp.write_text("\n".join(packages))
    return [str(python)]


def _node() -> list[str]:
    """Node, with the SDK beside the script."""
    found = shutil.which("node", path=f"{NODE}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        pytest.skip("no Node to run OpenAI's JavaScript SDK: run `make environment`, which brings its own")
    home, lock = BUILD / "node", (SCRIPTS / "node" / "package-lock.json").read_text()
    stamp = home / "lock.txt"
    if not stamp.exists() or stamp.read_text() != lock:
        shutil.copytree(SCRIPTS / "node", home, dirs_exist_ok=True)
        environment = os.environ | {"PATH": f"{Path(found).parent}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=home, env=environment, check=True)
        stamp.write_text(lock)
    shutil.copy(SCRIPTS / "node" / "client.mjs", home)
    return [found]


@pytest.mark.parametrize(("client", "case"), ALL, ids=[f"{client}-{case}" for client, case in ALL])
def test_an_unmodified_client_is_served(told: Run, client: str, case: str) -> None:
    failure = told(client)[case]
    assert failure == ""


@pytest.mark.parametrize("client", list(CLIENTS))
def test_every_case_of_a_client_is_looked_at(told: Run, client: str) -> None:
    assert set(told(client)) == set(CLIENTS[client][2])


@pytest.mark.parametrize("client", list(CLIENTS))
def test_a_client_is_served_whatever_it_can_ask_for(client: str) -> None:
    absent = {case for other, case in ABSENT if other == client}
    assert absent | set(CLIENTS[client][2]) >= set(CASES)
    assert absent.isdisjoint(CLIENTS[client][2])
    assert all(ABSENT.values())
    assert {other for other, _ in ABSENT} <= set(CLIENTS)


def test_the_readmes_quick_start_answers_without_a_providers_key(place: dict[str, str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    here = code.replace("http://127.0.0.1:8080/v1", place["base_url"])
    environment = {"KEY": place["key"], "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", here], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert code.rstrip().endswith(f"# {done.stdout.strip()}")
