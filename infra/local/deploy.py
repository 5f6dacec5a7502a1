"""`cdk deploy` of the real stack onto the emulator, and what it put out.

Nothing of the caller's AWS configuration reaches the CDK here, so target=local cannot land in a real account.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.areas import FUNCTIONS
from infra.local.emulator import ACCOUNT, REGION, Emulator
from infra.local.postgres import DATABASE, PostgresServer
from infra.local.state import CLONE, PREFIX, LocalCloudError, private_dir, read_record, tool_environment, write_record
from infra.packaging.places import Places

STACK: Final = "Atrium"
_TOOLKIT: Final = "CDKToolkit"
_CDK: Final = CLONE / "node_modules" / ".bin" / "cdk"
_LINES: Final = 20
_COMPLETE: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})


@dataclass(frozen=True)
class Site:
    """Where the parts of one local cloud answer, and the settings it is deployed with (CDK context)."""

    postgres: PostgresServer
    emulator: Emulator
    public_url: str
    settings: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """What infra/settings.py reads on target=local."""
        return {
            "ATRIUM_LOCAL_DB_HOST": self.postgres.host,
            "ATRIUM_LOCAL_DB_PORT": str(self.postgres.port),
            "ATRIUM_LOCAL_DB_NAME": DATABASE,
            "ATRIUM_LOCAL_DB_PASSWORD": self.postgres.master_password,
            "ATRIUM_LOCAL_PUBLIC_URL": self.public_url,
            "ATRIUM_LOCAL_S3_URL": self.emulator.url,
            "ATRIUM_LOCAL_AWS_ENDPOINT": self.emulator.url,
        }


def database_environment(server: PostgresServer, user: str) -> dict[str, str]:
    """The settings (atrium/kernel/settings.py) with which code outside a function reaches the database as `user`."""
    return {
        "DATABASE_HOST": server.host,
        "DATABASE_PORT": str(server.port),
        "DATABASE_NAME": DATABASE,
        "DATABASE_USER": user,
        "DATABASE_PASSWORD": server.master_password,
    }


def build(ocr_languages: str = "") -> None:
    """Build the layers and bundles whose sources changed. `ocr_languages` (`eng+deu`) unless the environment names them."""
    command = [sys.executable, "-m", "infra.packaging", "--platform", "local"]
    chosen = {"OCR_LANGUAGES": ocr_languages} | os.environ | tool_environment()
    answer = subprocess.run(command, cwd=CLONE, env=chosen, check=False)
    if answer.returncode != 0:
        raise LocalCloudError("The layers could not be built; the lines above say why.")


def deploy(site: Site, state_dir: Path) -> bool:
    """Deploy when anything that goes in has changed, or the emulator lost what was deployed. True when it did."""
    home = private_dir(state_dir / "deploy")
    key = _key(site)
    if read_record(home / "deployed.json").get("key") == key and _in_place(site.emulator):
        return False
    _run_cdk(["deploy", "--all", "--require-approval", "never"], site, home)
    write_record(home / "deployed.json", {"key": key})
    return True


def bootstrap(site: Site, state_dir: Path) -> None:
    """Give a new emulator what the CDK deploys through. Needs no layers yet."""
    if _stack(site.emulator, _TOOLKIT).get("StackStatus") not in _COMPLETE:
        _forget_assets(site.emulator)
        home = private_dir(state_dir / "deploy")
        _run_cdk(["bootstrap", f"aws://{ACCOUNT}/{REGION}"], site, home, folder=home)  # where no cdk.json asks for a synth


def outputs(emulator: Emulator) -> dict[str, str]:
    """The deployed stack's outputs by name; empty when it is not there."""
    stack = _stack(emulator, STACK)
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def _stack(emulator: Emulator, name: str) -> dict[str, Any]:
    try:
        (stack,) = emulator.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError:  # the emulator, like AWS, answers ValidationError for an unknown stack
        return {}
    return dict(stack)


def _in_place(emulator: Emulator) -> bool:
    """Whether the emulator still has what was deployed: a kill takes it back to its last snapshot."""
    if _stack(emulator, STACK).get("StackStatus") not in _COMPLETE:
        return False
    pages = emulator.client("lambda").get_paginator("list_functions").paginate()
    there = {function["FunctionName"] for page in pages for function in page["Functions"]}
    return there >= {f"{PREFIX}-{function.name}" for function in FUNCTIONS}


def _forget_assets(emulator: Emulator) -> None:
    """A kill during the first deployment leaves the CDK's bucket on disk without its stack, and that blocks the next attempt."""
    client = emulator.client("s3")
    for bucket in client.list_buckets()["Buckets"]:
        if bucket["Name"].startswith("cdk-"):
            for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"]):
                for version in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                    client.delete_object(Bucket=bucket["Name"], Key=version["Key"], VersionId=version["VersionId"])
            client.delete_bucket(Bucket=bucket["Name"])


def _key(site: Site) -> str:
    """Hash of everything a deployment depends on: the stack's code, the built pieces, where the parts listen."""
    digest = hashlib.sha256(json.dumps([site.environment, dict(site.settings)], sort_keys=True).encode())
    for path in _inputs():
        digest.update(f"\0{path.relative_to(CLONE)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _inputs() -> Iterable[Path]:
    yield CLONE / "cdk.json"
    yield CLONE / "package-lock.json"
    yield CLONE / "uv.lock"
    yield from sorted((CLONE / "infra").glob("*.py"))
    yield from sorted(Places("local").build.glob("*/*.hash"))


def _run_cdk(arguments: list[str], site: Site, home: Path, *, folder: Path = CLONE) -> None:
    if not _CDK.exists():
        raise LocalCloudError("The AWS CDK is not installed: run make cdk.")
    log = home / "deploy.log"
    context = [word for name, value in ({"target": "local"} | dict(site.settings)).items() for word in ("-c", f"{name}={value}")]
    with log.open("wb") as output:
        answer = subprocess.run(
            [str(_CDK), *arguments, *context, "--output", str(home / "cdk.out"), "--ci", "--no-notices"],
            cwd=folder, env=_environment(site, home), stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False,
        )  # fmt: skip
    if answer.returncode != 0:
        raise LocalCloudError(f"cdk {arguments[0]} failed; all of it is in {log}.\n{_failures(log)}")


def _failures(log: Path) -> str:
    """The lines that say what went wrong, or the log's end."""
    lines = log.read_text(errors="replace").splitlines()
    telling = [number for number, line in enumerate(lines) if "_FAILED" in line or line.startswith(("Error", "Traceback", "❌"))]
    first = telling[0] if telling else max(0, len(lines) - _LINES)
    return "\n".join(lines[first : first + _LINES])


def _environment(site: Site, home: Path) -> Mapping[str, str]:
    inherited = {name: os.environ[name] for name in ("HOME", "LANG", "NODE_EXTRA_CA_CERTS") if name in os.environ}
    none = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    return inherited | tool_environment() | site.environment | site.emulator.environment | none | {"CDK_HOME": str(home)}
