"""The AWS emulator (PyPI ministack): one process on 127.0.0.1 that speaks the APIs of the services the stack uses.

It runs in an environment of its own (.tools/emulator) that holds what Lambda's Python runtime holds, because its
Lambda workers use its interpreter: a package missing from our layers must be missing there too.
"""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

from infra.local.processes import Process, free_port, recall, spawn, wait_until
from infra.local.state import CLONE, LocalCloudError, private_dir, read_record, tool_environment, write_record

REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
PREFERRED_PORT: Final = 4566
INTERPRETER: Final = CLONE / ".tools" / "emulator" / "bin" / "python"
_MAIN: Final = Path(__file__).with_name("emulator_main.py")
# The emulator accepts any credentials; these keep the SDK and the CDK from looking for real ones.
CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}
# What a machine behind a proxy or a private certificate authority needs to reach a model provider.
NETWORK: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    port: int
    process: Process

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL is set to."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that point the AWS SDKs and the CDK here."""
        return CREDENTIALS | {"AWS_ENDPOINT_URL": self.url}

    def client(self, service: str) -> Any:  # noqa: ANN401  boto3 makes its clients at run time
        """A boto3 client of that service."""
        config = Config(retries={"max_attempts": 3}, read_timeout=300, s3={"addressing_style": "path"})
        return boto3.client(  # type: ignore[call-overload]  # the service is not a literal here
            service, endpoint_url=self.url, region_name=REGION, config=config,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def stop(self) -> None:
        """End it; on SIGTERM it writes its snapshot first."""
        self.process.end(patience=60)


def start_emulator(state_dir: Path, port: int = 0) -> Emulator:
    """Start the emulator of `state_dir`, or take the running one. Port 0: the last one, else 4566, else any free one."""
    home = private_dir(state_dir / "emulator")
    if (running := attach_emulator(state_dir)) is not None:
        return running
    if not INTERPRETER.exists():
        raise LocalCloudError("The emulator's environment is missing: run make emulator.")
    chosen = free_port(port or int(read_record(home / "port.json").get("port", PREFERRED_PORT)))
    write_record(home / "port.json", {"port": chosen})
    shutil.rmtree(home / "tmp", ignore_errors=True)  # code of workers that a kill left behind
    log = home / "emulator.log"
    process = spawn([str(INTERPRETER), "-P", str(_MAIN)], env=_environment(home, chosen), log=log, cwd=private_dir(home / "tmp"))
    process.save(home / "process.json")
    emulator = Emulator(port=chosen, process=process)
    if not wait_until(lambda: _healthy(emulator.url) or not process.alive, 60) or not process.alive:
        process.end()
        raise LocalCloudError(f"The AWS emulator did not start; see {log}")
    return emulator


def snapshot(state_dir: Path) -> Emulator:
    """Make what the emulator holds survive a kill: it writes its state when it ends, and only then. Takes about 2 s."""
    running = attach_emulator(state_dir)
    if running is not None:
        running.stop()
    return start_emulator(state_dir)


def attach_emulator(state_dir: Path) -> Emulator | None:
    """The emulator of `state_dir` when it runs."""
    home = state_dir / "emulator"
    process = recall(home / "process.json")
    return None if process is None else Emulator(port=int(read_record(home / "port.json")["port"]), process=process)


def _environment(home: Path, port: int) -> Mapping[str, str]:
    network = {name: os.environ[name] for name in NETWORK if name in os.environ}
    return network | {
        "PATH": tool_environment()["PATH"],  # Node, for the CDK's own custom resources
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "LANG": "C.UTF-8",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",  # would listen on every interface
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home / "s3"),
    }


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_ministack/health", timeout=5) as answer:  # noqa: S310  our own loopback address
            return bool(answer.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False
