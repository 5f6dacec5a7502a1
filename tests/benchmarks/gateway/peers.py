"""What people would put in front of their models instead, in environments that the benchmark makes: LiteLLM's proxy, Portkey."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from infra.local.processes import free_port

ROOT: Final = Path(__file__).parents[3]
PLACE: Final = ROOT / "build" / "peers"
LITELLM: Final = "litellm[proxy]==1.106.2"
# With a later server than this its streams are answered 500.
PORTKEY: Final = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "1.15.2", "@hono/node-server": "1.13.8"},
    "overrides": {"@hono/node-server": "1.13.8"},
}
_CLOCK: Final = os.sysconf("SC_CLK_TCK")
_PATIENCE: Final = 90.0


@dataclass(frozen=True)
class Peer:
    """A server that passes calls on to the upstream, and how it wants to be asked. `pids`: its processes, and its database's."""

    name: str
    port: int
    headers: Mapping[str, str] = field(default_factory=dict)
    pids: tuple[int, ...] = ()

    def computing(self) -> list[float]:
        """Seconds of processor time so far, of each process with its children that run."""
        return [sum(_computing(each) for each in (pid, *_children(pid))) for pid in self.pids]


@contextmanager
def upstream(tokens: int, pause: float) -> Iterator[Peer]:
    """The provider that all of them ask."""
    port = free_port()
    with _process([sys.executable, "-m", "tests.benchmarks.gateway.upstream", str(port), str(tokens), str(pause)]):
        yield _up(Peer("direct", port), "/count")


@contextmanager
def litellm(provider: Peer, folder: Path) -> Iterator[Peer]:
    """LiteLLM's proxy, one worker, with a master key; no database, so it meters nothing."""
    python = PLACE / "litellm" / "bin" / "python"
    uv = os.environ.get("UV") or shutil.which("uv")
    if not python.exists() and uv:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, PLACE / "litellm"], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, LITELLM], check=True)
    parameters = {"api_base": f"http://127.0.0.1:{provider.port}/v1", "api_key": "sk-of-the-platform"}
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}"} | parameters}
        for name in ("gpt-4.1-mini", "text-embedding-3-small")
    ]
    general = {"general_settings": {"master_key": "sk-master"}, "litellm_settings": {"num_retries": 0}}
    config = folder / "litellm.json"  # YAML it is, too
    config.write_text(json.dumps({"model_list": models} | general))
    port = free_port()
    command = [PLACE / "litellm" / "bin" / "litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port)]
    with _process([*command, "--telemetry", "False"], LITELLM_LOCAL_MODEL_COST_MAP="True") as pid:
        yield _up(Peer("LiteLLM", port, {"authorization": "Bearer sk-master"}, (pid,)), "/health/liveliness")


@contextmanager
def portkey(provider: Peer) -> Iterator[Peer]:
    """Portkey's open gateway, as its documentation starts it; it knows no keys of its own and meters nothing."""
    tools = ROOT / ".tools" / "node" / "bin"
    paths = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    place = PLACE / "portkey"
    server = place / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not server.exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text(json.dumps(PORTKEY))
        command = ["npm", "install", "--prefix", str(place), "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | paths)
    port = free_port()
    headers = {
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{provider.port}/v1",
        "authorization": "Bearer sk-of-the-platform",
    }
    with _process([shutil.which("node", path=paths["PATH"]), server, f"--port={port}", "--headless"], **paths) as pid:
        yield _up(Peer("Portkey", port, headers, (pid,)), "/")


@contextmanager
def ours(provider: Peer, settings: Mapping[str, Any], database: int) -> Iterator[Peer]:
    """Atrium; `database` is Postgres's process."""
    port = free_port()
    plan = {"settings": dict(settings), "port": port, "upstream": f"http://127.0.0.1:{provider.port}/v1"}
    command = [sys.executable, "-m", "tests.benchmarks.gateway.ours"]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=nothing, text=True) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(plan))
            process.stdin.close()
            key = json.loads(process.stdout.readline())["key"]
            yield _up(Peer("Atrium", port, {"authorization": f"Bearer {key}"}, (process.pid, database)), "/v1/nothing")
        finally:
            process.terminate()


@contextmanager
def _process(command: list[Any], **variables: str) -> Iterator[int]:
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # what it started too: npm's node starts another


def _up(peer: Peer, path: str) -> Peer:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{peer.port}{path}", trust_env=False, headers=dict(peer.headers))
            return peer
        time.sleep(0.2)
    raise TimeoutError(f"{peer.name} did not come up")


def _children(pid: int) -> list[int]:
    return [int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in (task / "children").read_text().split()]


def _computing(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK
