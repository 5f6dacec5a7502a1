"""Both targets synthesised once per run, by the same command that `cdk` starts, and read as plain JSON."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.areas import FUNCTIONS, LAYERS
from infra.packaging.fingerprint import stamp_of
from infra.packaging.places import ROOT
from tests.infra.template import Template

LOCAL_CLOUD = {
    "ATRIUM_LOCAL_DB_PORT": "5432",
    "ATRIUM_LOCAL_DB_PASSWORD": "of-this-machine",
    "ATRIUM_LOCAL_PUBLIC_URL": "http://127.0.0.1:8080",
    "ATRIUM_LOCAL_S3_URL": "http://127.0.0.1:4566",
    "ATRIUM_LOCAL_AWS_ENDPOINT": "http://127.0.0.1:4566",
}


def placeholder_build(folder: Path) -> Path:
    """What a synth needs of a build: a stamped folder per piece. The packages themselves are tested where they are built."""
    for kind, names in {"layers": LAYERS, "links": LAYERS, "functions": [each.name for each in FUNCTIONS]}.items():
        for name in names:
            piece = folder / kind / name
            piece.mkdir(parents=True, exist_ok=True)
            (piece / "placeholder").touch()
            stamp_of(piece).write_text(f"{kind}-{name}\n")
    return folder


def synth(out: Path, build: Path, **context: str) -> subprocess.CompletedProcess[str]:
    """Run the CDK app into `out` as the CLI does, with cdk.json's context and this."""
    everything = json.loads((ROOT / "cdk.json").read_text())["context"] | {"build_dir": str(build)} | context
    # The CDK's modules are tens of megabytes of source: without their bytecode a synth takes seconds more.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = inherited | LOCAL_CLOUD | {"CDK_OUTDIR": str(out), "CDK_CONTEXT_JSON": json.dumps(everything)}
    command = [sys.executable, "-m", "infra.app"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _once(shared: Path, target: str) -> Template:
    """The template of a target; of several test workers one synthesises and the others wait for it."""
    out = shared / f"synth-{target}"
    with (shared / f"synth-{target}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / "Atrium.template.json").exists():
            done = synth(out, placeholder_build(shared / f"build-{target}"), target=target)
            assert done.returncode == 0, done.stdout + done.stderr
    template: dict[str, Any] = json.loads((out / "Atrium.template.json").read_text())
    return Template(template)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all test workers of a run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def aws(shared_folder: Path) -> Template:
    """What an account gets."""
    return _once(shared_folder, "aws")


@pytest.fixture(scope="session")
def local(shared_folder: Path) -> Template:
    """What the local cloud gets."""
    return _once(shared_folder, "local")
