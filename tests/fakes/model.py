"""The real local models for tests: built once into build/, as `make build` does, when they are not there."""

from pathlib import Path

import pytest

from infra.packaging.__main__ import Piece, alone, build, model_piece, ocr_piece
from infra.packaging.places import Places


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """The folder with model.onnx and tokenizer.json. Import it into a conftest.py to use it."""
    return _built(model_piece(Places("local")))


@pytest.fixture(scope="session")
def ocr_data_dir() -> Path:
    """The folder with what Tesseract knows of English, and of how a page was turned."""
    return _built(ocr_piece(Places("local")))


def _built(piece: Piece) -> Path:
    # Several test processes, or the build of a local cloud beside them, may want it at once.
    with alone(Places("local")):
        build(piece)
    return piece.target
