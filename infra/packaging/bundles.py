"""The function bundles: functions/<name>/ under its own package path, so that one import path holds everywhere."""

import shutil
from pathlib import Path

from infra.packaging import fingerprint
from infra.packaging.bytecode import compile_tree
from infra.packaging.places import Places

MOUNT = "/var/task"


def _sources(places: Places, name: str) -> dict[Path, Path]:
    """Path in the bundle → file in the repository."""
    folder = places.root / "functions" / name
    if not (folder / "handler.py").is_file():
        raise SystemExit(f"functions/{name}/handler.py is missing: infra/areas.py declares the function {name}")
    files = {path.relative_to(places.root): path for path in fingerprint.source_files(folder)}
    package = places.root / "functions" / "__init__.py"
    if package.is_file():
        files[Path("functions/__init__.py")] = package
    return files | _extras(places, name, folder)


def _extras(places: Places, name: str, folder: Path) -> dict[Path, Path]:
    extras: dict[Path, Path] = {}
    if (folder / "run.sh").is_file():
        # Lambda Web Adapter starts the handler's file at the root of the bundle.
        extras[Path("run.sh")] = folder / "run.sh"
    if name == "system":
        # /openapi.json serves all areas merged, which one function alone cannot compute.
        extras[Path("functions/system/openapi.json")] = places.root / "docs" / "openapi.json"
    return {inside: path for inside, path in extras.items() if path.is_file()}


def bundle_hash(places: Places, name: str) -> str:
    """Hash of a function's own files."""
    return fingerprint.of_texts(
        f"{inside}\0{fingerprint.of_files([path], places.root)}" for inside, path in sorted(_sources(places, name).items())
    )


def build_bundle(places: Places, name: str, target: Path) -> None:
    """Copy and compile a function's own files into `target`."""
    for inside, path in _sources(places, name).items():
        (target / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target / inside)
    compile_tree(target, MOUNT)
