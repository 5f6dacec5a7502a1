"""The layers: third-party packages by dependency group, our own package, the embedding model, the OCR languages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.areas import LayerName
from infra.packaging import fingerprint
from infra.packaging.bytecode import compile_tree
from infra.packaging.places import PYTHON_VERSION, Places, uv
from infra.packaging.prune import DROPPED_PACKAGES, prune

MOUNT = "/opt/python"


def export(places: Places, group: str) -> str:
    """The group's locked requirements with hashes, whole lines, from uv.lock as it stands."""
    pruned = [flag for package in DROPPED_PACKAGES for flag in ("--prune", package)]
    command = [uv(), "export", "--frozen", "--quiet", "--no-header", "--no-annotate", "--only-group", group, *pruned]
    return subprocess.run(command, cwd=places.root, check=True, capture_output=True, text=True).stdout  # noqa: S603 - uv


def requirements(places: Places, layer: LayerName) -> str:
    """What a layer installs: its group without the packages that base carries (one lock, so the versions agree)."""
    wanted = _entries(export(places, layer))
    carried = set() if layer == "base" else set(_entries(export(places, "base")))
    return "\n".join(entry for name, entry in wanted.items() if name not in carried) + "\n"


def _entries(exported: str) -> dict[str, str]:
    """Package name → its requirement, continuation lines with the hashes included."""
    logical = exported.replace("\\\n", " ").splitlines()
    return {line.split("==")[0].strip(): line for line in logical if "==" in line}


def third_party_hash(places: Places, layer: LayerName) -> str:
    """Hash of what a third-party layer is built from: locked packages, machine, these rules, its data."""
    here = Path(__file__).parent
    rules = fingerprint.of_files([here / name for name in ("bytecode.py", "layers.py", "prune.py", "strip.py")], here)
    data = fingerprint.read_stamp(_data(places)[layer][0]) if layer in _data(places) else ""
    return fingerprint.of_texts((layer, places.machine, PYTHON_VERSION, requirements(places, layer), rules, data))


def build_third_party(places: Places, layer: LayerName, target: Path) -> None:
    """Install, prune and compile a layer's packages into `target`/python, and its data beside them."""
    packages = target / "python"
    packages.mkdir(parents=True)
    _install(places, requirements(places, layer), packages)
    prune(packages)
    compile_tree(packages, MOUNT)
    if layer in _data(places):
        source, name = _data(places)[layer]
        shutil.copytree(source, target / name)


def _data(places: Places) -> dict[LayerName, tuple[Path, str]]:
    """Layer → (what is built once for all platforms, its name in the layer)."""
    return {"embed": (places.model, "model"), "ocr": (places.ocr_data, "tessdata")}


def _install(places: Places, locked: str, packages: Path) -> None:
    # Compiled afterwards, when the unused is gone. --no-deps: the lock names every package already.
    command = [uv(), "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    where = ["--link-mode", "copy", "--target", str(packages), "--python", sys.executable, "--python-version", PYTHON_VERSION]
    machine = ["--python-platform", places.wheels] if places.wheels else []
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run([*command, *where, *machine, "-r", "-"], input=locked, text=True, check=True, env=environment)  # noqa: S603 - uv


def atrium_hash(places: Places) -> str:
    """Hash of our own package's sources."""
    folder = places.root / "layers" / "atrium" / "python"
    return fingerprint.of_files(fingerprint.source_files(folder), folder)


def build_atrium(places: Places, target: Path) -> None:
    """Our own package alone, so that a change of code uploads little."""
    source = places.root / "layers" / "atrium" / "python"
    shutil.copytree(source, target / "python", ignore=shutil.ignore_patterns(*fingerprint.IGNORED, "*.pyc"))
    compile_tree(target / "python", MOUNT)


def link_hash(places: Places, layer: LayerName) -> str:
    """Hash of a link: it changes with what it points to, so that a deployment restarts the workers that use it."""
    return fingerprint.of_texts((str(places.layer(layer)), fingerprint.read_stamp(places.layer(layer))))


def build_link(places: Places, layer: LayerName, target: Path) -> None:
    """A layer that points to the built one. The emulator unpacks every layer for every worker: 230 MB, up to 15 s."""
    site = target / "python" / "lib" / f"python{PYTHON_VERSION}" / "site-packages"
    site.mkdir(parents=True)
    # In front, as a layer's own packages would be.
    line = f"import sys; sys.path.insert(0, {str(places.layer(layer) / 'python')!r})\n"
    (site / f"atrium-layer-{layer}.pth").write_text(line)
