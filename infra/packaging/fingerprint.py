"""Content hashes: what goes into a piece decides whether it is built again, and is its asset hash in the CDK.

The inputs are hashed, not the output: a rebuild of the same inputs deploys nothing.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

IGNORED = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".DS_Store"})


def source_files(folder: Path) -> list[Path]:
    """The files below a folder in a fixed order, caches left out."""
    found = (path for path in folder.rglob("*") if path.is_file() and not IGNORED.intersection(path.parts))
    return sorted(path for path in found if path.suffix != ".pyc")


def of_texts(texts: Iterable[str]) -> str:
    """One hash (32 hex digits) of several texts in order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:32]


def of_files(files: Iterable[Path], root: Path) -> str:
    """One hash of files: their paths below `root`, their modes' execute bit and their bytes."""
    return of_texts(f"{path.relative_to(root)}\0{_executable(path)}\0{_digest(path)}" for path in files)


def _executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o100)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stamp_of(piece: Path) -> Path:
    """Where the hash of a built piece stands: beside it, not in it."""
    return piece.with_name(f"{piece.name}.hash")


def read_stamp(piece: Path) -> str:
    """The hash a piece was built from; empty when it is not there, or only half."""
    stamp = stamp_of(piece)
    return stamp.read_text().strip() if piece.is_dir() and stamp.is_file() else ""
