"""The real local models for tests: built once into build/, as `make build` does, when they are not there."""

import fcntl
from pathlib import Path

import pytest

from infra.packaging.__main__ import Piece, build, model_piece, ocr_piece
from infra.packaging.places import Places


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """The folder with model.onnx and tokenizer.json. Import it into a conftest.py to use it."""
    return _built(model_piece(Places("local")), "model.lock")


@pytest.fixture(scope="session")
def ocr_data_dir() -> Path:
    """The folder with what Tesseract knows of English, and of how a page was turned."""
    return _built(ocr_piece(Places("local")), "ocr.lock")


def _built(piece: Piece, lock_name: str) -> Path:
    piece.target.parent.mkdir(parents=True, exist_ok=True)
    # Several test processes, or a build beside them, may want it at once.
    with (piece.target.parent / lock_name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build(piece)
    return piece.target
