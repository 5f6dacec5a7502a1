"""Start the edge's process: its interpreter, its import path, its environment. Runs in the development environment."""

import hashlib
import json
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.areas import AREAS, LAYERS, Area
from infra.local.emulator import NETWORK, Emulator
from infra.local.processes import Process, recall, spawn, wait_until
from infra.local.state import CLONE, PREFIX, LocalCloudError, private_dir, read_record, write_record
from infra.packaging.fingerprint import read_stamp
from infra.packaging.places import Places

_PLACES: Final = Places("local")
# One process serves many requests at once here, where a Lambda container serves one.
_POOL: Final = 10


@dataclass(frozen=True)
class Edge:
    """The running edge."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        """The local cloud's origin."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it; open streams get a few seconds."""
        self.process.end(patience=10)


def start_edge(state_dir: Path, emulator: Emulator, *, port: int, base: str) -> Edge:
    """Start the edge, or keep the running one when it would be started the same way again.

    `base` is the path under which the emulator serves the stack's REST API. Raises LocalCloudError with the log's end.
    """
    home = private_dir(state_dir / "edge")
    areas = [area for area in AREAS if area.streaming]
    config = {
        "port": port,
        "upstream": emulator.url,
        "base": base,
        "areas": [area.name for area in areas],
        "bundles": [str(_PLACES.function(area.name)) for area in areas],
    }
    environment = _environment(emulator, areas)
    key = _key(config, environment, areas)
    running = attach_edge(state_dir)
    if running is not None and read_record(home / "edge.json").get("key") == key:
        return running
    if running is not None:
        running.stop()
    refuse_taken(state_dir, port)
    write_record(home / "config.json", config)
    edge = Edge(port, spawn(_command(home), env=environment, log=home / "edge.log", cwd=home))
    edge.process.save(home / "process.json")
    write_record(home / "edge.json", {"key": key, "port": port})
    if not wait_until(lambda: _listening(port) or not edge.process.alive, 60) or not edge.process.alive:
        edge.stop()
        end = "\n".join((home / "edge.log").read_text(errors="replace").splitlines()[-15:])
        raise LocalCloudError(f"The edge did not start. The end of {home / 'edge.log'}:\n{end}")
    return edge


def attach_edge(state_dir: Path) -> Edge | None:
    """The edge of `state_dir` when it runs."""
    process = recall(state_dir / "edge" / "process.json")
    return None if process is None else Edge(int(read_record(state_dir / "edge" / "edge.json")["port"]), process)


def _command(home: Path) -> list[str]:
    # The interpreter under the environments, not one of them; -S leaves its own site-packages out.
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [str(python), "-S", "-P", "-B", "-m", "infra.local.edge", str(home / "config.json")]


def _environment(emulator: Emulator, areas: list[Area]) -> dict[str, str]:
    """What the deployed functions have, with the differences of one long-lived process."""
    variables: dict[str, str] = {}
    for area in areas:
        configuration = emulator.client("lambda").get_function_configuration(FunctionName=f"{PREFIX}-{area.name}")
        variables |= configuration.get("Environment", {}).get("Variables", {})
    network = {name: os.environ[name] for name in NETWORK if name in os.environ}
    return network | variables | emulator.environment | {
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join(_import_path(areas)),
        "DATABASE_POOL_SIZE": str(_POOL),
        "MODEL_DIR": str(_PLACES.layer("embed") / "model"),
    }  # fmt: skip


def _import_path(areas: list[Area]) -> list[str]:
    """Layers, bundles, then what only the edge needs (.tools/edge), then the edge itself."""
    used = [name for name in LAYERS if any(name in area.layers for area in areas)]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [
        *(str(_PLACES.layer(name) / "python") for name in used),
        *(str(_PLACES.function(area.name)) for area in areas),
        str(CLONE / ".tools" / "edge" / "lib" / version / "site-packages"),
        str(CLONE),
    ]


def _key(config: dict[str, Any], environment: dict[str, str], areas: list[Area]) -> str:
    built = [_PLACES.layer(name) for name in LAYERS] + [_PLACES.function(area.name) for area in areas]
    stamps = [read_stamp(piece) for piece in built]
    own = [path.read_text() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return hashlib.sha256(json.dumps([config, environment, stamps, own], sort_keys=True).encode()).hexdigest()


def refuse_taken(state_dir: Path, port: int) -> None:
    """Raise LocalCloudError when another program has the edge's port."""
    running = attach_edge(state_dir)
    if (running is None or running.port != port) and _listening(port):
        raise LocalCloudError(
            f"Port {port} of 127.0.0.1 is taken by another program. Choose another: make up ATRIUM_PORT={port + 1}"
        )


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
