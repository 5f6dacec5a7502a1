"""`python -m infra.packaging [--platform local|lambda-arm64]`: build what changed, say what it took."""

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

from infra.areas import FUNCTIONS, LAYERS, LayerName
from infra.packaging import bundles, fingerprint, layers, ocr_data
from infra.packaging.places import ROOT, Places, PlatformName, uv


@dataclass(frozen=True, slots=True)
class Piece:
    """One folder to build: `build` fills the folder it is given, `key` is the hash of what goes in."""

    label: str
    target: Path
    key: str
    build: Callable[[Path], None]


def pieces(places: Places) -> list[Piece]:
    """Every layer and bundle, the slow ones first. Model and OCR data must be built before: they are part of layers' keys."""
    third_party = [name for name in LAYERS if name != "atrium"]
    return [
        *(_third_party(places, name) for name in third_party),
        Piece("layer atrium", places.layer("atrium"), layers.atrium_hash(places), partial(layers.build_atrium, places)),
        *(_bundle(places, each.name) for each in FUNCTIONS),
    ]


def _third_party(places: Places, name: LayerName) -> Piece:
    key = layers.third_party_hash(places, name)
    return Piece(f"layer {name}", places.layer(name), key, partial(layers.build_third_party, places, name))


def _bundle(places: Places, name: str) -> Piece:
    return Piece(
        f"function {name}", places.function(name), bundles.bundle_hash(places, name), partial(bundles.build_bundle, places, name)
    )


def links(places: Places) -> list[Piece]:
    """What stands in for the layers on the local cloud; nothing elsewhere. The layers must be built before."""
    names = LAYERS if places.platform == "local" else ()
    return [
        Piece(f"link {name}", places.deployable(name), layers.link_hash(places, name), partial(layers.build_link, places, name))
        for name in names
    ]


def model_piece(places: Places) -> Piece:
    """The embedding model: built by infra/packaging/model.py in an environment of its own."""
    sources = sorted((places.root / "infra" / "packaging").glob("model*.py"))
    key = fingerprint.of_texts((fingerprint.of_files(sources, places.root), layers.export(places, "model")))
    return Piece("model", places.model, key, partial(_build_model, places))


def _build_model(places: Places, target: Path) -> None:
    target.mkdir(parents=True)
    command = [uv(), "run", "--quiet", "--frozen", "--isolated", "--only-group", "model", "--python", sys.executable]
    module = ["python", "-m", "infra.packaging.model", str(target)]
    subprocess.run([*command, *module], cwd=places.root, check=True, env=os.environ | {"PYTHONPATH": str(places.root)})  # noqa: S603 - uv


def ocr_piece(places: Places) -> Piece:
    """What Tesseract knows of the chosen languages; fetched when the choice, or a pinned hash, changes."""
    rules = fingerprint.of_files([places.root / "infra" / "packaging" / "ocr_data.py"], places.root)
    key = fingerprint.of_texts((*ocr_data.languages(), rules))
    return Piece("ocr data", places.ocr_data, key, ocr_data.build)


def build(piece: Piece) -> str:
    """Build a piece unless its stamp says it is there. A half-built folder never carries a stamp."""
    if fingerprint.read_stamp(piece.target) == piece.key:
        return ""
    started = time.monotonic()
    partial_target = piece.target.with_name(f"{piece.target.name}.partial")
    for leftover in (partial_target, piece.target):
        shutil.rmtree(leftover, ignore_errors=True)
    fingerprint.stamp_of(piece.target).unlink(missing_ok=True)
    piece.target.parent.mkdir(parents=True, exist_ok=True)
    piece.build(partial_target)
    partial_target.rename(piece.target)
    fingerprint.stamp_of(piece.target).write_text(piece.key + "\n")
    return f"{piece.label}: {size(piece.target) / 1e6:.1f} MB in {time.monotonic() - started:.1f} s"


def size(folder: Path) -> int:
    """Bytes of the files below a folder, as Lambda counts a layer unzipped."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """Let one build run at a time in a clone: the platforms share the model, tests build while `make up` does."""
    lock = places.build.parent / ".lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def build_all(places: Places, say: Callable[[str], None]) -> int:
    """Build everything that changed, in parallel; returns how many pieces were built."""
    with alone(places):
        return _build_all(places, say)


def _build_all(places: Places, say: Callable[[str], None]) -> int:
    with ThreadPoolExecutor(max_workers=2) as pool:
        done = list(pool.map(build, (model_piece(places), ocr_piece(places))))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        done += pool.map(build, pieces(places))
    for link in links(places):
        build(link)
    for line in filter(None, done):
        if not line.startswith("function "):  # nine small folders in no time
            say(line)
    return sum(1 for line in done if line)


def main() -> None:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(prog="python -m infra.packaging", description=__doc__)
    parser.add_argument("--platform", choices=get_args(PlatformName), default="local")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    started = time.monotonic()
    built = build_all(Places(arguments.platform, arguments.root.resolve()), lambda line: print(line, flush=True))  # noqa: T201 - a command's output
    print(f"{arguments.platform}: {built or 'nothing'} built in {time.monotonic() - started:.1f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
