"""One local cloud: its parts in the order they need each other. `make up` and the end-to-end tests both start it here."""

import fcntl
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from infra.local.console import console, step
from infra.local.deploy import Site, bootstrap, build, deploy, outputs
from infra.local.edge.launch import Edge, attach_edge, refuse_taken, start_edge
from infra.local.emulator import Emulator, attach_emulator, snapshot, start_emulator
from infra.local.postgres import PostgresServer, attach_postgres, start_postgres
from infra.local.providers import copy_provider_keys, read_env
from infra.local.state import CLONE, LocalCloudError, private_dir

DEFAULT_PORT: Final = 8080
# The deployment's settings (infra/settings.py) that make sense on a laptop; in .env they are written in capitals.
SETTINGS: Final = (
    "chat_model", "embedding_model", "models", "log_level", "registration", "cors_origins", "ocr_max_pages", "ingest_in_flight",
    "drop_delete", "reranker", "index_threshold", "rate_limit_principal", "rate_limit_tenant", "rate_limit_public",
    "default_monthly_budget_usd",
)  # fmt: skip


@dataclass(frozen=True)
class Cloud:
    """A running local cloud. `outputs` are the stack's, by name."""

    state_dir: Path
    postgres: PostgresServer
    emulator: Emulator
    edge: Edge
    outputs: dict[str, str]

    @property
    def url(self) -> str:
        """The origin of the API."""
        return self.edge.url

    @property
    def bucket(self) -> str:
        """The bucket with the drop folder."""
        return self.outputs["BucketName"]


def start(state_dir: Path, *, port: int = DEFAULT_PORT, emulator_port: int = 0, env_file: Path | None = CLONE / ".env") -> Cloud:
    """Start what does not run and bring the rest up to date. Twice in a row it only checks.

    Args:
        state_dir: Everything is kept there.
        port: The edge's.
        emulator_port: 0 keeps the last one, else 4566 when free.
        env_file: Where provider keys and settings come from; None leaves the secret store without any.
    """
    dotenv = read_env(env_file) if env_file else {}
    settings = {name: dotenv[name.upper()] for name in SETTINGS if name.upper() in dotenv}
    with _exclusive(private_dir(state_dir, passable=True)):
        refuse_taken(state_dir, port)
        with ThreadPoolExecutor(max_workers=1) as side:
            building = side.submit(build, dotenv.get("OCR_LANGUAGES", ""))  # the longest step, and the others do not need it
            with step("Postgres 18 with pgvector"):
                postgres = start_postgres(state_dir / "postgres")
            with step("AWS emulator"):
                emulator = start_emulator(state_dir, emulator_port)
                copy_provider_keys(emulator, dotenv)
                site = Site(postgres, emulator, f"http://127.0.0.1:{port}", settings)
                bootstrap(site, state_dir)
            with step("layers and functions"):
                building.result()
        with step("the stack (cdk deploy)"):
            if deploy(site, state_dir):
                emulator = snapshot(state_dir)
            put_out = outputs(emulator)
        with step("the edge"):
            edge = start_edge(state_dir, emulator, port=port, base=urlsplit(put_out["ApiUrl"]).path)
        return Cloud(state_dir, postgres, emulator, edge, put_out)


def attach(state_dir: Path) -> Cloud:
    """The running cloud. Raises LocalCloudError naming the part that does not run."""
    postgres = attach_postgres(state_dir / "postgres")
    emulator = attach_emulator(state_dir)
    edge = attach_edge(state_dir)
    if postgres is None or emulator is None or edge is None:
        parts = {"Postgres": postgres, "the AWS emulator": emulator, "the edge": edge}
        missing = ", ".join(name for name, part in parts.items() if part is None)
        raise LocalCloudError(f"Not running: {missing}. Start it with: make up")
    return Cloud(state_dir, postgres, emulator, edge, outputs(emulator))


def stop(state_dir: Path) -> list[str]:
    """End exactly the processes that `start` started, front to back; data stays. Returns what was stopped."""
    if not state_dir.exists():
        return []
    with _exclusive(private_dir(state_dir, passable=True)):
        parts = {
            "the edge": attach_edge(state_dir),
            "the AWS emulator": attach_emulator(state_dir),
            "Postgres": attach_postgres(state_dir / "postgres"),
        }
        running = {name: part for name, part in parts.items() if part is not None}
        for part in running.values():
            part.stop()
    return list(running)


def reset(state_dir: Path) -> None:
    """Stop, and delete everything the local cloud kept."""
    stop(state_dir)
    shutil.rmtree(state_dir, ignore_errors=True)


@contextmanager
def _exclusive(state_dir: Path) -> Iterator[None]:
    """One command at a time changes a state folder; the second waits."""
    with (state_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("Another command is working on this local cloud; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
